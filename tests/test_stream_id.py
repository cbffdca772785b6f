"""Which stream a flag is about, for whoever knows the paths and holds the secret."""

import io
from pathlib import Path

import pytest

from streamguard.cli import main
from streamguard.core.naming import stream_id_of

SECRET = b"s" * 32
SERVER = """
[[servers]]
name = "edge"
kind = "nginx_rtmp"
api = "http://127.0.0.1/stat"
pull = "rtmp://127.0.0.1"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "log.db.secret").write_bytes(SECRET)
    file = tmp_path / "config.toml"
    file.write_text(f'[log]\nfile = "{tmp_path / "log.db"}"\n{SERVER}')
    return file


def test_each_path_has_the_id_by_which_it_is_found(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["live/sk_key", "live/a b", "live/\u00fc"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(paths) + "\n"))

    code = main(["stream-id", "edge", "--config", str(config)])

    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.splitlines() == [stream_id_of(SECRET, "edge", path) for path in paths]
    assert "sk_key" not in out


@pytest.mark.parametrize(
    ("server", "secret", "problem"),
    [
        ("other", "log.db.secret", "no [[servers]] table with the name 'other'"),
        ("edge", "elsewhere", "log.db.secret: the secret of this deployment cannot be read"),
    ],
)
def test_what_cannot_be_told_is_told_and_no_secret_is_made(
    config: Path, capsys: pytest.CaptureFixture[str], server: str, secret: str, problem: str
) -> None:
    kept = config.with_name("log.db.secret").rename(config.with_name(secret))

    code = main(["stream-id", server, "--config", str(config)])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert problem in err
    assert set(config.parent.iterdir()) == {config, kept}
