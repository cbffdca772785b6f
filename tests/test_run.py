"""`streamguard run` as a service: a real process, two live streams, its log and its disk."""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from streamguard.adapters.bank_file import add_entries, remove_entry
from streamguard.adapters.bank_generation import compact_bank
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from tests.processes import (
    Row,
    Running,
    build_bank,
    metric,
    on_time,
    short_type,
    transport_stream,
    until,
)
from tests.servers import serving
from tests.vault.made_vaults import made_vault, problems

pytestmark = pytest.mark.integration

STOP_TIMEOUT_S = 5


def configure(folder: Path, bank: Path, urls: Mapping[str, str], log_file: str = "log.db") -> Path:
    """Write the configuration of a service for some streams."""
    config = folder / "config.toml"
    config.write_text(
        f'[http]\nport = 0\n[bank]\npaths = ["{bank}"]\n[log]\nfile = "{log_file}"\n'
        f'[evidence]\ndirectory = "evidence"\n[worker]\nstop_timeout_s = {STOP_TIMEOUT_S}\n'
        + "".join(f'[[streams]]\nid = "{name}"\nurl = "{url}"\n' for name, url in urls.items())
    )
    return config


@pytest.fixture
def two_channels(real_clips: dict[str, Path]) -> Iterator[dict[str, str]]:
    """Serve a channel whose content the bank knows, and another one."""
    known = on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=6)
    other = on_time(transport_stream(real_clips["carphone_pristine"], n_rounds=20), burst_s=6)
    with serving(known) as first, serving(other) as second:
        yield {"known": first.url(), "other": second.url()}


def events_in(log_file: Path) -> list[Row]:
    with SqliteLog.open_reader(log_file) as event_log:
        return [json.loads(record.body) for record in event_log.read(1, limit=100_000)]


def types_of(events: list[Row], stream_id: str) -> list[str]:
    return [short_type(event) for event in events if event["partitionkey"] == stream_id]


def wait_for_events(log_file: Path, *wanted: tuple[str, str]) -> list[Row]:
    """Follow the log until it holds these (stream, type); give all that it holds."""
    with Running("events", "--log", log_file, "--follow") as follower:
        for stream_id, name in wanted:
            follower.wait_for(
                follower.out, partitionkey=stream_id, type=f"org.streamguard.{name}.v1"
            )
        return list(follower.out)


def test_a_service_screens_its_streams_and_drains_at_sigterm(
    tmp_path: Path, known_bank: Path, two_channels: dict[str, str]
) -> None:
    config = configure(tmp_path, known_bank, two_channels)
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        wait_for_events(tmp_path / "log.db", ("known", "flag.opened"), ("other", "stream.started"))
        until(lambda: metric(run, "ingest_to_flag_seconds_count") == 1)
        answers = {path: run.get(path) for path in ("/livez", "/readyz", "/other")}
        code = run.stop(signal.SIGTERM)

    events = events_in(tmp_path / "log.db")
    known, other = (types_of(events, name) for name in two_channels)
    ended = {e["partitionkey"]: e["data"] for e in events if short_type(e) == "stream.ended"}
    (closed,) = (e["data"] for e in events if short_type(e) == "flag.closed")
    assert (code, run.out) == (0, [])
    assert answers["/livez"] == answers["/readyz"] == (200, "ok\n")
    assert answers["/other"][0] == 404
    assert known[:2] == ["stream.started", "flag.opened"]
    assert known[-2:] == ["flag.closed", "stream.ended"]
    assert {kind for kind in other if kind.startswith("flag.")} == set()
    assert (closed["close_reason"], closed["evidence"]["state"]) == ("interrupted", "ready")
    vault = made_vault(tmp_path / "evidence")
    items = vault.manifest_of(vault.standing(closed["flag_id"])).items
    assert sorted({item.role for item in items}) == ["clip", "flag", "still"]
    assert problems(tmp_path / "evidence") == []
    assert {data["reason"] for data in ended.values()} == {"interrupted"}
    others = ("worker_active", "worker_ended", "load_shed")  # the last one on a busy machine
    assert [row["event"] for row in run.log if row["event"] not in others] == [
        *("run_started", "admin_started", "stop_begun", "streams_closed", "run_stopped")
    ]
    assert {row["code"] for row in run.log if row["event"] == "worker_ended"} == {0}


def test_an_entry_that_is_added_while_a_service_runs_is_found_and_one_removed_is_not(
    tmp_path: Path, real_clips: dict[str, Path], two_channels: dict[str, str]
) -> None:
    """The bank is edited, and put in order, under the running process."""
    bank = build_bank(tmp_path / "bank", real_clips["carphone_pristine"])
    config = configure(tmp_path, bank, {"known": two_channels["known"]})
    entry = make_entry(
        str(real_clips["bikes"]),
        EntryPlan("late", "TVEC-TEST"),
        SystemClock(),
        lambda *_: None,
    )
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        wait_for_events(tmp_path / "log.db", ("known", "stream.started"))
        add_entries(bank, [entry])
        events = wait_for_events(tmp_path / "log.db", ("known", "flag.opened"))
        n_added = metric(run, "bank_hashes")
        remove_entry(bank, "late")
        compact_bank(bank)
        until(lambda: metric(run, "bank_entries") == 1)
        n_removed = metric(run, "bank_hashes")
        ready = run.get("/readyz")
        code = run.stop(signal.SIGTERM)

    opened = [e["data"] for e in events if short_type(e) == "flag.opened"]
    assert {signal["match"]["entry"] for flag in opened for signal in flag["signals"]} == {"late"}
    assert n_added - n_removed == len(entry.hashes)
    assert (code, ready) == (0, (200, "ok\n"))


def test_a_bank_that_breaks_under_a_service_stays_in_force_and_is_told(
    tmp_path: Path, real_clips: dict[str, Path], two_channels: dict[str, str]
) -> None:
    bank = build_bank(tmp_path / "bank", real_clips["bikes"])
    config = configure(tmp_path, bank, {"known": two_channels["known"]})
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        wait_for_events(tmp_path / "log.db", ("known", "stream.started"))
        (bank / "CURRENT").write_bytes(b"nonsense")
        run.wait_for(run.log, event="bank_unreadable")
        wait_for_events(tmp_path / "log.db", ("known", "flag.opened"))
        ready, n_damaged = run.get("/readyz"), metric(run, "bank_damaged")
        code = run.stop(signal.SIGTERM)

    assert ready == (503, "1 of the banks are damaged or cannot be read\n")
    assert (n_damaged, code) == (1.0, 0)
    assert [row["event"] for row in run.log].count("bank_unreadable") == 1


def test_each_stream_is_on_record_with_what_it_is_held_against(
    tmp_path: Path,
    known_bank: Path,
    two_channels: dict[str, str],
    real_clips: dict[str, Path],
) -> None:
    """Each has a bank that knows the other, one a policy of its own, one is not screened."""
    crossed = build_bank(tmp_path / "crossed", real_clips["carphone_pristine"])
    policy = tmp_path / "strict.toml"
    policy.write_text('version = "strict 3"\n')
    config = configure(tmp_path, known_bank, two_channels)
    config.write_text(
        config.read_text()
        .replace('id = "known"', 'id = "known"\nbanks = ["crossed"]')
        .replace('id = "other"', f'id = "other"\nbanks = ["{known_bank.name}"]')
        .replace(f'["{known_bank}"]', f'["{known_bank}", "{crossed}"]')
        + f'policy_file = "{policy}"\n'
        + '[[streams]]\nid = "card"\nnot_screened = "a test card of our own"\n'
    )
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        started = {"known": "stream.started", "other": "stream.started", "card": "stream.excluded"}
        wait_for_events(tmp_path / "log.db", *started.items())
        metrics = run.get("/metrics")[1]
        run.stop(signal.SIGTERM)

    events = events_in(tmp_path / "log.db")
    data = {e["partitionkey"]: e["data"] for e in events if short_type(e) in started.values()}
    assert data["card"] == {"stream_id": "card", "reason": "a test card of our own"}
    assert (data["known"]["banks"], data["known"]["policy_version"]) == (["crossed"], "default")
    assert data["other"]["banks"] == [known_bank.name]
    assert data["other"]["policy_version"] == "strict 3"
    assert [e for e in events if short_type(e).startswith("flag.")] == []
    assert "\nstreamguard_streams_configured 2.0\n" in metrics
    assert "\nstreamguard_streams_excluded 1.0\n" in metrics


def test_ctrl_c_drains_as_well_and_exits_with_130(
    tmp_path: Path, known_bank: Path, two_channels: dict[str, str]
) -> None:
    config = configure(tmp_path, known_bank, {"other": two_channels["other"]})
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        wait_for_events(tmp_path / "log.db", ("other", "stream.started"))
        code = run.stop(signal.SIGINT)

    assert code == 130
    assert types_of(events_in(tmp_path / "log.db"), "other")[-1] == "stream.ended"


def test_a_stop_does_not_wait_for_a_stream_that_says_nothing(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    with serving(on_time(transport_stream(real_clips["bikes"]), burst_s=60)) as server:
        config = configure(tmp_path, known_bank, {"quiet": server.url()})
        with Running("run", "--config", config, cwd=tmp_path) as run:
            run.wait_for(run.log, event="run_started")
            wait_for_events(tmp_path / "log.db", ("quiet", "flag.opened"))
            run.process.send_signal(signal.SIGTERM)
            code = run.join()

    assert code == 0
    assert {row["code"] for row in run.log if row.get("event") == "worker_ended"} == {0}
    assert not {"worker_cut_short", "worker_died"} & {row.get("event") for row in run.log}
    assert types_of(events_in(tmp_path / "log.db"), "quiet")[-2:] == ["flag.closed", "stream.ended"]


def test_what_was_committed_outlives_a_kill(
    tmp_path: Path, known_bank: Path, two_channels: dict[str, str]
) -> None:
    config = configure(tmp_path, known_bank, {"known": two_channels["known"]})
    with Running("run", "--config", config, cwd=tmp_path) as run:
        run.wait_for(run.log, event="run_started")
        seen = wait_for_events(tmp_path / "log.db", ("known", "flag.opened"))
        killed = run.stop(signal.SIGKILL)
    before = events_in(tmp_path / "log.db")

    with Running("run", "--config", config, cwd=tmp_path) as again:
        again.wait_for(again.log, event="run_started")
        until(lambda: types_of(events_in(tmp_path / "log.db"), "known").count("flag.opened") == 2)
        code = again.stop(signal.SIGTERM)

    after = events_in(tmp_path / "log.db")
    assert (killed, code) == (-signal.SIGKILL, 0)
    assert before[: len(seen)] == seen
    assert after[: len(before)] == before
    assert types_of(after, "known")[-2:] == ["flag.closed", "stream.ended"]


@dataclass
class SmallDisk:
    """A place for a log that can be full, and have room again.

    Root mounts a small disk; anyone else lowers the limit on the size of the service's files.
    """

    directory: Path
    is_mounted: bool

    def fill(self, process: subprocess.Popen[str]) -> None:
        if not self.is_mounted:
            size = max(path.stat().st_size for path in self.directory.iterdir())
            self._limit(process, size)
            return
        with (self.directory / "ballast").open("wb", buffering=0) as ballast:
            for size in (65_536, 1):
                with suppress(OSError):
                    while ballast.write(bytes(size)):
                        pass

    def free(self, process: subprocess.Popen[str]) -> None:
        if self.is_mounted:
            (self.directory / "ballast").unlink()
        else:
            self._limit(process, resource.RLIM_INFINITY)

    def _limit(self, process: subprocess.Popen[str], size: int) -> None:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, hard))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(directory)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, check=False).returncode == 0
    yield SmallDisk(directory, is_mounted)
    if is_mounted:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def test_screening_goes_on_while_the_disk_of_the_log_is_full(
    tmp_path: Path, known_bank: Path, small_disk: SmallDisk, real_clips: dict[str, Path]
) -> None:
    """Nothing urgent is lost: all that waited is committed once there is room."""
    piece = [chunk for chunk in transport_stream(real_clips["bikes"]) if chunk[0] < 1.5]
    log_file = small_disk.directory / "log.db"
    with serving(on_time(piece, then_ends=True)) as server:
        config = configure(tmp_path, known_bank, {"a": server.url()}, str(log_file))
        policy = tmp_path / "policy.toml"
        policy.write_text('version = "test"\n[default]\nseverity = "P0"\n')
        with config.open("a") as settings:
            settings.write(f'[policy]\nfile = "{policy}"\n')
        with Running("run", "--config", config, cwd=tmp_path) as run:
            run.wait_for(run.log, event="run_started")
            wait_for_events(log_file, ("a", "flag.opened"))
            small_disk.fill(run.process)
            run.wait_for(run.log, event="log_unavailable")
            not_ready = run.get("/readyz")
            n_before = metric(run, "samples_total")
            until(lambda: metric(run, "samples_total") > n_before + 2)
            waiting = metric(run, "log_backlog")
            alive = run.get("/livez")
            small_disk.free(run.process)
            run.wait_for(run.log, event="log_recovered")
            ready = run.get("/readyz")
            code = run.stop(signal.SIGTERM)

    events = events_in(log_file)
    types = types_of(events, "a")
    revisions: dict[str, list[int]] = {}
    for flag in (e["data"] for e in events if short_type(e).startswith("flag.")):
        revisions.setdefault(flag["flag_id"], []).append(flag["revision"])
    assert not_ready in {  # both are true; which is seen first is the disk's business
        (503, "the event log cannot be written\n"),
        (503, "the event log's disk is nearly full: flags of P1 and below are let go\n"),
    }
    assert (alive, ready) == ((200, "ok\n"), (200, "ok\n"))
    assert waiting >= 2
    assert code == 0
    assert [row["event"] for row in run.log].count("log_unavailable") == 1
    assert types[-1] == "stream.ended"
    assert len(revisions) == types.count("stream.started") == types.count("flag.closed") >= 2
    assert all(numbers == list(range(len(numbers))) for numbers in revisions.values())
