"""What a service says of a question that it does not answer, fit to be shown.

Rule: one short line, without a hash, an address, or anything that we sent: a service may repeat the
question, and in it stands who we are.
"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote_plus

MAX_BODY_BYTES = 64 << 10
"""So much of an answer is looked at; those of both services are below 1 kB."""

MAX_CHARS = 200
"""Longest text that is shown (our choice: with what we say ourselves, two lines of a terminal)."""

MIN_SECRET_CHARS = 4
"""What we sent is cut out from so many characters on: shorter, it is a part of common words."""

CUT = "[...]"
"""Stands for what is not shown."""

_SPEAKING = ("message", "detail", "non_field_errors", "error", "errors", "error_description")
"""Where a text is looked for. Source: Graph API has error.message and error.code
(https://developers.facebook.com/docs/graph-api/guides/error-handling), Django REST framework, which
Tech Against Terrorism's paths and fields are those of, has detail and non_field_errors
(https://www.django-rest-framework.org/api-guide/exceptions)."""

_UNFIT = re.compile(r"\S*(?:://|=|%)\S*|[^\s\"',;:()]{25,}")
"""Addresses, pieces of a query, and what is too long for a word: hashes, tokens."""


def complaint_of(body: bytes, sent: Iterable[str]) -> str:
    """Give the text of an error's body for the end of a message; empty where it says nothing.

    Args:
        body: JSON, or else it says nothing: the pages of proxies are for browsers.
        sent: whatever we sent along: parameters, headers, forms.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    text = next(_texts(answer), "")
    if not text:
        return ""
    shown = _cleaned(text, sent)
    code = _code(answer)
    return f'; it says "{shown}"' + (f" (code {code})" if code else "")


def _texts(value: Any) -> Iterator[str]:
    """Yield texts, those of the fields first that are known to speak."""
    if isinstance(value, str) and value.strip():
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, dict):
        for name in _SPEAKING:
            yield from _texts(value.get(name))
        if all(isinstance(part, list) for part in value.values()):  # {"username": ["is missing"]}
            for name, part in value.items():
                yield from (f"{name}: {text}" for text in _texts(part))


def _code(answer: Any) -> int | None:
    """Give the number of the error where the service counts its errors."""
    error = answer.get("error") if isinstance(answer, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    return code if isinstance(code, int) else None


def _cleaned(text: str, sent: Iterable[str]) -> str:
    text = _plain(text)
    whole = {form for value in sent for form in (value, _plain(value))}
    pieces = whole | {piece for value in whole for piece in re.split(r"[\s|]+", value)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= MIN_SECRET_CHARS:
            text = re.sub(re.escape(piece), CUT, text, flags=re.IGNORECASE)
    text = "".join(char for char in _UNFIT.sub(CUT, text) if char.isprintable())
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}..."


def _plain(text: str) -> str:
    """Undo the encoding of an address, and bring it on one line."""
    return " ".join(unquote_plus(text).split())
