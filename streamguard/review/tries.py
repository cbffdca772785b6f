"""How often somebody may try to sign in.

Rule: a try counts before it is looked at, so that many at once are no more than one after another.
Strangers who guess lock nobody out: a browser in which somebody has signed in before has tries of
its own, whatever others do under the same name or from the same address. No name is kept as it was
typed: some type their password there.

Source: OWASP, "Slow Down Online Guessing Attacks with Device Cookies".
"""

import hashlib
import secrets
from collections.abc import Callable
from typing import Any

from streamguard.review.desk_file import DeskFile

WINDOW_S = 900.0
"""How long a wrong try counts, seconds."""

MAX_TRIES = 5
"""So many of one browser, or of one name from one address, within the window; then it waits for the
rest of it (our choice)."""

MAX_OF_NAME = MAX_FROM = 50
"""So many of one name from wherever, and from one address for whatever name: more, for a whole
shift may sit behind one."""

KNOWN_S = 30 * 86_400.0
"""How long a browser is known after somebody signed in there."""

_COUNT = "SELECT count(*) FROM failures WHERE who = ?"
_PUT = "INSERT INTO failures VALUES (?, ?) RETURNING rowid"
_IS_KNOWN = """
SELECT 1 FROM known_browsers WHERE token_sha256 = ? AND account_id = ? AND made_s > ?
"""


class Tries:
    """The tries of one file."""

    def __init__(self, file: DeskFile, wall: Callable[[], float]) -> None:
        """wall: tells the time, seconds since 1970 UTC."""
        self._file = file
        self._wall = wall

    def take(
        self, name: str, address: str, account_id: str | None, browser: str
    ) -> tuple[int, ...] | None:
        """Count a try; give what `forget` takes, None where there were too many.

        account_id: of that name, where there is one; browser: the token that it keeps, if any.
        """
        now_s = self._wall()
        limits = {f"{name} from {address}": MAX_TRIES}
        limits |= {f"name {name}": MAX_OF_NAME, f"from {address}": MAX_FROM}
        if account_id and self.is_known(account_id, browser):
            limits = {f"browser {browser}": MAX_TRIES}
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM failures WHERE at_s <= ?", (now_s - WINDOW_S,))
            for who, limit in limits.items():
                if connection.execute(_COUNT, (_hash(who).hex(),)).get >= limit:
                    return None
            put = [(_hash(who).hex(), now_s) for who in limits]
            return tuple(connection.execute(_PUT, one).get for one in put)

    def forget(self, taken: tuple[int, ...]) -> None:
        """Forget a try that was right, and what was wrong before it in the same place."""
        with self._file.transaction() as connection:
            first: list[Any] = connection.execute(
                "SELECT who FROM failures WHERE rowid = ?", (taken[0],)
            ).fetchall()
            connection.executemany("DELETE FROM failures WHERE rowid = ?", [(n,) for n in taken])
            connection.executemany("DELETE FROM failures WHERE who = ?", first)

    def is_known(self, account_id: str, browser: str) -> bool:
        """Say whether somebody has signed in with an account in a browser before."""
        values = (_hash(browser), account_id, self._wall() - KNOWN_S)
        return bool(browser and self._file.rows(_IS_KNOWN, values))

    def know(self, account_id: str) -> str:
        """Give a token by which a browser is known from now on."""
        token, now_s = secrets.token_urlsafe(32), self._wall()
        with self._file.transaction() as connection:
            connection.execute("DELETE FROM known_browsers WHERE made_s <= ?", (now_s - KNOWN_S,))
            values = (_hash(token), account_id, now_s)
            connection.execute("INSERT INTO known_browsers VALUES (?, ?, ?)", values)
        return token


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
