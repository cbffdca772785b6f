"""What an event says of a decision about a stream: what, why, by whom, and what follows.

Rule: as for `event_data`: bounded texts on one line, no URL, key, hash or personal data of the one
decided on. `decision_id` serves as the PUID of a DSA statement of reasons as it stands.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from streamguard.core.event_data import FlagPolicy
from streamguard.core.event_values import Count, Name, PtsMs, UtcTime, Uuid, Value, Word

MAX_FLAGS_TOLD = 256
"""Flags that a decision names: the last ones; 37 bytes each leave an event far below 64 KiB."""

DecisionId = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,128}$")]
"""Id of a decision, within what a PUID allows (500 of these characters)."""

Actor = Annotated[str, Field(pattern="^(rule:|platform:)?[A-Za-z0-9._-]{1,64}$")]
"""Who acted: a reviewer's account id, which is no name, or `rule:NAME`."""

ReasonCode = Annotated[str, Field(pattern="^[A-Z0-9_]{1,32}([.][A-Z0-9_]{1,32}){0,2}$")]
"""Why, in the words of the list of reason codes, such as `TVEC.ATTACK_LIVE`."""

Note = Annotated[
    str,
    Field(min_length=1, max_length=2_000, pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+$"),
]
"""Words of a person, on one line."""

Outcome = Literal[
    "confirmed",
    "rejected",
    "not_tvec_other_policy",
    "needs_second",
    "escalated",
    "no_decision_stream_ended",
    "undone",
]
"""`needs_second`: another reviewer must agree before `proposed` is done; `escalated`: a senior
decides; `undone`: the decision named in `supersedes` does not hold, and its case is open again."""

ActionKind = Literal["none", "limit_reach", "hold", "cut", "cut_and_suspend", "restore"]
"""What is to be done to the stream. `restore` takes back whatever was done before."""

Scope = Literal["live", "recording", "clips"]
"""What of the stream it is done to."""

Context = Literal[
    "newsworthy", "educational", "documentation_of_abuse", "gameplay_or_fiction", "satire"
]
"""What makes content that looks forbidden something else: exceptions of human rights."""

Role = Literal["reviewer", "senior", "auditor", "operator", "administrator"]
"""What an account may do."""


def is_a_rules(actor: str) -> bool:
    """Say whether what an actor did was done by a rule, and by no person."""
    return actor.startswith("rule:")


class DecidedStream(Value):
    """What is decided on: one publish of a stream, and no later one."""

    stream_id: Name
    """Catalogue id of the livestream; never its URL or its key."""
    session_id: Name
    """The publish that was looked at. A later one of the same stream is not decided on."""


class Reviewer(Value):
    """How the person who decided came to it."""

    role: Role
    """What the account was when it decided."""
    is_second: bool
    """It judged without seeing what somebody else had judged before."""
    claimed_at: UtcTime
    """Instant at which the case was taken."""
    first_view_at: UtcTime | None = None
    """Instant at which evidence was first shown; absent where none was."""
    lease_token: Count
    """The fencing token of the lease under which it was decided."""
    clearance: Name | None = None
    """What let them see it: `*` for all content, else the policy that they are cleared for."""


class Exposure(Value):
    """What the decision cost the person who took it."""

    stills_viewed: Count = 0
    """Pictures shown."""
    clip_ms: Count = 0
    """Video played, milliseconds."""
    unblurred_ms: Count = 0
    """Of it without blur, milliseconds."""
    audio_ms: Count = 0
    """Of it with sound, milliseconds."""


class Referral(Value):
    """An imminent threat was referred: who was told, and when."""

    authority: Name
    """Who was told, such as a unit of police; no name of a person."""
    means: Word
    """How: `phone`, `portal`, `mail`…"""
    told_at: UtcTime
    """Instant at which they were told."""
    reference: Name | None = None
    """What they call it."""


class BankOrder(Value):
    """The evidence goes into a bank."""

    bank: Name
    """Name of the bank."""
    entry: Name
    """Name of the entry to be."""


class SignalVote(Value):
    """Whether the reviewer agrees with an entry that matched."""

    bank: Name
    """Name of the bank."""
    entry: Name
    """Name of the entry."""
    agrees: bool
    """The entry found what it stands for."""


class Automation(Value):
    """How much of it was a machine's, in the words of the DSA."""

    detection_automated: bool
    """A machine found it."""
    decision: Literal["NOT_AUTOMATED", "PARTIALLY", "FULLY"]
    """`PARTIALLY`: a person decided on what a machine had found; `FULLY`: a rule decided."""
    rule_id: Name | None = None
    """Name of the rule that decided; absent where a person did."""


class AppealRight(Value):
    """Whether the person affected may object."""

    eligible: bool
    """There is something to object to."""
    window_ends_at: UtcTime | None = None
    """Instant until which it may be handed in."""
    supersedes: DecisionId | None = None
    """The decision that an appeal was about, where this one follows from the appeal."""
    overturned: Literal[True] | None = None
    """The appeal was right: that decision was wrong."""


class Notice(Value):
    """Whether whoever is affected must be told, and when."""

    required: bool
    """Something is done to their stream: they are owed the reasons (DSA, art. 17)."""
    delayed_until: UtcTime | None = None
    """Instant before which nobody tells them; absent where they are told at once."""
    delay_reason: Word | None = None
    """Why not at once: `authority_asked`, `investigation`, `threat_to_life`."""


class ThresholdHint(Value):
    """What bound would have kept out what was found by mistake; nobody need follow it."""

    source: Name
    """Name of the bank, or of the model pack."""
    name: Name
    """Name of the entry, or of the category."""
    kind: Literal["distance_bits", "score"]
    """What the bound is of."""
    found: Annotated[float, Field(ge=0, le=256)]
    """The distance, or the score, of the best hit: a bound that is tighter keeps it out."""


class DecisionData(Value):
    """One decision about one case: made by a person under a lease, or by a rule."""

    decision_id: DecisionId
    """Minted once."""
    case_id: Uuid
    """The case: all flags of one session and policy that were looked at together."""
    flag_ids: Annotated[tuple[Uuid, ...], Field(max_length=MAX_FLAGS_TOLD)] = ()
    """The flags that were on the table; of very many the last ones."""
    stream: DecidedStream
    policy: FlagPolicy
    """The policy of the case, and how urgent it was."""
    outcome: Outcome
    """What came of it."""
    reason_code: ReasonCode
    """Also where nothing was found."""
    policy_version: Name | None = None
    """Which text of the policy it was decided by: the operator's name for it, else one that follows
    from the list of reason codes."""
    context: tuple[Context, ...] = ()
    """Exceptions that were weighed, each once."""
    action: ActionKind
    """What is to be done now."""
    proposed: ActionKind | None = None
    """What is to be done once another reviewer agrees; present where the outcome is
    `needs_second`."""
    scopes: tuple[Scope, ...] = ()
    """What it is done to; empty where nothing is done."""
    expires_at: UtcTime | None = None
    """Instant at which a hold or a limit ends by itself."""
    decided_at: UtcTime
    """Instant of the decision."""
    actor: Actor
    """Who decided."""
    reviewer: Reviewer | None = None
    """Absent where a rule decided."""
    supersedes: DecisionId | None = None
    """The decision about the same case before this one. What was done for it stands until an
    action changes it: `none` changes nothing, `restore` takes it back."""
    undo_until: UtcTime | None = None
    """Instant until which whoever decided may take it back; absent where that cannot be."""
    onset_epoch: Count | None = None
    """The unbroken timeline that onset and end are of."""
    onset_pts_ms: PtsMs | None = None
    """Media time at which the harm began, as the reviewer marked it."""
    end_pts_ms: PtsMs | None = None
    """Media time at which it ended."""
    ground: Literal["illegal", "terms"] | None = None
    """Illegal content, or against the platform's terms."""
    legal_ref: Name | None = None
    """Which law."""
    explanation_public: Note | None = None
    """For the person affected and for the public."""
    note: Note | None = None
    """For colleagues."""
    exposure: Exposure | None = None
    automation: Automation
    referral: Referral | None = None
    """An imminent threat was referred."""
    preserve: Literal[True] | None = None
    """The evidence is to be held beyond its time, until somebody releases it."""
    banking: BankOrder | None = None
    """The evidence is to be found again."""
    unbanking: BankOrder | None = None
    """What had gone into a bank is to be taken out again."""
    votes: Annotated[tuple[SignalVote, ...], Field(max_length=8)] = ()
    """What the reviewer says of the entries that matched."""
    threshold_hint: ThresholdHint | None = None
    """Where the match or the model was wrong."""
    appeal: AppealRight | None = None
    notify_user: Notice | None = None
    incident_id: Uuid | None = None
    """The incident that went on; of several the one that was declared last."""
    drawn_for_check: Literal[True] | None = None
    """Chosen by lot for a blind second look; what was decided holds meanwhile."""
    appeal_id: Uuid | None = None
    """The appeal that it follows from."""

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        if (self.action == "none") != (not self.scopes):
            raise ValueError("scopes belong to an action, and only there")
        if (self.outcome == "needs_second") != (self.proposed is not None):
            raise ValueError("proposed belongs to needs_second, and only there")
        if is_a_rules(self.actor) != (self.reviewer is None):
            raise ValueError("a person decides under a lease, a rule without one")
        if self.outcome == "undone" and self.supersedes is None:
            raise ValueError("undone names the decision that it supersedes")
        if (self.onset_pts_ms is not None) and self.onset_epoch is None:
            raise ValueError("an onset names its epoch")
        return self
