"""A committed edit as bytes: the payload of one frame in a bank's delta.

Rule: sections as in a base; `meta` is JSON, the columns of a table are there where entries are
added.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import TypeAdapter, ValidationError

from streamguard.adapters.bank_columns import checked_bytes, read_table, table_arrays
from streamguard.adapters.bank_layout import Damaged, pack, unpack
from streamguard.core.bank_edit import Amendment, Commit
from streamguard.core.bank_table import table_of
from streamguard.core.bank_values import BankSettings, Terms


@dataclass(frozen=True, slots=True)
class CommitMeta:
    """What a commit holds beside its arrays; see Commit."""

    terms: tuple[Terms, ...] = ()
    remove: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    amend: Mapping[str, Amendment] = field(default_factory=dict)
    settings: BankSettings | None = None
    notes: Mapping[str, str | None] = field(default_factory=dict)


_META = TypeAdapter(CommitMeta)


def pack_commit(commit: Commit) -> bytes:
    """Give the payload of a frame."""
    meta = CommitMeta(
        terms=tuple(commit.add.terms),
        remove=commit.remove,
        replaced=commit.replaced,
        amend=commit.amend,
        settings=commit.settings,
        notes=commit.notes,
    )
    arrays = {"meta": np.frombuffer(_META.dump_json(meta, exclude_defaults=True), np.uint8)}
    if commit.add.n_entries:
        arrays |= table_arrays(commit.add)
    return b"".join(pack(arrays))


def read_commit(payload: memoryview, revision: int) -> Commit:
    """Read the payload of a frame whose checksum is right.

    Raises:
        Damaged: no writer of this version made it.
    """
    sections = unpack(payload)
    try:
        meta = _META.validate_json(checked_bytes(sections, "meta"))
    except ValidationError:
        raise Damaged(f"its edit {revision} makes no sense") from None
    return Commit(
        revision=revision,
        add=read_table(sections, meta.terms) if "hashes" in sections else table_of([]),
        remove=meta.remove,
        replaced=meta.replaced,
        amend=meta.amend,
        settings=meta.settings,
        notes=meta.notes,
    )
