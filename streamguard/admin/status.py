"""What the admin API says of streams and workers.

Rule: no URL, key or hash is in it.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from streamguard.core.schedule import Risk
from streamguard.core.suspicion import Hold
from streamguard.ingest.registry import Wanted
from streamguard.runtime.board import StreamBeat
from streamguard.runtime.member import Member


def stream_rows(
    wanted: Mapping[str, Wanted],
    members: Iterable[Member],
    risk_of: Callable[[str], Risk],
    held: Mapping[str, Hold],
    now_s: float,
) -> list[dict[str, Any]]:
    """Say of each stream that is to be screened where it stands, in the order of ids."""
    workers: dict[str, int] = {}
    beats: dict[str, StreamBeat] = {}
    for member in members:
        workers |= dict.fromkeys(member.streams, member.number)
        beats |= member.beats()
    return [
        _row(
            wanted[stream_id],
            workers.get(stream_id),
            beats.get(stream_id) or StreamBeat(stream_id, "connecting"),
            risk_of(stream_id),
            now_s,
        )
        | _held_row(held.get(stream_id), now_s)
        for stream_id in sorted(wanted)
    ]


def worker_rows(members: Iterable[Member]) -> list[dict[str, Any]]:
    """Say how each worker does."""
    return [
        {
            "worker": member.number,
            "pid": member.process.pid,
            "phase": member.phase,
            "n_streams": len(member.streams),
            "rss_bytes": member.beat.rss_bytes if member.beat else 0,
            "n_threads": member.beat.n_threads if member.beat else 0,
            "n_fds": member.beat.n_fds if member.beat else 0,
            "queue_age_s": round(member.beat.queue_age_s, 3) if member.beat else 0.0,
            "problem": member.beat.problem if member.beat else "",
        }
        for member in members
    ]


def _row(
    wanted: Wanted, worker: int | None, beat: StreamBeat, risk: Risk, now_s: float
) -> dict[str, Any]:
    sent_us = beat.screened_us + beat.gap_us
    read_s = beat.read_until_s
    return {
        "id": beat.stream_id,
        "state": beat.state if worker is not None else "waiting",
        "worker": worker,
        "is_discovered": wanted.is_discovered,
        "n_viewers": wanted.n_viewers,
        "session_id": beat.session_id,
        "epoch": beat.epoch,
        "protocol": wanted.stream.location.protocol,
        "codec": beat.codec,
        "width": beat.width,
        "height": beat.height,
        "sampling": wanted.stream.sampling,
        "is_dense": beat.is_dense,
        "is_pinned": risk.is_pinned,
        "is_reported": now_s < risk.reported_until_s,
        "lag_s": round(beat.lag_s, 3),
        "drift_s": round(beat.drift_s, 3),
        "silent_s": None if read_s is None else round(max(0.0, now_s - read_s), 3),
        "coverage": round(beat.screened_us / sent_us, 6) if sent_us else None,
        "screened_s": round(beat.screened_us / 1e6, 3),
        "gap_s": round(beat.gap_us / 1e6, 3),
        "n_packets": beat.n_packets,
        "n_frames": beat.n_frames,
        "n_flags": beat.n_flags,
        "last_error": beat.problem,
    }


def _held_row(hold: Hold | None, now_s: float) -> dict[str, Any]:
    """Say what is different where a stream is held back."""
    if hold is None:
        return {"quarantined_s": None}
    return {
        "state": "quarantined",
        "quarantined_s": round(hold.until_s - now_s, 3),
        "last_error": f"{hold.n_deaths} workers died with it in hand",
    }
