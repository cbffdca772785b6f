import hashlib
import io
import json
import stat
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.manifest import AccessPolicy
from streamguard.vault.encrypting import encrypted, read_recipients
from streamguard.vault.export import Order, approve, export
from streamguard.vault.vault import Vault
from streamguard.vault.verify_export import problems_in
from tests.vault.made_vaults import (
    CLIP,
    STILL,
    evidence_id,
    filled_vault,
    made_vault,
    part,
    problems,
    subject,
)

ORDER = Order("anna", "A-17", "order 7")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export the evidence that has grown, and unpack it as whoever gets it would."""
    folder = tmp_path_factory.mktemp("export")
    vault = filled_vault(folder / "evidence")
    vault.note(evidence_id(1), "view", {}, actor="ömer", purpose="„case 7“")
    export(vault, evidence_id(1), folder / "case.zip", ORDER)
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
    assert (entries[-1]["detail"]["ticket"], entries[-1]["detail"]["items"]) == (
        *("A-17", ["0", "1", "2"]),
    )
    assert {entry["evidence_id"] for entry in entries} == {evidence_id(1)}


def finds_something(directory: Path) -> bool:
    try:
        return any(True for _ in problems_in(directory))
    except (OSError, ValueError, KeyError, TypeError):  # what it tells as damage
        return True


@pytest.mark.timeout(600)  # 3,000 checks, also on a busy machine
def test_the_verifier_finds_a_flipped_bit_in_any_byte(tmp_path: Path) -> None:
    """Of signed/, whose content stands in the others as well, each seventh byte."""
    vault = made_vault(tmp_path / "evidence")
    vault.keep(subject(1), (part(content=b"clip"),))
    export(vault, evidence_id(1), tmp_path / "case.zip", ORDER)
    with ZipFile(tmp_path / "case.zip") as archive:
        archive.extractall(tmp_path / "case")
    directory = tmp_path / "case"

    missed = []
    for path in (*directory.glob("*/*"), directory / "custody.jsonl"):
        before = path.read_bytes()
        for at in range(0, len(before), 7 if path.parent.name == "signed" else 1):
            path.write_bytes(flipped(before, 8 * at + at % 8))
            if not finds_something(directory):
                missed.append((path.name, at))
        path.write_bytes(before)

    assert missed == []
    assert not finds_something(directory)


def flipped(content: bytes, bit: int) -> bytes:
    made = bytearray(content)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_verifier_finds_any_flipped_bit(unpacked: Path, data: st.DataObject) -> None:
    files = sorted((*unpacked.glob("*/*"), unpacked / "custody.jsonl"))
    path = data.draw(st.sampled_from([file for file in files if file.is_file()]))
    before = path.read_bytes()
    bit = data.draw(st.integers(0, 8 * len(before) - 1))

    path.write_bytes(flipped(before, bit))
    found = finds_something(unpacked)
    path.write_bytes(before)

    assert found


@pytest.mark.parametrize("folder", ["parts", "manifests", "signed"])
def test_the_verifier_finds_a_file_that_was_added_or_is_missing(
    unpacked: Path, folder: str
) -> None:
    for path in sorted((unpacked / folder).iterdir()):
        aside = path.rename(unpacked.parent / "aside")
        assert finds_something(unpacked), path.name
        aside.rename(path)
    added = unpacked / folder / "9999-added.json"
    added.write_bytes(b"{}")

    found = finds_something(unpacked)

    added.unlink()
    assert found
    assert not finds_something(unpacked)


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

    export(vault, evidence_id(2), file, ORDER)
    with pytest.raises(ConfigError, match="is there already"):
        export(vault, evidence_id(2), file, ORDER)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert vault.standing(evidence_id(2)).n_entries == 3
    assert problems(tmp_path / "evidence") == []


def test_what_is_damaged_is_on_record_and_not_handed_out(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    vault.folder.put(evidence_id(2), "0000-clip.sealed", b"something else")

    with pytest.raises(EvidenceDamaged):
        export(vault, evidence_id(2), tmp_path / "case.zip", ORDER)

    assert not (tmp_path / "case.zip").exists()
    assert vault.standing(evidence_id(2)).n_entries == 2


def test_the_hash_of_the_archive_is_on_record(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")

    digest = export(vault, evidence_id(2), tmp_path / "case.zip", ORDER)

    last = vault.entries()[-1]
    assert (last.action, last.actor) == ("exported", "anna")
    assert last.detail == {"ticket": "A-17", "archive_sha256": digest}
    assert digest == hashlib.sha256((tmp_path / "case.zip").read_bytes()).hexdigest()


# ---- by two


def guarded(directory: Path) -> Vault:
    """Make a vault whose evidence is handed out by two people."""
    vault = made_vault(directory, policy=AccessPolicy(("lead",), two_person_export=True))
    vault.keep(subject(1), (part(),))
    return vault


def refused(vault: Vault, file: Path, order: Order) -> bool:
    n_entries = vault.ledger().n_entries
    try:
        export(vault, evidence_id(1), file, order)
    except ConfigError as error:
        assert "somebody else has to approve" in str(error)  # noqa: PT017  # it may be let through
        assert vault.ledger().n_entries == n_entries
        assert not file.exists()
        return True
    return False


def test_where_two_are_asked_for_one_alone_exports_nothing(tmp_path: Path) -> None:
    vault, file = guarded(tmp_path / "evidence"), tmp_path / "case.zip"

    assert refused(vault, file, ORDER)
    approve(vault, evidence_id(1), ORDER)  # herself
    assert refused(vault, file, ORDER)
    approve(vault, evidence_id(1), Order("otto", "B-2"))  # of something else
    assert refused(vault, file, ORDER)
    approve(vault, evidence_id(1), Order("otto", "A-17"))

    assert not refused(vault, file, ORDER)
    entry = next(each for each in vault.entries() if each.action == "export")
    assert entry.detail["approved_by"] == ("otto",)


def test_an_approval_is_good_for_one_export(tmp_path: Path) -> None:
    vault = guarded(tmp_path / "evidence")
    approve(vault, evidence_id(1), Order("otto", "A-17"))

    assert not refused(vault, tmp_path / "case.zip", ORDER)
    assert refused(vault, tmp_path / "again.zip", ORDER)


def test_evidence_that_was_kept_for_two_stays_so_when_the_settings_change(tmp_path: Path) -> None:
    guarded(tmp_path / "evidence")

    assert refused(made_vault(tmp_path / "evidence"), tmp_path / "case.zip", ORDER)


def test_settings_that_ask_for_two_hold_for_what_was_kept_before(tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")
    vault = made_vault(tmp_path / "evidence", policy=AccessPolicy((), two_person_export=True))

    assert refused(vault, tmp_path / "case.zip", ORDER)


def test_the_manifest_says_who_may_see_it(tmp_path: Path) -> None:
    vault = guarded(tmp_path / "evidence")

    manifest = vault.manifest_of(vault.standing(evidence_id(1)))

    assert manifest.access_policy == AccessPolicy(("lead",), two_person_export=True)
    assert problems(tmp_path / "evidence") == []


# ---- encrypted


def test_an_encrypted_archive_is_opened_by_whom_it_is_meant_for_alone(tmp_path: Path) -> None:
    vault, file = filled_vault(tmp_path / "evidence"), tmp_path / "case.zip.age"
    police, court, other = (pyrage.x25519.Identity.generate() for _ in range(3))
    recipients = read_recipients([str(police.to_public()), str(court.to_public())])

    export(vault, evidence_id(1), file, ORDER, recipients)

    assert CLIP not in file.read_bytes()
    for identity in (police, court):
        with ZipFile(io.BytesIO(pyrage.decrypt(file.read_bytes(), [identity]))) as archive:
            assert archive.testzip() is None
            assert archive.read("parts/0000-clip.mp4") == CLIP
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(file.read_bytes(), [other])


def test_what_is_damaged_leaves_no_encrypted_archive_either(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    vault.folder.put(evidence_id(2), "0000-clip.sealed", b"something else")
    recipients = read_recipients([str(pyrage.x25519.Identity.generate().to_public())])

    with pytest.raises(EvidenceDamaged):
        export(vault, evidence_id(2), tmp_path / "case.zip.age", ORDER, recipients)

    assert not (tmp_path / "case.zip.age").exists()


def test_a_disk_that_is_full_is_told_by_the_thread_that_encrypts() -> None:
    recipients = read_recipients([str(pyrage.x25519.Identity.generate().to_public())])

    with (
        pytest.raises(EvidenceUnavailable, match="cannot be encrypted, or not be written"),
        Path("/dev/full").open("wb", buffering=0) as full,
        encrypted(full, recipients) as into,
    ):
        into.write(bytes(1 << 20))


@pytest.mark.parametrize("text", ["", "age1nonsense", "ssh-ed25519 nonsense", "-----BEGIN"])
def test_what_is_no_public_key_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ConfigError, match="recipient 1 is no public key") as caught:
        read_recipients([text])

    assert not text or text not in str(caught.value)
