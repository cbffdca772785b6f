"""The demo: a live channel, a bank, and the flags that come of them, all on this machine.

Rule: nothing here is staged. The channel is a process of its own that stamps what it sends; the
screening is that of `run`; a flag is shown once it is committed, with its latency since the stamp.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from streamguard import app, process
from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.evidence_dir import EvidenceDir
from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from streamguard.core.banks import Banks
from streamguard.core.coverage_data import StreamEndedData
from streamguard.core.errors import SourceUnavailable
from streamguard.core.event_data import (
    FlagData,
)
from streamguard.core.events import Event, EventType
from streamguard.core.location import parse_location
from streamguard.core.policy import HashRule, Policy
from streamguard.core.record import Row
from streamguard.core.sampling import Sampling
from streamguard.core.types import Severity
from streamguard.demo.programme import KNOWN, KNOWN_CLIP_S
from streamguard.demo.scenes import write_clip
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once

POLICY_CODE = "DEMO-KNOWN-SCENE"
STREAM_ID = "demo-channel"


@dataclass
class Stamps:
    """When the origin sent which keyframe to us; filled by a thread, read by the loop."""

    sent: dict[int, dict[str, Any]] = field(default_factory=dict)

    def first_of_known(self, pts_ms: int) -> dict[str, Any] | None:
        """Give the stamp of the keyframe with which the known scene around `pts_ms` began."""
        first = None
        for at_ms in sorted(self.sent, reverse=True):
            if at_ms > pts_ms:
                continue
            stamp = self.sent[at_ms]
            if stamp["scene"] != KNOWN.name or (first and stamp["disguise"] != first["disguise"]):
                break
            first = stamp
        return first


class Demo:
    """One showing."""

    def __init__(self, directory: Path, *, as_json: bool) -> None:
        self._directory = directory
        self._as_json = as_json
        self._stamps = Stamps()
        self._clock = SystemClock()
        self._latencies_s: list[float] = []

    def prepare(self) -> Banks:
        """Make the known clip and a bank of it."""
        clip, bank = self._directory / "known.mp4", self._directory / "bank"
        self._say("making the known clip and hashing every frame of it ...")
        write_clip(clip, KNOWN, KNOWN_CLIP_S)
        plan = EntryPlan("known.mp4", POLICY_CODE)
        entry = make_entry(str(clip), plan, self._clock, lambda *_: None)
        add_entries(bank, [entry], replace=True)
        self._say(f"bank: {len(entry.hashes)} hashes of {KNOWN_CLIP_S:.0f} s kept in {bank}")
        return Banks((open_bank(bank),))

    async def show(self, banks: Callable[[], Banks], seconds: float, stop: Stop) -> int:
        """Screen the channel until its programme ends or somebody stops it."""
        policy = Policy("demo", banks={POLICY_CODE: HashRule(severity=Severity.P0)})
        with self._origin(seconds) as port, SqliteLog(self._directory / "events.db") as event_log:
            plan = app.Plan(
                deployment="demo",
                banks=banks,
                policy=policy,
                event_log=event_log,
                store=EvidenceMaker(EvidenceDir(self._directory / "evidence"), SystemClock()),
                on_commit=self._tell,
            )
            location = parse_location(f"http://127.0.0.1:{port}/live.ts")
            self._say(f"screening a live channel at 127.0.0.1:{port} for {seconds:.0f} s ...")
            async with app.assembled(plan, PrometheusMeter()) as parts:
                error = await screen_once(Stream(STREAM_ID, location, Sampling.AUTO), parts, stop)
        if error is not None:
            raise error
        return self._sum_up()

    @contextlib.contextmanager
    def _origin(self, seconds: float) -> Iterator[int]:
        """Run the channel in a process of its own; it ends when its standard input does."""
        command = [sys.executable, "-m", "streamguard.demo.origin", "--json"]
        with subprocess.Popen(  # noqa: S603  # our own module, by argument list
            [*command, "--seconds", str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as origin:
            assert origin.stdout is not None  # noqa: S101  # a pipe was asked for
            assert origin.stdin is not None  # noqa: S101
            line = origin.stdout.readline()
            if not line:
                raise SourceUnavailable("the demo's channel did not start: see its message above")
            reader = threading.Thread(target=self._read_stamps, args=(origin.stdout,))
            reader.start()
            try:
                yield json.loads(line)["port"]
            finally:
                origin.stdin.close()
                reader.join()

    def _read_stamps(self, lines: Iterator[str]) -> None:
        for line in lines:
            stamp = json.loads(line)
            if stamp["event"] == "keyframe":
                self._stamps.sent[stamp["pts_ms"]] = stamp

    def _tell(self, events: Sequence[Event | Row]) -> None:
        """Show committed events, with the latency since the origin's stamp."""
        now_s = self._clock.monotonic()
        for event in (event for event in events if isinstance(event, Event)):
            if self._as_json:
                print(event.to_json(), flush=True)
            if isinstance(event.data, FlagData):
                self._tell_flag(event, event.data, now_s)
            elif isinstance(event.data, StreamEndedData):
                screened_s, gap_s = event.data.screened_ms / 1000, event.data.gap_ms / 1000
                self._say(f"channel ended: {screened_s:.1f} s screened, {gap_s:.1f} s in gaps")

    def _tell_flag(self, event: Event, flag: FlagData, now_s: float) -> None:
        match = flag.signals[0].match
        assert match is not None  # noqa: S101  # the demo runs no model
        name = f"flag {flag.flag_id[:8]}"
        if event.type is EventType.FLAG_OPENED:
            stamp = self._stamps.first_of_known(flag.window.start_pts_ms)
            if stamp is None:
                self._say(f"{name}: {match.entry} although the channel did not show it")
                return
            latency_s = now_s - stamp["sent_at_s"]
            self._latencies_s.append(latency_s)
            self._say(
                f"{name} OPENED {flag.policy.severity} {flag.policy.code}: {match.entry} at "
                f"{match.bank_offset_ms / 1000:.1f} s of it, {match.distance_bits} bits off, "
                f"shown as {stamp['disguise']}; committed {latency_s * 1000:.0f} ms after the "
                "origin sent the scene's first keyframe"
            )
        elif flag.state == "updated" and flag.evidence.clip and not flag.close_reason:
            self._say(f"{name} evidence: {_path(flag.evidence.clip.uri)}")
            if flag.evidence.still:
                self._say(f"{'':13} still: {_path(flag.evidence.still.uri)}")
        elif flag.state == "closed":
            self._say(f"{name} closed: {flag.window.n_samples} samples, {match.votes} votes agree")

    def _sum_up(self) -> int:
        n_flags = len(self._latencies_s)
        if n_flags:
            worst_ms = max(self._latencies_s) * 1000
            flags = "1 flag" if n_flags == 1 else f"{n_flags} flags"
            self._say(f"{flags}, slowest {worst_ms:.0f} ms after the origin's send")
        else:
            self._say(
                "no flag: the programme was stopped before the known scene, or something broke"
            )
        self._say(f"read it again: streamguard events --log {self._directory / 'events.db'}")
        return 0

    def _say(self, text: str) -> None:
        print(f"demo: {text}", file=sys.stderr if self._as_json else sys.stdout, flush=True)


def _path(uri: str) -> str:
    return unquote(urlsplit(uri).path)


def show(directory: Path | None, seconds: float, *, as_json: bool) -> int:
    """Run the demo in a directory, a new temporary one unless told."""
    process.configure_logging()
    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="streamguard-demo-"))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    demo = Demo(directory, as_json=as_json)
    banks = demo.prepare()
    return process.run_until_signal(lambda stop: demo.show(lambda: banks, seconds, stop))
