"""From a publisher to a cut, as somebody sees it who tries streamguard for the first time.

Rule: the real demo, its ingest server, and a real browser, by keyboard alone. With
STREAMGUARD_PICTURES=tests/demo/pictures the pictures of the README are taken anew.
"""

import os
import re
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.conftest import NginxRtmp
from tests.demo.test_demo import LONGEST_S, has_said, told
from tests.processes import Running, until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PATIENCE_MS = LONGEST_S * 1000
PICTURES = os.environ.get("STREAMGUARD_PICTURES")


def test_a_key_cuts_the_channel_and_it_stays_out(
    tmp_path: Path, requires_chromium: Path, requires_nginx_rtmp: NginxRtmp
) -> None:
    del requires_nginx_rtmp
    asked = ("--seconds", "300", "--json", "--stay", "--directory", tmp_path / "demo")
    with Running("demo", *asked) as demo, sync_playwright() as playwright:
        until(lambda: has_said(demo, "console:"), LONGEST_S)
        [(url, name, password)] = re.findall(
            r"console: (\S+)  sign in as (\S+) with (\S+)", "\n".join(told(demo))
        )
        browser = playwright.chromium.launch(
            executable_path=requires_chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        page = _signed_in(browser, url, name, password)
        expect(page.locator("#rows")).to_contain_text("DEMO-KNOWN-SCENE")
        _keep(page, "queue")
        page.keyboard.press("n")
        _ready(page, re.compile("^Case: P0"))
        expect(page.locator("#stage img")).to_be_visible()
        _keep(page, "case")
        if PICTURES:
            page.keyboard.press("Space")
            page.locator("#stage[data-level='2'] img").wait_for()
            _keep(page, "grey")
        page.keyboard.press("1")
        page.keyboard.press("a")
        page.keyboard.down("x")
        expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: confirmed"))
        page.keyboard.up("x")
        until(lambda: has_said(demo, "cut of live VERIFIED by no_media"), LONGEST_S)
        expect(page.locator("#actions")).to_contain_text("cut, live: verified by no_media")
        _keep(page, "decided")
        until(lambda: has_said(demo, "the channel was thrown out again"), LONGEST_S)
        browser.close()


def _signed_in(browser: Browser, url: str, name: str, password: str) -> Page:
    page = browser.new_context(base_url=url, viewport={"width": 1100, "height": 700}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.goto("/sign-in")
    page.locator("body[data-ready]").wait_for()
    expect(page.locator("input[autofocus]")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    _ready(page, re.compile("^Queue$"))
    return page


def _ready(page: Page, heading: re.Pattern[str]) -> None:
    """Wait for a page, and for its keys."""
    page.get_by_role("heading", name=heading).first.wait_for()
    page.locator("body[data-ready]").wait_for()


def _keep(page: Page, name: str) -> None:
    """Take a picture, where pictures are to be kept: in few colours, it is text and lines."""
    if PICTURES:
        top = page.get_by_role("heading").first
        shown = page.locator("#actions") if name == "decided" else top
        shown.evaluate("one => one.scrollIntoView({block: 'center'})")
        taken = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(32)
        taken.save(Path(PICTURES) / f"{name}.png", optimize=True)
