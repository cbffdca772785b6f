"""A backup is good if a deployment comes back from it: each test restores one."""

import json
import shutil
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.sqlite_actions import ActionStore, Kept
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.cli import main
from streamguard.core.denials import Denial
from streamguard.core.retention import DAY_S, Retention
from streamguard.review.accounts import Accounts
from streamguard.review.desk_file import DeskFile
from streamguard.vault.object_store import ObjectStore
from streamguard.vault.purge import erase, plan_purge
from streamguard.vault.spool import upload
from streamguard.verbs import backup_verb
from tests.clock import FakeClock
from tests.made_actions import order
from tests.processes import build_bank
from tests.vault.made_vaults import filled_vault, made_vault, part, subject

N_FLAGS = 20


class Deployment:
    """All that a deployment keeps, below one directory."""

    def __init__(self, root: Path, *, has_bank: bool = False) -> None:
        self.root = root
        self.has_bank = has_bank
        self.config = root / "config.toml"

    def configure(self, evidence: str = "") -> None:
        self.root.mkdir(exist_ok=True)
        self.config.write_text(
            f'[log]\nfile = "{self.root / "log" / "log.db"}"\n'
            f"[bank]\npaths = {[str(self.root / 'bank')] if self.has_bank else []}\n"
            f'[evidence]\ndirectory = "{self.root / "evidence"}"\n{evidence}'
        )

    def run(self, *arguments: str) -> int:
        return main([*arguments, "--config", str(self.config)])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Deployment:
    """Make a deployment with a bank, evidence, keys, a secret and a log."""
    made = Deployment(tmp_path_factory.mktemp("full") / "deployment", has_bank=True)
    made.configure()
    build_bank(made.root / "bank", real_clips["carphone_pristine"])
    filled_vault(made.root / "evidence")
    (made.root / "log").mkdir()
    with SqliteLog(made.root / "log" / "log.db") as event_log:
        event_log.append([opened(number) for number in range(N_FLAGS)])
        event_log.commit("review", 7, 0.0)
    (made.root / "log" / "log.db.secret").write_text("of this deployment")
    desk = DeskFile(made.root / "log" / "log.db.review")
    Accounts(desk, lambda: 0.0).add("anna", "senior", frozenset({"*"}), None)
    desk.close()
    store = ActionStore(made.root / "log" / "log.db.enforce")
    store.note(Kept(order()), Denial("edge-lobby", "publish", "c-1", "d-1", 1.0))
    store.close()
    return made


def accounts_of(deployment: Deployment) -> list[str]:
    """Name who may sign in at the console."""
    desk = DeskFile(deployment.root / "log" / "log.db.review")
    names = [one.name for one in Accounts(desk, lambda: 0.0).all()]
    desk.close()
    return names


def restored(full: Deployment, tmp_path: Path, evidence: str = "") -> Deployment:
    """Back it up, and put all of it where a deployment elsewhere looks for it, as README says."""
    backup, keys = tmp_path / "backup", tmp_path / "keys"
    assert full.run("backup", str(backup), "--keys", str(keys)) == 0
    new = Deployment(tmp_path / "new", has_bank=full.has_bank)
    new.configure(evidence)
    shutil.copytree(backup / "log", new.root / "log")
    if (backup / "banks").exists():
        shutil.copytree(backup / "banks" / "bank", new.root / "bank")
    shutil.copytree(backup / "evidence", new.root / "evidence")
    (new.root / "evidence.keys").mkdir(mode=0o700)
    for name in ("master.key", "signing.pem"):
        shutil.copy(keys / name, new.root / "evidence.keys" / name)
    if (keys / "log.db.secret").exists():
        shutil.copy(keys / "log.db.secret", new.root / "log")
    return new


def test_all_of_it_comes_back(
    full: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = restored(full, tmp_path)

    capsys.readouterr()
    full.run("events")
    logged = capsys.readouterr().out
    shutil.move(full.root, gone := full.root.with_name("gone"))  # nothing of it is looked at
    try:
        codes = [
            main(["check-config", str(new.config)]),
            new.run("evidence", "verify"),
            main(["bank", "verify", str(new.root / "bank")]),
        ]
        capsys.readouterr()
        new.run("evidence", "list", "--json")
        listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        new.run("events")
    finally:
        shutil.move(gone, full.root)

    assert codes == [0, 0, 0]
    assert len(listed) == 2
    assert capsys.readouterr().out == logged
    assert len(logged.splitlines()) == N_FLAGS
    with SqliteLog(new.root / "log" / "log.db") as event_log:
        assert event_log.position("review") == 7
    assert accounts_of(new) == ["anna"]
    assert (new.root / "log" / "log.db.secret").read_text() == "of this deployment"


def test_what_came_back_goes_on(full: Deployment, tmp_path: Path) -> None:
    new = restored(full, tmp_path)

    made_vault(new.root / "evidence", FakeClock()).keep(subject(5), (part(),))

    assert new.run("evidence", "verify") == 0


def test_a_backup_holds_no_key(
    full: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert full.run("backup", str(tmp_path / "backup")) == 0

    keys = [path.read_bytes() for path in (full.root / "evidence.keys").iterdir()]
    for path in (tmp_path / "backup").rglob("*"):
        assert path.is_dir() or path.read_bytes() not in keys
    assert capsys.readouterr().out.count("not in the backup") == 3


def test_nothing_is_overwritten_and_keys_do_not_go_into_the_backup(
    full: Deployment, tmp_path: Path
) -> None:
    assert full.run("backup", str(tmp_path)) == 2
    inside = str(tmp_path / "backup" / "keys")
    assert full.run("backup", str(tmp_path / "backup"), "--keys", inside) == 2
    assert not (tmp_path / "backup").exists()


def test_a_head_that_was_noted_before_is_in_what_came_back(
    full: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert full.run("evidence", "verify", "--json") == 0
    head = json.loads(capsys.readouterr().out)["head"]
    new = restored(full, tmp_path)
    capsys.readouterr()

    assert new.run("evidence", "verify", "--head", head, "--read-only") == 0
    assert new.run("evidence", "verify", "--head", "0" * 64, "--read-only") == 2


def test_keys_that_were_not_restored_are_missed_at_once(
    full: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = restored(full, tmp_path)
    (new.root / "evidence.keys" / "master.key").unlink()

    assert main(["check-config", str(new.config)]) == 2
    assert "master.key: this key is not there" in capsys.readouterr().err


def test_evidence_whose_parts_are_in_a_store_elsewhere_comes_back(tmp_path: Path) -> None:
    made = Deployment(tmp_path / "made")
    elsewhere = (tmp_path / "elsewhere").as_uri()
    made.configure(f'store = "{elsewhere}"\n')
    vault = made_vault(made.root / "evidence", store=ObjectStore(elsewhere, {}))
    vault.keep(subject(1), (part(),))
    upload(vault)
    vault.keep(subject(2), (part(),))  # waits here

    new = restored(made, tmp_path, f'store = "{elsewhere}"\n')
    shutil.rmtree(made.root)

    assert new.run("evidence", "verify") == 0
    assert new.run("evidence", "upload") == 0
    assert new.run("evidence", "verify") == 0


def test_what_is_erased_while_it_is_copied_is_gone_from_the_backup_in_one_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Deployment(tmp_path / "made")
    made.configure()
    clock = FakeClock()
    vault = filled_vault(made.root / "evidence", clock)
    clock.advance(31 * DAY_S)
    really_copy, plan = backup_verb._copy_object, plan_purge(vault, Retention())

    def copy(path: Path, target: Path) -> None:
        really_copy(path, target)
        if vault.folder.evidence_ids():
            list(erase(vault, Retention(), plan, plan.id, "anna"))

    monkeypatch.setattr(backup_verb, "_copy_object", copy)

    new = restored(made, tmp_path)

    assert new.run("evidence", "verify", "--read-only") == 0
    assert not any((new.root / "evidence" / "objects").rglob("*.sealed"))


def test_a_custody_that_is_damaged_is_copied_as_it_is(tmp_path: Path) -> None:
    made = Deployment(tmp_path / "made")
    made.configure()
    filled_vault(made.root / "evidence")
    custody = made.root / "evidence" / "custody.jsonl"
    custody.write_bytes(custody.read_bytes().replace(b"a flag", b"A flag"))

    assert made.run("backup", str(tmp_path / "backup")) == 0

    copied = tmp_path / "backup" / "evidence" / "custody.jsonl"
    assert copied.read_bytes() == custody.read_bytes()


def test_who_is_denied_stays_out_of_what_comes_back(full: Deployment, tmp_path: Path) -> None:
    new = restored(full, tmp_path)

    store = ActionStore(new.root / "log" / "log.db.enforce")
    denied = [one.stream_id for one in store.denials()]
    store.close()

    assert denied == ["edge-lobby"]
