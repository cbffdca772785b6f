from typing import get_args
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.custody import (
    STORE,
    Action,
    Approval,
    Detail,
    Entry,
    Ledger,
    hash_of,
    instant,
    read_entry,
    wall_s,
)
from streamguard.core.errors import EvidenceDamaged
from streamguard.core.manifest import NOTHING_BEFORE

ONE, OTHER = str(UUID(int=1)), str(UUID(int=2))
AT = "2026-01-02T03:04:05.678Z"

DETAIL: dict[Action, Detail] = {
    "collect": {"manifest_sha256": "ab" * 32},
    "classify": {"class": "confirmed"},
    "approve": {"ticket": "A-17"},
    "export": {"ticket": "A-17"},
    "verify": {"result": "ok"},
    "hold": {"ref": "A-1", "authority": "court", "until": ""},
    "release": {"ref": "A-1"},
    "delete": {"sha256": ("ab" * 32, "cd" * 32)},
}
steps = st.lists(
    st.tuples(st.sampled_from([ONE, OTHER]), st.sampled_from(sorted(DETAIL))),
    min_size=2,
    max_size=12,
)


def written(
    ledger: Ledger, evidence_id: str, action: Action, detail: Detail | None = None
) -> Entry:
    entry = ledger.next_entry(
        evidence_id,
        action,
        DETAIL.get(action, {}) if detail is None else detail,
        actor="anna",
        purpose="case 7",
        at=AT,
        key_id="0" * 16,
    )
    ledger.take(entry)
    return entry


def chain(of: list[tuple[str, Action]]) -> list[Entry]:
    ledger = Ledger()
    return [written(ledger, *step) for step in of]


def taken(entries: list[Entry]) -> Ledger:
    ledger = Ledger()
    for entry in entries:
        ledger.take(read_entry(entry.content))
    return ledger


@given(steps)
def test_a_chain_is_read_as_it_was_written(of: list[tuple[str, Action]]) -> None:
    entries = chain(of)

    ledger = taken(entries)

    assert (ledger.n_entries, ledger.last_hash) == (len(entries), entries[-1].hash)
    assert set(ledger.evidence) == {each.evidence_id for each in entries}


@given(steps, st.data())
def test_a_removed_entry_is_found_unless_it_is_the_last(
    of: list[tuple[str, Action]], data: st.DataObject
) -> None:
    entries = chain(of)
    del entries[data.draw(st.integers(0, len(entries) - 2))]

    with pytest.raises(EvidenceDamaged, match="missing, or out of order"):
        taken(entries)


@given(steps, st.data())
def test_reordered_entries_are_found(of: list[tuple[str, Action]], data: st.DataObject) -> None:
    entries = chain(of)
    order = data.draw(st.permutations(range(len(entries))))
    if order == sorted(order):
        return

    with pytest.raises(EvidenceDamaged, match="missing, or out of order"):
        taken([entries[index] for index in order])


@given(steps, st.data())
def test_an_inserted_entry_is_found(of: list[tuple[str, Action]], data: st.DataObject) -> None:
    """Also one that was made to fit the place where it stands: the next does not name it."""
    entries = chain(of)
    place = data.draw(st.integers(0, len(entries) - 1))
    ledger = taken(entries[:place])
    inserted = written(ledger, ONE, "view")

    with pytest.raises(EvidenceDamaged):
        taken([*entries[:place], inserted, *entries[place:]])


@given(steps, st.data())
def test_a_flipped_bit_is_found_but_in_the_last_signature(
    of: list[tuple[str, Action]], data: st.DataObject
) -> None:
    entries = [msgspec.structs.replace(each, signature="ab" * 64) for each in chain(of)]
    lines = [bytearray(entry.content) for entry in entries]
    line = data.draw(st.sampled_from(lines))
    bit = data.draw(st.integers(0, 8 * len(line) - 1))
    line[bit // 8] ^= 1 << bit % 8

    try:
        read = [read_entry(bytes(each)) for each in lines]
        taken(read)
    except EvidenceDamaged:
        return
    assert [each.signature for each in read] != [each.signature for each in entries]


def test_entries_amount_to_a_standing() -> None:
    ledger = Ledger()
    for action in ("collect", "collect", "hold", "classify", "view", "export"):
        written(ledger, ONE, action)
    written(ledger, OTHER, "collect", {"manifest_sha256": "cd" * 32})

    one, other = ledger.evidence[ONE], ledger.evidence[OTHER]
    assert (one.n_entries, one.revision, one.manifest_number) == (6, 1, 1)
    assert (one.evidence_class, one.state) == ("confirmed", "kept")
    assert [hold.ref for hold in one.holds] == ["A-1"]
    assert (other.revision, other.manifest_number, other.evidence_class) == (0, 2, "unreviewed")
    assert (ledger.n_manifests, ledger.last_manifest_sha256) == (3, "cd" * 32)

    for action in ("release", "delete"):
        written(ledger, ONE, action)
    assert (ledger.evidence[ONE].holds, ledger.evidence[ONE].state) == ((), "deleting")
    written(ledger, ONE, "erased")
    assert ledger.evidence[ONE].state == "erased"


def test_an_entry_whose_place_in_its_own_evidence_is_wrong_is_found() -> None:
    ledger = Ledger()
    written(ledger, ONE, "collect")
    entry = ledger.next_entry(ONE, "view", {}, actor="a", purpose="", at=AT, key_id="0" * 16)
    moved = msgspec.structs.replace(entry, prev_of_evidence="0" * 64)
    moved = msgspec.structs.replace(moved, hash=hash_of(moved))

    with pytest.raises(EvidenceDamaged, match="not what was written"):
        ledger.take(moved)
    ledger.take(entry)


def test_a_class_that_there_is_not_is_refused() -> None:
    with pytest.raises(EvidenceDamaged, match="names no class"):
        written(Ledger(), ONE, "classify", {"class": "doubtful"})


@given(st.integers(0, 4_000_000_000_000))
def test_times_are_told_to_the_millisecond(milliseconds: int) -> None:
    assert round(wall_s(instant(milliseconds / 1000 + 1e-5)) * 1000) == milliseconds


def test_the_store_has_a_chain_of_its_own_and_is_no_evidence() -> None:
    ledger = Ledger()
    written(ledger, ONE, "collect")
    first = written(ledger, STORE, "verify")
    written(ledger, ONE, "verify")
    second = written(ledger, STORE, "verify")

    assert (first.prev_of_evidence, second.prev_of_evidence) == (NOTHING_BEFORE, first.hash)
    assert list(ledger.evidence) == [ONE]
    assert (ledger.n_entries, ledger.last_hash) == (4, second.hash)


def test_nothing_but_a_check_or_a_restart_is_of_the_whole_store() -> None:
    ledger = Ledger()
    for action in get_args(Action):
        if action not in ("verify", "restart"):
            with pytest.raises(EvidenceDamaged, match="of no evidence"):
                written(ledger, STORE, action)

    assert ledger == Ledger()


@pytest.mark.parametrize(("number", "is_taken"), [(0, False), (1, True), (5, True)])
def test_behind_a_restart_a_manifest_may_say_its_number_but_none_twice(
    number: int, *, is_taken: bool
) -> None:
    ledger = Ledger()
    written(ledger, ONE, "collect")

    if is_taken:
        written(ledger, ONE, "collect", {"manifest_number": number})
        assert (ledger.evidence[ONE].manifest_number, ledger.n_manifests) == (number, number + 1)
    else:
        with pytest.raises(EvidenceDamaged, match="no manifest that follows"):
            written(ledger, ONE, "collect", {"manifest_number": number})


def test_an_approval_stands_until_an_export_of_its_ticket() -> None:
    ledger = Ledger()
    written(ledger, ONE, "approve", {"ticket": "A"})
    written(ledger, ONE, "approve", {"ticket": "B"})

    written(ledger, ONE, "export", {"ticket": "C"})
    assert ledger.evidence[ONE].approvals == (Approval("A", "anna"), Approval("B", "anna"))
    written(ledger, ONE, "export", {"ticket": "A"})
    assert ledger.evidence[ONE].approvals == (Approval("B", "anna"),)
