"""A bank's table as sections: in a base, and in each committed edit.

Rule: shapes are checked before anything reaches into an array; what the numbers say is checked by
`number_faults`, which reads them all.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamguard.adapters.bank_layout import Damaged, Section
from streamguard.core.bank_table import Table, zeros
from streamguard.core.bank_values import Terms, check_name, check_policy
from streamguard.core.errors import BankError
from streamguard.core.types import HASH_BYTES


def table_arrays(table: Table) -> dict[str, NDArray[Any]]:
    """Give the columns of a table by name; those of zeros are left out."""
    arrays: dict[str, NDArray[Any]] = {
        "hashes": table.hashes,
        "name_ends": table.name_ends,
        "name_bytes": table.name_bytes,
    }
    if table.ends is not None:
        arrays["ends"] = table.ends
    columns: dict[str, NDArray[Any]] = {
        "offsets_ms": table.offsets_ms,
        "variants": table.variants,
        "durations_ms": table.durations_ms,
        "terms_of": table.terms_of,
    }
    return arrays | {name: column for name, column in columns.items() if np.any(column)}


def read_table(sections: Mapping[str, Section], terms: Sequence[Terms]) -> Table:
    """Give the table that lies in sections.

    Raises:
        Damaged: a column is missing, or does not fit the others.
    """
    hashes = array_of(sections, "hashes", np.uint8, 2)
    name_ends = array_of(sections, "name_ends", np.uint32, 1)
    name_bytes = array_of(sections, "name_bytes", np.uint8, 1)
    n_hashes, n_entries = len(hashes), len(name_ends)
    ends = array_of(sections, "ends", np.uint32, 1) if "ends" in sections else None
    n_last = n_hashes if ends is None else n_entries and int(ends[-1])
    if (
        hashes.shape[1] != HASH_BYTES
        or (len(ends) if ends is not None else n_hashes) != n_entries
        or n_last != n_hashes
        or (int(name_ends[-1]) if n_entries else 0) != len(name_bytes)
        or (n_entries and not terms)
    ):
        raise Damaged("its columns do not fit each other")
    return Table(
        hashes=hashes,
        offsets_ms=_column(sections, "offsets_ms", n_hashes, np.uint32),
        variants=_column(sections, "variants", n_hashes, np.uint8),
        ends=ends,
        name_ends=name_ends,
        name_bytes=name_bytes,
        durations_ms=_column(sections, "durations_ms", n_entries, np.uint32),
        terms_of=_column(sections, "terms_of", n_entries, np.uint8, np.uint16, np.uint32),
        terms=terms,
    )


def number_faults(table: Table) -> Iterator[str]:
    """Check every number that is later used to reach into an array, and every name."""
    for what, ends in (("hashes", table.ends), ("names", table.name_ends)):
        if ends is not None and (np.any(ends[1:] <= ends[:-1]) or not np.all(ends[:1])):
            yield f"its entries do not share out its {what}"
            return
    if np.any(table.terms_of >= max(1, len(table.terms))):
        yield "an entry has terms that there are not"
    n_wrong = sum(not _is_name(raw) for raw in table.raw_names())
    if n_wrong:
        yield f"{n_wrong} of its entries have no valid name"
    if not all(_is_policy(terms.policy) for terms in table.terms):
        yield "an entry has no valid policy"


def array_of(
    sections: Mapping[str, Section], name: str, dtype: type[np.generic], n_dims: int
) -> NDArray[Any]:
    """Give a section that must be there.

    Raises:
        Damaged: it is missing, or of another kind.
    """
    section = sections.get(name)
    if section is None or section.array.dtype != dtype or section.array.ndim != n_dims:
        raise Damaged(f"its section {name} is missing, or of another kind")
    return section.array


def checked_bytes(sections: Mapping[str, Section], name: str) -> bytes:
    """Give the bytes of a section that must be there, after checking them.

    Raises:
        Damaged: it is missing or damaged.
    """
    raw = array_of(sections, name, np.uint8, 1).tobytes()
    if zlib.crc32(raw) != sections[name].crc:
        raise Damaged(f"its section {name} is damaged")
    return raw


def _column(
    sections: Mapping[str, Section], name: str, length: int, *dtypes: type[np.unsignedinteger[Any]]
) -> NDArray[Any]:
    section = sections.get(name)
    if section is None:
        return zeros(length, dtypes[0])
    if section.array.dtype not in dtypes or section.array.shape != (length,):
        raise Damaged(f"its section {name} does not fit the others")
    return section.array


def _is_name(raw: bytes) -> bool:
    try:
        check_name(raw.decode())
    except (BankError, UnicodeDecodeError):
        return False
    return True


def _is_policy(policy: str) -> bool:
    try:
        check_policy(policy)
    except BankError:
        return False
    return True
