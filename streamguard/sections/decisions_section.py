"""The [decisions] part of the configuration: who is believed where decisions come by Kafka.

Rule: a key that signs is in a file of its own, and its public half is all that others need.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from streamguard.sections.section import Section


class DecisionsSection(Section):
    """Who is believed where decisions come by Kafka; on one machine the log's rights protect it."""

    key_file: Path | None = None
    """Key by which `review` and `enforce` sign what they decide (Ed25519, PEM), each by its own;
    `streamguard decision-key make` makes one. A console that is alone needs it, and an enforcer
    whose decisions go by Kafka."""
    trusted_keys: Annotated[tuple[Path, ...], Field(max_length=32)] = ()
    """Public keys of those who are believed, PEM, our own among them: whoever takes decisions from
    Kafka needs them. A key in use and the next one may be there at once."""
