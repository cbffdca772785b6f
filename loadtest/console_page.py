"""The browser of a reviewer: what its page shows, and when, told by the page's own clock.

Rule: an instant is that of the page, milliseconds since 1970 UTC: when the document had changed, a
picture was decoded and a frame later, or a first frame of video was shown.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from loadtest.browser import chromium
from loadtest.console_stage import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_MS = 30_000

WATCH = """
(() => {
  const wanted = new RegExp(PATTERN, 'g');
  const rows = window.rowsSeen = {};
  addEventListener('keydown', ({ key }) => {
    if (key === 'n') sessionStorage.setItem('asked', Date.now());
  }, true);
  const isNew = (one) => !one.dataset.seen && (one.dataset.seen = 'yes');
  const note = (what) => requestAnimationFrame(() => {
    document.documentElement.dataset[what] ??= Date.now() - Number(sessionStorage.getItem('asked'));
  });
  new MutationObserver(() => {
    const now = Date.now();
    const text = document.getElementById('rows')?.textContent ?? '';
    for (const [found] of text.matchAll(wanted)) rows[found] ??= now;
    for (const one of document.querySelectorAll('#stage img')) {
      if (isNew(one)) one.decode().then(() => note('tookStill'));
    }
    for (const one of document.querySelectorAll('#stage video')) {
      if (isNew(one)) one.requestVideoFrameCallback(() => note('tookClip'));
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
})();
"""
"""Of every page: note when rows came, and how long after a case was asked for its still and its
clip were there. The page's policy lets nobody ask it by a text of script later."""


class ConsolePage:
    """One page, in which somebody is signed in."""

    def __init__(self, page: "Page") -> None:
        self._page = page

    def rows_s(self) -> dict[str, float]:
        """Give when each text that is looked for came into the queue, seconds since 1970 UTC."""
        rows: dict[str, float] = self._page.evaluate("rowsSeen")
        return {text: at_ms / 1000 for text, at_ms in rows.items()}

    def opened_s(self) -> tuple[float, float]:
        """Take the next case by its key, and go on to the clip as soon as the still is there.

        Returns:
            From the key to the still, and to the clip's first frame, seconds.
        """
        page = self._page
        was = page.url
        page.keyboard.press("n")
        page.wait_for_url(lambda url: url != was and "/cases/" in url)
        still_s = self._took_s("still")
        page.keyboard.press(" ")  # the still without blur, and then the clip
        page.keyboard.press(" ")
        return still_s, self._took_s("clip")

    def reject(self) -> None:
        """Decide that there is nothing, for the first reason that is offered."""
        page = self._page
        page.locator('[data-outcome="rejected"]').click()
        page.locator("[data-reason]:visible").first.click()
        page.locator("#after").wait_for()

    def _took_s(self, what: str) -> float:
        """Wait for the still or the clip; give how long after the key it was there."""
        marked = self._page.locator(f"html[data-took-{what}]")
        marked.wait_for(state="attached")
        return float(marked.get_attribute(f"data-took-{what}") or 0.0) / 1000


@contextmanager
def console_page(url: str, name: str, wanted: re.Pattern[str]) -> Iterator[ConsolePage]:
    """Open a browser at the queue, in which somebody has signed in by keyboard.

    wanted: which texts in the queue are looked for.

    Raises:
        ProgramUnavailable: there is no Chromium, or no Playwright.
    """
    with chromium() as browser:
        page = browser.new_page(base_url=url)
        page.set_default_timeout(PATIENCE_MS)
        page.add_init_script(WATCH.replace("PATTERN", json.dumps(wanted.pattern), 1))
        page.goto("/sign-in")
        page.locator("body[data-ready]").wait_for()
        page.fill('input[name="name"]', name)
        page.fill('input[name="password"]', PASSWORD)
        page.keyboard.press("Enter")
        page.locator("#rows").wait_for()
        page.locator("body[data-ready]").wait_for()
        yield ConsolePage(page)
