"""The values that all events are made of.

Rule: every text is bounded and on one line, and every number is one that each JSON reader keeps.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(max_length=256, pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+$")]
"""An id or a name that people gave: any script, no control character, no line break."""

Uuid = Annotated[str, Field(pattern="^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
"""A UUID as text, lower case."""

Word = Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")]
"""A word of a set that may grow: lower case, underscores."""

UtcTime = Annotated[
    str,
    Field(
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
"""An instant, RFC 3339 in UTC with milliseconds; `utc_text` writes it."""

MAX_INT = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly."""

PtsMs = Annotated[int, Field(ge=-MAX_INT, le=MAX_INT)]
Bits = Annotated[int, Field(ge=0, le=256)]
Count = Annotated[int, Field(ge=0, le=MAX_INT)]


def _leave_open(schema: dict[str, Any]) -> None:
    """Let consumers meet optional fields that a later version adds."""
    schema.pop("additionalProperties", None)


class Value(BaseModel):
    """A frozen part of an event; an unknown field is refused when it is made."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        json_schema_extra=_leave_open,
    )
