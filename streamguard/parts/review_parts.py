"""Opens what reviewers work with, as the settings say.

Rule: only processes of review import this.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.system_clock import SystemClock
from streamguard.admin.token import read_token
from streamguard.core.choosing import Rules
from streamguard.core.errors import ConfigError
from streamguard.core.reasons import REASONS_VERSION
from streamguard.core.record import RowOf, row_of
from streamguard.parts.evidence_parts import open_vault
from streamguard.review.desk import make_desk
from streamguard.review.desk_file import DeskFile
from streamguard.review.oidc import Oidc, Provider
from streamguard.review.oidc_routes import BACK
from streamguard.review.service import Review, make_review
from streamguard.sections.review_section import ReviewSection, review_file
from streamguard.settings import Settings


def rules_of(section: ReviewSection) -> Rules:
    """Give what the operator set."""
    return Rules(
        two_person=frozenset(section.two_person),
        check_share=section.check_share,
        undo_s=section.undo_s,
        appeal_days=section.appeal_days,
        hold_s=section.hold_s,
        hold_notice_s=section.hold_notice_s,
        untaken_after_s=section.untaken_after_s,
        automation=section.automated_decision,
        policy_version=section.policy_version or REASONS_VERSION,
    )


def oidc_of(section: ReviewSection, review: Review) -> Oidc | None:
    """Open the way to the provider that signs people in, where there is one.

    Raises:
        ConfigError: something is missing, or its secret cannot be read or is too short.
    """
    if section.oidc_issuer is None:
        return None
    if not section.oidc_client_id or not section.oidc_client_secret_file or not section.public_url:
        raise ConfigError(
            "[review] oidc_issuer needs oidc_client_id, oidc_client_secret_file and public_url"
        )
    provider = Provider(
        section.oidc_issuer,
        section.oidc_client_id,
        read_token(section.oidc_client_secret_file),
        f"{section.public_url}{BACK}",
        section.oidc_claim,
    )
    return Oidc(provider, review.desk.file, review.desk.wall)


@contextmanager
def open_review(settings: Settings, row: RowOf = row_of) -> Iterator[Review]:
    """Open the console's parts; the log is made where there is none yet.

    row: writes out what is decided.

    Raises:
        ConfigError: the evidence is configured wrongly.
        DeskUnavailable, LogUnavailable, EvidenceUnavailable: a file cannot be used.
    """
    section = settings.review
    vault = None
    if settings.evidence.directory is not None:
        vault = open_vault(settings.evidence, settings.deployment.name)
    with SqliteLog(settings.log.file, row=row) as log:
        file = DeskFile(review_file(section, settings.log.file))
        try:
            source = f"/streamguard/{settings.deployment.name}"
            rules = rules_of(section)
            desk = make_desk(file, log, source, SystemClock().wall, rules, section.lease_s)
            budget_s = section.exposure_budget_min * 60
            banks = {path.resolve().name: path for path in settings.bank.paths}
            yield make_review(desk, vault, budget_s=budget_s, banks=banks)
        finally:
            file.close()
