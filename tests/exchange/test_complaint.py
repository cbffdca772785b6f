"""What is shown of a service's own words, and what never is."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.exchange.complaint import MAX_CHARS, MIN_SECRET_CHARS, complaint_of

HASH = "0123456789abcdef" * 4


def said(value: Any, *sent: str) -> str:
    return complaint_of(json.dumps(value).encode(), sent)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"error": {"message": "Bad limit.", "type": "X", "code": 100}}, '"Bad limit." (code 100)'),
        ({"error": {"message": "Bad limit.", "code": "x"}}, '"Bad limit."'),
        ({"error": "Bad limit."}, '"Bad limit."'),
        ({"detail": "Not found."}, '"Not found."'),
        ({"non_field_errors": ["Unable to log in.", "More"]}, '"Unable to log in."'),
        ({"username": ["This field is required."]}, '"username: This field is required."'),
        (["Bad limit."], '"Bad limit."'),
        ({"detail": "two\nlines,\x1b[31m a  colour"}, '"two lines,[31m a colour"'),
    ],
)
def test_the_text_of_an_error_is_found(answer: Any, shown: str) -> None:
    assert said(answer) == f"; it says {shown}"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"null", b"7", b"<html>Bad</html>", b'{"id": "x"}', b'{"detail": " "}']
)
def test_what_does_not_speak_says_nothing(body: bytes) -> None:
    assert complaint_of(body, []) == ""


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.org/x?token=abc",
        "the query access_token=abc",
        f"the hash {HASH}",
        f"the hash '{HASH}'",
        "the query access_token%3Dabc",
    ],
)
def test_addresses_queries_and_hashes_are_cut_out(text: str) -> None:
    shown = said({"detail": text})

    assert "[...]" in shown
    for secret in ("abc", "example.org", HASH):
        assert secret not in shown


@pytest.mark.parametrize("text", ["777|Open Sesame", "777%7COpen+Sesame", "sesame", "Bad:SESAME."])
def test_nothing_that_was_sent_comes_back_nor_a_part_of_it(text: str) -> None:
    shown = said({"detail": f"wrong {text}"}, "777|Open Sesame")

    assert "sesame" not in shown.lower()
    assert shown.startswith('; it says "wrong ')


@given(
    secret=st.text("QXZ789|%-", min_size=MIN_SECRET_CHARS, max_size=40),
    before=st.text(max_size=20),
)
def test_no_secret_comes_through_whatever_is_in_it(secret: str, before: str) -> None:
    shown = said({"detail": f"{before}: {secret}"}, secret)

    assert secret not in shown


@pytest.mark.parametrize("n_chars", [MAX_CHARS, MAX_CHARS + 1])
def test_a_long_text_is_cut_off(n_chars: int) -> None:
    text = ("word." * MAX_CHARS)[:n_chars].replace(".", " ").rstrip().ljust(n_chars, ".")

    shown = said({"detail": text})

    assert shown == f'; it says "{text[:MAX_CHARS]}{"..." if n_chars > MAX_CHARS else ""}"'
