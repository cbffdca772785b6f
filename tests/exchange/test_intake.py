"""Records in, and the bank that follows them."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.bank_editor import edit_bank, empty_bank
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError, ListInvalid, ListShrinks
from streamguard.core.types import Limits
from streamguard.exchange.account import MAX_SHOWN, Account
from streamguard.exchange.by_hand import free, hold, holds, let_in, limit, set_aside
from streamguard.exchange.edit import SHRINK_RECORDS, taking
from streamguard.exchange.intake import Reading, take_file
from streamguard.exchange.projection import follow
from streamguard.exchange.record import Record
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Item, Terms, Unusable
from streamguard.exchange.text_file import TextFile
from tests.exchange.made_records import POLICY, frame, gone, pdq, record
from tests.exchange.memory_bank import MemoryBank, live_hashes, names_by_hash

NOW = datetime(2025, 6, 1, tzinfo=UTC)
DELTA, WHOLE = Terms(NOW), Terms(NOW, is_whole=True)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RecordsFile]:
    file = RecordsFile.open(tmp_path / "bank")
    yield file
    file.close()


def take(records: RecordsFile, items: Sequence[Item], terms: Terms = DELTA) -> Account:
    """Take items in, as the whole list of each source that they name where the terms say so."""
    account = Account()
    with taking(records, terms, account) as edit:
        sources = sorted({item.source for item in items}) if terms.is_whole else []
        for source in sources:
            edit.begin_whole(source)
        for item in items:
            edit.take(item)
        for source in sources:
            edit.end_whole(source)
    return account


def steps(account: Account) -> dict[str, int]:
    return {str(step): n for step, n in account.steps.items() if n}


def bank_of(records: RecordsFile) -> MemoryBank:
    bank = MemoryBank()
    follow(records, bank)
    return bank


def after(records: RecordsFile, bank: MemoryBank, *items: Item, terms: Terms = DELTA) -> set[str]:
    """Take items in, let the bank follow, and give its hashes."""
    take(records, items, terms)
    follow(records, bank)
    return bank.hashes


def test_a_still_becomes_an_entry_named_by_its_record(records: RecordsFile) -> None:
    take(records, [record("7", 1, max_distance=12)])

    bank = bank_of(records)

    limits = Limits(max_distance_bits=12)
    assert bank.content == {
        "list:7": (POLICY, "image", [(0, 0, bytes.fromhex(pdq(1)))], limits),
    }


def test_frames_of_a_video_become_one_entry_with_a_timeline(records: RecordsFile) -> None:
    take(records, [frame("clip", 500, 2), frame("clip", 0, 1), frame("other", 0, 3)])

    bank = bank_of(records)

    frames = [(0, 0, bytes.fromhex(pdq(1))), (500_000, 0, bytes.fromhex(pdq(2)))]
    assert bank.content["list/clip"] == (POLICY, "video", frames, None)
    assert bank.entries["list/clip"].duration_us == 500_000
    assert set(bank.entries) == {"list/clip", "list/other"}


def test_a_hash_leaves_with_its_last_reference_and_not_earlier(records: RecordsFile) -> None:
    bank = MemoryBank()
    twice = after(records, bank, record("1", 1), record("2", 1, source="other"))
    names_before = names_by_hash(bank)[pdq(1)]

    once = after(records, bank, gone("1"))
    names_after = names_by_hash(bank)[pdq(1)]
    none = after(records, bank, gone("2", source="other"))

    assert (twice, once, none) == ({pdq(1)}, {pdq(1)}, set())
    assert (names_before, names_after) == ({"list:1"}, {"other:2"})


def test_a_hash_stays_in_a_video_when_its_still_goes(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1), frame("clip", 0, 1))

    assert after(records, bank, gone("1")) == {pdq(1)}
    assert set(bank.entries) == {"list/clip"}


def test_one_hash_under_two_policies_is_two_entries(records: RecordsFile) -> None:
    take(records, [record("1", 1), record("2", 1, policy="TVEC-OTHER")])

    assert {content[0] for content in bank_of(records).content.values()} == {POLICY, "TVEC-OTHER"}


def test_a_record_that_changes_its_hash_takes_its_name_along(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1), record("2", 1))

    account = take(records, [record("1", 2)])
    follow(records, bank)

    assert steps(account) == {"changed": 1}
    assert names_by_hash(bank) == {pdq(1): {"list:2"}, pdq(2): {"list:1"}}


def test_a_video_of_two_policies_is_refused(records: RecordsFile) -> None:
    with pytest.raises(ListInvalid, match="list/clip: its frames have the policies"):
        take(records, [frame("clip", 0, 1), frame("clip", 1, 2, policy="TVEC-OTHER")])

    assert not bank_of(records).entries


def test_a_name_too_long_for_a_bank_is_cut_and_stays_unique(records: RecordsFile) -> None:
    long = ["\N{EURO SIGN}" * 80 + end for end in "ab"]
    take(records, [record(long[0], 1), record(long[1], 2)])

    names = bank_of(records).names()

    assert len(names) == 2
    assert all(len(name.encode()) <= 128 for name in names)


def test_no_entry_is_named_by_its_hash(records: RecordsFile) -> None:
    take(records, [record(f"pdq:{pdq(1).upper()}", 1)])

    (name,) = bank_of(records).names()

    assert pdq(1) not in name.lower()


def test_a_seed_is_matched_in_the_shadow_until_it_is_confirmed(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, opinion="seed", max_distance=5))
    seed = bank.entries["list:1"].limits

    after(records, bank, record("2", 1, max_distance=9))
    confirmed = bank.entries["list:1"].limits

    assert seed == Limits(max_distance_bits=5, is_shadow=True)
    assert confirmed == Limits(max_distance_bits=9)


def test_the_loosest_bound_of_a_hash_holds(records: RecordsFile) -> None:
    take(records, [record("1", 1, max_distance=5), record("2", 1)])

    assert bank_of(records).entries["list:1"].limits is None


def test_what_its_source_disowns_is_not_in_the_bank(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1))

    assert after(records, bank, record("1", 1, opinion="neg")) == set()


@pytest.mark.parametrize(("left_s", "n_entries"), [(1, 1), (0, 0), (-1, 0)])
def test_a_record_is_live_until_it_expires(
    left_s: int, n_entries: int, records: RecordsFile
) -> None:
    expires_at = NOW + timedelta(seconds=left_s)
    take(records, [record("1", 1, expires_at=expires_at)])

    assert len(bank_of(records).entries) == n_entries


def test_what_expires_later_leaves_at_the_next_import(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, expires_at=NOW + timedelta(days=1)))

    account = take(records, [record("2", 2)], Terms(NOW + timedelta(days=1)))
    follow(records, bank)

    assert bank.hashes == {pdq(2)}
    assert steps(account) == {"added": 1, "expired": 1}


def test_hashes_that_lie_are_set_aside_with_a_reason(records: RecordsFile) -> None:
    account = take(
        records,
        [
            record("1", hash="0" * 64),
            record("2", 2, quality=49),
            record("3", 3, quality=50),
            record("4", hash=f"{2**95 - 1:064x}"),
            record("5", hash=f"{2**96 - 1:064x}"),
            record("6", hash=f"{2**160 - 1:064x}"),
            record("7", hash=f"{2**161 - 1:064x}"),
            Unusable("list", "8", "the hash has 32 digits"),
        ],
    )

    aside = {(one.record_id, one.reason) for one in set_aside(records)}

    assert aside == {
        ("1", "uneven"),
        ("2", "low_quality"),
        ("4", "uneven"),
        ("7", "uneven"),
        ("8", "the hash has 32 digits"),
    }
    assert set(bank_of(records).entries) == {"list:3", "list:5", "list:6"}
    assert account.faults == {"uneven": 3, "low_quality": 1, "the hash has 32 digits": 1}


def test_what_is_near_a_slate_is_set_aside(records: RecordsFile) -> None:
    slate = Entry(
        name="slate",
        policy="HARMLESS",
        kind="image",
        duration_us=0,
        hashes=np.frombuffer(bytes.fromhex(pdq(1)), np.uint8)[None],
        offsets_us=np.zeros(1, np.int64),
        variants=np.zeros(1, np.uint8),
    )
    negative = edit_bank(empty_bank("slates"), add=[slate])
    near = f"{int(pdq(1), 16) ^ (2**31 - 1):064x}"
    far = f"{int(pdq(1), 16) ^ (2**32 - 1):064x}"

    take(records, [record("1", hash=near), record("2", hash=far)], Terms(NOW, (negative,)))

    assert [(one.record_id, one.reason) for one in set_aside(records)] == [("1", "near_slate")]


def test_a_good_record_that_turns_bad_leaves_the_bank(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1), record("2", 2))

    left = after(records, bank, record("1", hash="0" * 64), Unusable("list", "2", "short"))

    assert left == set()


def test_what_a_person_let_in_stays_while_its_hash_is_the_same(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, quality=10))

    let_in(records, "list", "1")
    follow(records, bank)
    at_first, later = bank.hashes, after(records, bank, record("1", 1, quality=20))
    other = after(records, bank, record("1", 2, quality=20))

    assert (at_first, later, other) == ({pdq(1)}, {pdq(1)}, set())


def test_what_cannot_be_let_in_is_refused(records: RecordsFile) -> None:
    take(records, [record("1", 1), Unusable("list", "2", "short")])

    with pytest.raises(BankError, match="no record list:1 is set aside"):
        let_in(records, "list", "1")
    with pytest.raises(BankError, match="list:2 has no hash"):
        let_in(records, "list", "2")


def test_what_a_person_took_out_stays_out(records: RecordsFile) -> None:
    """Whatever other record stands for the same hash, and whatever is updated."""
    bank = MemoryBank()
    after(records, bank, record("1", 1), record("2", 2))

    known = hold(records, "list:1")
    follow(records, bank)
    held = bank.hashes
    again = after(records, bank, record("1", 1, tags=["new"]), record("9", 1, source="a"))
    whole = after(records, bank, record("1", 1), record("2", 2), terms=WHOLE)

    assert known
    assert (held, again, whole) == ({pdq(2)},) * 3
    assert holds(records) == ["list:1"]


def test_what_was_taken_out_can_be_let_back_in(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1))
    hold(records, "list:1")
    follow(records, bank)

    free(records, "list:1")
    follow(records, bank)

    assert (bank.hashes, holds(records)) == ({pdq(1)}, [])
    with pytest.raises(BankError, match="no entry named 'list:1'"):
        free(records, "list:1")


def test_an_entry_that_no_record_refers_to_cannot_be_held(records: RecordsFile) -> None:
    assert not hold(records, "attack.mp4")


@pytest.mark.parametrize(
    "changed",
    [
        record("1", 1, tags=["new"]),
        record("1", 2),
        record("1", 1, policy="TVEC-OTHER"),
        record("1", 1, max_distance=31),
        record("1", 1, opinion="seed"),
    ],
    ids=["tags", "hash", "policy", "distance", "opinion"],
)
def test_limits_that_a_person_set_outlast_a_change_of_the_record(
    changed: Record, records: RecordsFile
) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, max_distance=28))

    known = limit(records, "list:1", {"max_distance_bits": 20, "is_shadow": True})
    limit(records, "list:1", {"min_votes": 3, "is_shadow": False})
    follow(records, bank)
    at_once = bank.entries["list:1"].limits
    after(records, bank, changed)

    assert known
    assert at_once == bank.entries["list:1"].limits == Limits(20, min_votes=3)


def test_limits_stay_where_another_record_stands_for_the_hash(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1), record("2", 1))
    limit(records, "list:1", {"min_votes": 3})

    after(records, bank, gone("1"))

    assert bank.entries["list:2"].limits == Limits(min_votes=3)


def test_what_a_person_did_not_set_follows_the_record(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, max_distance=28))
    limit(records, "list:1", {"min_votes": 3})

    after(records, bank, record("1", 1, max_distance=9))

    assert bank.entries["list:1"].limits == Limits(9, min_votes=3)


def test_an_entry_that_no_record_refers_to_is_not_limited(records: RecordsFile) -> None:
    assert not limit(records, "attack.mp4", {"min_votes": 3})


def test_hashes_of_other_kinds_are_passed_over(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("3", 3))
    md5 = {"hash_type": "md5", "hash": "0" * 32}

    account = take(records, [record("1", **md5), record("2", **md5), record("3", **md5)])
    follow(records, bank)

    assert account.passed_over == {"md5": 3}
    assert steps(account) == {"removed": 1}
    assert bank.hashes == set()


def test_what_is_older_than_what_is_known_is_left(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(records, bank, record("1", 1, updated_at="2025-01-02T00:00:00Z"))

    late = take(records, [gone("1", updated_at="2025-01-01T23:59:59.999999Z")])
    same = take(records, [gone("1", updated_at="2025-01-02T00:00:00Z")])
    revived = take(records, [record("1", 1, updated_at="2025-01-01T00:00:00Z")])

    assert (steps(late), steps(same)) == ({"outdated": 1}, {"removed": 1})
    assert steps(revived) == {"outdated": 1}


def test_a_whole_list_is_taken_as_it_is_and_what_is_missing_goes(records: RecordsFile) -> None:
    bank = MemoryBank()
    after(
        records,
        bank,
        record("1", 1, updated_at="2025-01-02T00:00:00Z"),
        record("2", 2),
        record("3", 3, source="other"),
    )

    account = take(records, [record("1", 4, updated_at="2025-01-01T00:00:00Z")], WHOLE)
    follow(records, bank)

    assert steps(account) == {"changed": 1, "removed": 1}
    assert bank.hashes == {pdq(4), pdq(3)}


def test_the_same_again_changes_nothing(records: RecordsFile) -> None:
    items = [record("1", 1), frame("clip", 0, 2), gone("3")]
    bank = MemoryBank()
    after(records, bank, *items, terms=WHOLE)

    account = take(records, items, WHOLE)

    assert steps(account) == {"unchanged": 3}
    assert follow(records, bank) == 0
    assert bank.n_edits == 1


def many(n: int) -> list[Record]:
    return [record(str(number), number) for number in range(n)]


@pytest.mark.parametrize(
    ("n_before", "n_kept"),
    [(12, 1), (50, 39), (100, 79)],
    ids=["11 of 12", "11 of 50", "21 of 100"],
)
def test_a_source_that_takes_away_too_much_is_refused(
    n_before: int, n_kept: int, records: RecordsFile
) -> None:
    bank = MemoryBank()
    take(records, many(n_before))
    follow(records, bank)

    with pytest.raises(ListShrinks, match=f"list: {n_before - n_kept} of its {n_before} records"):
        take(records, many(n_kept), WHOLE)
    follow(records, bank)

    assert len(bank.entries) == n_before
    allowed = take(records, many(n_kept), Terms(NOW, is_whole=True, may_shrink=True))
    follow(records, bank)
    assert bank.hashes == live_hashes(many(n_kept))
    how_much = f"{n_before - n_kept} of its {n_before} records would vanish"
    assert allowed.shrinks == {"list": how_much}


@pytest.mark.parametrize(("n_before", "n_kept"), [(11, 1), (100, 80)])
def test_a_source_may_take_away_some(n_before: int, n_kept: int, records: RecordsFile) -> None:
    take(records, many(n_before))

    account = take(records, many(n_kept), WHOLE)

    assert (account.steps["removed"], account.shrinks) == (n_before - n_kept, {})
    assert n_before - n_kept in (SHRINK_RECORDS, n_before * 0.2)


def test_a_flood_of_new_records_hides_no_mass_withdrawal(records: RecordsFile) -> None:
    take(records, many(100))
    new = [record(f"new {number}", number + 100) for number in range(100)]

    with pytest.raises(ListShrinks):
        take(records, [*new, *map(gone, map(str, range(50)))])


def test_examples_are_shown_up_to_a_bound(records: RecordsFile) -> None:
    items = [record(str(n), hash=f"{n:04x}" * 16) for n in range(MAX_SHOWN + 1)]

    account = take(records, items)

    assert len(account.shown) == MAX_SHOWN
    assert account.to_json()["diff_is_cut"]
    assert account.steps.total() == MAX_SHOWN + 1


def test_entries_that_the_bank_has_lost_are_put_in_again(records: RecordsFile) -> None:
    take(records, [record("1", 1), record("2", 2)])
    bank_of(records)

    restored = bank_of(records)

    assert restored.hashes == {pdq(1), pdq(2)}


class Crash(Exception):
    """Stands for the end of the process."""


class CrashingBank(MemoryBank):
    """Dies before or after the next edit."""

    def __init__(self) -> None:
        super().__init__()
        self.dies: str | None = None

    def edit(self, add: Sequence[Entry], remove: Collection[str]) -> None:
        dies, self.dies = self.dies, None
        if dies == "before":
            raise Crash
        super().edit(add, remove)
        if dies == "after":
            raise Crash


small_records = st.builds(
    lambda source, record_id, number, more: record(record_id, number, source=source, **more),
    st.sampled_from(["a", "b"]),
    st.sampled_from("123"),
    st.integers(1, 3),
    st.sampled_from(
        [{}, {"opinion": "neg"}, {"opinion": "seed"}, {"policy": "TVEC-OTHER"}, {"quality": 9}]
    ),
)
small_frames = st.builds(
    frame,
    st.sampled_from("vw"),
    st.integers(0, 2),
    st.integers(1, 3),
)
small_gone = st.builds(
    lambda source, record_id: gone(record_id, source=source),
    st.sampled_from(["a", "b", "list"]),
    st.sampled_from(["1", "2", "3", "v#0", "w#1"]),
)
lists = st.lists(small_records | small_frames | small_gone, max_size=6)


@settings(max_examples=60)
@given(
    edits=st.lists(
        st.tuples(lists, st.booleans(), st.sampled_from(["before", "after", None])), max_size=5
    )
)
def test_the_bank_is_what_the_last_word_on_each_record_makes_it(
    edits: list[tuple[list[Record], bool, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever lists come, whole or not, and wherever the process dies between the commits."""
    records = RecordsFile.open(tmp_path_factory.mktemp("bank"))
    bank, known = CrashingBank(), dict[tuple[str, str], Record]()
    for items, is_whole, dies in edits:
        take(records, items, WHOLE if is_whole else DELTA)
        bank.dies = dies
        try:
            follow(records, bank)
        except Crash:
            assert dies
        sources = {item.source for item in items} if is_whole else set()
        known = {place: one for place, one in known.items() if place[0] not in sources}
        known |= {(item.source, item.record_id): item for item in items}
    bank.dies = None
    follow(records, bank)

    fresh = RecordsFile.open(tmp_path_factory.mktemp("bank"))
    take(fresh, list(known.values()))
    assert bank.content == bank_of(fresh).content
    good = [one for one in known.values() if one.quality is None]
    assert bank.hashes == live_hashes(good)
    records.close()
    fresh.close()


def read(records: RecordsFile, path: Path, source: str | None = None, **terms: bool) -> Account:
    reading = Reading("jsonl", source or path.stem, source is not None, None)
    return take_file(records, TextFile(path), reading, Terms(NOW, **terms))


def test_a_file_is_taken_whole_or_not_at_all(records: RecordsFile, tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(f"{record('1', 1).to_json()}\nnonsense\n")

    with pytest.raises(ListInvalid, match=r"list\.jsonl:2: it is not JSON"):
        read(records, path)

    assert not bank_of(records).entries


def test_a_snapshot_speaks_for_the_sources_that_it_names(
    records: RecordsFile, tmp_path: Path
) -> None:
    path = tmp_path / "list.jsonl"
    take(records, [record("1", 1, source="a"), record("1", 2, source="b")])
    path.write_text(record("2", 3, source="a").to_json())

    read(records, path, is_whole=True)

    assert bank_of(records).hashes == {pdq(2), pdq(3)}


def test_an_empty_snapshot_of_a_named_source_empties_it(
    records: RecordsFile, tmp_path: Path
) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text("")
    take(records, [record("1", 1, source="a"), record("1", 2, source="b")])

    read(records, path, "a", is_whole=True)

    assert bank_of(records).hashes == {pdq(2)}


def test_a_file_may_not_speak_for_other_sources_than_the_named_one(
    records: RecordsFile, tmp_path: Path
) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(f"{record('1', 1, source='a').to_json()}\n{record('2', 1).to_json()}")

    with pytest.raises(ListInvalid, match=":2: source: it is not a, which --source names"):
        read(records, path, "a")


def test_a_record_to_be_matched_needs_a_policy(records: RecordsFile, tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    path.write_text(f'{{"hash": "{pdq(1)}"}}')

    with pytest.raises(ListInvalid, match=":1: policy: it is missing"):
        read(records, path)
