"""The section [review] of the configuration.

Rule: as in `settings`, which reads it; here is what it is.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamguard.core.decision_data import ActionKind
from streamguard.core.web_address import require_address
from streamguard.sections.section import Section, WebhookAddress

REVIEW_SUFFIX = ".review"
"""What the name of our own file ends in; it begins as the event log's, and lies beside it."""


class ReviewSection(Section):
    """The console of the reviewers, `streamguard review`."""

    host: str = "127.0.0.1"
    """Address to listen on; loopback, or behind something that encrypts."""
    port: Annotated[int, Field(ge=0, le=65_535)] = 9113
    """Port of the console; 0 takes any free one."""
    is_behind_tls: bool = False
    """Browsers reach it by https: their session is then kept for that alone."""
    trusted_proxies: tuple[
        Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$")], ...
    ] = ()
    """Addresses or networks of proxies that say for whom they ask (X-Forwarded-For); of all others
    that is not believed. Without any, all behind a proxy count as one address."""
    file: Path | None = None
    """What reviewers work with: accounts, leases, and cases as they follow from the log; without it
    a file beside the event log."""
    is_alone: bool = False
    """No `run` uses its log: it is made of what Kafka brings ([kafka] take), and the console itself
    publishes what is decided there, and prunes it."""
    lease_s: Annotated[float, Field(ge=10, le=600)] = 60.0
    """How long a case stays with somebody who is not heard of, seconds."""
    undo_s: Annotated[float, Field(ge=0, le=60)] = 10.0
    """How long what is reversible can be undone, seconds."""
    hold_s: Annotated[float, Field(ge=60, le=2_592_000)] = 86_400.0
    """How long a hold or a limit lasts where nobody says for how long, also one that waits for a
    second person, seconds; then it is lifted, and a case that nobody decided is open again."""
    hold_notice_s: Annotated[float, Field(ge=0, le=86_400)] = 3_600.0
    """How long before its end the case of a hold or a limit that a person decided waits for a
    senior, seconds, at most a quarter of the hold; 0 has it end unseen."""
    untaken_after_s: Annotated[float, Field(ge=0, le=3_600)] = 10.0
    """How long a live stream that is to be held or cut may wait for an enforcer to begin, seconds;
    then its case comes back and somebody is called. 0 for never: where others than `enforce` act
    on decisions, and publish no `action.requested`."""
    two_person: tuple[ActionKind, ...] = ("cut_and_suspend",)
    """What is done only once a second person agrees, who does not know what the first one chose."""
    check_share: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Share of decisions that get a blind second look, drawn by lot."""
    exposure_budget_min: Annotated[float, Field(ge=0, le=720)] = 30.0
    """Minutes of evidence, weighted by severity, that somebody sees within twelve hours before they
    are asked to stop; 0 asks nobody. The figure is our choice: ask those who care for reviewers."""
    appeal_days: Annotated[float, Field(gt=0, le=3_650)] = 184.0
    """How long somebody may object to a decision, days; the EU asks for six months (DSA, article
    20), which are up to 184 days."""
    automated_decision: Literal["NOT_AUTOMATED", "PARTIALLY"] = "PARTIALLY"
    """How a person's decision on what a machine found is declared (DSA, art. 17); ask counsel."""
    policy_version: (
        Annotated[str, Field(max_length=128, pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]
        | None
    ) = None
    """What you call the text of the policy that people decide by: every decision says it. Without
    it decisions name the list of reason codes of this version of streamguard."""
    platform_token_file: Path | None = None
    """Holds the token with which the platform hands in appeals; without it none are taken."""
    metrics_port: Annotated[int, Field(ge=0, le=65_535)] = 9114
    """Port of its own /metrics, on [http] host; 0 takes any free one."""
    page_url: WebhookAddress = ""
    """Is sent a signed POST when an urgent case (P0) has nobody; https, or http within this host or
    network. Without it that is counted alone."""
    page_secret_file: Path | None = None
    """Holds what it is signed with: 24 to 64 bytes in base64 (Standard Webhooks)."""
    page_after_s: Annotated[float, Field(ge=0, le=3_600)] = 60.0
    """How long an urgent case waits for somebody who is signed in before others are called,
    seconds; where nobody is, they are called at once."""
    page_again_s: Annotated[float, Field(ge=10, le=86_400)] = 300.0
    """How long after a call the next one, while still nobody looks, seconds."""
    oidc_issuer: (
        Annotated[
            str,
            Field(
                pattern=r"^(https://[^\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/[^\s?#]*)?)$"
            ),
        ]
        | None
    ) = None
    """Who signs people in, by OpenID Connect; without it they sign in here alone."""
    oidc_client_id: str = ""
    """As what the console is known there."""
    oidc_client_secret_file: Path | None = None
    """Holds the secret that goes with it."""
    oidc_claim: Literal["preferred_username", "email", "sub"] = "preferred_username"
    """What of the provider's word is the name of the account here; an email must be verified."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s?#]+[^\s?#/]$")] | None = None
    """Where browsers find the console; the provider sends them back below it."""

    @model_validator(mode="after")
    def _call_is_signed(self) -> Self:
        if self.page_url:
            require_address("page_url", self.page_url)
        if self.page_url and self.page_secret_file is None:
            raise ValueError("a page_url needs a page_secret_file: unsigned, anybody could call")
        return self


def review_file(section: ReviewSection, log_file: Path) -> Path:
    """Say where the file of the reviewers is."""
    return section.file or log_file.with_name(log_file.name + REVIEW_SUFFIX)
