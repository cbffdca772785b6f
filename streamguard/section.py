"""What every part of the configuration is made from.

Rule: an unknown key is an error, and no problem repeats a value: it may be a secret.
"""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the configuration; every field has a unit, bounds and a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
