import hashlib
import re
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import EvidenceDamaged
from streamguard.core.manifest import (
    FOR_ALL,
    FORMAT,
    NOTHING_BEFORE,
    AccessPolicy,
    Item,
    Manifest,
    merkle_root,
    read_struct,
)

SHA = hashlib.sha256(b"part").hexdigest()


def manifest(n_items: int = 2) -> Manifest:
    is_original = True
    items = tuple(
        Item(number, "clip", "video/mp4", -1000, 2000, is_original, 7, SHA, 99, SHA)
        for number in range(n_items)
    )
    return Manifest(
        FORMAT,
        0,
        str(UUID(int=7)),
        0,
        "2026-01-02T03:04:05.678Z",
        "studio",
        "0.1.0",
        "channel ä",
        str(UUID(int=8)),
        (str(UUID(int=7)),),
        items,
        merkle_root([SHA] * n_items),
        NOTHING_BEFORE,
        "0" * 16,
        signature="ab" * 64,
    )


def test_it_is_read_as_it_was_written() -> None:
    made = manifest()

    assert read_struct(made.content, Manifest) == made
    assert hashlib.sha256(made.content).hexdigest() == made.sha256


def test_the_signature_is_of_all_but_itself() -> None:
    made = manifest()

    other = msgspec.structs.replace(made, signature="00" * 64)

    assert made.signed == other.signed
    assert b"signature" not in made.signed
    assert msgspec.structs.replace(made, revision=1).signed != made.signed


def test_a_timestamp_is_of_what_was_signed_and_comes_later() -> None:
    made = manifest()

    stamped = msgspec.structs.replace(made, timestamp_token="bWFkZSB1cA==")  # noqa: S106  # no password

    assert stamped.signed == made.signed
    assert stamped.sha256 != made.sha256
    assert read_struct(stamped.content, Manifest) == stamped


def test_what_was_kept_before_there_were_more_fields_has_the_same_form() -> None:
    content = manifest().content

    later = (
        rb"config_sha256|access_policy|timestamp_token|kept_at|transform|stream_context|case_id"
        rb"|incident_id|retention|derived_from|uri|ingest_time|clock_basis|est_error_ms"
    )
    assert not re.search(later, content)
    assert read_struct(content, Manifest).content == content


def test_an_access_policy_is_part_of_what_is_signed() -> None:
    open_to_all = msgspec.structs.replace(manifest(), access_policy=FOR_ALL)
    guarded = msgspec.structs.replace(
        manifest(), access_policy=AccessPolicy(("lead",), two_person_export=True)
    )

    assert len({manifest().signed, open_to_all.signed, guarded.signed}) == 3
    assert read_struct(guarded.content, Manifest) == guarded


@given(st.data())
def test_a_flipped_bit_is_another_manifest_or_none(data: st.DataObject) -> None:
    made = manifest()
    content = bytearray(made.content)
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8

    try:
        changed = read_struct(bytes(content), Manifest)
    except EvidenceDamaged:
        return
    assert changed != made
    assert changed.sha256 != made.sha256


@pytest.mark.parametrize("n_leaves", range(9))
def test_the_root_is_that_of_rfc_6962(n_leaves: int) -> None:
    """Held against the definition by recursion over lists of the parts' hashes."""

    def expected(leaves: list[bytes]) -> bytes:
        if not leaves:
            return hashlib.sha256(b"").digest()
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        split = 1
        while split * 2 < len(leaves):
            split *= 2
        halves = expected(leaves[:split]) + expected(leaves[split:])
        return hashlib.sha256(b"\1" + halves).digest()

    hashes = [hashlib.sha256(bytes([each])).hexdigest() for each in range(n_leaves)]

    assert merkle_root(hashes) == expected([bytes.fromhex(each) for each in hashes]).hex()


@pytest.mark.parametrize("change", [{"extra": 1}, {"number": -1}, {"evidence_id": "A"}])
def test_what_makes_no_sense_is_damage(change: dict[str, object]) -> None:
    fields = msgspec.to_builtins(manifest())
    content = msgspec.json.encode({**fields, **change}, order="sorted")

    with pytest.raises(EvidenceDamaged, match="does not say"):
        read_struct(content, Manifest)
