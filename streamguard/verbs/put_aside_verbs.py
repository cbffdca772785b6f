"""What the `put-aside` verbs of the command line do, beside `forward` or without it.

Rule: as in `verbs`; an event stands aside until the receiver has taken it, or a person lets it go.
"""

import argparse
import asyncio
import json
from collections.abc import Sequence
from contextlib import closing

from streamguard.adapters.put_aside import Aside, PutAside
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.webhook import Webhook
from streamguard.core.errors import ConfigError
from streamguard.core.event_data import utc_text
from streamguard.sections.webhook_section import WebhookSection
from streamguard.settings import Settings, load_settings
from streamguard.verbs.forward_verb import secret_for

NOT_TAKEN = 3
"""Exit code where the receiver did not take all of them."""


def list_aside(arguments: argparse.Namespace) -> int:
    """Print what stands aside, and why, as JSON Lines."""
    with closing(_opened(load_settings(arguments.config))) as aside:
        for one in aside.all():
            row = {
                "id": one.record.id,
                "topic": one.record.topic,
                "reason": one.problem,
                "put_aside_at": utc_text(one.aside_s),
                "event": json.loads(one.record.body),
            }
            print(json.dumps(row, ensure_ascii=False))
    return 0


def take_aside(arguments: argparse.Namespace) -> int:
    """Put an event aside that the webhook never takes, so that its stream goes on."""
    settings = load_settings(arguments.config)
    section = settings.webhook
    with SqliteLog(settings.log.file, "write") as event_log:
        record, place = event_log.event(arguments.id), event_log.position(section.group)
        is_ahead = record is not None and place is not None and record.offset >= place
        if record is None or not is_ahead or record.topic not in section.topics:
            raise ConfigError(f"no event that waits for the webhook has the id {arguments.id}")
        why = f"by hand: {arguments.reason}"
        event_log.put_aside(section.group, record, why, SystemClock().wall())
    print(f"{record.id} stands aside: `forward` goes on behind it at its next try")
    return 0


def send_aside(arguments: argparse.Namespace) -> int:
    """Send what was put aside, all of it or some: each once, in the order of the log."""
    settings = load_settings(arguments.config)
    secret = secret_for(settings.webhook)
    with closing(_opened(settings)) as aside:
        wanted = _wanted(aside, arguments.id)
        n_taken = asyncio.run(_sent(aside, settings.webhook, secret, wanted))
    print(f"{n_taken} of {len(wanted)} were taken")
    return 0 if n_taken == len(wanted) else NOT_TAKEN


def drop_aside(arguments: argparse.Namespace) -> int:
    """Let what was put aside go for good, some of it or, where that is said, all."""
    if not arguments.id and not arguments.all:
        raise ConfigError("name the ids of what is to be dropped, or give --all")
    with closing(_opened(load_settings(arguments.config))) as aside:
        wanted = _wanted(aside, arguments.id)
        aside.remove([one.record.offset for one in wanted])
    print(f"{len(wanted)} dropped")
    return 0


async def _sent(
    aside: PutAside, section: WebhookSection, secret: bytes, wanted: Sequence[Aside]
) -> int:
    """Send them one by one; give how many were taken."""
    webhook = Webhook(section.url, secret, section.timeout_s, SystemClock())
    n_taken = 0
    try:
        for one in wanted:
            answer = await webhook.send(one.record)
            print(f"{one.record.id}  {answer.what}")
            if answer.meaning == "done":
                aside.remove([one.record.offset])
                n_taken += 1
    finally:
        await webhook.close()
    return n_taken


def _wanted(aside: PutAside, ids: Sequence[str]) -> list[Aside]:
    there = aside.all()
    if unknown := sorted(set(ids) - {one.record.id for one in there}):
        raise ConfigError(f"nothing that was put aside has the id {unknown[0]}: see the list")
    return [one for one in there if not ids or one.record.id in ids]


def _opened(settings: Settings) -> PutAside:
    return PutAside(settings.log.file, settings.webhook.group)
