"""Debian's Chromium without a window, driven by Playwright, as a reviewer's browser.

Rule: it is a process of its own with a profile of its own, and is gone at the end of the `with`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from loadtest.programs import ProgramUnavailable, find

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Chromium
    from playwright.sync_api import Page

OPTIONS = ("--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu")
"""A container's root has no sandbox; machines of tests have no GPU."""

PLAY = """
([url, seconds, patience_ms]) => new Promise((resolve) => {
  const video = document.createElement('video');
  const told = { error: '', playing_ms: null, first_s: null, played_s: 0, length_s: null };
  const end = () => { video.removeAttribute('src'); video.load(); video.remove(); resolve(told); };
  const late = setTimeout(() => { told.error = told.error || 'late'; end(); }, patience_ms);
  video.muted = video.autoplay = true;
  video.onerror = () => {
    told.error = video.error ? video.error.message || `code ${video.error.code}` : 'unknown';
    clearTimeout(late); end();
  };
  video.onplaying = () => { video.requestVideoFrameCallback(() => {
    if (told.playing_ms !== null) return;
    told.playing_ms = performance.timeOrigin + performance.now();
    told.first_s = video.currentTime;
  }); };
  video.ontimeupdate = () => {
    if (told.playing_ms === null) return;
    told.played_s = video.currentTime - told.first_s;
    told.length_s = Number.isFinite(video.duration) ? video.duration : null;
    if (told.played_s >= seconds) { clearTimeout(late); end(); }
  };
  document.body.append(video);
  video.src = url;
})
"""
"""Play a video until so many seconds of it were shown; tell when its first frame was."""


@dataclass(frozen=True, slots=True)
class Played:
    """How a video was played.

    error:     what the browser says; "" where it played.
    started_s: when its first frame was shown, seconds since 1970 UTC; None where none was.
    played_s:  how far it went on from there, media time.
    """

    error: str
    started_s: float | None
    played_s: float


class Browser:
    """One page of a browser, which was told what to send."""

    def __init__(self, page: "Page") -> None:
        self._page = page

    def play(self, url: str, seconds: float, patience_s: float) -> Played:
        """Play a video until so much of it was shown, or for as long as allowed."""
        told: dict[str, Any] = self._page.evaluate(PLAY, [url, seconds, patience_s * 1000])
        playing_ms = told["playing_ms"]
        started_s = None if playing_ms is None else playing_ms / 1000
        return Played(told["error"], started_s, told["played_s"])


@contextmanager
def chromium() -> Iterator["Chromium"]:
    """Start a browser without a window.

    Raises:
        ProgramUnavailable: there is no Chromium, or no Playwright.
    """
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  # of few load tests
    except ImportError:
        raise ProgramUnavailable("Playwright is missing: install streamguard[test]") from None
    program = find("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*OPTIONS])
        try:
            yield started
        finally:
            started.close()


@contextmanager
def browser(headers: dict[str, str], home: str) -> Iterator[Browser]:
    """Open one; all that it asks for carries the headers: the token, and who looks.

    home: a page of the server whose videos are played, even one that says that there is none: from
        nowhere a browser lets nobody ask a server on loopback.

    Raises:
        ProgramUnavailable: there is no Chromium, or no Playwright.
    """
    with chromium() as started:
        page = started.new_context(extra_http_headers=headers).new_page()
        page.goto(home)
        yield Browser(page)
