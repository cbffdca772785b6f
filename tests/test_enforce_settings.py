"""What `enforce` refuses before it touches anything."""

from pathlib import Path

import pytest

from tests.processes import streamguard

CONFIG = """
[log]
file = "{folder}/log.db"
[enforce]
kafka = true
webhook = "https://127.0.0.1:1/acts"
webhook_secret_file = "{folder}/gone"
[kafka]
bootstrap_servers = "127.0.0.1:1"
{take}
[decisions]
key_file = "{folder}/gone"
trusted_keys = ["{folder}/gone"]
[[hold_rules]]
name = "exact"
banks = ["shared"]
"""


@pytest.mark.parametrize(
    ("take", "is_told"), [("", False), ('take = ["streamguard.decisions.v1"]', True)]
)
def test_rules_hold_nothing_where_they_do_not_know_what_people_decided(
    tmp_path: Path, take: str, *, is_told: bool
) -> None:
    file = tmp_path / "streamguard.toml"
    file.write_text(CONFIG.format(folder=tmp_path, take=take))

    done = streamguard("enforce", "--config", file, cwd=tmp_path)

    assert done.code == 2  # neither has the keys and secrets that it needs
    assert ("rules have to know what people decided" in done.problem) != is_told
