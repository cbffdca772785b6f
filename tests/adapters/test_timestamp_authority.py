"""Time stamps of a real authority, made by openssl, and answers that are none."""

import base64
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from streamguard.adapters.timestamp_authority import TimestampAuthority
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from tests.timestamp_server import Tsa, serving

CONTENT = b'{"what":"was there"}'

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("tsa") / "ours")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("tsa") / "theirs")


@pytest.fixture(scope="module")
def token(tsa: Tsa) -> str:
    with serving(tsa.answer) as url:
        return TimestampAuthority(url, tsa.roots).stamp(CONTENT)


def test_a_stamp_is_of_what_was_sent_and_openssl_agrees(
    tsa: Tsa, token: str, tmp_path: Path
) -> None:
    (tmp_path / "content").write_bytes(CONTENT)
    (tmp_path / "token").write_bytes(base64.b64decode(token))

    done = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-data", "content", "-in", "token", "-token_in"),
            *("-CAfile", tsa.roots),
        ],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert TimestampAuthority("http://127.0.0.1:1", tsa.roots).problem_with(token, CONTENT) is None


def test_only_a_hash_leaves_this_machine(tsa: Tsa, token: str) -> None:
    assert token
    assert tsa.queries
    assert not any(CONTENT in query for query in tsa.queries)


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b" "])
def test_a_stamp_is_of_nothing_else(tsa: Tsa, token: str, content: bytes) -> None:
    authority = TimestampAuthority("http://127.0.0.1:1", tsa.roots)

    assert authority.problem_with(token, content) == "is of something else"


@pytest.mark.parametrize("spoilt", ["", "!", "AAAA", "cut", "bit"])
def test_a_token_that_is_not_what_was_given_is_found(tsa: Tsa, token: str, spoilt: str) -> None:
    raw = base64.b64decode(token)
    flipped = base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 1])).decode()
    given = {"cut": token[: len(token) // 8 * 4], "bit": flipped}.get(spoilt, spoilt)

    problem = TimestampAuthority("http://127.0.0.1:1", tsa.roots).problem_with(given, CONTENT)

    assert problem == "is not one of an authority that is trusted"


def test_the_stamp_of_an_authority_that_is_not_trusted_is_none(tsa: Tsa, other: Tsa) -> None:
    """Its token brings its whole chain, which makes nobody trusted."""
    with (
        serving(other.answer) as url,
        pytest.raises(EvidenceUnavailable, match="not one of an authority that is trusted"),
    ):
        TimestampAuthority(url, tsa.roots).stamp(CONTENT)


def test_tokens_of_a_former_authority_count_while_its_root_is_there(
    tsa: Tsa, other: Tsa, token: str, tmp_path: Path
) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_bytes(other.roots.read_bytes() + tsa.roots.read_bytes())

    assert TimestampAuthority("http://127.0.0.1:1", roots).problem_with(token, CONTENT) is None


def test_the_answer_to_an_earlier_question_is_refused(tsa: Tsa) -> None:
    answers: list[bytes] = []

    def first_again(query: bytes) -> bytes:
        answers.append(tsa.answer(query))
        return answers[0]

    with serving(first_again) as url:
        authority = TimestampAuthority(url, tsa.roots)
        authority.stamp(CONTENT)
        with pytest.raises(EvidenceUnavailable, match="another question"):
            authority.stamp(CONTENT)


@pytest.mark.parametrize(
    ("answer", "status", "problem"),
    [
        (lambda _: b"", 200, "gives no time stamp"),
        (lambda _: b"<html>", 200, "gives no time stamp"),
        (lambda _: bytes.fromhex("30053003020102"), 200, "gives no time stamp"),  # a refusal
        (lambda _: b"", 500, "does not answer"),
        (lambda _: bytes(65_537), 200, "answers too much"),
    ],
)
def test_what_is_no_answer_is_told_without_the_address(
    tsa: Tsa, answer: Callable[[bytes], bytes], status: int, problem: str
) -> None:
    with serving(answer, status) as url, pytest.raises(EvidenceUnavailable, match=problem) as told:
        TimestampAuthority(url, tsa.roots).stamp(CONTENT)

    assert "127.0.0.1" not in str(told.value)


def test_nobody_there_is_told(tsa: Tsa) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/"

        with pytest.raises(EvidenceUnavailable, match="does not answer"):
            TimestampAuthority(url, tsa.roots).stamp(CONTENT)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_without_roots_nobody_is_asked(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "roots.pem").write_bytes(content)

    with pytest.raises(ConfigError, match=r"roots\.pem"):
        TimestampAuthority("http://127.0.0.1:1", tmp_path / "roots.pem")
