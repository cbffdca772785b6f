"""The section [evidence] of the configuration.

Rule: as in `settings`, which reads it; here is what it is.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from streamguard.sections.section import Section

StoreUrl = Annotated[str, Field(pattern=r"^(s3|gs|az|file)://[A-Za-z0-9._/-]+$", max_length=900)]
TimestampUrl = Annotated[
    str, Field(pattern=r"^https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._/-]*)?$", max_length=900)
]
Days = Annotated[float, Field(gt=0, le=36_500)]


RoleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class EvidenceSection(Section):
    """What a reviewer can look at."""

    directory: Path | None = None
    """Where evidence of flags is kept, encrypted; without it no picture is ever stored."""
    master_key_file: Path | None = None
    """Key that wraps the keys of evidence: a line of 64 hex digits, those of former keys after it;
    without it DIRECTORY.keys/master.key, made once. Without the key no evidence can be read."""
    signing_key_file: Path | None = None
    """Ed25519 key, PEM, that signs manifests and custody, those of former keys after it; without
    it DIRECTORY.keys/signing.pem, made once."""
    store: StoreUrl | None = None
    """Where encrypted parts go in the end, as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX,
    az://CONTAINER/PREFIX or file:///DIRECTORY; they wait in the directory while it is away. Without
    it they stay there."""
    store_options_file: Path | None = None
    """Options and credentials of that store, TOML, by obstore's names, as access_key_id; without it
    they come from what the cloud gives its machines."""
    timestamp_url: TimestampUrl | None = None
    """A time-stamping authority (RFC 3161, by HTTP) that is sent the hash of each manifest, and
    whose token becomes part of it: nobody, with whatever keys, can date evidence back. Without it
    manifests have no time stamp."""
    timestamp_roots_file: Path | None = None
    """Certificates that its tokens have to lead to, PEM; those of former authorities after them."""
    rejected_days: Days = 7.0
    """How long evidence is kept after somebody found no breach in it, days."""
    unreviewed_days: Days = 30.0
    """How long evidence is kept that nobody decided on, days from its collection."""
    confirmed_days: Days = 190.0
    """How long evidence is kept after somebody confirmed a breach, days; the EU asks for six months
    of what was removed as terrorist content (Regulation 2021/784, article 6). Longer than
    `[review] appeal_days`, or who hears a late appeal has nothing to look at."""
    purge: Literal["tell", "erase"] = "tell"
    """Whether `run` erases what is past its time and on no hold, an hour after it was found so, or
    only tells of it, by `streamguard_evidence_overdue`, and leaves it to `evidence purge`."""
    purge_most: Annotated[int, Field(ge=1, le=10_000)] = 100
    """How many evidence `run` erases within an hour at most: a clock or a rule that is wrong costs
    no more until somebody sees it."""
    roles: Annotated[tuple[RoleName, ...], Field(max_length=16)] = ()
    """Roles that may see evidence, as its manifests then say; none lays nothing down. The command
    line knows no roles: whoever may read the keys may use it."""
    two_person_export: bool = False
    """Whether evidence that is collected from now on is exported only after somebody else approved
    of it, by `evidence approve`."""
