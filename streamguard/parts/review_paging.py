"""Calls somebody, by a signed webhook, when an urgent case has nobody; counts how long that lasts.

Rule: a call that does not come through is tried again and is an error in the log; whether anybody
is called or not, the time that nobody looked is counted.
"""

import asyncio

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.webhook import Webhook, read_secret
from streamguard.core.audit import Deed
from streamguard.core.errors import ConfigError, StreamguardError
from streamguard.core.events import Event
from streamguard.core.record import Record, row_of
from streamguard.core.review_events import audit_event
from streamguard.core.webhook import Answer
from streamguard.review.paging import ACTOR, Look, Pager
from streamguard.review.service import Review
from streamguard.sections.review_section import ReviewSection

LOOK_EVERY_S = 1.0
"""How often it is looked: a second more or less calls nobody out of bed sooner."""

TIMEOUT_S = 5.0
"""How long one try to call may take, seconds."""

TRY_AGAIN_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Pauses between tries of one call: half a minute, far less than until the next."""

log = structlog.get_logger()


class PagingMeter:
    """Counts into a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._unreviewed = Counter(
            "streamguard_review_unreviewed_seconds",
            "Seconds during which an urgent case waited and nobody was there to judge it, or nobody"
            " took it for longer than page_after_s, of all such cases together.",
            registry=self.registry,
        )
        self._waiting = Gauge(
            "streamguard_review_urgent_cases",
            "Urgent cases, and those whose hold ends soon, that nobody has in hand: alone where"
            " nobody is there for them, late where nobody takes them.",
            ["how"],
            registry=self.registry,
        )
        self._untaken = Gauge(
            "streamguard_review_untaken_actions",
            "Live streams that are to be held or cut since more than 10 s, which nobody has begun"
            " to do.",
            registry=self.registry,
        )
        self._calls = Counter(
            "streamguard_review_calls",
            "Tries to call somebody by the webhook, by what came of them.",
            ["outcome"],
            registry=self.registry,
        )
        for how in ("alone", "late"):
            self._waiting.labels(how)
        for outcome in ("done", "again", "refused"):
            self._calls.labels(outcome)

    def looked(self, look: Look) -> None:
        """Tell what a look found."""
        self._unreviewed.inc(look.unreviewed_s)
        self._waiting.labels("alone").set(len(look.waiting.alone))
        self._waiting.labels("late").set(len(look.waiting.late))
        self._untaken.set(len(look.waiting.untaken))

    def called(self, answer: Answer) -> None:
        """Count a try."""
        self._calls.labels(answer.meaning).inc()


def webhook_of(section: ReviewSection) -> Webhook | None:
    """Open the way by which somebody is called; None where there is none.

    Raises:
        ConfigError: its secret cannot be read, or is none.
    """
    file = section.page_secret_file
    if not section.page_url or file is None:
        return None
    secret = read_secret(file, "[review] page_url")
    return Webhook(section.page_url, secret, TIMEOUT_S, SystemClock())


async def keep_paged(review: Review, section: ReviewSection, meter: PagingMeter) -> None:
    """Look again and again, and call somebody where that is needed."""
    webhook, clock = webhook_of(section), SystemClock()
    pager = Pager(
        review, clock.monotonic, after_s=section.page_after_s, again_s=section.page_again_s
    )
    try:
        while True:
            await _look(pager, webhook, meter)
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        if webhook is not None:
            await webhook.close()


async def _look(pager: Pager, webhook: Webhook | None, meter: PagingMeter) -> None:
    try:
        look = await asyncio.to_thread(pager.look)
    except StreamguardError as error:
        log.warning("paging_waits", reason=error.reason)
        return
    meter.looked(look)
    if look.call is not None:
        await _call(webhook, look, meter)


async def _call(webhook: Webhook | None, look: Look, meter: PagingMeter) -> None:
    assert look.call is not None  # noqa: S101  # whoever calls us has looked
    n_alone, n_late = len(look.waiting.alone), len(look.waiting.late)
    n_untaken = len(look.waiting.untaken)
    log.warning("urgent_case_unattended", n_alone=n_alone, n_late=n_late, n_untaken=n_untaken)
    if webhook is None:
        return
    answer = await send(webhook, look.call)
    for pause_s in TRY_AGAIN_S:
        meter.called(answer)
        if answer.meaning != "again":
            break
        await asyncio.sleep(max(pause_s, answer.wait_s))
        answer = await send(webhook, look.call)
    if answer.meaning != "done":
        log.error("nobody_called", problem=answer.what)


async def send(webhook: Webhook, call: Event) -> Answer:
    """Make one try."""
    row = row_of(call)
    return await webhook.send(
        Record(0, row.topic, row.key, row.id, row.type, row.recorded_s, row.body)
    )


async def try_call(review: Review, section: ReviewSection) -> Answer:
    """Call somebody only to see whether it comes through; that is on record.

    Raises:
        ConfigError: there is no webhook.
    """
    webhook = webhook_of(section)
    if webhook is None:
        raise ConfigError("there is no [review] page_url: nobody can be called")
    desk = review.desk
    [record] = desk.trail.append([Deed(ACTOR, "paging.called", details={"why": "a_test"})])
    try:
        return await send(webhook, audit_event(desk.source, record))
    finally:
        await webhook.close()
