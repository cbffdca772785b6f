"""The evidence verbs, over what `screen` kept."""

import hashlib
import io
import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import pyrage
import pytest

from streamguard.cli import main
from tests.processes import short_type, streamguard
from tests.small_disk import small_disk_at
from tests.vault.made_vaults import evidence_id as made_id
from tests.vault.made_vaults import filled_vault


@pytest.fixture(scope="module")
def screened(
    tmp_path_factory: pytest.TempPathFactory, known_bank: Path, real_clips: dict[str, Path]
) -> tuple[Path, str]:
    """Screen a known clip; give where its evidence is, and its id."""
    directory = tmp_path_factory.mktemp("kept") / "evidence"
    done = streamguard("screen", real_clips["bikes"], "--bank", known_bank, "--evidence", directory)
    assert done.code == 0
    opened = next(event for event in done.rows if short_type(event) == "flag.opened")
    return directory, opened["data"]["flag_id"]


@pytest.fixture
def kept(screened: tuple[Path, str], tmp_path: Path) -> tuple[Path, str]:
    """Give each test evidence of its own, with its keys."""
    directory, evidence_id = screened
    shutil.copytree(directory.parent, tmp_path / "kept")
    return tmp_path / "kept" / directory.name, evidence_id


def rows(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_screening_kept_is_listed_and_verified(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept

    codes = [
        main(["evidence", "list", "--evidence", str(directory), "--json"]),
        main(["evidence", "verify", "--evidence", str(directory), "--json"]),
    ]

    listed, verified = rows(capsys)
    assert codes == [0, 0]
    assert (listed["evidence_id"], listed["class"], listed["state"]) == (
        evidence_id,
        "unreviewed",
        "kept",
    )
    assert (verified["problems"], verified["n_evidence"]) == ([], 1)
    assert verified["n_parts"] == listed["n_parts"] >= 2


@pytest.mark.parametrize("as_json", [True, False])
def test_a_list_goes_on_past_a_manifest_that_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    root = tmp_path / "evidence"
    filled_vault(root)
    newest = max((root / "manifests").glob(f"*-{made_id(1)}.json"))
    newest.write_bytes(newest.read_bytes().replace(b"stream-1", b"stream-9"))

    code = main(["evidence", "list", "--evidence", str(root), *(["--json"] if as_json else [])])

    damaged, sound = capsys.readouterr().out.splitlines()
    assert code == 2
    assert made_id(1) in damaged
    assert "manifest: manifest is not the one that the custody names" in damaged
    assert made_id(2) in sound
    assert "stream-2" in sound


def test_a_copy_needs_a_purpose_and_is_on_record(
    kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    show = ["evidence", "show", evidence_id, "--evidence", str(directory), "--copy-to"]

    refused = main([*show, str(tmp_path / "copy")])
    assert not (tmp_path / "copy").exists()
    done = main([*show, str(tmp_path / "copy"), "--purpose", "case 7", "--by", "anna"])

    shown = json.loads(capsys.readouterr().out)
    assert (refused, done) == (2, 0)
    copies = [entry for entry in shown["custody"] if entry["action"] == "copy"]
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    assert [entry["actor"] for entry in copies] == ["anna"] * len(shown["manifest"]["items"])
    assert len(names) == len(copies)
    assert {name[5:] for name in names} == {"clip.mp4", "still.jpg"}


def test_the_manifest_tells_of_publish_and_clock_and_keeping(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept

    code = main(["evidence", "show", evidence_id, "--evidence", str(directory)])

    manifest = json.loads(capsys.readouterr().out)["manifest"]
    items = manifest["items"]
    read = [item["ingest_time"] for item in items]
    assert (code, manifest["stream_context"]) == (0, {"protocol": "file", "epoch": 0})
    assert manifest["retention"]["retention_class"] == "unreviewed"
    assert all(at <= item["kept_at"] for at, item in zip(read, items, strict=True))
    assert {item["clock_basis"] for item in items} == {"ingest"}
    assert {item["role"]: item.get("derived_from") for item in items} == {
        "clip": None,
        "still": "clip",
    }


def test_damage_is_exit_code_2_and_names_the_file(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    path = next((directory / "objects" / evidence_id).glob("*-still.sealed"))
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])

    code = main(["evidence", "verify", "--evidence", str(directory)])

    path.write_bytes(content)
    assert code == 2
    assert f"objects/{evidence_id}/{path.name}: is not what was stored" in (capsys.readouterr().out)


def test_keys_within_the_evidence_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[evidence]\ndirectory = "{tmp_path}"\nmaster_key_file = "{tmp_path / "key"}"\n'
    )

    assert main(["evidence", "list", "--config", str(config)]) == 2


def test_without_a_directory_the_verbs_say_what_to_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["evidence", "list"]) == 2
    assert "--evidence DIR" in capsys.readouterr().err


def test_a_hold_an_export_and_a_purge_by_their_verbs(
    kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    config = tmp_path / "config.toml"
    config.write_text(f'[evidence]\ndirectory = "{directory}"\nunreviewed_days = 1e-9\n')

    def run(verb: str, *arguments: str) -> int:
        return main(["evidence", verb, *arguments, "--config", str(config)])

    exported = run("export", evidence_id, str(tmp_path / "a.zip"), "--ticket", "order 7")
    held = run("hold", evidence_id, "--ref", "A-1", "--authority", "court", "--until", "2199-01-31")
    capsys.readouterr()
    run("purge", "--json")
    [on_hold] = rows(capsys)
    released = run("release", evidence_id, "--ref", "A-1")
    unknown = run("release", evidence_id, "--ref", "A-1")
    capsys.readouterr()
    run("purge", "--json")
    due, plan = rows(capsys)
    wrong = run("purge", "--delete", "0" * 16)
    done = run("purge", "--delete", str(plan["plan"]), "--json")
    [erased] = rows(capsys)

    assert (exported, held, released, unknown, wrong, done) == (0, 0, 0, 2, 2, 0)
    assert on_hold["n_due"] == 0
    assert due["sha256"] == erased["sha256"]
    assert erased["entry"]
    assert run("verify") == 0


@pytest.mark.parametrize("until", ["tomorrow", "2027-02-30"])
def test_a_hold_ends_with_a_day_or_never(until: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["evidence", "hold", "x", "--ref", "a", "--authority", "b", "--until", until])

    assert caught.value.code == 2


def test_a_check_is_on_record_unless_nothing_may_be_written(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    verify = ["evidence", "verify", "--evidence", str(directory), "--json"]

    codes = [
        main([*verify, "--read-only"]),
        main([*verify, "--by", "anna", "--purpose", "yearly"]),
        main([*verify, evidence_id, "--by", "anna"]),
        main([*verify, "--read-only"]),
    ]
    main(["evidence", "show", evidence_id, "--evidence", str(directory)])

    said = capsys.readouterr().out
    checks = [json.loads(line) for line in said.splitlines()[:4]]
    shown = json.loads("\n".join(said.splitlines()[4:]))
    assert codes == [0, 0, 0, 0]
    first = checks[0]["n_entries"]
    assert [each["n_entries"] - first for each in checks] == [0, 1, 2, 2]
    assert [each["unrecorded"] for each in checks] == [""] * 4
    assert checks[2]["head"] == checks[3]["head"] == shown["custody"][-1]["hash"]
    assert [entry["action"] for entry in shown["custody"]] == ["collect"] * first + ["verify"]


def test_a_check_that_cannot_be_put_on_record_says_so_and_what_it_found(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, _ = kept
    (directory / "custody.jsonl").write_bytes(b"{}\n")

    code = main(["evidence", "verify", "--evidence", str(directory)])

    said = capsys.readouterr().out
    assert code == 2
    assert "custody.jsonl: line 1: " in said


def test_an_id_that_nobody_knows_is_no_sound_evidence(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, _ = kept

    assert main(["evidence", "verify", "unknown", "--evidence", str(directory)]) == 2
    assert "there is no evidence unknown" in capsys.readouterr().err


def test_two_people_export_for_a_third_who_alone_can_open_it(
    kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    config, file = tmp_path / "config.toml", tmp_path / "case.zip.age"
    config.write_text(f'[evidence]\ndirectory = "{directory}"\ntwo_person_export = true\n')
    court = pyrage.x25519.Identity.generate()
    rest = ("--ticket", "A-17", "--config", str(config))
    export = ["evidence", "export", evidence_id, str(file), "--to", str(court.to_public()), *rest]

    alone = main([*export, "--by", "anna"])
    approved = main(["evidence", "approve", evidence_id, "--by", "otto", *rest])
    done = main([*export, "--by", "anna"])

    assert (alone, approved, done) == (2, 0, 0)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in capsys.readouterr().out
    with ZipFile(io.BytesIO(pyrage.decrypt(file.read_bytes(), [court]))) as archive:
        assert {"verify.py", "README.txt", "custody.jsonl"} <= set(archive.namelist())


def test_what_is_shown_says_how_long_it_is_kept_and_what_keeps_it_longer(
    kept: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    directory, evidence_id = kept
    place = ["--evidence", str(directory)]
    order = ["--ref", "A-1", "--authority", "court", "--until", "2199-01-31"]
    main(["evidence", "hold", evidence_id, *order, *place])
    capsys.readouterr()

    main(["evidence", "show", evidence_id, *place])

    shown = json.loads(capsys.readouterr().out)
    [hold] = shown["retention"]["legal_hold"]
    assert shown["retention"]["class"] == "unreviewed"
    assert (hold["ref"], hold["authority"], hold["from"], hold["until"]) == (
        *("A-1", "court", shown["custody"][-1]["at"], "2199-02-01T00:00:00.000Z"),
    )
    assert shown["manifest"]["access_policy"] == {"roles": [], "two_person_export": False}
    assert len(shown["manifest"]["config_sha256"]) == 64
    assert all(item["kept_at"] and item["transform"] for item in shown["manifest"]["items"])


def test_an_export_does_not_take_what_is_left_of_the_disk_of_the_log(
    kept: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 64 MiB a quarter is left to it; on another disk the same export may fill all."""
    directory, evidence_id = kept
    config = tmp_path / "config.toml"
    with small_disk_at(tmp_path / "disk", 64 << 20) as disk:
        config.write_text(f'[log]\nfile = "{disk.path}/log.db"\n')
        disk.fill(16 << 8)  # pages of 4 KiB
        common = ["--evidence", str(directory), "--config", str(config)]
        order = ["--by", "anna", "--ticket", "A-17"]
        export = ["evidence", "export", evidence_id, *common, *order]
        copy = ["evidence", "show", evidence_id, *common, "--purpose", "case 7", "--copy-to"]

        refused = [
            main([*export, str(disk.path / "a.zip")]),
            main([*copy, str(disk.path / "copies")]),
        ]
        problems = capsys.readouterr().err
        done = main([*export, str(tmp_path / "a.zip")])

        assert {path.name for path in disk.path.iterdir()} == {"filler"}
    assert refused == [3, 3]
    assert problems.count("left to the event log") == 2
    assert done == 0
