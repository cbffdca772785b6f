"""Builds from the settings what signs decisions, and what tells who signed those of others.

Rule: what is missing is told before anything begins.
"""

from streamguard.adapters.signed_events import Signer, Trusted
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.settings import Settings

MAKE = "`streamguard decision-key make` makes one"


def takes_from_kafka(settings: Settings) -> bool:
    """Say whether decisions come by Kafka, to the enforcer or into the log."""
    return settings.enforce.kafka or Topic.DECISIONS in settings.kafka.take


def signer_of(settings: Settings, *, is_needed: bool) -> Signer | None:
    """Read the key by which a process signs what it decides; None where it does not.

    is_needed: what it decides goes to Kafka, and is to be believed there.

    Raises:
        ConfigError: the key is missing, cannot be read, or is none that is trusted here.
    """
    section = settings.decisions
    if section.key_file is None:
        if is_needed:
            raise ConfigError(
                "[decisions] key_file is missing: what is decided here goes to Kafka, where nobody"
                f" takes what is not signed; {MAKE}"
            )
        return None
    signer = Signer(section.key_file)
    if takes_from_kafka(settings) and signer.name not in Trusted(section.trusted_keys).names:
        raise ConfigError(
            f"{section.key_file}: its public key is none of [decisions] trusted_keys: what it signs"
            " comes back by Kafka"
        )
    return signer


def trusted_of(settings: Settings) -> Trusted:
    """Read whose decisions are taken from Kafka.

    Raises:
        ConfigError: a key cannot be read, or is none.
    """
    return Trusted(settings.decisions.trusted_keys)
