"""What a process measured of itself, as values that another can show.

Rule: values only; names and labels are those of the metrics.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a metric."""

    name: str
    labels: dict[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Family:
    """One metric with all its values; `kind` is Prometheus's word for what it is."""

    name: str
    text: str
    kind: str
    values: tuple[Value, ...]
