"""A bank under random edits, compactions and reopenings equals a dictionary.

Rule: hashes are few bits from a common one, so that queries find many; a reader that follows the
files sees after each step what the dictionary holds, and asks what it can be asked.
"""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from numpy.typing import NDArray

from streamguard.adapters.bank_check import Verified, verify_bank
from streamguard.adapters.bank_file import apply_edit
from streamguard.adapters.bank_generation import compact_bank
from streamguard.adapters.bank_live import LiveBank, open_bank
from streamguard.core import index
from streamguard.core.bank import Bank
from streamguard.core.bank_edit import Amendment, Edit
from streamguard.core.bank_values import Entry
from streamguard.core.errors import BankError
from streamguard.core.types import MATCH_DISTANCE_BITS, Limits
from tests.made_banks import all_in, all_of, entry

NAMES = st.sampled_from(["a", "b", "ba", "é", "z" * 128])
SEEDS = st.integers(0, 2**32 - 1)
CENTRE = np.random.default_rng(5).integers(0, 256, 32, dtype=np.uint8)
BUCKET_US = 250_000
SLOTS_FROM = 24


def near_centre(rng: np.random.Generator, n_hashes: int) -> NDArray[np.uint8]:
    """Draw hashes 0 to 40 flips from the centre."""
    masks = np.zeros((n_hashes, 256), np.uint8)
    for mask in masks:
        mask[rng.choice(256, rng.integers(0, 41), replace=False)] = 1
    return CENTRE ^ np.packbits(masks, axis=1)


def drawn(name: str, seed: int) -> Entry:
    """Draw an entry of one hash to six, at times that stand in no order."""
    rng = np.random.default_rng(seed)
    n_hashes = int(rng.integers(1, 7))
    return Entry(
        name=name,
        policy=str(rng.choice(["TVEC-A", "TVEC-B"])),
        kind="video" if rng.integers(2) else "image",
        duration_us=int(rng.integers(0, 5)) * 1000,
        hashes=near_centre(rng, n_hashes),
        offsets_us=rng.integers(0, 2_000, n_hashes) * 1000,
        variants=rng.integers(0, 3, n_hashes, dtype=np.uint8),
        limits=Limits(max_distance_bits=20) if rng.integers(4) == 0 else None,
        quarantine="drawn" if rng.integers(6) == 0 else None,
    )


def in_order(new: Entry) -> Entry:
    """Give an entry as a bank holds it: in the order of time."""
    order = np.argsort(new.offsets_us, kind="stable")
    return replace(
        new,
        hashes=new.hashes[order],
        offsets_us=new.offsets_us[order],
        variants=new.variants[order],
    )


def brute_force(held: dict[str, Entry], pdq: NDArray[np.uint8]) -> dict[tuple[str, int], int]:
    """Find the nearest hash of each entry and quarter of a second, within 31 bits."""
    nearest: dict[tuple[str, int], int] = {}
    for each in held.values():
        bits = np.bitwise_count(each.hashes ^ pdq).sum(axis=1).tolist()
        for at_us, distance in zip(each.offsets_us.tolist(), bits, strict=True):
            key = each.name, at_us // BUCKET_US
            if distance <= MATCH_DISTANCE_BITS and each.quarantine is None:
                nearest[key] = min(distance, nearest.get(key, distance))
    return nearest


class BankMachine(RuleBasedStateMachine):
    """The bank, and the dictionary that it should equal."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.directory = self.folder / "bank"
        self.held: dict[str, Entry] = {}
        self.came: dict[str, int] = {}
        self.removed: dict[str, int] = {}
        self.revision = 0

    @initialize()
    def begin(self) -> None:
        """Begin with enough hashes for slots, unlike any others."""
        filler = entry("filler", SLOTS_FROM)
        self.committed(Edit(add=[filler]), is_refused=False)
        self.held["filler"], self.came["filler"] = filler, 1
        self.reopen()

    @rule(name=NAMES, seed=SEEDS, since=st.none() | st.integers(0, 12))
    def add(self, name: str, seed: int, since: int | None) -> None:
        new = drawn(name, seed)
        is_refused = name in self.held or (since is not None and self.removed.get(name, 0) > since)
        if self.committed(Edit(add=[new], since=since), is_refused=is_refused):
            self.held[name] = in_order(new)
            self.came[name] = self.revision

    @rule(names=st.lists(NAMES, min_size=1, max_size=3, unique=True), seed=SEEDS)
    def replace_some(self, names: list[str], seed: int) -> None:
        new = [drawn(name, seed + number) for number, name in enumerate(names)]
        self.committed(Edit(add=new, replace=True), is_refused=False)
        self.held |= {each.name: in_order(each) for each in new}
        self.came |= dict.fromkeys(names, self.revision)

    @rule(name=NAMES, may_miss=st.booleans())
    def remove(self, name: str, may_miss: bool) -> None:  # noqa: FBT001  # hypothesis passes it
        is_refused = name not in self.held and not may_miss
        if self.committed(Edit(remove=[name], may_miss=may_miss), is_refused=is_refused):
            self.held.pop(name, None)
            self.removed[name] = self.revision

    @rule(name=NAMES, bits=st.integers(0, 31), is_quarantined=st.none() | st.booleans())
    def amend(self, name: str, bits: int, is_quarantined: bool | None) -> None:  # noqa: FBT001
        amendment = Amendment(Limits(max_distance_bits=bits), is_quarantined, "drawn")
        if self.committed(Edit(amend={name: amendment}), is_refused=name not in self.held):
            terms = amendment.applied_to(self.held[name].terms)
            self.held[name] = replace(
                self.held[name], limits=terms.limits, quarantine=terms.quarantine
            )

    @rule()
    def compact(self) -> None:
        compact_bank(self.directory)

    @rule()
    def reopen(self) -> None:
        ticks = count(1.0)
        self.live = LiveBank(self.directory, lambda: next(ticks))

    @rule(seed=SEEDS)
    def query(self, seed: int) -> None:
        pdq = near_centre(np.random.default_rng(seed), 1)[0]

        matches = self.live.current().query(pdq, "full")

        strong = [match for match in matches if match.distance_bits <= MATCH_DISTANCE_BITS]
        answers = {(m.entry, m.offset_us // BUCKET_US): m.distance_bits for m in strong}
        assert answers == brute_force(self.held, pdq)
        assert len(answers) == len(strong)
        for match in strong:
            known = self.held[match.entry]
            assert (match.policy, match.is_still) == (known.policy, known.kind == "image")
            assert match.limits == known.terms.limits

    @rule(name=NAMES, at_us=st.integers(-10, 2_100_000), within_us=st.integers(0, 900_000))
    def near(self, name: str, at_us: int, within_us: int) -> None:
        found = self.live.current().near(name, at_us, within_us)

        known = self.held.get(name)
        if known is None or known.quarantine is not None:
            assert len(found) == 0
            return
        is_near = np.abs(known.offsets_us - at_us) <= within_us
        assert found.offsets_us.tolist() == known.offsets_us[is_near].tolist()
        assert found.hashes.tolist() == known.hashes[is_near].tolist()
        assert found.variants.tolist() == known.variants[is_near].tolist()

    @rule(back=st.integers(0, 20))
    def added_since(self, back: int) -> None:
        since = self.revision - back

        added = self.live.current().added_since(since)

        assert set(added) == {n for n in self.held if self.came[n] > since}
        assert [self.came[n] for n in added] == sorted(self.came[n] for n in added)

    @precondition(lambda self: self.revision % 4 == 3)
    @rule()
    def verify(self) -> None:
        assert verify_bank(self.directory) == Verified((), ())

    @invariant()
    def the_reader_sees_what_the_dictionary_holds(self) -> None:
        if not hasattr(self, "live"):
            return
        bank = self.live.current()
        assert self.live.problem is None
        assert bank.revision == self.revision
        assert all_of(bank) == all_in(*self.held.values())
        assert bank.n_entries == len(self.held)
        assert bank.n_hashes == sum(len(each.hashes) for each in self.held.values())

    def teardown(self) -> None:
        assert all_of(open_bank(self.directory)) == all_in(*self.held.values())
        shutil.rmtree(self.folder)

    def committed(self, edit: Edit, *, is_refused: bool) -> Bank | None:
        """Make an edit that should be refused, or not."""
        if is_refused:
            with pytest.raises(BankError):
                apply_edit(self.directory, edit)
            return None
        bank = apply_edit(self.directory, edit)
        self.revision += 1
        assert bank.revision == self.revision
        return bank


@pytest.fixture(params=["scan", "slots"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Have small banks scanned, or given slots as large ones are."""
    if request.param == "slots":
        monkeypatch.setattr(index, "SLOTS_FROM", SLOTS_FROM)
    return request.param


def test_a_bank_equals_a_dictionary_whatever_happens_to_it(form: str) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]  # it carries no types
        BankMachine,
        settings=settings(max_examples=25 if form == "scan" else 8, stateful_step_count=30),
    )
