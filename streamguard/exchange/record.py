"""The record: one hash of somebody's list, with all that its source says about it.

Rule: a record that exists is valid. What cannot be one is refused by naming the field, and no
message repeats a hash.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_validator,
)

from streamguard.core.bank_values import check_policy
from streamguard.core.errors import BankError
from streamguard.core.types import HASH_BYTES, MATCH_DISTANCE_BITS

MATCHED_TYPES = frozenset({"pdq", "vpdq-frame"})
"""Hashes that a bank can hold; all others (MD5, SHA-256...) are passed over and counted."""

AXES = ("producer", "content_type", "behaviour", "ideology", "severity", "incident_id")
"""What labels speak of. Source: the public taxonomy of GIFCT's hash-sharing database."""

MAX_ID_BYTES = 256
"""Longest id of a record or video, bytes of UTF-8; services use numbers of up to 20 digits."""

MAX_OFFSET_MS = 30 * 24 * 3600 * 1000
"""Latest time within a video, 30 days: a longer one is a mistake of units."""

MAX_TAGS = 256
"""Most tags, and most opinions, of one record."""

Standing = Literal["pos", "seed", "neg"]
"""What is thought of a hash: it shows what its policy names; it may; it does not."""

SOURCE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")
"""What a source is called; no colon and no slash, which divide it from a record's id."""

_HEX = re.compile(r"[0-9a-f]*")
_HEX_DIGITS = 2 * HASH_BYTES


class FieldProblem(Exception):
    """A field that makes a record impossible; the message says what is wrong, not the value."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field, self.what = field, what


def is_text(value: Any) -> bool:
    """Say whether something can stand in a record as an id, a label or a tag."""
    if not isinstance(value, str) or not value.isprintable():
        return False
    return 1 <= len(value.encode()) <= MAX_ID_BYTES


def _printable(text: str) -> str:
    if not is_text(text):
        raise ValueError(f"1 to {MAX_ID_BYTES} bytes of printable text are needed")
    return text


def _policy(code: str) -> str:
    try:
        check_policy(code)
    except BankError as error:
        raise ValueError(str(error)) from None
    return code


def _instant(value: Any) -> Any:
    """Take what JSON can say of a time: only text; a bare number has no unit."""
    if not isinstance(value, str | datetime):
        raise ValueError('a time is text, as "2025-03-01T12:00:00Z"')  # noqa: TRY004  # pydantic's
    return value


def _utc(value: datetime) -> datetime:
    try:
        utc = value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a year from 1970 to 9999 is needed") from None
    if utc.year < 1970:  # noqa: PLR2004  # the epoch
        raise ValueError("a year from 1970 to 9999 is needed")
    return utc


def _hash(text: str) -> str:
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("hex digits are needed")
    return text.lower()


Text = Annotated[StrictStr, Field(min_length=1), AfterValidator(_printable)]
Code = Annotated[StrictStr, AfterValidator(_policy)]
SourceName = Annotated[StrictStr, Field(pattern=SOURCE_NAME.pattern)]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_instant),
    AfterValidator(_utc),
    PlainSerializer(lambda time: time.isoformat().replace("+00:00", "Z"), when_used="json"),
]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Labels(_Value):
    """What a record's content is about, axis by axis, in the words of its source."""

    producer: Text | None = None
    content_type: Text | None = None
    behaviour: Text | None = None
    ideology: Text | None = None
    severity: Text | None = None
    incident_id: Text | None = None


class Opinion(_Value):
    """What one member of an exchange thinks of a hash.

    owner:         who thinks so, by the exchange's id.
    descriptor_id: what to react to in ThreatExchange; none where the opinion was a reaction itself.
    """

    standing: Standing
    owner: Text | None = None
    descriptor_id: Text | None = None
    tags: Annotated[tuple[Text, ...], Field(max_length=MAX_TAGS)] = ()


class Record(_Value):
    """One hash of a list.

    record_id:    the source's own key, unique within the source; not the hash.
    hash_type:    "pdq", "vpdq-frame" (both are matched), "md5", "sha256"...
    hash:         lower-case hex; None only of a deleted record.
    quality:      of the picture that was hashed, 0..100.
    video_id:     frames of one video share it; t_offset_ms is the frame's time within it.
    variant:      how the picture was cut or turned before hashing; 0 is not at all.
    opinion:      what is thought of it on the whole; `opinions` says who thinks what.
    deleted:      a tombstone: the source has withdrawn it.
    max_distance: most bits in which a match may differ; None leaves that to the policy.
    """

    record_id: Text
    source: SourceName
    hash_type: Annotated[StrictStr, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = "pdq"
    hash: (
        Annotated[StrictStr, Field(min_length=1, max_length=512), AfterValidator(_hash)] | None
    ) = None
    policy: Code | None = None
    quality: Annotated[StrictInt, Field(ge=0, le=100)] | None = None
    video_id: Text | None = None
    t_offset_ms: Annotated[StrictInt, Field(ge=0, le=MAX_OFFSET_MS)] | None = None
    variant: Annotated[StrictInt, Field(ge=0, le=255)] = 0
    labels: Labels = Labels()
    tags: Annotated[tuple[Text, ...], Field(max_length=MAX_TAGS)] = ()
    opinion: Standing = "pos"
    opinions: Annotated[tuple[Opinion, ...], Field(max_length=MAX_TAGS)] = ()
    added_at: Instant | None = None
    updated_at: Instant | None = None
    expires_at: Instant | None = None
    deleted: StrictBool = False
    max_distance: Annotated[StrictInt, Field(ge=0, le=MATCH_DISTANCE_BITS)] | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.hash is None and not self.deleted:
            raise ValueError("hash: it is missing")
        if self.hash is not None and self.is_matched:
            problem = hex_problem(self.hash)
            if problem:
                raise ValueError(f"hash: {problem}")
        if (self.video_id is None) != (self.t_offset_ms is None):
            raise ValueError("video_id: a frame has both video_id and t_offset_ms, or neither")
        return self

    @property
    def is_matched(self) -> bool:
        """Say whether a bank can hold this kind of hash."""
        return self.hash_type in MATCHED_TYPES

    @property
    def name(self) -> str:
        """Give what people call this record."""
        return f"{self.source}:{self.record_id}"

    def to_json(self) -> str:
        """Write it as one line of JSON, without what goes without saying."""
        return self.model_dump_json(exclude_defaults=True, ensure_ascii=False)


def hex_problem(text: str) -> str | None:
    """Say why a text is no PDQ hash, without repeating it; None where it is one."""
    if not _HEX.fullmatch(text):
        return "a PDQ hash is hex digits alone"
    if len(text) != _HEX_DIGITS:
        return f"a PDQ hash has {_HEX_DIGITS} hex digits, this has {len(text)}"
    return None


def make_record(fields: Mapping[str, Any]) -> Record:
    """Make a record of what JSON says.

    A record without an id is named by what it is, the same each time.

    Raises:
        FieldProblem: the first field that is wrong.
    """
    values = dict(fields)
    if "record_id" not in values:
        values["record_id"] = id_of(
            *(values.get(name) for name in ("hash_type", "hash", "video_id", "t_offset_ms"))
        )
    try:
        return Record.model_validate(values)
    except ValidationError as error:
        raise field_problem(error) from None


def source_name(text: str) -> str:
    """Make the name of a source from that of a file."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", text).lstrip("._-")[:32] or "list"


def id_of(hash_type: Any, text: Any, *more: Any) -> str:
    """Name a hash that came without an id: a digest, for ids reach events and logs."""
    named = (hash_type or "pdq", str(text).lower(), *more)
    return sha256("\0".join(map(str, named)).encode(errors="replace")).hexdigest()[:32]


def field_problem(error: ValidationError) -> FieldProblem:
    """Give the first problem of a validation."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "there is no such field; is it misspelt?"
    if not field:  # of the record as a whole, whose message begins with the field
        field, _, what = what.partition(": ")
    return FieldProblem(field, what)
