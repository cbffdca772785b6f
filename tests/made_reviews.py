"""Decisions, appeals and audit records for tests."""

from typing import Any
from uuid import UUID

from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.audit import Deed, Head, chained
from streamguard.core.audit_data import AuditData
from streamguard.core.coverage_data import GapData, StreamEndedData, StreamStartedData
from streamguard.core.decision_data import DecisionData
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.events import Event, flag_event, stream_ended_event, stream_started_event
from streamguard.core.referral_data import ReferralData
from streamguard.core.sampling import Sampling
from tests.core_fakes import SOURCE

AT = "2026-01-02T03:04:05.000Z"
CASE_ID = "3f0c8a9e-1b2d-4c5e-8f70-a1b2c3d4e5f6"
APPEAL_ID = "7a1d2c3b-4e5f-4a6b-9c8d-0e1f2a3b4c5d"
DECIDED_STREAM = {"stream_id": "lobby", "session_id": "s-1"}
POLICY = {"code": "tvec", "severity": "P1"}
REVIEWER = {"role": "reviewer", "is_second": False, "claimed_at": AT, "lease_token": 7}


def decision_fields(**changes: Any) -> dict[str, Any]:
    """Give the fields of a decision to cut, as JSON values."""
    fields: dict[str, Any] = {
        "decision_id": "d-1",
        "case_id": CASE_ID,
        "flag_ids": ["0b8f3a52-6d5c-4f4c-8f0e-9a4d1c2b3e4f"],
        "stream": DECIDED_STREAM,
        "policy": POLICY,
        "outcome": "confirmed",
        "reason_code": "TVEC.ATTACK_LIVE",
        "action": "cut",
        "scopes": ["live", "recording"],
        "decided_at": AT,
        "actor": "r-1",
        "reviewer": REVIEWER,
        "automation": {"detection_automated": True, "decision": "PARTIALLY"},
    }
    return fields | changes


def decision(**changes: Any) -> DecisionData:
    return DecisionData.model_validate(decision_fields(**changes))


def referral(**changes: Any) -> ReferralData:
    fields = {
        "referral_id": "5c1d2c3b-4e5f-4a6b-9c8d-0e1f2a3b4c5d",
        "case_id": CASE_ID,
        "stream": DECIDED_STREAM,
        "policy": POLICY,
        "told": {"authority": "the police of X", "means": "phone", "told_at": AT},
        "made_at": AT,
        "actor": "r-1",
        "role": "reviewer",
    }
    return ReferralData.model_validate(fields | changes)


def appeal(**changes: Any) -> AppealReceivedData:
    fields = {
        "appeal_id": APPEAL_ID,
        "decision_id": "d-1",
        "case_id": CASE_ID,
        "stream": DECIDED_STREAM,
        "policy": POLICY,
        "received_at": AT,
        "handed_in_by": "platform:main",
        "statement": "it was a game",
    }
    return AppealReceivedData.model_validate(fields | changes)


def resolved(**changes: Any) -> AppealResolvedData:
    fields = {
        "appeal_id": APPEAL_ID,
        "decision_id": "d-1",
        "case_id": CASE_ID,
        "stream": DECIDED_STREAM,
        "policy": POLICY,
        "result": "overturned",
        "reason_code": "CONTEXT.GAMEPLAY",
        "new_decision_id": "d-2",
        "received_at": AT,
        "resolved_at": AT,
        "actor": "r-2",
        "reviewer": REVIEWER,
        "wrongful_ms": 61_000,
    }
    return AppealResolvedData.model_validate(fields | changes)


def audit_records(n_records: int) -> list[AuditData]:
    """Give a chain of so many records."""
    records: list[AuditData] = []
    head = Head()
    for number in range(n_records):
        deed = Deed("r-1", "case.viewed", CASE_ID, details={"number": number})
        records.append(chained(deed, head, AT))
        head = Head(number + 1, records[-1].record_sha256)
    return records


def flag_id(number: int) -> str:
    return str(UUID(int=number, version=4))


def flag(number: int = 0, **changes: Any) -> FlagData:
    """Give a flag of its own id.

    changes: `session`, `stream_id`, `entry`, `severity`, `code`; all else are fields of the flag.
    """
    match = {
        "algorithm": "pdq",
        "distance_bits": 12,
        "max_distance_bits": 31,
        "bank": "shared",
        "entry": changes.pop("entry", "clip"),
        "region": "full",
        "bank_offset_ms": 0,
        "votes": 2,
        "is_certain": True,
    }
    session = changes.pop("session", "s-1")
    fields: dict[str, Any] = {
        "flag_id": flag_id(number),
        "revision": 0,
        "state": "open",
        "stream": {
            "stream_id": changes.pop("stream_id", f"stream of {session}"),
            "session_id": session,
            "epoch": 0,
            "protocol": "rtmp",
        },
        "window": {
            "start_pts_ms": 2_000,
            "end_pts_ms": 4_500,
            "start_time": AT,
            "end_time": AT,
            "n_samples": 2,
        },
        "clock": {"basis": "ingest"},
        "policy": {"code": changes.pop("code", "tvec"), "severity": changes.pop("severity", "P1")},
        "signals": [{"detector": "hash", "match": match}],
        "evidence": {"state": "pending"},
        "latency_ms": {"ingest_to_decision": 41.5},
        "safety": {"human_required": True},
    }
    return FlagData.model_validate(fields | changes)


def flag_opened(data: FlagData, at_s: float = 1_000.0) -> Event:
    return flag_event(SOURCE, "opened", data, time_s=at_s, recorded_s=at_s)


def flag_updated(data: FlagData, at_s: float = 1_000.0) -> Event:
    return flag_event(SOURCE, "updated", data, time_s=at_s, recorded_s=at_s)


def match_signal(points: dict[int, int], **changes: Any) -> dict[str, Any]:
    """Give a match that tells the distances of samples, by their media times in milliseconds."""
    [signal] = flag().model_dump(mode="json", exclude_none=True)["signals"]
    course = {
        "step_ms": 100,
        "sample_pts_ms": [*points],
        "distances_bits": [*points.values()],
    }
    best = {"distance_bits": min(points.values()), "course": course}
    return {"detector": "hash", "match": signal["match"] | best | changes}


def score_signal(points: dict[int, float], **changes: Any) -> dict[str, Any]:
    """Give a model's finding that tells the scores of samples, by their media times."""
    fields = {
        "model": "pack",
        "version": "1",
        "category": "weapon",
        "score": max(points.values()),
        "threshold": 0.8,
        "votes": 2,
        "course": {
            "step_ms": 100,
            "sample_pts_ms": [*points],
            "scores": [*points.values()],
        },
    }
    return {"detector": "classifier", "score": fields | changes}


def gap(number: int, session: str = "s-1") -> GapData:
    """Give the gap of half a second that begins so many seconds into a session."""
    return GapData.model_validate(
        {
            "stream": flag(session=session).stream,
            "reason": "overload",
            "start_pts_ms": number * 1_000,
            "end_pts_ms": number * 1_000 + 500,
            "start_time": AT,
            "end_time": AT,
        }
    )


def stream_started(session: str, at_s: float, stream_id: str = "lobby") -> Event:
    data = StreamStartedData(
        stream=flag(session=session, stream_id=stream_id).stream,
        codec="h264",
        width=16,
        height=16,
        sampling=Sampling.AUTO,
        start_pts_ms=0,
        start_time=utc_text(at_s),
    )
    return stream_started_event(SOURCE, data, recorded_s=at_s)


def stream_ended(session: str, at_s: float = 2_000.0) -> Event:
    data = StreamEndedData(
        stream=flag(session=session).stream,
        reason="source_unavailable",
        n_packets=9,
        n_samples=3,
        n_flags=1,
        screened_ms=2_500,
        gap_ms=0,
        n_dropped=0,
    )
    return stream_ended_event(SOURCE, data, time_s=at_s, recorded_s=at_s)
