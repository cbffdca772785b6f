"""Accounts of this machine: who may sign in, and as what.

Rule: a password is kept as its argon2id hash alone; whoever guesses is slowed down by account and
by address, and cannot tell an unknown name from a wrong password.
"""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import BoundedSemaphore
from typing import Any, get_args

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from streamguard.core.decision_data import Role
from streamguard.core.errors import AccountRefused, SignInRefused, TooManyTries
from streamguard.core.people import Person
from streamguard.review.desk_file import DeskFile
from streamguard.review.passwords import MAX_PASSWORD, require_good
from streamguard.review.tries import Tries

AT_ONCE, MAX_WAITING = 2, 8
"""So many passwords are looked at at once, at 64 MiB each, and so many wait for that: strangers may
ask for more than this machine and its threads can bear."""

_NAME = re.compile(r"[A-Za-z0-9@._+-]{1,64}")
_BIND = "INSERT INTO oidc_subjects VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_BOUND = "SELECT issuer, subject FROM oidc_subjects WHERE account_id = ?"
_COLUMNS = "SELECT account_id, name, role, clearance, is_active, password_hash FROM accounts"


@dataclass(frozen=True, slots=True)
class Account:
    """One account.

    name: what somebody signs in with; it goes into no event and no audit.
    """

    account_id: str
    name: str
    role: Role
    clearance: frozenset[str]
    is_active: bool

    @property
    def person(self) -> Person:
        """Give what may be done with it."""
        return Person(self.account_id, self.role, self.clearance)


class Accounts:
    """The accounts of one file."""

    def __init__(
        self, file: DeskFile, wall: Callable[[], float], hasher: PasswordHasher | None = None
    ) -> None:
        """hasher: argon2id with the library's parameters, those of RFC 9106 for little memory."""
        self._file = file
        self._wall = wall
        self._hasher = hasher or PasswordHasher()
        self.tries = Tries(file, wall)
        self._waiting = BoundedSemaphore(MAX_WAITING)
        self._looking = BoundedSemaphore(AT_ONCE)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))

    def add(self, name: str, role: str, clearance: frozenset[str], password: str | None) -> Account:
        """Make an account; without a password it is signed in elsewhere.

        Raises:
            AccountRefused: the name is taken, or something does not do.
        """
        if not _NAME.fullmatch(name):
            raise AccountRefused("a name has 1 to 64 letters, digits or @ . _ + -")
        account = Account(f"r-{secrets.token_hex(6)}", name, _role(role), clearance, is_active=True)
        hashed = self._hashed(name, password) if password is not None else None
        with self._file.transaction() as connection:
            if connection.execute("SELECT 1 FROM accounts WHERE name = ?", (name,)).fetchall():
                raise AccountRefused("there is an account of this name")
            of = (account.account_id, name, role, json.dumps(sorted(clearance)), hashed)
            connection.execute(
                "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, 1, ?)", (*of, self._wall())
            )
        return account

    def change(
        self,
        account_id: str,
        *,
        role: str | None = None,
        clearance: frozenset[str] | None = None,
        is_active: bool | None = None,
        password: str | None = None,
        forgets_provider: bool = False,
    ) -> Account:
        """Change what is given; whoever is signed in with it has to sign in again.

        forgets_provider: whoever comes next by this name from the provider is whom it is for.

        Raises:
            AccountRefused: there is none, or something does not do.
        """
        account = self.get(account_id)
        if account is None:
            raise AccountRefused("there is no such account")
        hashed = self._hashed(account.name, password) if password is not None else None
        cleared = account.clearance if clearance is None else clearance
        changed = Account(
            account_id,
            account.name,
            account.role if role is None else _role(role),
            cleared,
            account.is_active if is_active is None else is_active,
        )
        with self._file.transaction() as connection:
            if _administers(account) and not _administers(changed) and self._is_last(account):
                raise AccountRefused("it is the last administrator: make another one first")
            connection.execute(
                "UPDATE accounts SET role = ?, clearance = ?, is_active = ?,"
                " password_hash = ifnull(?, password_hash) WHERE account_id = ?",
                (changed.role, json.dumps(sorted(cleared)), changed.is_active, hashed, account_id),
            )
            connection.execute("DELETE FROM web_sessions WHERE account_id = ?", (account_id,))
            if hashed is not None:
                connection.execute("DELETE FROM known_browsers WHERE account_id = ?", (account_id,))
            if forgets_provider:
                connection.execute("DELETE FROM oidc_subjects WHERE account_id = ?", (account_id,))
        return changed

    def change_own(
        self, account: Account, current: str, new: str, address: str, browser: str = ""
    ) -> None:
        """Change one's own password; whoever is signed in with it has to sign in again.

        address: where the try comes from; one with a wrong password counts as when signing in.

        Raises:
            AccountRefused: the current one is wrong, or the new one does not do.
            TooManyTries, SignInRefused: as for `sign_in`.
        """
        if self.sign_in(account.name, current, address, browser) is None:
            raise AccountRefused("the current password is wrong")
        if current == new:
            raise AccountRefused("the new password is the current one")
        self.change(account.account_id, password=new)

    def _is_last(self, account: Account) -> bool:
        """Say whether nobody else administers accounts."""
        return not any(_administers(one) for one in self.all() if one != account)

    def get(self, account_id: str) -> Account | None:
        """Give an account by its id."""
        rows = self._file.rows(f"{_COLUMNS} WHERE account_id = ?", (account_id,))
        return _account_of(rows[0]) if rows else None

    def named(self, name: str) -> Account | None:
        """Give an account by its name."""
        rows = self._file.rows(f"{_COLUMNS} WHERE name = ?", (name,))
        return _account_of(rows[0]) if rows else None

    def all(self) -> list[Account]:
        """Give all accounts, by name."""
        return [_account_of(row) for row in self._file.rows(f"{_COLUMNS} ORDER BY name")]

    def sign_in(self, name: str, password: str, address: str, browser: str = "") -> Account | None:
        """Give the account of a name and password; None where they are wrong.

        address: where the try comes from; browser: the token that it keeps, if any.

        Raises:
            TooManyTries: there were so many that this one is not looked at.
            SignInRefused: so many sign in at this moment that this one has to come again.
        """
        rows = self._file.rows(f"{_COLUMNS} WHERE name = ?", (name,))
        account = _account_of(rows[0]) if rows else None
        kept = rows[0][5] if rows and rows[0][5] else self._nobody
        with self._room():
            taken = self.tries.take(name, address, account.account_id if account else None, browser)
            if taken is None:
                raise TooManyTries("too many wrong tries: wait a quarter of an hour")
            is_right = self._is_right(kept, password[:MAX_PASSWORD])
        if not is_right or len(password) > MAX_PASSWORD:
            return None
        if account is None or not account.is_active or not rows[0][5]:
            return None
        self.tries.forget(taken)
        return account

    def vouched(self, name: str, issuer: str, subject: str) -> Account | None:
        """Give the account of whom a provider vouches for; None where it is not theirs.

        The first who comes by that name is whom the account is for: a name can be changed there,
        and `subject` cannot. Who has a password here signs in by that alone.
        """
        rows = self._file.rows(f"{_COLUMNS} WHERE name = ? AND password_hash IS NULL", (name,))
        account = _account_of(rows[0]) if rows else None
        if account is None or not account.is_active:
            return None
        with self._file.transaction() as connection:
            connection.execute(_BIND, (account.account_id, issuer, subject))
            bound = connection.execute(_BOUND, (account.account_id,)).fetchall()
        return account if bound == [(issuer, subject)] else None

    @contextmanager
    def _room(self) -> Iterator[None]:
        """Let so many wait for their password to be looked at."""
        if not self._waiting.acquire(blocking=False):
            raise SignInRefused("too many sign in at this moment: try again")
        try:
            yield
        finally:
            self._waiting.release()

    def _is_right(self, kept: str, password: str) -> bool:
        try:
            with self._looking:
                return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    def _hashed(self, name: str, password: str) -> str:
        require_good(name, password)
        return self._hasher.hash(password)


def _administers(account: Account) -> bool:
    return account.is_active and account.person.may("edit_accounts")


def _role(text: str) -> Role:
    for role in get_args(Role):
        if role == text:
            known: Role = role
            return known
    raise AccountRefused(f"a role is one of {', '.join(get_args(Role))}")


def _account_of(row: tuple[Any, ...]) -> Account:
    account_id, name, role, clearance, is_active = row[:5]
    return Account(account_id, name, _role(role), frozenset(json.loads(clearance)), bool(is_active))
