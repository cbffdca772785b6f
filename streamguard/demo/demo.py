"""The demo: a live channel, a bank, a console, and the flags and decisions that come of them.

Rule: nothing here is staged. The channel is a process of its own that stamps what it sends; beside
it run the very verbs that a platform runs; a flag is shown once it can be read from the log, with
its latency since the stamp.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamguard import process
from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import EntryPlan, make_entry
from streamguard.core.action_data import ActionFailedData, ActionVerifiedData
from streamguard.core.coverage_data import StreamEndedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import SourceUnavailable
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Event, EventType
from streamguard.demo.broadcast import STREAM_PATH
from streamguard.demo.programme import KNOWN, KNOWN_CLIP_S
from streamguard.demo.scenes import write_clip
from streamguard.demo.site import HOST, POLICY_CODE, Account, Site

LOOK_EVERY_S = 0.01
"""How often the log is looked at: what is told of latency is so much too long at the most."""

SETTLE_S = 20.0
"""How long the rest is waited for once the channel has ended: a publish is given up after 2 s, a
cut is proved after three."""

SHORT_S, LONG_S = 60.0, 300.0
"""Length of the programme where nobody looks on, and where somebody may want to decide."""


@dataclass
class Stamps:
    """What the origin says of itself; filled by a thread, read by the demo."""

    sent: dict[int, dict[str, Any]] = field(default_factory=dict)
    has_ended: threading.Event = field(default_factory=threading.Event)

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

    def __init__(self, directory: Path, site: Site, *, as_json: bool, stays: bool) -> None:
        """stays: it goes on until it is stopped, that somebody may decide, and look around."""
        self._directory = directory
        self._as_json = as_json
        self._stays = stays
        self._stamps = Stamps()
        self._site = site
        self._next_offset = 1
        self._latencies_s: list[float] = []
        self._has_told_end = False
        self._n_lost = 0
        self._ended_at_s: float | None = None

    def prepare(self) -> None:
        """Make the known clip and a bank of it."""
        clip, bank = self._directory / "known.mp4", self._directory / "bank"
        self._say("making the known clip and hashing every frame of it ...")
        write_clip(clip, KNOWN, KNOWN_CLIP_S)
        plan = EntryPlan("known.mp4", POLICY_CODE)
        entry = make_entry(str(clip), plan, SystemClock(), lambda *_: None)
        add_entries(bank, [entry], replace=True)
        self._say(f"bank: {len(entry.hashes)} hashes of {KNOWN_CLIP_S:.0f} s kept in {bank}")

    def show(self, seconds: float) -> int:
        """Screen the channel until its programme is over, or until somebody stops the demo.

        Raises:
            SourceUnavailable: a process did not come up.
        """
        with process.Interrupt() as interrupt, contextlib.ExitStack() as after:
            with contextlib.ExitStack() as stage:
                length, pulled = ("--seconds", str(seconds)), None
                if not self._site.can_cut:
                    pulled = stage.enter_context(self._origin((*length, "--when-heard")))
                self._next_offset = _end_of(self._site.log_file)
                self._say("starting what a small platform runs ...")
                account = stage.enter_context(self._site.running(pulled))
                log = after.enter_context(SqliteLog.open_reader(self._site.log_file))
                self._invite(account)
                if pulled is None:
                    url = self._site.publish_url
                    stage.enter_context(self._origin((*length, "--publish", url)))
                while not self._is_over() and not interrupt.wait(LOOK_EVERY_S):
                    self._tell_new(log)
            self._tell_new(log)
            self._sum_up()
            return interrupt.code

    def _is_over(self) -> bool:
        """Say whether nothing more comes: the channel has ended, and all of it is told."""
        if self._stays or not self._stamps.has_ended.is_set():
            return False
        now_s = time.monotonic()
        self._ended_at_s = self._ended_at_s or now_s
        return self._has_told_end or now_s - self._ended_at_s > SETTLE_S

    @contextlib.contextmanager
    def _origin(self, arguments: Sequence[str]) -> Iterator[str]:
        """Run the channel in a process of its own; it ends when its standard input does.

        Gives where it is served, where it is.
        """
        command = [sys.executable, "-m", "streamguard.demo.origin", "--json", *arguments]
        with subprocess.Popen(  # noqa: S603  # our own module, by argument list
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is ours to pass on, in order
        ) as origin:
            assert origin.stdout is not None  # noqa: S101  # a pipe was asked for
            assert origin.stdin is not None  # noqa: S101
            line = origin.stdout.readline()
            if not line:
                raise SourceUnavailable("the demo's channel did not start: see its message above")
            reader = threading.Thread(target=self._read_stamps, args=(origin.stdout,))
            reader.start()
            try:
                yield f"http://{HOST}:{json.loads(line).get('port')}{STREAM_PATH}"
            finally:
                origin.stdin.close()
                reader.join()

    def _read_stamps(self, lines: Iterator[str]) -> None:
        for line in lines:
            told = json.loads(line)
            match told["event"]:
                case "keyframe":
                    self._stamps.sent[told["pts_ms"]] = told
                case "lost":
                    again = " again" if self._n_lost else ""
                    self._n_lost += 1
                    self._say(f"the channel was thrown out{again}")
                case "ended":
                    self._stamps.has_ended.set()

    def _invite(self, account: Account) -> None:
        """Say where the console is, and what to do there."""
        url = self._site.console_url
        self._say(f"console: {url}  sign in as {account.name} with {account.password}")
        if self._site.can_cut:
            self._say("press n for the case; 1 a and x, kept down, cut the channel; ? shows all")
        else:
            self._say("no ingest server (Debian's libnginx-mod-rtmp): nothing can be cut")
        if self._stays:
            self._say("Ctrl-C ends the demo")
            if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
                webbrowser.open(url)

    def _tell_new(self, log: SqliteLog) -> None:
        """Show what is new in the log, with the latency since the origin's stamp."""
        records = log.read(self._next_offset)
        now_s = time.monotonic()
        for record in records:
            self._next_offset = record.offset + 1
            if self._as_json:
                print(record.body, flush=True)
            event = Event.model_validate_json(record.body)
            match event.data:
                case FlagData() as flag:
                    self._tell_flag(event, flag, now_s)
                case StreamEndedData() as ended:
                    self._has_told_end = True
                    screened_s, gap_s = ended.screened_ms / 1000, ended.gap_ms / 1000
                    self._say(f"channel ended: {screened_s:.1f} s screened, {gap_s:.1f} s in gaps")
                case DecisionData() as decision:
                    self._say(f"decided: {decision.outcome}, {decision.action}")
                case ActionVerifiedData() as action:
                    took_s = utc_seconds(action.verified_time) - utc_seconds(action.decided_time)
                    self._say(
                        f"{action.action.act} of {action.action.scope} VERIFIED by "
                        f"{action.method}, {took_s:.1f} s after the decision"
                    )
                case ActionFailedData() as action:
                    self._say(f"{action.action.act} of {action.action.scope}: {action.reason}")

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
        elif flag.state == "closed":
            self._say(f"{name} closed: {flag.window.n_samples} samples, {match.votes} votes agree")

    def _sum_up(self) -> None:
        n_flags = len(self._latencies_s)
        if n_flags:
            worst_ms = max(self._latencies_s) * 1000
            flags = "1 flag" if n_flags == 1 else f"{n_flags} flags"
            self._say(f"{flags}, slowest {worst_ms:.0f} ms after the origin's send")
        else:
            self._say(
                "no flag: the programme was stopped before the known scene, or something broke"
            )
        self._say(f"read it again: streamguard events --log {self._site.log_file}")

    def _say(self, text: str) -> None:
        print(f"demo: {text}", file=sys.stderr if self._as_json else sys.stdout, flush=True)


def _end_of(log_file: Path) -> int:
    """Give where a log goes on: one of an earlier showing, or none yet."""
    if not log_file.exists():
        return 1
    with SqliteLog.open_reader(log_file) as log:
        return log.end_offset()


def show(arguments: argparse.Namespace) -> int:
    """Run the demo in a directory, a new temporary one unless told."""
    directory: Path | None = arguments.directory
    process.configure_logging()
    if directory is None:
        directory = Path(tempfile.mkdtemp(prefix="streamguard-demo-"))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    stays = sys.stdout.isatty() if arguments.stay is None else arguments.stay
    site = Site(directory, has_ingest=arguments.ingest)
    demo = Demo(directory, site, as_json=arguments.json, stays=stays)
    demo.prepare()
    return demo.show(arguments.seconds or (LONG_S if stays else SHORT_S))
