"""The examples in configs/ are complete and true, and the tables of its README are up to date."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from streamguard.contracts.reference import README, filled
from streamguard.core.bank_values import check_policy
from streamguard.core.policy import Policy
from streamguard.policy_file import load_policy
from streamguard.sections.exchange_section import CREDENTIALS
from streamguard.settings import Settings, load_settings
from tests.processes import ROOT, build_bank, environment, streamguard

CONFIGS = ROOT / "configs"
EXAMPLE = CONFIGS / "small-platform.toml"

_SECTION = re.compile(r"\[+(\w+)(?:\.\w+)?\]+$")
_SETTING = re.compile(r"(?P<off># )?(?P<name>[a-z_]+) = (?P<value>.*)")


def fields() -> Iterator[tuple[str, str, Any]]:
    """Yield section, name and default of every setting."""
    for section, field in Settings.model_fields.items():
        types = [field.annotation, *get_args(field.annotation)]
        (model,) = (t for t in types if isinstance(t, type) and issubclass(t, BaseModel))
        for name, inner in model.model_fields.items():
            yield section, name, None if inner.is_required() else inner.default


def settings_in(file: Path) -> Iterator[tuple[str, str, bool, Any]]:
    """Yield section, name, whether it is commented out, and value, line by line."""
    section = ""
    for line in file.read_text().splitlines():
        if header := _SECTION.match(line):
            section = header[1]
        elif setting := _SETTING.match(line):
            value = tomllib.loads(f"value = {setting['value']}")["value"]
            yield section, setting["name"], bool(setting["off"]), value


def test_the_example_has_every_setting() -> None:
    in_example = {(section, name) for section, name, _, _ in settings_in(EXAMPLE)}

    refused = {("exchange", name) for name in CREDENTIALS}  # in a file, so in its example
    assert in_example == {(section, name) for section, name, _ in fields()} - refused


def test_what_the_example_comments_out_is_the_default() -> None:
    """Where there is none it is an example; paths are written as text."""
    defaults = {(section, name): default for section, name, default in fields()}

    for section, name, is_off, value in settings_in(EXAMPLE):
        default = defaults[section, name]
        if is_off and default is not None:
            assert value == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [(section, name, value) for section, name, is_off, value in settings_in(EXAMPLE) if is_off],
)
def test_what_the_example_comments_out_would_be_allowed(
    section: str, name: str, value: Any, tmp_path: Path
) -> None:
    if section == "streams":
        more = "" if name.startswith("url") else 'url = "rtmp://host/a"\n'
        values = f'[bank]\npaths = ["known"]\n[[streams]]\nid = "a"\n{more}'
    elif section == "servers":
        more = 'user = "a"\n' if name == "password_file" else ""
        server = 'name = "a"\nkind = "nginx_rtmp"\napi = "http://a/stat"\npull = "rtmp://a"\n'
        values = f'[bank]\npaths = ["known"]\n[[servers]]\n{server}{more}'
    elif section == "controls":
        more = 'user = "a"\n' if name == "password_file" else ""
        server = 'name = "a"\nkind = "nginx_rtmp"\napi = "http://a/stat"\npull = "rtmp://a"\n'
        control = 'server = "a"\napi = "http://a/control"\n'
        values = f"[[servers]]\n{server}[[controls]]\n{control}{more}"
    elif section == "hold_rules":
        values = '[[hold_rules]]\nname = "a"\nbanks = ["known"]\n'
    elif section == "exchange":
        values = '[exchange.a]\nkind = "threatexchange"\nbank = "known"\npolicy = "TVEC-X"\n'
    else:
        values = f"[{section}]\n"
    if name.endswith("_file"):
        (tmp_path / "file").write_text("rtmp://host/a")
        value = str(tmp_path / "file")
    written = json.dumps(value)  # strings, lists, numbers and booleans are the same in TOML
    file = tmp_path / "config.toml"
    file.write_text(f"{values}{name} = {written}\n")

    load_settings(file)


def test_the_example_passes_check_config(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    bank = build_bank(tmp_path / "bank", real_clips["carphone_pristine"])
    env = environment(
        STREAMGUARD_BANK__PATHS=f'["{bank}"]',
        STREAMGUARD_POLICY__FILE=str(CONFIGS / "policy.toml"),
    )

    done = streamguard("check-config", EXAMPLE, env=env)

    assert (done.code, done.err) == (0, "")
    assert '"id": "studio-8"' in done.out


@pytest.mark.parametrize("role", ["kafka-worker.toml", "load-test.toml"])
def test_the_example_of_every_role_is_loaded(role: str, tmp_path: Path) -> None:
    """Where it names secrets that are mounted as files, they are there."""
    for name in ("channel-1001.url", "channel-1002.url"):
        (tmp_path / name).write_text("rtmp://127.0.0.1/live/1001")
    (tmp_path / "kafka-password").write_text("made up")
    file = tmp_path / role
    text = (CONFIGS / role).read_text()
    file.write_text(text.replace("/run/secrets/streamguard", str(tmp_path)))

    settings = load_settings(file)

    assert len(settings.streams) == 2
    assert settings.deployment.name != "streamguard"


def test_the_example_of_the_enforcer_is_loaded(tmp_path: Path) -> None:
    text = (CONFIGS / "enforce.toml").read_text()
    file = tmp_path / "enforce.toml"
    file.write_text(text)

    settings = load_settings(file)

    assert {one.server for one in settings.controls} <= {one.name for one in settings.servers}
    assert {one.kind for one in settings.servers} == {"nginx_rtmp", "mediamtx", "srs"}
    assert settings.enforce.webhook
    assert settings.enforce.admission == "enforce"


def test_the_policy_shows_every_field_and_applies() -> None:
    text = (CONFIGS / "policy.toml").read_text()

    policy = load_policy(CONFIGS / "policy.toml")

    for table in ("default", "banks", "categories"):
        assert re.search(rf"^\[{table}\b", text, re.MULTILINE)
    assert policy.default == Policy().default
    assert {rule.severity for rule in policy.banks.values()} == {"P0", "P2", "P3"}
    for name in ("severity", "max_distance_bits", "min_quality", "min_votes", "threshold"):
        assert re.search(rf"^{name} = ", text, re.MULTILINE)
    for code in policy.banks:
        check_policy(code)


def test_the_tables_are_up_to_date() -> None:
    """Where this fails, run `python -m streamguard.contracts.reference`."""
    text = README.read_text()

    assert filled(text) == text


def test_the_tables_know_every_setting_and_metric() -> None:
    text = README.read_text()

    for section, name, _ in fields():
        table = re.search(
            rf"^### `\[+{section}(?:\.NAME)?\]+`\n(.*?)^#", text, re.MULTILINE | re.DOTALL
        )
        assert table
        assert f"\n| `{name}` | " in table[1]
    for metric in ("flags_total", "log_backlog", "kafka_records_total", "stage_seconds"):
        assert f"\n| `streamguard_{metric}` | " in text
