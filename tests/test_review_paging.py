"""Somebody is called by a signed webhook, as the command line has it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from streamguard.adapters.sqlite_log import SqliteLog
from tests.made_reviews import flag, flag_opened
from tests.processes import Running, streamguard, until
from tests.webhook_receiver import Receiver, receiving

SECRET = bytes(range(32))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(SECRET) as made:
        yield made


@pytest.fixture
def config(tmp_path: Path, receiver: Receiver) -> Path:
    (tmp_path / "secret").write_text(base64.b64encode(SECRET).decode())
    file = tmp_path / "streamguard.toml"
    file.write_text(
        f'[log]\nfile = "{tmp_path / "log.db"}"\n[review]\nport = 0\nmetrics_port = 0\n'
        f'page_url = "{receiver.url}"\npage_secret_file = "{tmp_path / "secret"}"\n'
    )
    return file


def test_an_urgent_case_with_nobody_calls_somebody_and_is_counted(
    config: Path, tmp_path: Path, receiver: Receiver
) -> None:
    with Running("review", "--config", config) as console:
        port = console.wait_for(console.log, event="review_started")["metrics_port"]
        with SqliteLog(tmp_path / "log.db", "write") as log:
            log.append([flag_opened(flag(1, severity="P0"))])
        until(lambda: bool(receiver.taken))
        done = 'streamguard_review_calls_total{outcome="done"} 1.0'
        until(lambda: done in httpx.get(f"http://127.0.0.1:{port}/metrics").text)
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        code = console.stop()

    [call] = receiver.taken
    assert (code, receiver.n_forged) == (0, 0)
    assert (call["data"]["action"], call["data"]["actor"]) == ("paging.called", "rule:paging")
    assert 'streamguard_review_urgent_cases{how="alone"} 1.0' in metrics
    assert "streamguard_review_unreviewed_seconds_total" in metrics
    assert "streamguard_review_untaken_actions 0.0" in metrics
    assert 'streamguard_review_bankings_total{act="bank.added",outcome="failed"} 0.0' in metrics
    assert "hidden" not in f"{console.log}"  # the address of the webhook


def test_a_call_can_be_tried(config: Path, receiver: Receiver) -> None:
    fine = streamguard("review", "--test-page", "--config", config)
    receiver.status = 500
    down = streamguard("review", "--test-page", "--config", config)

    assert (fine.code, down.code) == (0, 3)
    assert [one["data"]["details"] for one in receiver.taken] == [
        [{"name": "why", "value": "a_test"}]
    ]
    assert "HTTP 500" in down.out


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ('page_url = "ftp://example.org"', "begins with https"),
        ('page_url = "https://example.org"', "page_secret_file"),
        ('page_url = "https://example.org"\npage_secret_file = "/none"', "cannot be read"),
    ],
)
def test_a_webhook_that_cannot_do_is_told(tmp_path: Path, lines: str, problem: str) -> None:
    file = tmp_path / "streamguard.toml"
    file.write_text(f'[log]\nfile = "{tmp_path / "log.db"}"\n[review]\nport = 0\n{lines}\n')

    done = streamguard("review", "--config", file)

    assert done.code == 2
    assert problem in done.err
