"""What the enforcer is measured and tested on: a real server, and a log that tells what is decided.

Rule: sessions are named as discovery names them, by asking the server; nothing is screened.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4, uuid5

from loadtest.rtmp import HOST, RtmpServer
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.coverage_data import StreamStartedData
from streamguard.core.decision_data import DecidedStream, DecisionData
from streamguard.core.event_data import StreamRef, utc_text
from streamguard.core.events import ID_NAMESPACE, Event, Topic, stream_started_event
from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.review_events import decision_event
from streamguard.core.sampling import Sampling
from streamguard.ingest.asking import Service
from streamguard.ingest.nginx_rtmp import NginxRtmp

SECRET = b"enforce-stage-enforce-stage-enforce-stage"
SERVER = "edge"
SOURCE = "/streamguard/stage"
DEADLINE_S = 30.0

CONFIGURATION = """
[deployment]
name = "stage"
secret_file = "secret"
[log]
file = "log.db"
[enforce]
port = 0
admission_port = {admission_port}
admission = "{admission}"
sweep_s = 0.5
{enforce}
[[servers]]
name = "edge"
kind = "nginx_rtmp"
api = "{stat}"
pull = "rtmp://{host}:{port}"
[[controls]]
server = "edge"
api = "{control}"
{more}
"""


@dataclass(frozen=True, slots=True)
class Form:
    """How the enforcer is configured, beside what follows from the server."""

    admission: str = "observe"
    admission_port: int = 0
    enforce: str = ""
    more: str = ""
    control: str = ""


class EnforceStage:
    """A folder with a configuration and an event log; a server that is up."""

    def __init__(self, folder: Path, rtmp: RtmpServer, form: Form | None = None) -> None:
        form = form or Form()
        self.folder = folder
        self.rtmp = rtmp
        self.config = folder / "enforce.toml"
        self.config.write_text(
            CONFIGURATION.format(
                admission_port=form.admission_port,
                admission=form.admission,
                enforce=form.enforce,
                stat=rtmp.stat_url,
                control=form.control or rtmp.control_url,
                host=HOST,
                port=rtmp.port,
                more=form.more,
            )
        )
        (folder / "secret").write_bytes(SECRET)
        self.log = SqliteLog(folder / "log.db")
        self._latest: dict[str, str] = {}

    def close(self) -> None:
        """Close the log."""
        self.log.close()

    def live(self, name: str) -> DecidedStream:
        """Wait until a stream is published, and put its session on record as screening does."""
        path = f"live/{name}"
        key = next(key for key in self._until(path, is_there=True) if key.path == path)
        ref = StreamRef(
            stream_id=stream_id_of(SECRET, SERVER, path),
            session_id=str(uuid4()),
            epoch=0,
            protocol="rtmp",
            publish=session_text(SECRET, key),
        )
        now_s = time.time()
        started = StreamStartedData(
            stream=ref,
            codec="h264",
            width=0,
            height=0,
            sampling=Sampling.AUTO,
            start_pts_ms=0,
            start_time=utc_text(now_s),
        )
        self.log.append([stream_started_event(SOURCE, started, recorded_s=now_s)])
        return DecidedStream(stream_id=ref.stream_id, session_id=ref.session_id)

    def gone(self, name: str) -> None:
        """Wait until a stream is published no more."""
        self._until(f"live/{name}", is_there=False)

    def paths(self) -> list[str]:
        """Give what is published."""
        return [key.path for key in self._keys()]

    def decide(self, stream: DecidedStream, act: str, **changes: Any) -> str:
        """Put a decision on record, the next one of the case of its session; give its id."""
        before = {"supersedes": self._latest.get(stream.session_id)}
        decision = decided(stream, act, **(before | changes))
        self._latest[stream.session_id] = decision.decision_id
        self.log.append([decision_event(SOURCE, decision, recorded_s=time.time())])
        return decision.decision_id

    def told(self, decision_id: str | None = None) -> list[dict[str, Any]]:
        """Give what was told of the actions of a decision, or of all."""
        rows = [json.loads(one.body) for one in self.log.read(1, Topic.ACTIONS)]
        return [row for row in rows if decision_id in {None, row["data"]["action"]["decision_id"]}]

    def outcome(self, decision_id: str, scope: str = "live") -> Event:
        """Wait for the end of an action."""
        found: list[Event] = []

        def is_over() -> bool:
            found[:] = [
                Event.model_validate(row)
                for row in self.told(decision_id)
                if row["data"]["action"]["scope"] == scope and "requested" not in row["type"]
            ]
            return bool(found)

        _wait_for(is_over)
        return found[0]

    def _until(self, path: str, *, is_there: bool) -> list[Any]:
        keys: list[Any] = []

        def is_so() -> bool:
            keys[:] = self._keys()
            return (path in [key.path for key in keys]) is is_there

        _wait_for(is_so)
        return keys

    def _keys(self) -> list[Any]:
        async def asked() -> list[Any]:
            service = Service(SERVER, self.rtmp.stat_url, timeout_s=DEADLINE_S)
            provider = NginxRtmp(service, f"rtmp://{HOST}:{self.rtmp.port}", SystemClock())
            try:
                return list(await provider.snapshot())
            finally:
                await provider.close()

        return asyncio.run(asked())


def decided(stream: DecidedStream, act: str, **changes: Any) -> DecisionData:
    """Make a decision of a person, now; `changes` make it another."""
    now = utc_text(time.time())
    fields: dict[str, Any] = {
        "decision_id": str(uuid4()),
        "case_id": str(uuid5(ID_NAMESPACE, stream.session_id)),
        "stream": stream.model_dump(),
        "policy": {"code": "TVEC-ATTACK-FOOTAGE", "severity": "P0"},
        "outcome": "confirmed",
        "reason_code": "TVEC.ATTACK_LIVE",
        "action": act,
        "scopes": ["live"],
        "decided_at": now,
        "actor": "r-1",
        "reviewer": {"role": "senior", "is_second": False, "claimed_at": now, "lease_token": 1},
        "automation": {"detection_automated": True, "decision": "PARTIALLY"},
    }
    return DecisionData.model_validate(fields | changes)


def _wait_for(claim: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not claim():
        if time.monotonic() > deadline_s:
            raise TimeoutError
        time.sleep(0.05)
