"""Damaged sources end in errors of ours or in frames: a slice of the corpus, and what once failed.

The whole of it is `python -m loadtest hostile`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.hostile import run
from loadtest.hostile_watch import Watched

pytestmark = pytest.mark.integration

KEPT = sorted((Path(__file__).parent / "cases").iterdir())
SEED, N_CASES = 3, 200


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with Watched() as process:
        yield process


def test_a_slice_of_the_corpus_ends_in_errors_of_ours_or_frames() -> None:
    report, failed = run(SEED, range(N_CASES), n_processes=1)

    assert report["failures"] == []
    assert failed == []
    assert sum(report["ends"].values()) == N_CASES
    assert all(report["with_frames"].values())  # damage is not all that was seen of any kind


@pytest.mark.parametrize("folder", KEPT, ids=lambda folder: folder.name)
def test_what_once_failed_does_not_fail_again(watched: Watched, folder: Path) -> None:
    assert watched.ask(str(folder)).problem == ""
