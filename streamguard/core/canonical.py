"""Writes JSON in the one form that is hashed and signed: RFC 8785.

Rule: a value has one form and a form has one value, so that no byte can change unnoticed. Numbers
are whole and exact in every reader: fractions are refused, not rounded.
"""

import json
from typing import Any

from streamguard.core.errors import EvidenceDamaged

MAX_NUMBER = 2**53 - 1
"""Largest number that every JSON reader takes exactly. Source: RFC 8785, 3.1, and RFC 7493, 2.2."""


def canonical(value: Any) -> bytes:
    """Write a value of dicts, lists, text, whole numbers, booleans and None.

    Raises:
        ValueError: it holds anything else, or a number or text that not every reader takes.
    """
    ordered = _ordered(value)
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def read_canonical(content: bytes) -> Any:
    """Read what `canonical` wrote.

    Raises:
        EvidenceDamaged: it is no JSON, or JSON in any other form.
    """
    try:
        value = json.loads(content)
        is_canonical = canonical(value) == content
    except (ValueError, RecursionError):
        is_canonical = False
    if not is_canonical:
        raise EvidenceDamaged("is not the canonical JSON that was written")
    return value


def _ordered(value: Any) -> Any:
    match value:
        case None | bool() | str():
            return value
        case int() if abs(value) <= MAX_NUMBER:
            return value
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise ValueError("canonical JSON has text as keys")
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))  # as RFC 8785 orders them
            return {key: _ordered(value[key]) for key in keys}
        case list() | tuple():
            return [_ordered(each) for each in value]
    raise ValueError(f"canonical JSON holds no {type(value).__name__} such as this")
