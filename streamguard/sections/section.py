"""What every part of the configuration is made from.

Rule: an unknown key is an error, and no problem repeats a value: it may be a secret.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from streamguard.core.errors import ConfigError
from streamguard.core.web_address import shown_address

WebhookAddress = Annotated[str, PlainSerializer(shown_address, when_used="json")]
"""Where events are sent; such an address is often a secret, and is shown as far as its host."""


class Section(BaseModel):
    """A part of the configuration; every field has a unit, bounds and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def read_credential(file: Path, what: str) -> str:
    """Read what a file holds, without the white space around it; `what` names it in the problem.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{what} cannot be read") from None
