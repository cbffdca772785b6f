"""What `doctor` and `check-config` say of evidence: its keys, its chain, its store."""

import json
from pathlib import Path

import pytest

from streamguard.checks.evidence_check import checked_evidence
from streamguard.cli import main
from streamguard.core.check import Check, State
from streamguard.sections.evidence_section import EvidenceSection
from tests.vault.made_vaults import filled_vault


def section(tmp_path: Path, **settings: object) -> EvidenceSection:
    return EvidenceSection(directory=tmp_path / "evidence", **settings)  # type: ignore[arg-type]  # any setting


def checks(tmp_path: Path, **settings: object) -> list[Check]:
    return list(checked_evidence(section(tmp_path, **settings), "studio"))


def check_config(tmp_path: Path, rest: str = "") -> int:
    config = tmp_path / "config.toml"
    config.write_text(f'[evidence]\ndirectory = "{tmp_path / "evidence"}"\n{rest}')
    return main(["check-config", str(config)])


def test_without_evidence_there_is_nothing_to_say() -> None:
    assert list(checked_evidence(EvidenceSection(), "studio")) == []


def test_before_the_first_evidence_there_are_no_keys_and_none_is_made(tmp_path: Path) -> None:
    [keys] = checks(tmp_path)

    assert keys.state is State.OK
    assert keys.what.endswith("master.key: made with the first evidence")
    assert list(tmp_path.iterdir()) == []


def test_keys_that_open_what_was_kept_are_well(tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")

    [keys] = checks(tmp_path)

    assert keys.state is State.OK
    assert keys.what == f"those of 2 evidence in {tmp_path / 'evidence'}"
    assert check_config(tmp_path) == 0


@pytest.mark.parametrize("name", ["master.key", "signing.pem"])
def test_a_key_that_was_lost_is_named(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled_vault(tmp_path / "evidence")
    (tmp_path / "evidence.keys" / name).unlink()

    [keys] = checks(tmp_path)
    code = check_config(tmp_path)

    assert (keys.state, keys.exit_code, code) == (State.FAIL, 2, 2)
    said = capsys.readouterr().err
    assert f"{name}: this key is not there, and evidence was kept by it" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["master.key", "signing.pem"])
def test_keys_of_another_deployment_are_found_out(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    filled_vault(tmp_path / "evidence")
    filled_vault(tmp_path / "another" / "evidence")
    theirs = tmp_path / "another" / "evidence.keys" / name
    (tmp_path / "evidence.keys" / name).write_bytes(theirs.read_bytes())

    [keys] = checks(tmp_path)
    code = check_config(tmp_path)

    assert (keys.exit_code, code) == (2, 2)
    assert name in keys.what
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("name", ["master.key", "signing.pem"])
def test_a_file_that_holds_no_key_says_how_one_is_made(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evidence.keys").mkdir()
    (tmp_path / "evidence.keys" / name).write_text("nonsense")

    [keys] = checks(tmp_path)

    assert (keys.exit_code, check_config(tmp_path)) == (2, 2)
    assert "openssl" in keys.what
    assert "nonsense" not in capsys.readouterr().err


def test_a_chain_that_was_changed_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled_vault(tmp_path / "evidence")
    custody = tmp_path / "evidence" / "custody.jsonl"
    custody.write_bytes(custody.read_bytes().replace(b"a flag was opened", b"a flag was closed"))

    [keys] = checks(tmp_path)

    assert (keys.exit_code, check_config(tmp_path)) == (2, 2)
    assert "see `evidence verify` and `evidence mend`" in keys.what
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_keys_that_others_can_read_are_told(tmp_path: Path) -> None:
    filled_vault(tmp_path / "evidence")
    (tmp_path / "evidence.keys" / "master.key").chmod(0o640)

    fine, told = checks(tmp_path)

    assert (fine.state, told.state, told.exit_code) == (State.OK, State.WARN, 0)
    assert "master.key" in told.what
    assert "signing.pem" not in told.what


def test_the_store_is_asked_by_the_doctor_and_nothing_is_left_in_it(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"

    _, store = checks(tmp_path, store=elsewhere.as_uri())

    assert store.state is State.OK
    assert store.what.endswith("takes, gives and removes; 0 parts, 0 bytes wait")
    assert [path for path in elsewhere.rglob("*") if path.is_file()] == []


def test_a_store_that_takes_nothing_is_told_by_the_doctor_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = tmp_path / "options.toml"
    options.write_text(
        'endpoint = "http://127.0.0.1:9"\naccess_key_id = "a"\nsecret_access_key = "hidden"\n'
    )
    rest = {"store": "s3://evidence/studio", "store_options_file": options}

    _, store = checks(tmp_path, **rest)
    code = check_config(
        tmp_path, "".join(f"{name} = {json.dumps(str(rest[name]))}\n" for name in rest)
    )

    assert (store.state, store.exit_code, code) == (State.FAIL, 3, 0)
    assert "hidden" not in store.what + capsys.readouterr().out


def test_options_that_the_store_does_not_know_are_a_matter_of_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = tmp_path / "options.toml"
    options.write_text('nonsense = "a"\n')
    rest = f'store = "s3://evidence/studio"\nstore_options_file = "{options}"\n'

    assert check_config(tmp_path, rest) == 2
    assert "[evidence] store" in capsys.readouterr().err
