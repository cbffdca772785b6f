"""`forward` as a process, a receiver that speaks HTTP, and the log between them and `run`."""

import base64
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.made_events import opened
from streamguard.adapters.sqlite_log import SqliteLog
from tests.processes import Finished, Running, streamguard, until
from tests.webhook_receiver import Receiver, receiving

pytestmark = pytest.mark.integration

SECRET = bytes(range(32))
DAY_S = 86_400


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(SECRET) as made:
        yield made


def config(folder: Path, url: str, secret: bytes = SECRET) -> Path:
    (folder / "secret").write_text(base64.b64encode(secret).decode())
    file = folder / "forward.toml"
    file.write_text(
        f'[log]\nfile = "log.db"\n[webhook]\nurl = "{url}"\nsecret_file = "secret"\nport = 0\n'
    )
    return file


def numbers(receiver: Receiver) -> list[int]:
    return [event["data"]["window"]["start_pts_ms"] for event in receiver.taken]


def forwarding(file: Path, *more: str) -> Running:
    run = Running("forward", "--config", file, *more, cwd=file.parent)
    run.wait_for(run.log, event="forward_started")
    return run


def test_what_comes_into_the_log_comes_to_the_receiver(tmp_path: Path, receiver: Receiver) -> None:
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append([opened(0)])
        with forwarding(config(tmp_path, receiver.url)) as run:
            event_log.append([opened(number) for number in range(1, 6)])
            until(lambda: len(receiver.taken) == 5)
            port = run.wait_for(run.log, event="forward_started")["port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                metrics = answer.read().decode()
            code = run.stop(signal.SIGTERM)

    assert code == 0
    assert numbers(receiver) == [1, 2, 3, 4, 5]
    assert receiver.n_forged == 0
    assert receiver.keys == ["lobby"] * 5
    assert 'streamguard_forward_tries_total{outcome="done"} 5.0' in metrics
    assert "hidden" not in f"{run.log}"


def test_nothing_is_lost_when_it_is_killed(tmp_path: Path, receiver: Receiver) -> None:
    """Killed by SIGKILL in the middle of it, twice; the receiver is away in between."""
    file = config(tmp_path, receiver.url)
    with SqliteLog(tmp_path / "log.db") as event_log:
        with forwarding(file):
            until(lambda: event_log.position("webhook") is not None)
        for start in (0, 100, 200):
            event_log.append([opened(number) for number in range(start, start + 100)])
            receiver.status = 503 if start == 100 else 204
            n_before = len(receiver.taken)
            with forwarding(file) as run:
                if start != 100:
                    until(lambda: len(receiver.taken) > n_before + 30)  # noqa: B023
                run.process.kill()
        with forwarding(file) as run:
            until(lambda: event_log.position("webhook") == event_log.end_offset())
            run.stop(signal.SIGTERM)

    assert list(dict.fromkeys(numbers(receiver))) == list(range(300))


def test_what_came_while_it_was_away_for_days_is_sent(tmp_path: Path, receiver: Receiver) -> None:
    """Pruning no longer waits for a group that was silent for so long; its place is not lost."""
    file = config(tmp_path, receiver.url)
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append([opened(0)])
        with forwarding(file) as run:  # its first start: it begins at the end
            run.stop(signal.SIGTERM)
        event_log.append([opened(1), opened(2)])
        report = event_log.prune(time.time() + 3 * DAY_S, {}, has_broker=False)

        with forwarding(file) as run:
            until(lambda: len(receiver.taken) == 2)
            run.stop(signal.SIGTERM)

    assert report.dropped_groups == ("webhook",)
    assert numbers(receiver) == [1, 2]


def test_a_receiver_that_refuses_our_signature_gets_nothing_else(
    tmp_path: Path, receiver: Receiver
) -> None:
    file = config(tmp_path, receiver.url, secret=SECRET[::-1])
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append([opened(1)])
        with forwarding(file, "--from-start") as run:
            said = run.wait_for(run.log, event="event_not_taken")
            until(lambda: receiver.n_forged > 2)
            run.stop(signal.SIGTERM)

    assert said["why"] == "the webhook answers with HTTP 401"
    assert receiver.taken == []


def put_aside(verb: str, file: Path, *more: str) -> Finished:
    return streamguard("put-aside", verb, "--config", file, *more, cwd=file.parent)


def test_what_is_refused_is_put_aside_and_can_be_listed_sent_and_dropped(
    tmp_path: Path, receiver: Receiver
) -> None:
    file, flags = (
        config(tmp_path, receiver.url),
        [opened(number, f"s{number}") for number in (1, 2)],
    )
    receiver.status = 422
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append(flags)
        with forwarding(file, "--from-start") as run:
            for flag in flags:
                run.wait_for(run.log, event="event_put_aside", event_id=flag.id)
            port = run.wait_for(run.log, event="forward_started")["port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
                metrics = answer.read().decode()
            not_now = put_aside("send", file)
            receiver.status = 204
            sent = put_aside("send", file, flags[1].id)
            left = put_aside("list", file).rows
            run.stop(signal.SIGTERM)
        wrong = put_aside("send", file, flags[1].id)
        too_much = put_aside("drop", file)
        dropped = put_aside("drop", file, "--all")
        nothing = put_aside("list", file)

    assert "streamguard_forward_put_aside_total 2.0" in metrics
    assert "streamguard_forward_aside 2.0" in metrics
    assert (not_now.code, not_now.out.splitlines()[-1]) == (3, "0 of 2 were taken")
    assert (sent.code, sent.out.splitlines()[-1]) == (0, "1 of 1 were taken")
    assert numbers(receiver) == [2]
    assert [(row["id"], row["reason"]) for row in left] == [
        (flags[0].id, "the webhook answers with HTTP 422")
    ]
    assert left[0]["event"]["data"]["stream"]["stream_id"] == "s1"
    assert (wrong.code, flags[1].id in wrong.problem) == (2, True)
    assert (too_much.code, "or give --all" in too_much.problem) == (2, True)
    assert (dropped.code, dropped.out) == (0, "1 dropped\n")
    assert (nothing.code, nothing.out) == (0, "")


def test_what_is_never_taken_can_be_put_aside_by_hand_and_sent_later(
    tmp_path: Path, receiver: Receiver
) -> None:
    file, first, *flags = config(tmp_path, receiver.url), *map(opened, range(3))
    why = ("--reason", "too large for them")
    receiver.status = 500
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append([first])
        too_early = put_aside("take", file, first.id, *why)
        with forwarding(file) as run:  # its first start: it begins at the end
            event_log.append(flags)
            run.wait_for(run.log, event="event_not_taken", event_id=flags[0].id)
            unknown = put_aside("take", file, "nobody", *why)
            behind = put_aside("take", file, first.id, *why)
            taken = put_aside("take", file, flags[0].id, *why)
            said = run.wait_for(run.log, event="event_put_aside", event_id=flags[0].id)
            receiver.status = 204
            until(lambda: numbers(receiver) == [2])
            sent = put_aside("send", file)
            run.stop(signal.SIGTERM)

    for refused in (too_early, unknown, behind):
        assert (refused.code, "no event that waits" in refused.problem) == (2, True)
    assert (taken.code, taken.out.startswith(flags[0].id)) == (0, True)
    assert said["why"] == "by hand: too large for them"
    assert sent.code == 0
    assert numbers(receiver) == [2, 1]


def dry_run(file: Path, *more: str) -> Finished:
    return streamguard("forward", "--config", file, "--dry-run", *more, cwd=file.parent)


def test_a_dry_run_tells_how_much_waits_and_sends_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    file = config(tmp_path, receiver.url)
    with SqliteLog(tmp_path / "log.db") as event_log:
        event_log.append([opened(1), opened(2)])

    assert dry_run(file).out.startswith("0 events")
    assert dry_run(file, "--from-start").out == "2 events of streamguard.flags.v1 wait to be sent\n"
    assert receiver.taken == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("", "no [webhook] with a url"),
        ('[webhook]\nurl = "http://hidden"', "a webhook needs a secret_file"),
        ('[webhook]\nurl = "ftp://hidden"', "begins with https:// or http://"),
        ('[webhook]\nurl = "http://hidden.example.org"\nsecret_file = "s"', "give https"),
        ('[webhook]\nurl = "http://hidden"\nsecret_file = "none"', "cannot be read"),
        ('[webhook]\nurl = "http://hidden"\nsecret_file = "forward.toml"', "24 to 64 bytes"),
    ],
)
def test_a_wrong_configuration_is_told_in_one_line(
    tmp_path: Path, lines: str, problem: str
) -> None:
    file = tmp_path / "forward.toml"
    file.write_text(f'[log]\nfile = "log.db"\n{lines}\n')
    with SqliteLog(tmp_path / "log.db"):
        pass

    done = streamguard("forward", "--config", file, cwd=tmp_path)

    assert done.code == 2
    assert problem in done.problem
    assert "hidden" not in done.problem
