"""The rule for skips, tried on a small suite of its own that uses this suite's conftest."""

import sys
from pathlib import Path

import pytest

pytest_plugins = ("pytester",)
pytestmark = pytest.mark.integration

SUITE = """
import pytest

@pytest.mark.skip(reason="no such part")
def test_skipped() -> None: ...

@pytest.mark.xfail(reason="known")
def test_expected_to_fail() -> None: assert False

def test_passes() -> None: ...
"""
SKIPPED_MODULE = 'import pytest; pytest.skip("no such part", allow_module_level=True)'


def run_suite(pytester: pytest.Pytester, suite: str, *allowed: str) -> pytest.RunResult:
    conftest = Path(__file__).with_name("conftest.py")
    rows = [f'"{pattern}" = "a reason"' for pattern in allowed]
    pytester.makeconftest(conftest.read_text())
    pytester.makefile(".toml", allowed_skips="\n".join(["[allowed]", *rows]))
    pytester.makepyfile(test_suite=suite)
    return pytester.run(sys.executable, "-m", "pytest", "-p", "no:randomly", timeout=60)


def test_unlisted_skip_fails_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")

    result = run_suite(pytester, SUITE)

    result.assert_outcomes(passed=1, errors=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_listed_skip_passes_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")

    result = run_suite(pytester, SUITE, "test_suite.py::test_skipped", "*::test_expected*")

    result.assert_outcomes(passed=1, skipped=1, xfailed=1)
    assert result.ret == pytest.ExitCode.OK


def test_unlisted_skip_of_a_module_fails_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")

    result = run_suite(pytester, SKIPPED_MODULE)

    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_skip_is_a_skip_on_a_laptop(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)

    result = run_suite(pytester, SUITE)

    result.assert_outcomes(passed=1, skipped=1, xfailed=1)
    assert result.ret == pytest.ExitCode.OK
