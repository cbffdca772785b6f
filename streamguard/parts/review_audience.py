"""Asks the supervisor how many watch each stream: who watches decides who is helped first.

Rule: nothing waits for the answer, and without one a case keeps the last audience that was said.
"""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import structlog

from streamguard.adapters.system_clock import SystemClock
from streamguard.admin.token import read_token, token_file_of
from streamguard.core.errors import ConfigError
from streamguard.review.desk_file import DeskFile
from streamguard.review.projection import note_audience
from streamguard.settings import Settings

ASK_EVERY_S = 2.0
"""Servers are asked every second for what they publish; an audience that is 2 s old will do."""

TIMEOUT_S = 5.0

log = structlog.get_logger()


async def keep_audience(settings: Settings, file: DeskFile) -> None:
    """Ask again and again; where nobody answers, say so once, and once when somebody does."""
    wall = SystemClock().wall
    token_file = token_file_of(settings.admin.token_file, settings.log.file)
    url = f"http://{settings.admin.host}:{settings.admin.port}/v1/streams"
    is_known = True
    async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
        while settings.admin.port:
            viewers = await _asked(client, url, token_file)
            if viewers is not None:
                await asyncio.to_thread(note_audience, file, viewers, wall())
            if is_known != (viewers is not None):
                is_known = viewers is not None
                log.info("audience_known" if is_known else "audience_unknown")
            await asyncio.sleep(ASK_EVERY_S)


async def _asked(client: httpx.AsyncClient, url: str, token_file: Path) -> dict[str, int] | None:
    """Give who watches, by session; None where nobody answers."""
    try:
        headers = {"authorization": f"Bearer {read_token(token_file)}"}
        answer = await client.get(url, headers=headers)
        answer.raise_for_status()
        rows: list[dict[str, Any]] = answer.json()["streams"]
        return viewers_of(rows)
    except (httpx.HTTPError, ConfigError, ValueError, KeyError, TypeError):
        return None


def viewers_of(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Read who watches from what the admin API lists; some servers do not say."""
    return {
        row["session_id"]: row["n_viewers"]
        for row in rows
        if row["session_id"] and row["n_viewers"] is not None
    }
