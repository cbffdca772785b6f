"""Holds what came into the banks against what a stream has shown before.

Rule: the past is judged exactly as the present is, sample by sample, against the new entries and
the negative banks; what was judged with an entry when it was shown is not judged with it again.

A past in which nothing is near what is new is not judged at all: that is asked of all its hashes at
once. See `python -m loadtest look_back` for what 160 streams take.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from streamguard.core.bank import Bank
from streamguard.core.bank_editor import make_bank
from streamguard.core.bank_table import table_of
from streamguard.core.bank_values import MAX_OFFSET_US, Entry
from streamguard.core.banks import Banks
from streamguard.core.decision import Decision
from streamguard.core.following import Key
from streamguard.core.index import LinearIndex, any_near
from streamguard.core.match import Matcher
from streamguard.core.news import Recheck
from streamguard.core.past import Rows, samples_of
from streamguard.core.types import NEAR_DISTANCE_BITS, Sample


@dataclass(frozen=True, slots=True)
class Found:
    """What the past shows: each sample with its decisions, in the order of time.

    shadows: of all samples; they are no flags.
    """

    samples: tuple[tuple[Sample, tuple[Decision, ...]], ...]
    shadows: tuple[Decision, ...]

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """Give the decisions on all samples."""
        return tuple(decision for _, decisions in self.samples for decision in decisions)


def new_entries(recheck: Recheck) -> Banks:
    """Give banks of the new entries alone, beside the negative banks as they are."""
    fresh = [
        _only(bank, recheck.news) for bank in recheck.banks.banks if bank.settings.role == "known"
    ]
    negative = [bank for bank in recheck.banks.banks if bank.settings.role == "negative"]
    return Banks((*fresh, *negative))


def search(recheck: Recheck, banks: Banks) -> Found:
    """Judge the past with the entries that `new_entries` gave."""
    if not _is_near(recheck.rows, banks):
        return Found((), ())
    matcher = Matcher(lambda: banks, recheck.policy, remembers=False)
    samples: list[tuple[Sample, tuple[Decision, ...]]] = []
    shadows: list[Decision] = []
    for number, sample in samples_of(recheck.rows):
        verdict = matcher.judge(sample)
        is_new = partial(_is_new, recheck.news, number)
        samples.append((sample, tuple(filter(is_new, verdict.decisions))))
        shadows += filter(is_new, verdict.shadows)
    return Found(tuple(samples), tuple(shadows))


def _is_near(rows: Rows, banks: Banks) -> bool:
    """Say whether anything in the past is near what is new; with very many hashes, it may be."""
    shown = np.ascontiguousarray(rows["pdq"])
    for bank in banks.banks:
        if bank.settings.role == "known":
            index = bank.base.index
            if not isinstance(index, LinearIndex):
                return True
            if any_near(shown, index.hashes, NEAR_DISTANCE_BITS).any():
                return True
    return False


def _is_new(news: Mapping[Key, range], number: int, decision: Decision) -> bool:
    """Say whether a sample was not judged with an entry when it was shown."""
    return number in news[decision.key]


def _only(bank: Bank, news: Mapping[Key, range]) -> Bank:
    """Give a bank of those of its entries that are news, and may match."""
    names = sorted((name for held, name in news if held == bank.name), key=str.encode)
    entries = [entry for name in names if (entry := _entry(bank, name)) is not None]
    return make_bank(bank.name, table_of(entries), bank.settings)


def _entry(bank: Bank, name: str) -> Entry | None:
    facts, stretch = bank.entry_of(name), bank.near(name, 0, MAX_OFFSET_US)
    if facts is None or not len(stretch):
        return None
    return Entry(
        name=name,
        policy=facts.policy,
        kind=facts.kind,
        duration_us=facts.duration_us,
        hashes=stretch.hashes,
        offsets_us=stretch.offsets_us,
        variants=stretch.variants,
        limits=facts.limits,
    )
