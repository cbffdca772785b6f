"""The [webhook] part of the configuration.

Rule: without a url nothing is forwarded.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from streamguard.core.events import Topic
from streamguard.core.web_address import require_address
from streamguard.sections.section import Section, WebhookAddress


class WebhookSection(Section):
    """Where `forward` sends events by HTTP: a queue that is not ours."""

    url: WebhookAddress = ""
    """Takes each event in a POST of its own; https, or http within this host or network."""
    plain_http: bool = False
    """Whether http may lead anywhere else, for a way there that is encrypted otherwise."""
    secret_file: Path | None = None
    """Holds what requests are signed with: 24 to 64 bytes in base64 (Standard Webhooks)."""
    topics: tuple[Topic, ...] = (Topic.FLAGS,)
    """What is sent."""
    group: Annotated[str, Field(pattern="^[A-Za-z0-9._-]{1,64}$")] = "webhook"
    """The consumer group whose place in the log it is."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Seconds that one request may take."""
    at_once: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests at a time, of one stream one."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9110
    """Port of its own /metrics, on `http.host`; 0 takes any free one."""

    @model_validator(mode="after")
    def _is_signed(self) -> Self:
        if self.url:
            require_address("url", self.url, may_be_plain=self.plain_http)
        if self.url and self.secret_file is None:
            raise ValueError("a webhook needs a secret_file: unsigned, anybody could forge flags")
        return self
