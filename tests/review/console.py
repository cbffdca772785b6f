"""A console behind its API, and people who are signed in there."""

import asyncio

import httpx
from argon2 import PasswordHasher
from starlette.applications import Starlette

from streamguard.review.accounts import Account, Accounts
from streamguard.review.service import Review, make_review
from streamguard.review.web import make_app
from streamguard.vault.vault import Vault
from tests.review.bench import Bench

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "correct horse battery"  # noqa: S105  # of nobody


TOKEN = "the token of the platform"  # noqa: S105  # of nobody


class _Within(httpx.BaseTransport):
    """Brings requests to an application in this process."""

    def __init__(self, app: Starlette) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class Console:
    """The API of one console."""

    def __init__(self, bench: Bench, vault: Vault | None = None, *, budget_s: float = 0.0) -> None:
        self.bench = bench
        accounts = Accounts(bench.file, bench.clock.wall, CHEAP)
        self.review: Review = make_review(bench.desk, vault, accounts, budget_s=budget_s)
        self.app = make_app(
            self.review,
            is_secure=False,
            monotonic=bench.clock.monotonic,
            is_platform=lambda header: header == f"Bearer {TOKEN}",
        )

    def account(self, role: str, name: str = "", *clearance: str) -> Account:
        """Make an account that is cleared for all, unless something else is said."""
        cleared = frozenset(clearance or ("*",))
        return self.review.accounts.add(name or role, role, cleared, PASSWORD)

    def stranger(self) -> httpx.Client:
        """Give a browser in which nobody is signed in."""
        return httpx.Client(transport=_Within(self.app), base_url="http://console.test")

    def signed_in(self, name: str) -> httpx.Client:
        """Give a browser in which somebody is signed in."""
        client = self.stranger()
        answer = client.post("/api/v1/sign-in", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["x-csrf-token"] = answer.json()["csrf"]
        return client
