"""The process of a worker is collected, whether or not it ends by itself."""

import asyncio

import pytest

from streamguard.runtime import ending
from streamguard.runtime.ending import collected
from tests.runtime.made_crew import KILLED, ScriptedProcess


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "EXIT_S", 0.01)


def test_a_process_that_does_not_end_by_itself_is_killed_and_leaves_nothing() -> None:
    process = ScriptedProcess(1, lambda: None)

    code = asyncio.run(collected(process, None))

    assert (code, process.n_kills, process.is_closed) == (KILLED, 1, True)


def test_a_process_that_has_ended_is_not_killed() -> None:
    process = ScriptedProcess(1, lambda: None)
    process.end(3)

    codes = [asyncio.run(collected(process, given)) for given in (None, 3)]

    assert (codes, process.n_kills, process.is_closed) == ([3, 3], 0, True)
