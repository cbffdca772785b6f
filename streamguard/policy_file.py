"""Reads a policy file: what a platform decided about each kind of content.

Rule: an unknown key is an error, and the policy in force stays. Thresholds are never looser than
what the index finds exactly.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from streamguard.core.bank_values import check_policy
from streamguard.core.errors import BankError, ConfigError
from streamguard.core.policy import CategoryRule, HashRule, Policy
from streamguard.core.signal_data import MAX_AGAINST
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY, Severity
from streamguard.toml_file import problem_in, read_toml


def _checked(code: str) -> str:
    """Refuse a code that no bank can have: its rule would never apply."""
    try:
        check_policy(code)
    except BankError as error:
        raise ValueError(str(error)) from None
    return code


Code = Annotated[str, AfterValidator(_checked)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class HashTable(_Table):
    """`[default]`, or `[banks.CODE]` for one policy code of the banks."""

    severity: Severity = Severity.P1
    """P0 is an attack in progress, P3 can wait for a shift."""
    max_distance_bits: Annotated[int, Field(ge=0, le=MATCH_DISTANCE_BITS)] = MATCH_DISTANCE_BITS
    """Inclusive Hamming distance of a match, bits."""
    min_quality: Annotated[int, Field(ge=MIN_QUALITY, le=100)] = MIN_QUALITY
    """Lowest PDQ quality of the live frame."""
    min_votes: Annotated[int, Field(ge=1, le=100)] = 1
    """Samples that must agree on an offset before a flag opens."""


class CategoryTable(_Table):
    """`[categories.NAME]`: one category of a model."""

    severity: Severity = Severity.P2
    """P0 is an attack in progress, P3 can wait for a shift."""
    threshold: Annotated[float, Field(gt=0, le=1)] | None = None
    """Inclusive score that makes a decision positive; without one the model pack's own."""
    exonerating: Annotated[tuple[str, ...], Field(max_length=MAX_AGAINST)] = ()
    """Labels of the model that speak against it, such as one for games: reviewers are told how sure
    the model is of them, and they change nothing else."""


class PolicyTables(_Table):
    """A policy file."""

    version: Annotated[str, Field(min_length=1, max_length=64)]
    """Names this edition of the policy."""
    default: HashTable = HashTable()
    banks: dict[Code, HashTable] = {}
    categories: dict[str, CategoryTable] = {}


def load_policy(file: Path | None) -> Policy:
    """Read a policy file; without one every match is P1 at the standard distance.

    Raises:
        ConfigError: one line that names the file, the line and the field.
    """
    if file is None:
        return Policy()
    try:
        tables = PolicyTables.model_validate(read_toml(file))
    except ValidationError as error:
        raise ConfigError(problem_in(file, error)) from None
    return Policy(
        version=tables.version,
        default=HashRule(**dict(tables.default)),
        banks={code: HashRule(**dict(table)) for code, table in tables.banks.items()},
        categories={name: CategoryRule(**dict(table)) for name, table in tables.categories.items()},
    )
