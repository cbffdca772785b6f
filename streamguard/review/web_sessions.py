"""Who is signed in at a browser.

Rule: of a session's token only the hash is kept; a session ends by itself after some idle time and
at the latest after a shift, and with every change of its account.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from streamguard.review.accounts import Account, Accounts
from streamguard.review.desk_file import DeskFile

IDLE_S = 1_800.0
"""Without a request for so long, somebody has gone. Source: OWASP ASVS 5.0, 7.3.1, asks for a limit
that is written down; half an hour is what NIST SP 800-63B-4 names for AAL2, less than its hour."""

SHIFT_S = 43_200.0
"""So long at most. Source: NIST SP 800-63B, 4.2.3: 12 hours at AAL2."""

HEARD_S = 90.0
"""Who was heard of within so long is there: it is six renewals of a lease, and three times what may
pass until an open page is noted (our choice). A session goes on for longer."""

NOTED_S = 30.0
"""How often it is written down that somebody was heard of: a third of that."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """One browser that is signed in.

    csrf: what requests that change something must bring along.
    """

    account: Account
    csrf: str


class WebSessions:
    """The sessions of one file."""

    def __init__(self, file: DeskFile, accounts: Accounts, wall: Callable[[], float]) -> None:
        self._file = file
        self._accounts = accounts
        self._wall = wall

    def begin(self, account: Account) -> tuple[str, str]:
        """Begin a session; give its token and what its requests must bring along."""
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        now_s = self._wall()
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM web_sessions WHERE made_s < ?", (now_s - SHIFT_S,))
            values = (_hash(token), account.account_id, csrf, now_s, now_s, now_s)
            connection.execute("INSERT INTO web_sessions VALUES (?, ?, ?, ?, ?, ?)", values)
        return token, csrf

    def find(self, token: str) -> WebSession | None:
        """Give the session of a token, which then goes on; None where it is over, or never was."""
        now_s = self._wall()
        rows = self._file.rows(
            "SELECT account_id, csrf, seen_s FROM web_sessions"
            " WHERE token_sha256 = ? AND made_s > ? AND seen_s > ?",
            (_hash(token), now_s - SHIFT_S, now_s - IDLE_S),
        )
        account = self._accounts.get(rows[0][0]) if rows else None
        if account is None or not account.is_active:
            return None
        if now_s - rows[0][2] > NOTED_S:
            with self._file.transaction() as connection:
                connection.execute(
                    "UPDATE web_sessions SET seen_s = ?1, heard_s = ?1 WHERE token_sha256 = ?2",
                    (now_s, _hash(token)),
                )
        return WebSession(account, rows[0][1])

    def is_open(self, token: str) -> bool:
        """Say whether a session would be found now, without letting it go on for that."""
        now_s = self._wall()
        return bool(
            self._file.rows(
                "SELECT 1 FROM web_sessions WHERE token_sha256 = ? AND made_s > ? AND seen_s > ?",
                (_hash(token), now_s - SHIFT_S, now_s - IDLE_S),
            )
        )

    def hear(self, token: str) -> None:
        """Note that a page of a session is still open; the session does not go on for that."""
        now_s, of = self._wall(), _hash(token)
        late = "SELECT 1 FROM web_sessions WHERE token_sha256 = ? AND heard_s < ?"
        if self._file.rows(late, (of, now_s - NOTED_S)):
            with self._file.transaction() as connection:
                connection.execute(
                    "UPDATE web_sessions SET heard_s = ? WHERE token_sha256 = ?", (now_s, of)
                )

    def end(self, token: str) -> None:
        """End a session."""
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM web_sessions WHERE token_sha256 = ?", (_hash(token),))

    def present(self) -> list[str]:
        """Give the accounts that are signed in and were heard of lately."""
        now_s = self._wall()
        rows = self._file.rows(
            "SELECT DISTINCT account_id FROM web_sessions"
            " WHERE heard_s > ? AND seen_s > ? AND made_s > ?",
            (now_s - HEARD_S, now_s - IDLE_S, now_s - SHIFT_S),
        )
        return [account_id for (account_id,) in rows]


def is_same(one: str, other: str) -> bool:
    """Compare secrets in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
