import stat
from pathlib import Path

import pytest

from streamguard.core.errors import ConfigError
from streamguard.ingest.secret import kept_secret, read_secret


def test_a_secret_is_made_once_and_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "log.db.secret"

    first = kept_secret(file)

    assert kept_secret(file) == first
    assert len(first) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_two_deployments_have_two_secrets(tmp_path: Path) -> None:
    assert kept_secret(tmp_path / "a") != kept_secret(tmp_path / "b")


@pytest.mark.parametrize(("length", "is_taken"), [(31, False), (32, True)])
def test_a_secret_of_32_bytes_is_long_enough(tmp_path: Path, length: int, is_taken: bool) -> None:  # noqa: FBT001  # a case
    file = tmp_path / "secret"
    file.write_bytes(b"x" * length + b"\n")

    if is_taken:
        assert read_secret(file) == b"x" * length
    else:
        with pytest.raises(ConfigError, match="too short"):
            read_secret(file)


def test_a_secret_that_is_not_there_is_no_empty_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_secret(tmp_path / "secret")


def test_a_place_that_cannot_hold_a_secret_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="cannot be kept"):
        kept_secret(tmp_path / "file" / "secret")
