"""What the verb `review` does: serves the console, beside `run`, on the same log.

Rule: it cuts nothing: what was decided goes into the log, and who may cut reads it.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog
from prometheus_client import CollectorRegistry

from streamguard import process
from streamguard.adapters.http_server import HttpServer, listen
from streamguard.adapters.http_status import HttpStatus
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.admin.token import is_allowed, read_token
from streamguard.core.errors import StreamguardError
from streamguard.core.record import row_of
from streamguard.parts.banking_meter import BankingMeter
from streamguard.parts.decision_keys import signer_of
from streamguard.parts.review_audience import keep_audience
from streamguard.parts.review_banking import keep_banked
from streamguard.parts.review_paging import PagingMeter, keep_paged, try_call, webhook_of
from streamguard.parts.review_parts import oidc_of, open_review
from streamguard.review.service import Review
from streamguard.review.web import make_app
from streamguard.runtime.stop import Stop
from streamguard.sections.review_section import ReviewSection
from streamguard.settings import Settings, load_settings
from streamguard.upkeep.desk_pruning import keep_desk_pruned

FOLLOW_EVERY_S = 0.1
"""How often the log is looked at for what is new: a tenth of the second within which a flag is to
be on the screen."""

GRACE_S = 2
"""How long requests that are under way may go on at the end, seconds."""

NOT_REACHED = 3
"""Exit code: what is depended on is down."""

OnNews = Callable[[], None]
"""Called where something new is in the log, whoever put it there."""

log = structlog.get_logger()


def review(arguments: argparse.Namespace) -> int:
    """Serve the console until told to stop."""
    process.configure_logging()
    settings = load_settings(arguments.config)
    sign = signer_of(settings, is_needed=settings.review.is_alone)
    if sign is None and settings.kafka.bootstrap_servers:
        log.warning(
            "decisions_not_signed",
            remedy="set [decisions] key_file, or those who take them refuse them",
        )

    async def watched(stop: Stop) -> int:
        with open_review(settings, sign.row if sign else row_of) as parts:
            if arguments.test_page:
                return await _tested(parts, settings.review)
            await _serve(parts, settings, stop)
        return 0

    return process.run_until_signal(watched)


async def _tested(parts: Review, section: ReviewSection) -> int:
    """Call somebody once, and say what came of it."""
    answer = await try_call(parts, section)
    sys.stdout.write(f"{answer.what}\n")
    return 0 if answer.meaning == "done" else NOT_REACHED


async def _serve(parts: Review, settings: Settings, stop: Stop) -> None:
    section, meter, banking = settings.review, PagingMeter(), BankingMeter()
    webhook_of(section)  # what is wrong with it is said before anything begins
    listening = listen(section.host, section.port, "[review] port")
    app = make_app(
        parts,
        is_secure=section.is_behind_tls,
        is_platform=_platform_of(section),
        oidc=oidc_of(section, parts),
    )
    server = HttpServer(app, grace_s=GRACE_S, proxies=section.trusted_proxies)
    port = listening.getsockname()[1]
    shown = PrometheusMeter()
    for one in (meter, banking):
        shown.registry.register(one.registry)
    async with AsyncExitStack() as stack:
        status = stack.enter_context(_status(settings, shown.registry))
        on_news = None
        if section.is_alone:
            on_news = await stack.enter_async_context(_keeping_log(settings, shown))
        log.info("review_started", port=port, metrics_port=status.port)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve([listening]))
            beside = [
                tasks.create_task(_follow(parts, on_news)),
                tasks.create_task(asyncio.to_thread(parts.looks.get_ready)),
                tasks.create_task(keep_audience(settings, parts.desk.file)),
                tasks.create_task(
                    keep_banked(settings, parts.looks.vault, parts.desk.trail, banking)
                ),
                tasks.create_task(keep_paged(parts, section, meter)),
                tasks.create_task(keep_desk_pruned(parts.desk)),
            ]
            await stop.wait()
            app.state.board.is_closed = True  # or open pages keep their connections
            server.should_exit = True
            for task in beside:
                task.cancel()
    log.info("review_stopped")


def _keeping_log(settings: Settings, meter: PrometheusMeter) -> AbstractAsyncContextManager[OnNews]:
    """Keep a log that is the console's own."""
    from streamguard.parts.review_alone import keeping_log  # noqa: PLC0415  # needs the extra `kafka`

    return keeping_log(settings, meter)


def _status(settings: Settings, shown: CollectorRegistry) -> HttpStatus:
    """Make what serves metrics.

    Raises:
        ConfigError: its address cannot be had.
    """
    host, port = settings.http.host, settings.review.metrics_port
    return HttpStatus(host, port, shown, live=lambda: None, ready=lambda: None)


def _platform_of(section: ReviewSection) -> Callable[[str | None], bool]:
    """Give what knows the platform by its token.

    Raises:
        ConfigError: the token cannot be read, or is too short.
    """
    file = section.platform_token_file
    if file is None:
        return lambda _: False
    read_token(file)
    return lambda header: is_allowed(header, file)


async def _follow(parts: Review, on_news: OnNews | None) -> None:
    """Take what is new in the log as it comes, whether somebody asks or not."""
    end = 0
    while True:
        try:
            await asyncio.to_thread(parts.desk.projection.catch_up)
            before, end = end, await asyncio.to_thread(parts.desk.projection.place)
            if on_news is not None and end != before:
                on_news()
        except StreamguardError as error:
            log.warning("review_waits", reason=error.reason, problem=str(error))
            await asyncio.sleep(1.0)
        await asyncio.sleep(FOLLOW_EVERY_S)
