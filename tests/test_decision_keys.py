"""Keys of decisions: what is missing is told before anything begins, by each who looks."""

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.signed_events import Signer, Trusted
from streamguard.checks.decision_check import checked_decisions
from streamguard.core.check import State
from streamguard.core.errors import ConfigError
from streamguard.parts.decision_keys import signer_of, trusted_of
from streamguard.settings import Settings, load_settings
from tests.made_keys import KeyFiles, made_key
from tests.processes import streamguard

KAFKA = {"bootstrap_servers": "127.0.0.1:9092"}
TAKES = {"kafka": KAFKA | {"take": ["streamguard.decisions.v1"]}}
ENFORCES = {"kafka": KAFKA, "enforce": {"kafka": True}}
ALONE = {"kafka": KAFKA, "review": {"is_alone": True}}


@pytest.fixture
def key(tmp_path: Path) -> KeyFiles:
    return made_key(tmp_path, "console")


def settings(values: dict[str, Any], *trusted: KeyFiles, own: KeyFiles | None = None) -> Settings:
    section: dict[str, Any] = {"trusted_keys": [one.public for one in trusted]}
    if own is not None:
        section["key_file"] = own.private
    return Settings.model_validate(values | {"decisions": section})


def states(made: Settings) -> list[tuple[State, str]]:
    return [(check.state, check.what) for check in checked_decisions(made)]


@pytest.mark.parametrize(
    ("lines", "who"),
    [
        ('[enforce]\nkafka = true\n[kafka]\nbootstrap_servers = "a:1"', r"\[enforce\] kafka"),
        ('[kafka]\nbootstrap_servers = "a:1"\ntake = ["streamguard.decisions.v1"]', "take"),
    ],
)
def test_nobody_takes_decisions_from_kafka_without_knowing_whose(
    lines: str, who: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(lines)

    with pytest.raises(ConfigError, match=f"{who} needs .decisions. trusted_keys") as told:
        load_settings(file)

    assert "\n" not in str(told.value)


def test_who_takes_flags_alone_needs_no_key() -> None:
    takes_flags = {"kafka": KAFKA | {"take": ["streamguard.flags.v1"]}}

    assert states(settings(takes_flags)) == []


def test_within_one_log_nobody_signs_unless_a_key_is_named(key: KeyFiles) -> None:
    named = signer_of(settings({}, own=key), is_needed=False)

    assert signer_of(settings({}), is_needed=False) is None
    assert states(settings({})) == []
    assert named is not None
    assert named.name == key.signer.name


def test_who_decides_for_others_needs_a_key() -> None:
    with pytest.raises(ConfigError, match=r"key_file is missing.*decision-key make"):
        signer_of(settings(ALONE), is_needed=True)


def test_the_own_key_is_among_those_that_are_trusted(key: KeyFiles, tmp_path: Path) -> None:
    other = made_key(tmp_path, "other")

    with pytest.raises(ConfigError, match=r"none of .decisions. trusted_keys"):
        signer_of(settings(TAKES, other, own=key), is_needed=True)

    assert isinstance(signer_of(settings(TAKES, other, key, own=key), is_needed=True), Signer)
    assert isinstance(signer_of(settings(ALONE, own=key), is_needed=True), Signer)


def test_all_that_are_trusted_are_read(key: KeyFiles, tmp_path: Path) -> None:
    other = made_key(tmp_path, "other")

    assert trusted_of(settings(TAKES, key, other)).names == {key.signer.name, other.signer.name}


def test_the_doctor_names_the_keys(key: KeyFiles) -> None:
    assert states(settings(ENFORCES, key, own=key)) == [
        (State.OK, "from Kafka those that one of 1 keys signed are taken"),
        (State.OK, f"what is decided here is signed by {key.signer.name}"),
    ]


def gone(key: KeyFiles) -> None:
    key.private.unlink()


def readable(key: KeyFiles) -> None:
    key.private.chmod(0o640)


def no_key(key: KeyFiles) -> None:
    key.public.write_text("nothing")


@pytest.mark.parametrize(
    ("happen", "state", "what"),
    [
        (gone, State.FAIL, "cannot be read: No such file"),
        (readable, State.WARN, "others of this machine can read it"),
        (no_key, State.FAIL, "no public key"),
    ],
)
def test_the_doctor_says_what_is_wrong_with_them(
    happen: Callable[[KeyFiles], None], state: State, what: str, key: KeyFiles
) -> None:
    made = settings(TAKES, key, own=key)
    happen(key)

    [found] = [text for which, text in states(made) if which is state]

    assert what in found


@pytest.mark.parametrize(
    "values", [ALONE, ENFORCES | {"enforce": {"kafka": True, "webhook": "http://127.0.0.1:1"}}]
)
def test_the_doctor_misses_the_key_of_who_decides_for_others(
    values: dict[str, Any], key: KeyFiles, tmp_path: Path
) -> None:
    if "webhook" in values.get("enforce", {}):
        values["enforce"]["webhook_secret_file"] = tmp_path / "secret"

    *_, last = states(settings(values, key))

    assert last[0] is State.FAIL
    assert "key_file is missing" in last[1]


def test_check_config_refuses_a_key_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[decisions]\ntrusted_keys = ["{tmp_path}/gone.pub"]\n')

    done = streamguard("check-config", file)

    assert (done.code, "gone.pub: this key cannot be read" in done.problem) == (2, True)


def test_a_key_is_made_for_its_owner_alone_and_its_public_half_for_all(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "console.pem"

    made = streamguard("decision-key", "make", file)
    shown = streamguard("decision-key", "show", file, f"{file}.pub")

    name = Signer(file).name
    public = file.with_name("console.pem.pub")
    assert (made.code, shown.code) == (0, 0)
    assert [line.split()[0] for line in [*made.out.splitlines(), *shown.out.splitlines()]] == (
        [name] * 4
    )
    assert Trusted([public]).names == {name}
    assert [stat.S_IMODE(one.stat().st_mode) for one in (file, public)] == [0o600, 0o644]
    assert "PRIVATE" not in made.out + shown.out


@pytest.mark.parametrize("there", ["console.pem", "console.pem.pub"])
def test_no_key_is_replaced(there: str, tmp_path: Path) -> None:
    (tmp_path / there).write_text("mine")

    done = streamguard("decision-key", "make", tmp_path / "console.pem")

    assert (done.code, "not replaced" in done.problem) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "mine"


@pytest.mark.parametrize("content", [None, "", "-----BEGIN X-----\nA\n-----END X-----\n"])
def test_what_is_no_key_has_no_name(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_text(content)

    done = streamguard("decision-key", "show", file)

    assert (done.code, done.out) == (2, "")
    assert str(file) in done.problem
