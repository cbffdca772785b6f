import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.canonical import MAX_NUMBER, canonical, read_canonical
from streamguard.core.errors import EvidenceDamaged

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
leaves = st.none() | st.booleans() | st.integers(-MAX_NUMBER, MAX_NUMBER) | text
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(text, inner))


def test_it_is_written_as_the_rfc_shows() -> None:
    """The order of keys is that of section 3.2.3, the escapes are those of 3.2.2.2."""
    value = {
        "\u20ac": "Euro",
        "\r": "CR",
        "\ufb33": "dalet",
        "1": '\u20ac$\x0f\nA\'B"\\\\"/',
        "\U0001f600": "smile",
        "\x80": "control",
        "\u00f6": [56, True, None],
    }

    assert canonical(value).decode() == (
        '{"\\r":"CR","1":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/","\x80":"control",'
        '"\u00f6":[56,true,null],"\u20ac":"Euro","\U0001f600":"smile","\ufb33":"dalet"}'
    )


@given(values)
def test_what_was_written_is_read_and_written_alike(value: object) -> None:
    content = canonical(value)

    assert read_canonical(content) == value
    assert canonical(json.loads(content)) == content


@given(values, st.data())
def test_no_flipped_bit_gives_the_same_value(value: object, data: st.DataObject) -> None:
    content = bytearray(canonical(value))
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8

    try:
        changed = read_canonical(bytes(content))
    except EvidenceDamaged:
        return
    assert json.dumps(changed) != json.dumps(value)


@pytest.mark.parametrize("number", [MAX_NUMBER, -MAX_NUMBER])
def test_the_largest_exact_number_is_taken_and_no_larger_one(number: int) -> None:
    assert read_canonical(canonical(number)) == number
    with pytest.raises(ValueError, match="no int"):
        canonical(number + (1 if number > 0 else -1))


@pytest.mark.parametrize("value", [1.0, {1: 2}, b"", {"a": {1.5}}, "\ud800"])
def test_what_has_no_one_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each says its own
        canonical(value)


@pytest.mark.parametrize("content", [b'{"a": 1}', b'{"b":1,"a":2}', b"1.0", b"", b'"\xff"', b"1 "])
def test_another_form_is_damage(content: bytes) -> None:
    with pytest.raises(EvidenceDamaged):
        read_canonical(content)
