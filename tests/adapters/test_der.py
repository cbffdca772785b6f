"""The certificates of a time stamp come into order, and nothing else is touched."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.der import sequence_of, with_sorted_certificates

SHORT, LONG, HUGE = b"\x30\x01\x07", b"\x30\x81\x80" + bytes(128), b"\x30\x82\x01\x00" + bytes(256)


def element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    return bytes([tag, 0x82]) + size.to_bytes(2, "big") + content


def answer(*signed: bytes) -> bytes:
    token = element(0x30, element(0x06, b"\x2a"), element(0xA0, element(0x30, *signed)))
    return element(0x30, element(0x30, b"\x02\x01\x00"), token)


@pytest.mark.parametrize("order", [*permutations((SHORT, LONG, HUGE))])
def test_certificates_of_any_length_come_into_order(order: tuple[bytes, ...]) -> None:
    version, rest = element(0x02, b"\x03"), element(0x31, HUGE, SHORT)

    made = with_sorted_certificates(answer(version, element(0xA0, *order), rest))

    assert made == answer(version, element(0xA0, *sorted(order)), rest)


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "3000"),
        (127, "307f"),
        (128, "308180"),
        (255, "3081ff"),
        (256, "30820100"),
        (65_536, "3083010000"),
    ],
)
def test_a_sequence_has_the_shortest_length(size: int, head: str) -> None:
    assert sequence_of(bytes(size)) == bytes.fromhex(head) + bytes(size)


def test_without_certificates_nothing_changes() -> None:
    given_ = answer(element(0x02, b"\x03"), element(0x31, HUGE, SHORT))

    assert with_sorted_certificates(given_) == given_


@given(
    st.binary(max_size=64)
    | st.builds(lambda cut: answer(element(0xA0, LONG, SHORT))[:cut], st.integers(0, 150))
)
def test_what_is_no_answer_is_a_value_error_and_nothing_else(content: bytes) -> None:
    try:
        made = with_sorted_certificates(content)
    except ValueError:
        return
    assert sorted(made) == sorted(content)
