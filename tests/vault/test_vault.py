import stat
from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import NOTHING_BEFORE
from streamguard.vault.checking import Checked, check
from tests.clock import FakeClock
from tests.vault.made_vaults import (
    CLIP,
    CONFIG_SHA256,
    STILL,
    evidence_id,
    filled_vault,
    made_vault,
    part,
    problems,
    subject,
)


def test_nothing_is_written_before_there_is_evidence(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")

    assert vault.ledger().n_entries == 0
    assert list(check(vault, Checked())) == []
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_encrypted_and_comes_back(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")

    clip, still = vault.keep(subject(1), (part(), part("still", STILL)))

    stored = Path(clip.uri.removeprefix("file://")).read_bytes()
    assert CLIP not in stored
    assert (clip.size_bytes, still.size_bytes) == (len(CLIP), len(STILL))
    one = evidence_id(1)
    assert vault.read(one, 0, "view", actor="anna", purpose="case 7") == CLIP
    assert vault.read(one, 1, "copy", actor="anna", purpose="case 7") == STILL
    assert vault.standing(one).n_entries == 3
    assert problems(tmp_path / "evidence") == []


def test_all_of_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")

    for path in (*(tmp_path / "evidence").rglob("*"), *(tmp_path / "evidence.keys").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_an_evidence_grows_and_its_newest_manifest_names_all_parts(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")

    first = vault.manifest_of(vault.standing(evidence_id(1)))
    other = vault.manifest_of(vault.standing(evidence_id(2)))

    assert [item.name for item in first.items] == [
        *("0000-clip.sealed", "0001-still.sealed", "0002-clip.sealed"),
    ]
    assert (first.number, first.revision, other.number, other.revision) == (2, 1, 1, 0)
    assert first.prev_manifest_sha256 == other.sha256
    assert other.prev_manifest_sha256 != NOTHING_BEFORE


def test_each_part_says_when_it_came_and_what_was_done_to_it(tmp_path: Path) -> None:
    clock = FakeClock()
    vault = made_vault(tmp_path / "evidence", clock)
    vault.keep(subject(1), (part(),))
    clock.advance(60)
    vault.keep(subject(1), (replace(part("still", STILL), transform="one frame"),))

    manifest = vault.manifest_of(vault.standing(evidence_id(1)))

    assert [(item.kept_at, item.transform) for item in manifest.items] == [
        *(("2026-01-02T03:04:05.000Z", ""), ("2026-01-02T03:05:05.000Z", "one frame")),
    ]
    assert manifest.config_sha256 == CONFIG_SHA256
    assert problems(tmp_path / "evidence") == []


def test_two_that_keep_evidence_at_once_make_one_chain(tmp_path: Path) -> None:
    one, other = made_vault(tmp_path / "evidence"), made_vault(tmp_path / "evidence")

    for number in range(4):
        (one, other)[number % 2].keep(subject(number), (part(),))

    assert other.ledger().n_entries == one.ledger().n_entries == 4
    assert problems(tmp_path / "evidence") == []


def test_who_reads_a_part_that_is_damaged_is_on_record_and_gets_nothing(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    path = vault.folder.object(evidence_id(2), "0000-clip.sealed")
    path.write_bytes(path.read_bytes()[:-1] + b"\0")

    with pytest.raises(EvidenceDamaged):
        vault.read(evidence_id(2), 0, "view", actor="anna", purpose="")

    assert vault.standing(evidence_id(2)).n_entries == 2


def test_what_there_is_not_is_told(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")

    with pytest.raises(ConfigError, match="no evidence"):
        vault.standing(evidence_id(3))
    with pytest.raises(ConfigError, match="no evidence"):
        vault.note(evidence_id(3), "view", {}, actor="a", purpose="")
    with pytest.raises(ConfigError, match="no part 3"):
        vault.read(evidence_id(1), 3, "view", actor="a", purpose="")


def test_an_entry_that_a_crash_broke_off_was_never_told_and_is_written_anew(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    custody = tmp_path / "evidence" / "custody.jsonl"
    whole = custody.read_bytes()
    custody.write_bytes(whole + b'{"action":"vi')

    made_vault(tmp_path / "evidence").note(evidence_id(1), "view", {}, actor="a", purpose="")

    assert custody.read_bytes().startswith(whole + b'{"action":"view"')
    assert vault.standing(evidence_id(1)).n_entries == 3
    assert problems(tmp_path / "evidence") == []


def test_nothing_is_added_to_a_chain_whose_end_is_missing(tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")
    custody = tmp_path / "evidence" / "custody.jsonl"
    cut = custody.read_bytes()[:-1]
    custody.write_bytes(cut)

    with pytest.raises(EvidenceUnavailable, match="lacks entries"):
        made_vault(tmp_path / "evidence").keep(subject(3), (part(),))

    assert custody.read_bytes() == cut


def test_keys_that_are_lost_are_not_made_anew(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    (tmp_path / "evidence.keys" / "master.key").unlink()

    with pytest.raises(EvidenceUnavailable, match="cannot be read"):
        made_vault(tmp_path / "evidence").keep(subject(3), (part(),))

    assert vault.ledger().n_entries == 3


def test_a_directory_in_use_that_is_open_to_others_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "evidence"
    directory.mkdir(mode=0o755)
    made_vault(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    (directory / "file").touch()
    directory.chmod(0o750)
    with pytest.raises(EvidenceUnavailable, match="open to others"):
        made_vault(directory)


def test_a_disk_that_takes_nothing_costs_the_evidence_alone(tmp_path: Path) -> None:
    (tmp_path / "evidence").touch()

    with pytest.raises(EvidenceUnavailable, match="no directory"):
        made_vault(tmp_path / "evidence", FakeClock())


@pytest.mark.parametrize("changed", [{"stream_id": "stream-2"}, {"session_id": "another"}])
def test_nothing_is_added_to_the_evidence_of_another_stream_or_session(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    vault = filled_vault(tmp_path / "evidence")
    before = vault.manifest_of(vault.standing(evidence_id(1)))

    with pytest.raises(EvidenceUnavailable, match="another stream"):
        vault.keep(replace(subject(1), **changed), (part(),))

    assert vault.manifest_of(vault.standing(evidence_id(1))) == before
    assert problems(tmp_path / "evidence") == []


def test_how_it_is_now_is_known_without_reading_the_custody_again(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    told = vault.standing_now(evidence_id(1))
    custody = tmp_path / "evidence" / "custody.jsonl"
    lines = custody.read_bytes()
    custody.write_bytes(b"x" * lines.index(b"\n") + lines[lines.index(b"\n") :])

    assert vault.standing_now(evidence_id(1)) == told
    assert list(vault.standings_now((evidence_id(1), evidence_id(99)))) == [evidence_id(1)]
    with pytest.raises(EvidenceDamaged):
        vault.standing(evidence_id(1))


def test_to_ask_where_nothing_was_ever_kept_makes_nothing(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")

    assert vault.standings_now((evidence_id(1),)) == {}
    with pytest.raises(ConfigError, match="no evidence"):
        vault.standing_now(evidence_id(1))
    assert list(tmp_path.iterdir()) == []
