"""A console that is served on loopback, evidence of made footage, and people with browsers.

Rule: whoever uses it waits for what the page shows, never for a time.
"""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from streamguard.adapters.evidence_maker import EvidenceMaker
from streamguard.core.choosing import Rules
from streamguard.core.decision_data import DecisionData
from streamguard.core.events import Event, Topic
from streamguard.core.kept import Part, Subject
from streamguard.review.accounts import Account, Accounts
from streamguard.review.service import make_review
from streamguard.review.web import make_app
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.made_reviews import flag_id
from tests.media import Recipe, image, packets, video, write_faststart_mp4
from tests.review.bench import Bench
from tests.review.console import CHEAP, PASSWORD
from tests.vault.made_vaults import made_vault

PATIENCE_MS = 30_000


class Site:
    """One console and its surroundings."""

    def __init__(self, folder: Path, browser: Browser, *, budget_s: float = 0.0) -> None:
        self.bench = Bench(folder, Rules(check_share=0.0))
        self.folder = folder
        self.browser = browser
        self.vault: Vault = made_vault(folder / "evidence", self.bench.clock)
        self.accounts = Accounts(self.bench.file, self.bench.clock.wall, CHEAP)
        self.bank = folder / "own"
        self.review = make_review(
            self.bench.desk, self.vault, self.accounts, budget_s=budget_s, banks={"own": self.bank}
        )
        self.url = ""
        self.n_followed: Callable[[], int] = lambda: 0
        """How many pages are told what is new."""

    @classmethod
    @contextmanager
    def serving(cls, folder: Path, browser: Browser, *, budget_s: float = 0.0) -> Iterator["Site"]:
        site = cls(folder, browser, budget_s=budget_s)
        listening = socket.create_server(("127.0.0.1", 0))
        app = make_app(site.review, is_secure=False, monotonic=time.monotonic)
        followers = app.state.board.followers
        site.n_followed = lambda: sum(followers.values())
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        site.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            yield site
        finally:
            for context in browser.contexts:
                context.close()
            server.should_exit = True
            thread.join(30)
            listening.close()
            site.bench.close()

    def account(self, name: str, role: str = "reviewer", *clearance: str) -> Account:
        return self.accounts.add(name, role, frozenset(clearance or ("*",)), PASSWORD)

    def page(self, timezone: str | None = None) -> Page:
        """Open a browser in which nobody is signed in."""
        return opened(self.browser, self.url, timezone)

    def signed_in(self, name: str, timezone: str | None = None) -> Page:
        """Sign somebody in, by keyboard."""
        return sign_in(self.page(timezone), name)

    def tell(self, *events: Event) -> None:
        self.bench.tell(*events)

    def keep_evidence(self, number: int) -> None:
        """Keep a still and a clip of a flag: 10 s of a made picture and a tone."""
        path = self.folder / f"{number}.mp4"
        write_faststart_mp4(path, Recipe(n_frames=250, audio_s=10))
        still = image("mjpeg")
        parts = (
            Part("clip", "video/mp4", 0, 10_000, is_original=True, content=path.read_bytes()),
            Part("still", "image/jpeg", 2_000, 2_000, is_original=False, content=still),
        )
        self.vault.keep(Subject(flag_id(number), "a stream", f"s-{number}"), parts)

    @contextmanager
    def growing_evidence(self, number: int) -> Iterator[None]:
        """Keep a still of a flag, and let its clip begin, of which there are 8 s; it goes on."""
        codec, found = packets(video("mpegts", Recipe(n_frames=200)))
        subject = Subject(flag_id(number), "a stream", f"s-{number}")
        still = Part("still", "image/jpeg", 2_000, 2_000, is_original=False, content=image("mjpeg"))
        self.vault.keep(subject, (still,))
        with closing(Recordings(self.vault)) as recordings:
            EvidenceMaker(recordings, FakeClock()).clip(subject, codec).add(found)
            yield

    def decisions(self) -> list[DecisionData]:
        records = self.bench.log.read(1, Topic.DECISIONS)
        found = (Event.model_validate_json(one.body).data for one in records)
        return [one for one in found if isinstance(one, DecisionData)]


@contextmanager
def browsing(program: Path) -> Iterator[Browser]:
    """Start a browser without a window; while it runs, no other event loop can in this thread."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


def opened(browser: Browser, url: str, timezone: str | None = None) -> Page:
    """Open a browser for a console, in which nobody is signed in."""
    page = browser.new_context(base_url=url, timezone_id=timezone).new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


def sign_in(page: Page, name: str) -> Page:
    """Sign somebody in, by keyboard."""
    page.goto("/sign-in")
    ready(page, "Sign in")
    expect(page.locator("input[autofocus]")).to_be_focused()  # a frame after it was loaded
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    ready(page, "Queue")
    return page


def ready(page: Page, heading: str) -> None:
    """Wait for a page, and for its keys."""
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    page.locator("body[data-ready]").wait_for()
