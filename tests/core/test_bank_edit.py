from collections.abc import Callable
from dataclasses import replace

import pytest

from streamguard.core import bank_fold, bank_table
from streamguard.core.bank import Bank
from streamguard.core.bank_counts import count_terms, count_variants
from streamguard.core.bank_edit import Amendment, Edit, fitted
from streamguard.core.bank_editor import BankEditor, edited, empty_bank
from streamguard.core.bank_fold import folded
from streamguard.core.bank_table import Table, table_of
from streamguard.core.bank_values import MAX_OFFSET_US, Entry, Terms
from streamguard.core.errors import BankError
from streamguard.core.types import NO_LIMITS, Limits
from tests.made_banks import all_in, all_of, entry, image


def after(*edits: Edit) -> Bank:
    """Give a bank whose base is empty and whose tail holds what these edits left."""
    editor = BankEditor("bank", empty_bank("bank").base)
    for edit in edits:
        editor.apply(fitted(editor.snapshot(), edit))
    return editor.snapshot()


def put_in_order(bank: Bank) -> Bank:
    return BankEditor(bank.name, folded(bank)).snapshot()


def test_an_edit_that_fits_has_the_next_revision() -> None:
    bank = after(Edit(add=[entry("a")]), Edit(add=[entry("b")]))

    commit = fitted(bank, Edit(remove=["b", "a", "b"]))

    assert (commit.revision, commit.remove) == (3, ("b", "a"))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (Edit(add=[entry("a")]), "has an entry named 'a'"),
        (Edit(add=[entry("x"), entry("x")]), "the same name"),
        (Edit(remove=["a", "x"]), "no entry named 'x'"),
        (Edit(amend={"x": Amendment()}), "no entry named 'x'"),
        (Edit(amend={"x": Amendment()}, may_miss=True), "no entry named 'x'"),
    ],
)
def test_an_edit_that_does_not_fit_is_refused(edit: Edit, says: str) -> None:
    with pytest.raises(BankError, match=says):
        fitted(after(Edit(add=[entry("a")])), edit)


def test_a_name_that_is_removed_may_be_added_in_the_same_edit() -> None:
    bank = after(Edit(add=[entry("a")]), Edit(add=[entry("a", seed=2)], remove=["a"]))

    assert all_of(bank) == all_in(entry("a", seed=2))


@pytest.mark.parametrize(("since", "is_refused"), [(1, True), (2, False), (None, False)])
def test_what_was_removed_after_a_revision_may_not_have_been_prepared_before(
    since: int | None, *, is_refused: bool
) -> None:
    bank = after(Edit(add=[entry("a")]), Edit(remove=["a"]))
    edit = Edit(add=[entry("a")], since=since)

    if is_refused:
        with pytest.raises(BankError, match="removed while it was prepared"):
            fitted(bank, edit)
    else:
        assert fitted(bank, edit).add.n_entries == 1


def test_a_replacement_is_no_removal() -> None:
    bank = after(Edit(add=[entry("a")]), Edit(add=[entry("a", seed=2)], replace=True))

    assert fitted(bank, Edit(add=[entry("a", seed=3)], replace=True, since=0)).replaced == ("a",)


def emptied(monkeypatch: pytest.MonkeyPatch, n_remembered: int) -> Bank:
    """Give a bank that two entries were taken out of, and that remembers so many removals."""
    monkeypatch.setattr(bank_fold, "MAX_REMEMBERED", n_remembered)
    both = Edit(add=[entry("a"), entry("b")])
    return put_in_order(after(both, Edit(remove=["a"]), Edit(remove=["b"])))


def test_what_is_prepared_longer_than_removals_are_remembered_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = emptied(monkeypatch, 1)

    with pytest.raises(BankError, match="was edited too often while 'other' was prepared"):
        fitted(bank, Edit(add=[entry("other")], since=1))

    assert bank.memory.forgotten == 2
    assert fitted(bank, Edit(add=[entry("other")], since=2)).revision == 4


def test_while_all_removals_are_remembered_nothing_is_refused_for_its_age(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bank = emptied(monkeypatch, 2)

    assert fitted(bank, Edit(add=[entry("other")], since=0)).revision == 4


def test_of_many_entries_the_newest_are_remembered_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_fold, "MAX_REMEMBERED", 2)

    bank = put_in_order(after(*(Edit(add=[entry(name)]) for name in "abc")))

    assert bank.added_since(0) == ("b", "c")
    assert bank.added_since(2) == ("c",)


@pytest.mark.parametrize("chunk", [1, 2, 3, 1_000_000])
def test_a_bank_is_put_in_order_in_pieces_of_any_size(
    monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(bank_fold, "_CHUNK", chunk)
    entries = [entry("d", 4), image("b"), entry("a", 2), entry("c", 3)]
    first = put_in_order(after(Edit(add=entries)))

    second = put_in_order(edited(first, Edit(add=[entry("bb", 5)], remove=["b"])))

    assert [*second.names()] == ["a", "bb", "c", "d"]
    assert all_of(second) == all_in(entry("bb", 5), *(e for e in entries if e.name != "b"))


def test_names_are_read_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_table, "_CHUNK", 2)
    names = ["a", "ab", "b", "z", "\u00e9"]

    table = put_in_order(after(Edit(add=[image(name) for name in names]))).base.table

    assert [raw.decode() for raw in table.raw_names()] == names


@pytest.mark.parametrize("share", [1, 1_000])
def test_both_ways_to_find_names_find_the_same(monkeypatch: pytest.MonkeyPatch, share: int) -> None:
    """By halves where few are looked for, by reading through where many are."""
    monkeypatch.setattr(bank_table, "_FIND_SHARE", share)
    names = [f"{n:03}" for n in range(0, 400, 2)]
    table = put_in_order(after(Edit(add=[image(name) for name in names]))).base.table

    assert table.find(["000", "001", "398", "399"]) == {"000": 0, "398": 199}


def test_terms_are_shared_however_often_they_are_changed() -> None:
    own = replace(image("c"), limits=Limits(min_votes=2))
    bank = after(
        Edit(add=[image("a"), image("b"), own]),
        Edit(amend={"a": Amendment(is_quarantined=True, reason="hub")}),
        Edit(amend={"a": Amendment(is_quarantined=False), "c": Amendment(NO_LIMITS)}),
    )

    terms = put_in_order(bank).base.table.terms

    assert [*terms] == [Terms("TVEC-TEST", "image")]


def test_counts_leave_out_what_was_removed_and_follow_what_was_changed() -> None:
    bank = after(
        Edit(add=[image("a"), entry("b", 2), image("c")]),
        Edit(remove=["c"], amend={"a": Amendment(Limits(min_votes=2))}),
    )

    assert count_terms(bank) == {
        Terms("TVEC-TEST", "image", Limits(min_votes=2)): 1,
        Terms("TVEC-TEST", "video"): 1,
    }
    variants = [*image("a").variants.tolist(), *entry("b", 2).variants.tolist()]
    assert count_variants(bank) == {v: variants.count(v) for v in variants}


def test_what_is_quarantined_is_listed_and_the_rest_is_not() -> None:
    bank = after(
        Edit(add=[replace(image("a"), quarantine="slate"), image("b"), image("c")]),
        Edit(amend={"b": Amendment(is_quarantined=True, reason="hub")}, remove=["c"]),
    )

    told = {name: facts.quarantine for name, facts in bank.quarantined()}

    assert told == {"a": "slate", "b": "hub"}


def test_an_old_snapshot_does_not_see_a_name_that_came_after_it() -> None:
    editor = BankEditor("bank", empty_bank("bank").base)
    snapshots = []
    for edit in (
        Edit(add=[entry("a")]),
        Edit(add=[entry("a", seed=2)], replace=True),
        Edit(remove=["a"]),
        Edit(add=[entry("a", seed=3)]),
    ):
        editor.apply(fitted(editor.snapshot(), edit))
        snapshots.append(editor.snapshot())

    assert [all_of(bank) for bank in snapshots] == [
        all_in(entry("a")),
        all_in(entry("a", seed=2)),
        {},
        all_in(entry("a", seed=3)),
    ]
    assert [bank.entry_of("a") is not None for bank in snapshots] == [True, True, False, True]


def test_what_lies_at_the_last_time_that_fits_is_found() -> None:
    longest = replace(image("a"), offsets_us=image("a").offsets_us + MAX_OFFSET_US)
    bank = after(Edit(add=[longest]))

    found = {at_us: len(bank.near("a", at_us, 10)) for at_us in (0, MAX_OFFSET_US + 10)}

    assert found == {0: 0, MAX_OFFSET_US + 10: 1}
    assert len(bank.near("a", MAX_OFFSET_US + 11, 10)) == 0
    assert len(bank.near("a", -11, 10)) == 0


@pytest.mark.parametrize(
    "spoil",
    [
        lambda e: replace(e, offsets_us=e.offsets_us + MAX_OFFSET_US + 1),
        lambda e: replace(e, duration_us=MAX_OFFSET_US + 1),
    ],
)
def test_an_entry_longer_than_a_bank_can_hold_is_refused(spoil: Callable[[Entry], Entry]) -> None:
    with pytest.raises(BankError, match="longer than 49 days"):
        spoil(image("a"))


@pytest.mark.parametrize("variant", [0, 7])
def test_columns_of_zeros_take_no_room(variant: int) -> None:
    plain = image("a")

    table: Table = table_of([replace(plain, variants=plain.variants * 0 + variant)])

    assert table.ends is None
    assert table.offsets_ms.strides == table.durations_ms.strides == (0,)
    assert (table.variants.strides == (0,)) == (variant == 0)
