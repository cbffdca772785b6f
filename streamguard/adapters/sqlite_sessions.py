"""The log's two tables of what is not over: the accounts of sessions, and the flags still open.

Rule: they change in the transaction of the events that they follow from, so that whoever goes on
after a crash goes on from the truth.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import apsw
import msgspec

from streamguard.core.account import Account
from streamguard.core.events import EventType
from streamguard.core.record import Row
from streamguard.core.settling import Kept, OpenFlag

SESSIONS = "SELECT boot_id, account FROM sessions ORDER BY stream_id"
OPEN_FLAGS = "SELECT body FROM open_flags ORDER BY flag_id"
_KEEP = """
INSERT INTO sessions (stream_id, session_id, boot_id, account) VALUES (?, ?, ?, ?)
ON CONFLICT (stream_id) DO UPDATE SET
    session_id = excluded.session_id, boot_id = excluded.boot_id, account = excluded.account
"""
_END = "DELETE FROM sessions WHERE stream_id = ? AND session_id = ?"
_OPEN = """
INSERT INTO open_flags (flag_id, body) VALUES (?, ?)
ON CONFLICT (flag_id) DO UPDATE SET body = excluded.body
"""
_CLOSE = "DELETE FROM open_flags WHERE flag_id = ?"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Account)


def keep_sessions(
    connection: apsw.Connection, rows: Sequence[Row], accounts: Sequence[Account]
) -> None:
    """Take note of what began, went on and ended; within the caller's transaction."""
    kept = [(a.stream_id, a.session_id, boot_id(), _encoder.encode(a)) for a in accounts]
    connection.executemany(_KEEP, kept)
    for row in rows:
        match row.type:
            case EventType.FLAG_OPENED | EventType.FLAG_UPDATED:
                connection.execute(_OPEN, (_data(row)["flag_id"], row.body))
            case EventType.FLAG_CLOSED:
                connection.execute(_CLOSE, (_data(row)["flag_id"],))
            case EventType.STREAM_ENDED:
                connection.execute(_END, (row.key, _data(row)["stream"]["session_id"]))


def kept_of(boot: str, account: bytes) -> Kept:
    """Read one row of SESSIONS; instants of another boot of the machine are not its own."""
    return Kept(_decoder.decode(account), is_same_boot=boot == boot_id())


def flag_of(body: str) -> OpenFlag:
    """Read one row of OPEN_FLAGS."""
    return OpenFlag(body)


@cache
def boot_id() -> str:
    """Name this boot of the machine: its monotonic clock begins anew with the next one."""
    return _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""


def _data(row: Row) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(row.body)["data"]
    return data
