"""What is said of an evidence whose process has died: all that was collected."""

from contextlib import closing
from pathlib import Path

import pytest

from streamguard.core.event_data import Artifact, Evidence
from streamguard.core.kept import Piece
from streamguard.vault.recording import Recordings
from streamguard.vault.told import evidence_now
from tests.kept import content_of
from tests.vault.made_vaults import STILL, evidence_id, made_vault, part, subject

PENDING = Evidence(state="pending")
UNAVAILABLE = Evidence(state="unavailable")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "evidence"


def read(artifact: Artifact | None) -> bytes:
    assert artifact is not None
    return content_of(artifact.model_dump())


def test_a_clip_that_nobody_told_of_is_told(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        recordings.grow(subject(1), Piece(0, 0, 1, b"one", "file"))
        recordings.grow(subject(1), Piece(1, 1, 2, b"two", "clip"))

    now = evidence_now(made_vault(root), evidence_id(1), UNAVAILABLE)

    assert (now.state, now.n_clip_files, now.still) == ("ready", 2, None)
    assert read(now.clip) == b"one"
    assert now.manifest is not None


def test_what_was_told_of_stills_stands(root: Path) -> None:
    vault = made_vault(root)
    first, second = vault.keep(subject(1), (part("still", STILL), part("still", STILL[::-1])))
    told = Evidence(
        state="ready", still=second, other_stills=(first,), blurhash="LEHV6nWB2yk8", is_growing=True
    )

    now = evidence_now(vault, evidence_id(1), told)

    assert (now.still, now.other_stills, now.blurhash) == (second, (first,), "LEHV6nWB2yk8")
    assert (now.clip, now.is_growing) == (None, None)


def test_a_still_that_nobody_told_of_is_told_without_its_preview(root: Path) -> None:
    vault = made_vault(root)
    [still] = vault.keep(subject(1), (part("still", STILL),))

    now = evidence_now(vault, evidence_id(1), UNAVAILABLE)

    assert (now.still, now.blurhash) == (still, None)


@pytest.mark.parametrize("told", [PENDING, UNAVAILABLE, Evidence(state="off")])
def test_where_there_is_nothing_what_was_told_stands(root: Path, told: Evidence) -> None:
    vault = made_vault(root)
    unknown = evidence_now(vault, evidence_id(1), told)
    vault.collect(subject(1), ())
    empty = evidence_now(vault, evidence_id(1), told)
    vault.keep(subject(2), (part(),))
    vault.note(evidence_id(2), "delete", {}, actor="anna", purpose="to erase")
    erased = evidence_now(vault, evidence_id(2), told)

    assert [unknown, empty, erased] == [told] * 3


def test_it_waits_for_nobody_for_long(root: Path) -> None:
    with closing(Recordings(made_vault(root))) as recordings:
        recordings.grow(subject(1), Piece(0, 0, 1, b"one"))

        assert evidence_now(made_vault(root), evidence_id(1), PENDING) == PENDING
