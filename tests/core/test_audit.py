from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.audit import NOTHING_BEFORE, Deed, Head, chained, head_after, verify
from streamguard.core.audit_data import AuditData
from tests.made_reviews import AT, audit_records

Change = Callable[[list[AuditData]], object]


def test_a_chain_as_it_was_written_holds() -> None:
    records = audit_records(5)

    verdict = verify(records)

    assert verdict.problem is None
    assert verdict.head == Head(5, records[-1].record_sha256)


def test_no_records_are_a_chain_that_has_not_begun() -> None:
    assert verify([]).head == Head(0, NOTHING_BEFORE)


def test_a_chain_whose_beginning_has_been_pruned_holds_from_there_on() -> None:
    records = audit_records(5)

    assert verify(records[2:]).problem is None
    assert verify(records[2:], head_after(records[1])).problem is None
    assert verify(records[2:], Head()).problem == "record 0 is missing or moved: 2 came"


def test_what_was_cut_off_at_the_end_shows_in_how_far_it_comes() -> None:
    records = audit_records(5)

    assert verify(records[:4]).head != head_after(records[4])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda records: records.pop(2), "record 2 is missing or moved: 3 came"),
        (lambda records: records.insert(2, records[1]), "record 2 is missing or moved: 1 came"),
        (
            lambda records: records.__setitem__(2, records[2].model_copy(update={"actor": "x"})),
            "record 2 is not what was written",
        ),
        (
            lambda records: records.__setitem__(
                2, chained(Deed("x", "case.viewed"), Head(2, records[1].record_sha256), AT)
            ),
            "record 3 does not follow from the one before it",
        ),
        (
            lambda records: records.__setitem__(
                0, chained(Deed("x", "case.viewed"), Head(0, "f" * 64), AT)
            ),
            "record 0 names one before it",
        ),
    ],
)
def test_what_was_done_to_a_chain_is_named(change: Change, problem: str) -> None:
    records = audit_records(5)

    change(records)

    assert verify(records).problem == problem


@given(st.integers(min_value=0, max_value=5), st.sampled_from(["actor", "action", "at", "about"]))
def test_no_field_of_any_record_can_change_unnoticed(which: int, field: str) -> None:
    records = audit_records(6)
    values = {"actor": "r-2", "action": "case.claimed", "at": AT.replace("05", "06"), "about": "x"}

    records[which] = records[which].model_copy(update={field: values[field]})

    assert verify(records).problem == f"record {which} is not what was written"


def test_details_are_kept_in_the_order_of_their_names_and_cut_to_their_bound() -> None:
    record = chained(Deed("r-1", "case.viewed", details={"b": 2, "a": "x" * 300}), Head(), AT)

    assert [(one.name, len(one.value)) for one in record.details] == [("a", 256), ("b", 1)]
