import json
import re
import stat
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError, EvidenceDamaged
from streamguard.vault.export import export
from streamguard.vault.verify_export import problems_in
from tests.vault.made_vaults import CLIP, STILL, evidence_id, filled_vault, problems

WHO = {"actor": "anna", "purpose": "order 7"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the evidence that has grown, and unpack it as whoever gets it would."""
    folder = tmp_path_factory.mktemp("export")
    vault = filled_vault(folder / "evidence")
    vault.note(evidence_id(1), "view", {}, actor="ömer", purpose="„case 7“")
    export(vault, evidence_id(1), folder / "case.zip", **WHO)
    with ZipFile(folder / "case.zip") as archive:
        archive.extractall(folder / "case")
    return folder / "case"


def verified(directory: Path) -> subprocess.CompletedProcess[str]:
    """Run the verifier that is in the archive, without anything that is installed."""
    command = [sys.executable, "-I", "-S", str(directory / "verify.py")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_holds_all_parts_and_is_verified_without_anything_of_ours(unpacked: Path) -> None:
    parts = sorted((unpacked / "parts").iterdir())

    done = verified(unpacked)

    assert [part.read_bytes() for part in parts] == [CLIP, STILL, CLIP[::-1]]
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ok")


def test_it_is_on_record_and_the_record_is_in_it(unpacked: Path) -> None:
    lines = (unpacked / "custody.jsonl").read_text().splitlines()

    entries = [json.loads(line) for line in lines]

    assert [entry["action"] for entry in entries] == ["collect", "collect", "view", "export"]
    assert (entries[-1]["actor"], entries[-1]["purpose"]) == ("anna", "order 7")
    assert {entry["evidence_id"] for entry in entries} == {evidence_id(1)}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_verifier_finds_a_flipped_bit(unpacked: Path, data: st.DataObject) -> None:
    """In parts and manifests anywhere, in the custody anywhere but in a signature."""
    files = sorted(
        path
        for path in (*unpacked.glob("parts/*"), *unpacked.glob("manifests/*"))
        if path.is_file()
    )
    files.append(unpacked / "custody.jsonl")
    path = data.draw(st.sampled_from(files))
    before = path.read_bytes()
    signed = [each.span() for each in re.finditer(rb'"signature":"[0-9a-f]*"', before)]
    bit = data.draw(st.integers(0, 8 * len(before) - 1))
    if path.name == "custody.jsonl" and any(a <= bit // 8 < b for a, b in signed):
        return
    content = bytearray(before)
    content[bit // 8] ^= 1 << bit % 8

    path.write_bytes(bytes(content))
    try:
        found = list(problems_in(unpacked))
    except (ValueError, KeyError, TypeError):
        found = ["cannot be read"]
    finally:
        path.write_bytes(before)

    assert found


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_verifier_finds_a_missing_entry(unpacked: Path, index: int) -> None:
    custody = unpacked / "custody.jsonl"
    before = custody.read_bytes()
    lines = before.splitlines(keepends=True)
    custody.write_bytes(b"".join(lines[:index] + lines[index + 1 :]))

    done = verified(unpacked)

    custody.write_bytes(before)
    assert done.returncode == 1
    assert "DAMAGED" in done.stdout


def test_openssl_checks_every_signature_as_the_readme_says(unpacked: Path) -> None:
    [key] = (unpacked / "signed").glob("*.pem")
    signed = sorted((unpacked / "signed").glob("*.json"))
    assert key.stem in (unpacked / "README.txt").read_text()
    assert len(signed) == 4 + 2

    for path in signed:
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", key, "-rawin"]
        done = subprocess.run(
            [*command, "-in", path, "-sigfile", path.with_suffix(".sig")],
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_what_was_signed_is_what_the_archive_shows(unpacked: Path) -> None:
    for path in (unpacked / "manifests").iterdir():
        shown = json.loads(path.read_bytes())
        signature = bytes.fromhex(shown.pop("signature"))
        signed = unpacked / "signed" / path.name
        assert json.loads(signed.read_bytes()) == shown
        assert signed.with_suffix(".sig").read_bytes() == signature


def test_the_archive_is_for_its_owner_alone_and_replaces_nothing(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    file = tmp_path / "case.zip"

    export(vault, evidence_id(2), file, **WHO)
    with pytest.raises(ConfigError, match="is there already"):
        export(vault, evidence_id(2), file, **WHO)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert vault.standing(evidence_id(2)).n_entries == 2
    assert problems(tmp_path / "evidence") == []


def test_what_is_damaged_is_on_record_and_not_handed_out(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    vault.folder.put(evidence_id(2), "0000-clip.sealed", b"something else")

    with pytest.raises(EvidenceDamaged):
        export(vault, evidence_id(2), tmp_path / "case.zip", **WHO)

    assert not (tmp_path / "case.zip").exists()
    assert vault.standing(evidence_id(2)).n_entries == 2
