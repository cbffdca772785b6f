"""Where operators reach a running deployment: the section [admin] of the configuration.

Rule: as in `settings`.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from streamguard.sections.section import Section


class AdminSection(Section):
    """The API by which streams are listed, added, removed, pinned and reported."""

    host: str = "127.0.0.1"
    """Address to listen on; loopback, or behind something that encrypts."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9109
    """Port for /v1 and for the hooks of ingest servers; 0 takes any free one."""
    token_file: Path | None = None
    """A file that holds the token, read anew for each call, so that it can be rotated; without one
    a token is made beside the event log."""
