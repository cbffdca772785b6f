"""`bank sync` as people and scripts call it."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamguard.adapters.bank_dir import has_bank
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import locked
from streamguard.exchange.records_file import LOCK_FILE
from tests.exchange.made_records import pdq
from tests.exchange.services import (
    GROUP,
    PASSWORD,
    TOKEN,
    USERNAME,
    HashList,
    fails,
    hash_list,
    threat_updates,
)
from tests.processes import Finished, Running, environment, streamguard

pytestmark = pytest.mark.integration

T = 1_740_000_000
SECRETS = (PASSWORD, TOKEN, "TOPSECRET", "JWT-1", USERNAME)


@pytest.fixture
def service() -> Iterator[HashList]:
    with hash_list() as running:
        for number in range(1, 6):
            running.put(number, T + number, pdq(number))
        yield running


@pytest.fixture
def config(tmp_path: Path, service: HashList) -> Path:
    """Write the settings of both exchanges; the password comes by the environment."""
    path = tmp_path / "streamguard.toml"
    path.write_text(
        f'[exchange.tat]\nkind = "techagainstterrorism"\nbank = "{tmp_path / "bank"}"\n'
        f'policy = "TVEC-X"\nurl = "{service.url}"\nusername = "{USERNAME}"\n'
        'policies = { far-right = "TVEC-FR" }\n'
    )
    return path


def command(config: Path, *more: str, exchange: str = "tat") -> tuple[str | Path, ...]:
    bank = config.parent / "bank"
    return ("bank", "sync", bank, "--exchange", exchange, "--config", config, *more)


def sync(config: Path, *more: str, **variables: str) -> Finished:
    given = {"STREAMGUARD_EXCHANGE__TAT__PASSWORD": PASSWORD, **variables}
    done = streamguard(*command(config, *more), env=environment(**given))
    for secret in SECRETS:
        assert secret not in done.out + done.err
    return done


def names(config: Path) -> set[str]:
    return set(open_bank(config.parent / "bank").names())


def test_a_bank_is_brought_up_to_an_exchange(config: Path) -> None:
    done = sync(config, "--json")

    assert done.code == 0
    assert (done.rows[0]["added"], done.rows[0]["entries_changed"]) == (5, 5)
    assert done.err.splitlines() == ["tat: 2 records", "tat: 4 records", "tat: 5 records"]
    assert names(config) == {f"tat:{number}" for number in range(1, 6)}
    entries = open_bank(config.parent / "bank").entries()
    assert {facts.policy for _, facts, _ in entries} == {"TVEC-FR"}


def test_a_dry_run_asks_and_writes_nothing(config: Path, service: HashList) -> None:
    done = sync(config, "--dry-run", "--json")

    assert (done.code, done.rows[0]["added"], done.rows[0]["dry_run"]) == (0, 5, True)
    assert len(service.asked) == 4
    assert not (config.parent / "bank").exists()


def test_a_password_may_be_in_a_file(config: Path) -> None:
    secret = config.parent / "password"
    secret.write_text(f"{PASSWORD}\n")
    config.write_text(config.read_text() + f'password_file = "{secret}"\n')

    done = streamguard(*command(config), env=environment())

    assert done.code == 0


def test_an_exchange_that_is_down_is_exit_code_3_and_what_came_waits_for_the_rest(
    config: Path, service: HashList
) -> None:
    service.troubles = [None, None, fails(429, Retry_After="1000")]

    done = sync(config)
    in_force = has_bank(config.parent / "bank")
    again = sync(config, "--json")

    assert done.code == 3
    assert done.err.splitlines()[-1] == (
        "streamguard: exchange tat: it answers with HTTP 429, for 1000 s: sync again after that;"
        ' it says "Not now."'
    )
    assert not in_force
    assert again.err.splitlines() == ["tat: 4 records", "tat: 5 records"]
    assert again.rows[0]["added"] == len(names(config)) == 5


def test_settings_that_have_changed_fetch_the_whole_list_anew(config: Path) -> None:
    sync(config)
    written = config.read_text()
    config.write_text(written.replace("TVEC-FR", "TVEC-NEW"))
    changed = sync(config, "--json")
    again = sync(config, "--json")

    entries = open_bank(config.parent / "bank").entries()
    assert "TVEC-FR" in written
    assert changed.err.splitlines()[0] == (
        "tat: its settings have changed since the last sync: its whole list is fetched anew"
    )
    assert changed.rows[0]["changed"] == 5
    assert "fetched anew" not in again.err
    assert {facts.policy for _, facts, _ in entries} == {"TVEC-NEW"}


@pytest.mark.parametrize(
    ("more", "variables", "said"),
    [
        ("", {"STREAMGUARD_EXCHANGE__TAT__PASSWORD": "wrong"}, "refuses the credentials"),
        ("password_file = '/none'\n", {}, "the password_file cannot be read"),
        ("", {}, "give password_file, or the variable STREAMGUARD_EXCHANGE__TAT__PASSWORD"),
        ('password = "CORRECT-HORSE"\n', {}, "a credential comes by the variable"),
        ('access_token = "TOPSECRET"\n', {}, "a credential comes by the variable"),
    ],
)
def test_credentials_that_do_not_serve_are_one_line(
    more: str, variables: dict[str, str], said: str, config: Path
) -> None:
    config.write_text(config.read_text() + more)

    done = streamguard(*command(config), env=environment(**variables))

    assert done.code in (2, 3)
    assert said in done.problem
    for secret in SECRETS:
        assert secret not in done.problem


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        (("", ""), {"exchange": "other"}, "there is no [exchange.other]"),
        (("bank = ", 'bank = "elsewhere"#'), {}, "exchange.tat.bank is another directory"),
        (('username = "', '#"'), {}, "exchange.tat.username: it is missing"),
        (("http://", "http://example.org/"), {}, "its url must be https://"),
        (('url = "http', 'url = "http://me:key@'), {}, "exchange.tat.url: String should match"),
        (('kind = "tech', 'kind = "other'), {}, "exchange.tat.kind: Input should be"),
    ],
)
def test_settings_that_do_not_serve_are_one_line_and_exit_code_2(
    change: tuple[str, str], arguments: dict[str, str], said: str, config: Path
) -> None:
    config.write_text(config.read_text().replace(*change))

    done = streamguard(*command(config, **arguments), env=environment())

    assert done.code == 2
    assert said in done.problem
    assert "key" not in done.problem


def test_a_misspelt_variable_of_an_exchange_is_refused(config: Path) -> None:
    variable = "STREAMGUARD_EXCHANGE__TAT__PASWORD"

    done = sync(config, **{variable: "x"})

    assert done.code == 2
    assert f"{variable}: there is no such setting" in done.problem


def test_check_config_masks_credentials(config: Path) -> None:
    variables = {"STREAMGUARD_EXCHANGE__TAT__PASSWORD": PASSWORD}

    done = streamguard("check-config", config, env=environment(**variables))

    assert done.code == 0
    assert PASSWORD not in done.out + done.err
    assert json.loads(done.out)["exchange"]["tat"]["password"] == "*" * 10


def test_threatexchange_is_followed_with_its_token(tmp_path: Path) -> None:
    config = tmp_path / "streamguard.toml"
    with threat_updates() as service:
        service.put(5, T, pdq(1))
        config.write_text(
            f'[exchange.te]\nkind = "threatexchange"\nbank = "{tmp_path / "bank"}"\n'
            f'policy = "TVEC-X"\nurl = "{service.url}"\nprivacy_group = "{GROUP}"\n'
        )
        done = streamguard(
            *command(config, exchange="te"),
            env=environment(STREAMGUARD_EXCHANGE__TE__ACCESS_TOKEN=TOKEN),
        )

    assert done.code == 0
    assert names(config) == {"te:5"}
    for secret in SECRETS:
        assert secret not in done.out + done.err


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_following_goes_on_until_a_signal_and_outlasts_an_outage(
    number: signal.Signals, expected: int, config: Path, service: HashList
) -> None:
    """The first sync fails; a signal ends the wait for the next."""
    service.troubles = [fails(429, Retry_After="1000")]
    env = environment(STREAMGUARD_EXCHANGE__TAT__PASSWORD=PASSWORD)
    with Running(*command(config, "--follow"), env=env) as running:
        said = "streamguard: exchange tat: it answers with HTTP 429, for 1000 s:"
        running.wait_for(running.log, text=f'{said} sync again after that; it says "Not now."')
        code = running.stop(number)

    assert code == expected


def test_following_waits_while_another_import_holds_the_bank(config: Path) -> None:
    bank = config.parent / "bank"
    bank.mkdir()
    env = environment(STREAMGUARD_EXCHANGE__TAT__PASSWORD=PASSWORD)
    with locked(bank, LOCK_FILE), Running(*command(config, "--follow"), env=env) as running:
        running.wait_for(
            running.log,
            text=f"streamguard: {bank} is being written by another process; try again when that is"
            " done",
        )
        code = running.stop()

    assert code == 0
