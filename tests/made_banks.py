"""Banks in directories, and entries to put into them.

Rule: an entry is made of its name and seed alone, so that a test can make it again and look for it.
"""

import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from streamguard.adapters.bank_dir import Current, read_current
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank import Bank
from streamguard.core.bank_values import Entry, EntryFacts, Stretch

FRAME_US = 40_000


def entry(name: str, n_hashes: int = 3, *, seed: int = 1) -> Entry:
    """Give a video whose hashes are like no other entry's."""
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    return Entry(
        name=name,
        policy="TVEC-TEST",
        kind="video",
        duration_us=n_hashes * FRAME_US,
        hashes=rng.integers(0, 256, (n_hashes, 32), dtype=np.uint8),
        offsets_us=np.arange(n_hashes, dtype=np.int64) * FRAME_US,
        variants=rng.integers(0, 3, n_hashes, dtype=np.uint8),
    )


def image(name: str, *, seed: int = 1) -> Entry:
    """Give an image whose hash is like no other entry's."""
    return replace(entry(name, 1, seed=seed), kind="image", duration_us=0)


Told = dict[str, tuple[EntryFacts, list[list[int]], list[int], list[int]]]


def all_of(bank: Bank) -> Told:
    """Give all that a bank knows of its entries, by name, in values that can be compared."""
    return {name: (facts, *_columns(stretch)) for name, facts, stretch in bank.entries()}


def all_in(*entries: Entry) -> Told:
    """Give what a bank should know of these entries."""
    return {
        each.name: (
            EntryFacts(
                policy=each.policy,
                kind=each.kind,
                duration_us=each.duration_us,
                n_hashes=len(each.hashes),
                limits=each.terms.limits,
                quarantine=each.quarantine,
            ),
            *_columns(Stretch(each.hashes, each.offsets_us, each.variants)),
        )
        for each in entries
    }


def names(directory: Path) -> list[str]:
    """Give the names in a bank, sorted."""
    return sorted(open_bank(directory).names())


def base_of(directory: Path) -> Path:
    """Give the file of the base in force."""
    return directory / _current(directory).base_file


def delta_of(directory: Path) -> Path:
    """Give the file of the delta in force."""
    return directory / _current(directory).delta_file


def contents(directory: Path) -> dict[str, bytes]:
    """Give every file of a bank."""
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def _current(directory: Path) -> Current:
    return read_current(directory)


def _columns(stretch: Stretch) -> tuple[list[list[int]], list[int], list[int]]:
    return stretch.hashes.tolist(), stretch.offsets_us.tolist(), stretch.variants.tolist()
