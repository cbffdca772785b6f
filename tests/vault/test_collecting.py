"""What a manifest says beside names and hashes: where, since when, and until when."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.core.kept import Piece, Subject
from streamguard.core.manifest import HeldFor, Item, Keeping, Manifest, StreamContext
from streamguard.core.retention import Retention
from streamguard.vault.collecting import Collector
from streamguard.vault.folder import Folder
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.vault.made_vaults import evidence_id, made_vault, part, subject

AT_MS = 1_767_323_045_678
AT = "2026-01-02T03:04:05.678Z"
OVER, LATER = "2026-01-02T03:30:00.000Z", "2027-01-01T00:00:00.000Z"
SEEN = StreamContext("rtmp", 2, "edge-7", AT)


def vault_of(root: Path, clock_error_ms: int | None, clock: FakeClock | None = None) -> Vault:
    rules = Retention(unreviewed_d=2.0, confirmed_d=4.0)
    collector = Collector("studio", "1", retention=rules, clock_error_ms=lambda: clock_error_ms)
    return Vault(Folder(root, None), Keys(KeyFiles.beside(root)), collector, clock or FakeClock())


def manifest_of(vault: Vault) -> Manifest:
    return vault.manifest_of(vault.standing(evidence_id(1)))


def items(vault: Vault) -> tuple[Item, ...]:
    return manifest_of(vault).items


@pytest.mark.parametrize("error_ms", [None, 0, 12])
def test_a_part_says_where_it_is_when_it_was_read_and_by_how_sure_a_clock(
    tmp_path: Path, error_ms: int | None
) -> None:
    vault = vault_of(tmp_path / "evidence", error_ms)
    still = replace(part("still"), ingest_ms=AT_MS, derived_from="clip")

    [kept] = vault.keep(subject(1), (still,))

    [item] = items(vault)
    assert (item.uri, item.derived_from) == (kept.uri, "clip")
    assert (item.ingest_time, item.clock_basis, item.est_error_ms) == (AT, "ingest", error_ms)


def test_of_what_nobody_said_when_it_was_read_no_clock_is_named(tmp_path: Path) -> None:
    vault = vault_of(tmp_path / "evidence", 12)

    vault.keep(subject(1), (part(),))

    [item] = items(vault)
    assert (item.ingest_time, item.clock_basis, item.est_error_ms) == ("", "", None)
    assert b"ingest_time" not in manifest_of(vault).content


def test_when_a_clip_was_read_is_told_also_after_a_crash(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")
    recordings = Recordings(vault)
    recordings.grow(subject(1), Piece(0, 0, 1, b"first", "", AT_MS))
    recordings.close()

    [item] = items(vault)
    assert (item.ingest_time, item.clock_basis) == (AT, "ingest")


def test_the_first_word_on_the_publish_stands_and_a_case_the_last(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")
    for context, case in ((None, ""), (SEEN, evidence_id(8)), (StreamContext("srt", 3), "")):
        vault.keep(replace(subject(1), context=context, case_id=case), (part(),))
    manifest = manifest_of(vault)
    vault.keep(replace(subject(1), case_id=evidence_id(9)), ())

    assert (manifest.stream_context, manifest.case_id) == (SEEN, evidence_id(8))
    assert manifest_of(vault).case_id == evidence_id(9)
    assert manifest_of(vault).stream_context == SEEN


def test_it_says_how_long_it_is_kept_and_what_holds_it(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = vault_of(tmp_path / "evidence", None, clock)
    one = evidence_id(1)
    who = {"actor": "anna", "purpose": "case 7"}

    vault.keep(subject(1), (part(),))
    first = manifest_of(vault).retention
    clock.advance(3_600)
    vault.note(one, "classify", {"class": "confirmed"}, **who)
    for ref, until in (("A-1", ""), ("A-2", OVER), ("A-3", LATER)):
        vault.note(one, "hold", {"ref": ref, "authority": "court", "until": until}, **who)
    vault.keep(subject(1), (part("still"),))

    assert first == Keeping("unreviewed", "2026-01-04T03:04:05.000Z")
    assert manifest_of(vault).retention == Keeping(
        "confirmed",
        "2026-01-06T04:04:05.000Z",
        (HeldFor("A-1", "court"), HeldFor("A-3", "court", LATER)),
    )


def test_what_is_known_beside_its_ids_makes_no_other_subject() -> None:
    plain = Subject("a", "b", "c")

    assert replace(plain, context=SEEN, case_id="d") == plain
