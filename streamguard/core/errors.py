"""Every error that streamguard raises on purpose.

Rule: a message is one line that says what, where and what to do, and never holds a URL, a stream
key or a hash. The exit code tells scripts whose move it is.
"""

from typing import ClassVar


class StreamguardError(Exception):
    """Base of every error this package raises on purpose."""

    reason: ClassVar[str] = "internal"  # closed set: metric label and log field
    retriable: ClassVar[bool] = False  # may the same thing be tried again?
    exit_code: ClassVar[int] = 1


class ConfigError(StreamguardError):
    """The command line, a setting or a policy file is wrong; nothing was started."""

    reason = "config"
    exit_code = 2


class BankError(StreamguardError):
    """A bank is missing, damaged or of another version; the one in force stays."""

    reason = "bank"
    exit_code = 2


class ListInvalid(StreamguardError):
    """A hash list is malformed or cannot be read; nothing of it was taken."""

    reason = "list_invalid"
    exit_code = 2


class ListShrinks(StreamguardError):
    """So much of a hash list would vanish that a mistake of its source is likely; it stayed."""

    reason = "list_shrinks"
    exit_code = 2


class ModelError(StreamguardError):
    """A model pack is wrong, its weights are not what they should be, or it gave nonsense."""

    reason = "model"
    exit_code = 2


class SourceInvalid(StreamguardError):
    """What came is no video that can be screened, or breaks off before its end."""

    reason = "source_invalid"
    exit_code = 2


class SourceTruncated(SourceInvalid):
    """A file broke off before its end; what came before was screened.

    missing_us: media time that should have followed, microseconds.
    """

    reason = "truncated"

    def __init__(self, message: str, missing_us: int) -> None:
        super().__init__(message)
        self.missing_us = missing_us


class SourceUnavailable(StreamguardError):
    """The stream cannot be opened or has stopped sending.

    retry_after_s: how long its server wants to be left alone, seconds.
    """

    reason, retriable = "source_unavailable", True
    exit_code = 3

    def __init__(self, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SourceCorrupt(StreamguardError):
    """So many packets were damaged that starting anew is the better choice."""

    reason, retriable = "source_corrupt", True
    exit_code = 3


class DiscoveryUnavailable(StreamguardError):
    """An ingest server does not say what is being published, or not in a way that can be used."""

    reason, retriable = "discovery_unavailable", True
    exit_code = 3


class LogUnavailable(StreamguardError):
    """The event log cannot be read or written: a full disk, no permission, damage."""

    reason, retriable = "log_unavailable", True
    exit_code = 3


class AdminUnavailable(StreamguardError):
    """Nobody answers at the admin API of a deployment."""

    reason = "admin"
    exit_code = 3


class RecordsUnavailable(StreamguardError):
    """The records behind a bank cannot be read or written: a full disk, no permission, damage."""

    reason, retriable = "records_unavailable", True
    exit_code = 3


class ExchangeUnavailable(StreamguardError):
    """A hash exchange does not answer, or what it answers cannot be used now."""

    reason, retriable = "exchange_unavailable", True
    exit_code = 3


class ExchangeDenied(ExchangeUnavailable):
    """A hash exchange refuses who we are; only a person can change that."""

    reason, retriable = "exchange_denied", False


class EvidenceUnavailable(StreamguardError):
    """A clip or still could not be made or stored; the flag stands without it."""

    reason = "evidence_unavailable"
    exit_code = 3


class EvidenceWaits(EvidenceUnavailable):
    """What was made cannot be stored now; it is held, and stored by asking for it again."""

    retriable = True


class EvidenceDamaged(StreamguardError):
    """Stored evidence, its manifest or its custody is not what was written."""

    reason = "evidence_damaged"
    exit_code = 2


class BrokerUnavailable(StreamguardError):
    """The Kafka brokers cannot be reached, do not answer, or cannot take records now."""

    reason, retriable = "broker_unavailable", True
    exit_code = 3


class BrokerDenied(BrokerUnavailable):
    """The Kafka brokers refuse who we are or what we may do; only a person can change that."""

    reason = "broker_denied"


class BrokerForgot(BrokerUnavailable):
    """The Kafka brokers have lost records of a topic that they had acknowledged."""

    reason = "broker_forgot"


class RecordRefused(StreamguardError):
    """The Kafka brokers will never take one of these records: it is too large, or invalid."""

    reason = "record_refused"


class DecisionRefused(StreamguardError):
    """What a person asked for in a case is not theirs to do, or contradicts itself."""

    reason = "decision_refused"
    exit_code = 2


class CaseTaken(StreamguardError):
    """A case is not, or is no longer, in the hands of whoever asks: nothing was changed."""

    reason = "case_taken"
    exit_code = 2


class DeskUnavailable(StreamguardError):
    """What reviewers work with cannot be read or written: a full disk, no permission, damage."""

    reason, retriable = "desk_unavailable", True
    exit_code = 3


class BudgetSpent(StreamguardError):
    """Somebody has seen as much as they should; they are asked before they get more."""

    reason = "budget_spent"


class NoSuchCase(CaseTaken):
    """There is no case of this id for whoever asks."""

    reason = "no_such_case"


class AccountRefused(StreamguardError):
    """An account cannot be made or changed as it was asked for."""

    reason = "account_refused"
    exit_code = 2


class TooManyTries(StreamguardError):
    """Somebody tried to sign in so often that no other try is heard for now."""

    reason = "too_many_tries"


class SignInRefused(StreamguardError):
    """Somebody could not be signed in elsewhere."""

    reason = "sign_in_refused"
    exit_code = 2
