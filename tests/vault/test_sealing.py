import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.errors import EvidenceDamaged
from streamguard.vault.sealing import FRAGMENT_BYTES, HEADER, new_key, opened, sealed
from tests.vault.made_vaults import evidence_id

ONE, OTHER = evidence_id(1), evidence_id(2)
KEY = new_key()
SEALED_BYTES = 28


@pytest.mark.parametrize(
    ("size", "n_fragments"),
    [(0, 1), (1, 1), (FRAGMENT_BYTES, 1), (FRAGMENT_BYTES + 1, 2), (3 * FRAGMENT_BYTES, 3)],
)
def test_what_is_sealed_is_opened(size: int, n_fragments: int) -> None:
    content = bytes(index % 251 for index in range(251)) * (size // 251 + 1)
    content = content[:size]

    stored = bytes(sealed(KEY, ONE, 3, content))

    assert len(stored) == HEADER.size + size + n_fragments * SEALED_BYTES
    assert opened(KEY, ONE, 3, stored) == content


@given(st.binary(max_size=64), st.data())
def test_any_flipped_bit_is_found(content: bytes, data: st.DataObject) -> None:
    stored = bytearray(sealed(KEY, ONE, 0, content))
    bit = data.draw(st.integers(0, 8 * len(stored) - 1))
    stored[bit // 8] ^= 1 << bit % 8

    with pytest.raises(EvidenceDamaged):
        opened(KEY, ONE, 0, bytes(stored))


@settings(max_examples=20)
@given(st.integers(0, 2 * FRAGMENT_BYTES + 100))
def test_what_is_cut_off_is_found(n_bytes: int) -> None:
    stored = bytes(sealed(KEY, ONE, 0, bytes(2 * FRAGMENT_BYTES + 50)))

    with pytest.raises(EvidenceDamaged):
        opened(KEY, ONE, 0, stored[:n_bytes])


def test_fragments_cannot_change_places() -> None:
    stored = bytes(sealed(KEY, ONE, 0, bytes(2 * FRAGMENT_BYTES)))
    half = FRAGMENT_BYTES + SEALED_BYTES
    header, fragments = stored[: HEADER.size], stored[HEADER.size :]

    with pytest.raises(EvidenceDamaged, match="fragment 0"):
        opened(KEY, ONE, 0, header + fragments[half:] + fragments[:half])


@pytest.mark.parametrize(("of", "number"), [(OTHER, 0), (ONE, 1)])
def test_a_part_is_none_of_another_evidence_or_place(of: str, number: int) -> None:
    stored = bytes(sealed(KEY, ONE, 0, b"a clip"))

    with pytest.raises(EvidenceDamaged):
        opened(KEY, of, number, stored)


def test_another_key_opens_nothing() -> None:
    with pytest.raises(EvidenceDamaged):
        opened(new_key(), ONE, 0, bytes(sealed(KEY, ONE, 0, b"a clip")))


def test_the_same_content_is_never_sealed_alike() -> None:
    assert bytes(sealed(KEY, ONE, 0, b"a clip")) != bytes(sealed(KEY, ONE, 0, b"a clip"))
