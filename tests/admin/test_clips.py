"""A clip by HTTP while it grows: one open-ended response, for who has the token."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from structlog.testing import capture_logs

from streamguard.admin import clips
from streamguard.admin.clips import ACTOR, MAX_ACTOR, MAX_VIEWERS, SILENT_S, Clips
from streamguard.core.kept import Ends, Piece
from streamguard.runtime.stop import Stop
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.vault.made_vaults import STILL, evidence_id, made_vault, part, subject

HEAD, FIRST, SECOND = b"\0\0\0\x08ftyp", b"\0\0\0\x08moof", b"\0\0\0\x09mdat!"
PATH = f"/{evidence_id(1)}/clip"


class Served:
    """A store whose clips are served in this process."""

    def __init__(self, root: Path) -> None:
        self.vault: Vault = made_vault(root)
        self.recordings = Recordings(self.vault)
        self.clock = FakeClock()
        self.stop = Stop()
        made = Clips(self.vault, self.clock, self.stop)
        self.app = Starlette(routes=[Route("/{id}/clip", made.watch)])

    def grow(self, content: bytes, ends: Ends = "") -> None:
        self.recordings.grow(subject(1), Piece(0, 0, 1, content, ends))

    async def get(self, actor: str | None = "anna") -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        headers = {} if actor is None else {ACTOR: actor}
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get(PATH, headers=headers)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator["Watching"]:
        watching = Watching(self.app)
        task = asyncio.create_task(watching.run())
        try:
            yield watching
        finally:
            watching.gone.set()
            await task


class Watching:
    """One who looks on, to whom bytes come as they are sent."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.gone = asyncio.Event()
        self.status = 0
        self.content = b""
        self.is_over = False

    async def run(self) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": PATH,
            "query_string": b"",
            "headers": [(ACTOR.lower().encode(), b"anna")],
            "http_version": "1.1",
            "scheme": "http",
            "server": ("here", 80),
        }
        await self._app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, object]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            self.status = int(str(message["status"]))
            return
        content = message.get("body", b"")
        assert isinstance(content, bytes)
        self.content += content
        self.is_over = not message.get("more_body")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    async def make() -> Served:
        return Served(tmp_path / "evidence")

    made = asyncio.run(make())
    yield made
    made.recordings.close()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait until something is so, as long as it takes on a busy machine."""
    async with asyncio.timeout(30):
        while not is_so():  # noqa: ASYNC110  # threads and files set no event
            await asyncio.sleep(0.01)


def test_it_goes_on_as_the_clip_grows_and_ends_with_it(served: Served) -> None:
    async def test() -> None:
        served.grow(HEAD + FIRST)
        async with served.watching() as watching:
            await until(lambda: watching.content == HEAD + FIRST)
            assert not watching.is_over
            served.grow(SECOND)
            await until(lambda: watching.content == HEAD + FIRST + SECOND)
            served.grow(b"", "clip")
            await until(lambda: watching.is_over)

        assert watching.status == 200

    asyncio.run(test())


def test_a_clip_that_is_complete_is_sent_and_kept_by_nobody(served: Served) -> None:
    served.grow(HEAD + FIRST, "clip")

    answer = asyncio.run(served.get())

    assert (answer.status_code, answer.content) == (200, HEAD + FIRST)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["cache-control"] == "no-store"
    assert "content-length" not in answer.headers
    assert [entry.action for entry in served.vault.entries()] == ["collect", "collect", "view"]


@pytest.mark.parametrize(
    "said", [None, "", "  ", "%20", "a%0Ab", "%E2%80%A8", "x" * (MAX_ACTOR + 1)]
)
def test_nobody_looks_without_a_name(served: Served, said: str | None) -> None:
    served.grow(HEAD, "clip")

    answer = asyncio.run(served.get(said))

    assert (answer.status_code, "say who looks" in answer.text) == (400, True)
    assert "view" not in [entry.action for entry in served.vault.entries()]


@pytest.mark.parametrize(
    ("said", "name"),
    [("anna", "anna"), ("%C5%81ucja%20K.", "Łucja K."), ("x" * MAX_ACTOR, "x" * MAX_ACTOR)],
)
def test_the_person_who_looks_is_on_record(served: Served, said: str, name: str) -> None:
    served.grow(HEAD, "clip")

    answer = asyncio.run(served.get(said))

    assert answer.status_code == 200
    [look] = [entry for entry in served.vault.entries() if entry.action == "view"]
    assert (look.actor, "admin API" in look.purpose) == (name, True)


@contextmanager
def ended(served: Served, how: str) -> Iterator[None]:
    """Let a response end that nothing comes for any more."""
    yield
    if how == "stop":
        served.stop.set()
    else:
        served.clock.advance(SILENT_S + 1)


@pytest.mark.parametrize("how", ["stop", "silence"])
def test_nothing_waits_for_ever(served: Served, how: str) -> None:
    async def test() -> None:
        served.grow(HEAD)
        async with served.watching() as watching:
            with ended(served, how):
                await until(lambda: watching.content == HEAD)
            await until(lambda: watching.is_over)

    asyncio.run(test())


def test_so_many_may_look_on_and_one_more_when_one_has_left(served: Served) -> None:
    async def test() -> None:
        served.grow(HEAD)
        async with served.watching() as first:
            others = [Watching(served.app) for _ in range(MAX_VIEWERS - 1)]
            tasks = [asyncio.create_task(other.run()) for other in others]
            await until(lambda: all(each.content == HEAD for each in (first, *others)))

            refused = await served.get()
            others[0].gone.set()
            await tasks[0]
            served.grow(b"", "clip")
            taken = await served.get()
            await asyncio.gather(*tasks)

        assert (refused.status_code, taken.status_code) == (503, 200)

    asyncio.run(test())


def test_whoever_asks_before_the_first_byte_is_there_has_it_when_it_is(served: Served) -> None:
    async def test() -> None:
        async with served.watching() as watching:
            await asyncio.sleep(0)
            served.grow(HEAD, "clip")
            await until(lambda: watching.is_over)

        assert (watching.status, watching.content) == (200, HEAD)

    asyncio.run(test())


def test_what_there_is_no_clip_of_is_not_found(served: Served) -> None:
    unknown = asyncio.run(served.get())
    served.vault.keep(subject(1), (part("still", STILL),))
    without = asyncio.run(served.get())

    assert (unknown.status_code, without.status_code) == (404, 404)
    assert "no clip" in without.json()["problem"]


def test_where_what_is_kept_is_damaged_the_response_breaks_off(served: Served) -> None:
    async def test() -> None:
        served.grow(HEAD)
        [path] = served.vault.folder.growing_files()
        async with served.watching() as watching:
            await until(lambda: watching.content == HEAD)
            with path.open("ab") as file:
                file.write(b"\x40\0\0\0" + bytes(64))
            await until(lambda: watching.gone.is_set() or bool(lines))
            assert not watching.is_over

    with capture_logs() as lines, pytest.raises(ConnectionAbortedError):
        asyncio.run(test())

    assert [line["event"] for line in lines] == ["clip_not_served"]


def test_who_waits_for_a_clip_to_begin_is_counted_as_well(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "LOOK_EVERY_S", 0.01)

    async def test() -> list[int]:
        answers = await asyncio.gather(*(served.get() for _ in range(MAX_VIEWERS + 1)))
        return sorted(answer.status_code for answer in answers)

    assert asyncio.run(test()) == [404] * MAX_VIEWERS + [503]
    assert asyncio.run(served.get()).status_code == 404


def test_whoever_leaves_before_the_first_byte_leaves_nothing_open(served: Served) -> None:
    served.grow(HEAD + FIRST)
    n_before = n_open(served.vault.folder.root)

    class Leaving(Watching):
        async def _send(self, message: dict[str, object]) -> None:
            """Take nothing, and go."""
            self.gone.set()
            await asyncio.Event().wait()

    async def test() -> None:
        for _ in range(MAX_VIEWERS + 1):
            await Leaving(served.app).run()
        assert n_open(served.vault.folder.root) == n_before
        async with served.watching() as watching:
            await until(lambda: watching.content == HEAD + FIRST)

    asyncio.run(test())


def n_open(directory: Path) -> int:
    """Count the files below a directory that this process has open."""
    links = [each.readlink() for each in Path("/proc/self/fd").iterdir() if each.is_symlink()]
    return sum(link.is_relative_to(directory) for link in links)
