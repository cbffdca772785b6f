"""Looks at the keys by which decisions are signed, and at those of who is believed.

Rule: nobody is asked, and no key is repeated.
"""

from collections.abc import Iterator

from streamguard.core.check import Check, fail_by, ok, warn
from streamguard.core.errors import ConfigError
from streamguard.sections.decisions_section import DecisionsSection
from streamguard.settings import Settings

REMEDY = "`streamguard decision-key make FILE` makes one; its FILE.pub is for who trusts it"


def checked_decisions(settings: Settings) -> Iterator[Check]:
    """Read the keys; nothing where none is named and none is needed."""
    section = settings.decisions
    if section == DecisionsSection() and not settings.review.is_alone:
        return
    from streamguard.parts.decision_keys import (  # noqa: PLC0415  # `cryptography`: only who signs
        signer_of,
        takes_from_kafka,
        trusted_of,
    )

    acts = bool(settings.controls or settings.enforce.webhook) and takes_from_kafka(settings)
    try:
        if section.trusted_keys:
            n_keys = len(trusted_of(settings).names)
            yield ok("decisions", f"from Kafka those that one of {n_keys} keys signed are taken")
        signer = signer_of(settings, is_needed=acts or settings.review.is_alone)
    except ConfigError as error:
        yield fail_by("decisions", error, REMEDY)
        return
    if signer is not None and section.key_file is not None:
        if section.key_file.stat().st_mode & 0o077:
            what = f"{section.key_file}: others of this machine can read it"
            yield warn("decisions", what, "make it readable for its owner alone (chmod 600)")
        yield ok("decisions", f"what is decided here is signed by {signer.name}")
