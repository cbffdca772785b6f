"""A backup is good if a deployment comes back from it: each test restores one."""

import json
import shutil
from pathlib import Path

import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.cli import main
from tests.clock import FakeClock
from tests.processes import build_bank
from tests.vault.made_vaults import filled_vault, made_vault, part, subject


class Deployment:
    """All that a deployment keeps, below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / "config.toml"

    def configure(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.config.write_text(
            f'[log]\nfile = "{self.root / "log" / "log.db"}"\n'
            f'[bank]\npaths = ["{self.root / "bank"}"]\n'
            f'[evidence]\ndirectory = "{self.root / "evidence"}"\n'
        )

    def run(self, *arguments: str) -> int:
        return main([*arguments, "--config", str(self.config)])


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Deployment:
    """Make a deployment with a bank, evidence, keys, a secret and a log."""
    made = Deployment(tmp_path_factory.mktemp("full") / "deployment")
    made.configure()
    build_bank(made.root / "bank", real_clips["carphone_pristine"])
    filled_vault(made.root / "evidence")
    (made.root / "log").mkdir()
    with SqliteLog(made.root / "log" / "log.db") as event_log:
        event_log.commit("review", 7, 0.0)
    (made.root / "log" / "log.db.secret").write_text("of this deployment")
    return made


def restored(full: Deployment, tmp_path: Path) -> Deployment:
    """Back it up, and put all of it where a deployment elsewhere looks for it, as README says."""
    backup, keys = tmp_path / "backup", tmp_path / "keys"
    assert full.run("backup", str(backup), "--keys", str(keys)) == 0
    new = Deployment(tmp_path / "new")
    new.configure()
    shutil.copytree(backup / "log", new.root / "log")
    shutil.copytree(backup / "banks" / "bank", new.root / "bank")
    shutil.copytree(backup / "evidence", new.root / "evidence")
    (new.root / "evidence.keys").mkdir(mode=0o700)
    for name in ("master.key", "signing.pem"):
        shutil.copy(keys / name, new.root / "evidence.keys" / name)
    shutil.copy(keys / "log.db.secret", new.root / "log")
    return new


def test_all_of_it_comes_back(
    full: Deployment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = restored(full, tmp_path)

    codes = [new.run("evidence", "verify"), main(["bank", "verify", str(new.root / "bank")])]
    capsys.readouterr()
    shutil.move(full.root, gone := full.root.with_name("gone"))  # nothing of it is looked at
    new.run("evidence", "list", "--json")
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    shutil.move(gone, full.root)

    assert codes == [0, 0]
    assert len(listed) == 2
    with SqliteLog(new.root / "log" / "log.db") as event_log:
        assert event_log.position("review") == 7
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
