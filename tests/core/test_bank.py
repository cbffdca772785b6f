from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.bank import MAX_NEAR, Bank
from streamguard.core.bank_answers import MAX_MATCHES
from streamguard.core.bank_editor import edit_bank, empty_bank
from streamguard.core.bank_values import BankSettings, Entry, EntryFacts
from streamguard.core.banks import Banks
from streamguard.core.errors import BankError
from streamguard.core.types import NEAR_DISTANCE_BITS, Limits, Match

ZERO = np.zeros(32, np.uint8)


def ones(n_ones: int) -> NDArray[np.uint8]:
    """Give the hash that lies so many bits from ZERO."""
    bits = np.zeros(256, np.uint8)
    bits[:n_ones] = 1
    return np.packbits(bits)


def entry(
    name: str,
    distances_bits: list[int],
    *,
    offsets_us: list[int] | None = None,
    kind: Literal["video", "image"] = "video",
    policy: str = "TVEC-TEST",
) -> Entry:
    """Give an entry whose hashes lie so far from ZERO, a second apart unless told."""
    n_hashes = len(distances_bits)
    offsets = [i * 1_000_000 for i in range(n_hashes)] if offsets_us is None else offsets_us
    return Entry(
        name=name,
        policy=policy,
        kind=kind,
        duration_us=max(offsets, default=0),
        hashes=np.array([ones(n) for n in distances_bits], np.uint8).reshape(-1, 32),
        offsets_us=np.array(offsets, np.int64),
        variants=np.zeros(n_hashes, np.uint8),
    )


def bank(*entries: Entry, name: str = "bank") -> Bank:
    return edit_bank(empty_bank(name), add=entries)


def told(matches: list[Match]) -> list[tuple[str, int, int]]:
    return [(match.entry, match.distance_bits, match.offset_us) for match in matches]


def test_a_match_says_what_was_found_and_where() -> None:
    held = bank(entry("a film", [7], offsets_us=[40_000], policy="TVEC-ATTACK"), name="known")

    assert held.query(ZERO, "content") == [
        Match(
            bank="known",
            entry="a film",
            policy="TVEC-ATTACK",
            region="content",
            distance_bits=7,
            offset_us=40_000,
        )
    ]


def test_an_image_gives_a_still_match() -> None:
    held = bank(entry("a picture", [0], kind="image"))

    assert [match.is_still for match in held.query(ZERO, "full")] == [True]


@pytest.mark.parametrize("n_ones", [31, 32, NEAR_DISTANCE_BITS])
def test_what_is_near_is_given_with_its_distance(n_ones: int) -> None:
    assert told(bank(entry("a", [n_ones])).query(ZERO, "full")) == [("a", n_ones, 0)]


def test_what_is_past_the_bound_of_a_near_miss_is_not_given() -> None:
    assert bank(entry("a", [NEAR_DISTANCE_BITS + 1])).query(ZERO, "full") == []


def test_an_empty_bank_finds_nothing() -> None:
    assert empty_bank("bank").query(ZERO, "full") == []


def test_the_nearest_comes_first() -> None:
    held = bank(entry("a", [30, 10, 20]), entry("b", [5]))

    assert told(held.query(ZERO, "full")) == [
        ("b", 5, 0),
        ("a", 10, 1_000_000),
        ("a", 20, 2_000_000),
        ("a", 30, 0),
    ]


@pytest.mark.parametrize(
    ("offsets_us", "answers"),
    [([0, 249_999], [("a", 3, 249_000)]), ([0, 250_000], [("a", 3, 250_000), ("a", 9, 0)])],
)
def test_hashes_of_one_entry_within_250_ms_answer_as_one(
    offsets_us: list[int], answers: list[tuple[str, int, int]]
) -> None:
    held = bank(entry("a", [9, 3], offsets_us=offsets_us))

    assert told(held.query(ZERO, "full")) == answers


def test_of_equal_hashes_within_250_ms_the_first_answers() -> None:
    held = bank(entry("a", [3, 3, 3], offsets_us=[120_000, 40_000, 80_000]))

    assert told(held.query(ZERO, "full")) == [("a", 3, 40_000)]


def test_entries_answer_each_for_itself_at_the_same_time() -> None:
    held = bank(entry("a", [4]), entry("b", [4]))

    assert told(held.query(ZERO, "full")) == [("a", 4, 0), ("b", 4, 0)]


def test_a_static_entry_does_not_crowd_out_another() -> None:
    held = bank(entry("static", [0] * 2 * MAX_MATCHES), entry("other", [40]))

    matches = held.query(ZERO, "full")

    assert len(matches) == MAX_MATCHES
    assert told(matches)[-1] == ("other", 40, 0)


def test_of_look_alikes_past_the_most_weighed_the_nearest_are_kept() -> None:
    held = bank(entry("far", [50] * MAX_NEAR, offsets_us=[0] * MAX_NEAR), entry("near", [2]))

    assert told(held.query(ZERO, "full")) == [("near", 2, 0), ("far", 50, 0)]


def test_of_equal_look_alikes_past_the_most_weighed_the_first_are_kept() -> None:
    held = bank(entry("a", [50] * MAX_NEAR, offsets_us=[0] * MAX_NEAR), entry("b", [50]))

    assert told(held.query(ZERO, "full")) == [("a", 50, 0)]


def test_look_alikes_that_were_removed_crowd_out_nothing() -> None:
    crowd = entry("removed", [2] * (MAX_NEAR + 1), offsets_us=[0] * (MAX_NEAR + 1))
    held = edit_bank(bank(crowd, entry("far", [50])), remove=["removed"])

    assert told(held.query(ZERO, "full")) == [("far", 50, 0)]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 80), st.integers(0, 900_000))))
def test_each_bucket_answers_by_its_nearest(rows: list[tuple[int, int, int]]) -> None:
    """Few enough that no bound cuts in: the rule, spelt out the slow way."""
    nearest: dict[tuple[int, int], int] = {}
    for name, bits, offset_us in rows:
        if bits <= NEAR_DISTANCE_BITS:
            key = name, offset_us // 250_000
            nearest[key] = min(bits, nearest.get(key, bits))
    parts = [[row[1:] for row in rows if row[0] == name] for name in range(3)]
    held = bank(
        *(
            entry(str(name), [bits for bits, _ in part], offsets_us=[at for _, at in part])
            for name, part in enumerate(parts)
            if part
        )
    )

    matches = held.query(ZERO, "full")

    assert {
        (int(match.entry), match.offset_us // 250_000): match.distance_bits for match in matches
    } == nearest
    assert [match.distance_bits for match in matches] == sorted(nearest.values())


def test_banks_answer_together_nearest_first() -> None:
    banks = Banks((bank(entry("a", [9, 1]), name="one"), bank(entry("b", [5]), name="two")))

    matches = banks.query(ZERO, "full")

    assert [(match.bank, match.distance_bits) for match in matches] == [
        ("one", 1),
        ("two", 5),
        ("one", 9),
    ]


def test_no_banks_find_nothing() -> None:
    assert Banks(()).query(ZERO, "full") == []


def test_an_edit_gives_a_new_snapshot_and_leaves_the_old_one() -> None:
    old = bank(entry("a", [1]), entry("b", [2, 3]), entry("c", [4]))

    new = edit_bank(old, add=[entry("d", [5])], remove=["b"])

    assert [name for name, _, _ in told(new.query(ZERO, "full"))] == ["a", "c", "d"]
    assert [name for name, _, _ in told(old.query(ZERO, "full"))] == ["a", "b", "b", "c"]
    assert [*new.names()] == ["a", "c", "d"]


def test_a_name_that_is_part_of_another_is_not_that_other() -> None:
    held = edit_bank(bank(entry("film", [1]), entry("film 2", [2])), remove=["film"])

    assert [name for name, _, _ in told(held.query(ZERO, "full"))] == ["film 2"]


@pytest.mark.parametrize("name", ["x", "x" * 128, "é" * 64, "Ein Film, Teil 2 (1080p).mp4"])
def test_names_up_to_128_bytes_are_kept_as_they_are(name: str) -> None:
    assert told(bank(entry(name, [0])).query(ZERO, "full")) == [(name, 0, 0)]


@pytest.mark.parametrize("name", ["", "x" * 129, "é" * 64 + "x", "two\nlines", "nul\0", "\ud800"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BankError, match="name is 1 to 128 bytes"):
        entry(name, [0])


@pytest.mark.parametrize("policy", ["A", "TVEC-ATTACK-2", "A" * 64])
def test_policy_codes_are_upper_kebab(policy: str) -> None:
    assert bank(entry("a", [0], policy=policy)).query(ZERO, "full")[0].policy == policy


@pytest.mark.parametrize("policy", ["", "tvec", "A_B", "-A", "A-", "A--B", "A B", "A\n", "A" * 65])
def test_other_policy_codes_are_refused(policy: str) -> None:
    with pytest.raises(BankError, match="UPPER-KEBAB"):
        entry("a", [0], policy=policy)


def test_an_entry_without_hashes_is_refused() -> None:
    with pytest.raises(BankError, match="no picture that can be matched"):
        entry("a", [])


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("hashes", np.zeros((1, 31), np.uint8)),
        ("offsets_us", np.zeros(2, np.int64)),
        ("offsets_us", np.full(1, -1)),
        ("variants", np.zeros(2, np.uint8)),
        ("duration_us", -1),
    ],
)
def test_an_entry_with_one_wrong_column_is_refused(column: str, value: Any) -> None:
    columns: dict[str, Any] = {
        "hashes": ZERO[None],
        "offsets_us": np.zeros(1, np.int64),
        "variants": np.zeros(1, np.uint8),
        "duration_us": 0,
    }

    with pytest.raises(BankError):
        Entry(name="a", policy="A", kind="image", **(columns | {column: value}))


def test_a_match_says_its_variant_the_joined_limits_and_the_role_of_its_bank() -> None:
    settings = BankSettings("negative", Limits(max_distance_bits=20, min_votes=2))
    strict = replace(
        entry("a", [3]),
        limits=Limits(max_distance_bits=25, min_votes=3),
        variants=np.full(1, 7, np.uint8),
    )
    held = edit_bank(empty_bank("bank", settings), add=[strict, entry("b", [4])])

    first, second = held.query(ZERO, "full")

    assert (first.variant, first.role) == (7, "negative")
    assert first.limits == Limits(max_distance_bits=20, min_votes=3)
    assert second.limits == settings.limits


def test_what_lies_near_a_time_of_an_entry_is_given_in_the_order_of_time() -> None:
    held = bank(entry("other", [9]), entry("a", [1, 2, 3, 4], offsets_us=[3000, 1000, 2000, 5000]))

    stretch = held.near("a", 2000, 1000)

    assert stretch.offsets_us.tolist() == [1000, 2000, 3000]
    assert stretch.hashes.tolist() == [ones(n).tolist() for n in (2, 3, 1)]
    assert stretch.variants.tolist() == [0, 0, 0]


def test_nothing_is_near_in_an_entry_that_is_gone_or_a_bank_that_is_not_there() -> None:
    held = bank(entry("a", [1]), name="one")

    assert len(edit_bank(held, remove=["a"]).near("a", 0, 10)) == 0
    assert len(Banks((held,)).near("one", "a", 0, 10)) == 1
    assert len(Banks((held,)).near("two", "a", 0, 10)) == 0


def test_an_entry_is_known_by_its_facts_until_it_is_removed() -> None:
    limits = Limits(is_shadow=True)
    held = bank(replace(entry("a", [1], kind="image"), limits=limits))

    assert held.entry_of("a") == EntryFacts("TVEC-TEST", "image", 0, 1, limits)
    assert edit_bank(held, remove=["a"]).entry_of("a") is None


def test_each_edit_raises_the_revision_and_tells_what_came_since() -> None:
    first = bank(entry("a", [1]))
    second = edit_bank(first, add=[entry("b", [2]), entry("c", [3])], remove=["a"])

    assert first.revision < second.revision
    assert first.added_since(0) == ("a",)
    assert second.added_since(0) == second.added_since(first.revision) == ("b", "c")
    assert second.added_since(second.revision) == ()
    assert Banks((first, second)).revision == (first.revision, second.revision)
