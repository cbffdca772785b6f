"""Writes the tables of configs/README.md: every setting, every rule of a policy, every metric.

Rule: what stands between two markers there is the output of this module; nobody edits it by hand.
Run `make contracts` after a change of settings, policy or metrics.
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from prometheus_client import Metric

from streamguard.adapters.discovery_meter import ServerFigures, show_discovery
from streamguard.adapters.kafka_meter import KafkaMeter
from streamguard.adapters.outbox_values import OutboxValues
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.refusal_meter import RefusalMeter
from streamguard.contracts.descriptions import describe
from streamguard.core.delivery_ports import Tally
from streamguard.core.events import Topic
from streamguard.core.ports import Stage
from streamguard.policy_file import CategoryTable, HashTable, PolicyTables
from streamguard.sections.section import Section
from streamguard.settings import Settings

PACKAGE = Path(__file__).parent.parent
README = PACKAGE.parent / "configs" / "README.md"

ANY = "…"
"""Stands for a label's values where they are no list that is known beforehand."""

_KINDS = {"password": "secret", "path": "path"}
_TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}

Schema = Mapping[str, Any]


def settings_tables() -> str:
    """Describe every setting, a table a section."""
    describe(Section)
    describe(Settings)
    schema = Settings.model_json_schema()
    parts = []
    for name, field in schema["properties"].items():
        header, inner = _table_of(name, field)
        section = _resolved(inner, schema)
        parts += [f"### `{header}`", section["description"], _fields(section, schema)]
    return "\n\n".join(parts)


def _table_of(name: str, field: Schema) -> tuple[str, Schema]:
    """Say how a table is headed: one, one of a list, or one of several with names."""
    if field.get("type") == "array":
        return f"[[{name}]]", field["items"]
    if field.get("type") == "object":
        return f"[{name}.NAME]", _values_of(field)
    return f"[{name}]", field


def _values_of(table: Schema) -> Schema:
    """Give the schema of the values of a table whose keys are names."""
    by_pattern: list[Schema] = list(table.get("patternProperties", {}).values())
    return by_pattern[0] if by_pattern else table["additionalProperties"]


def policy_tables() -> str:
    """Describe every field of a policy file, a table a kind of rule."""
    for table in (HashTable, CategoryTable, PolicyTables):
        describe(table)
    version = PolicyTables.model_json_schema()["properties"]["version"]["description"]
    parts = [f"`version` (text, required) at the top: {version[0].lower()}{version[1:]}"]
    for headers, table in (
        ("`[default]` and `[banks.CODE]`", HashTable),
        ("`[categories.NAME]`", CategoryTable),
    ):
        schema = table.model_json_schema()
        parts += [f"### {headers}", _fields(schema, schema)]
    return "\n\n".join(parts)


def metrics_table() -> str:
    """Describe every metric, with its labels and their values."""
    rows = [*_counted(), *_watched()]
    return _table(("metric", "type", "labels", "meaning"), sorted(rows))


def _fields(section: Schema, schema: Schema) -> str:
    rows = []
    for name, field in section["properties"].items():
        default = "required" if "default" not in field else _code(field["default"])
        kind = _kind(_resolved(field, schema), schema)
        meaning = " ".join(field["description"].split())
        rows.append((f"`{name}`", kind, default, meaning))
    return _table(("setting", "allowed", "default", "meaning"), rows)


def _resolved(field: Schema, schema: Schema) -> Schema:
    """Follow a reference, and leave out that a field may be absent."""
    for option in field.get("anyOf", ()):
        if option.get("type") != "null":
            return _resolved(option, schema)
    if "$ref" in field:
        target: Schema = schema["$defs"][field["$ref"].rpartition("/")[2]]
        return target
    return field


def _kind(field: Schema, schema: Schema) -> str:
    """Say in words what a field may hold."""
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if field["type"] == "array":
        return f"list of: {_kind(_resolved(field['items'], schema), schema)}"
    if field["type"] == "object":
        return f"table of: {_kind(_resolved(_values_of(field), schema), schema)}"
    words = [_KINDS.get(field.get("format", ""), _TYPES[field["type"]])]
    if "minimum" in field:
        words.append(f"from {field['minimum']}")
    if "exclusiveMinimum" in field:
        words.append(f"above {field['exclusiveMinimum']}")
    if "maximum" in field:
        words.append(f"to {field['maximum']}")
    return " ".join(words)


def _code(value: Any) -> str:
    return "none" if value is None else f"`{json.dumps(value)}`"


def _counted() -> Iterator[tuple[str, str, str, str]]:
    """Describe what the meters count and time."""
    meter = PrometheusMeter()
    for stage in get_args(Stage):
        meter.stage(stage, 0.0)
    meter.reconnected(ANY)
    meter.describe_model(ANY, ANY, ANY)
    KafkaMeter(meter.registry).failed(ANY)
    RefusalMeter(meter.registry)
    OutboxValues(meter.registry, list(Topic), lambda _: Tally(0, 0, 0, 0)).count()
    show_discovery(meter.registry, [ServerFigures(ANY, bool, int, int)])
    for metric in meter.registry.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        if not name.endswith("_created"):
            yield f"`{name}`", metric.type, _labels(metric), metric.documentation


def _labels(metric: Metric) -> str:
    values: dict[str, list[str]] = {}
    for sample in metric.samples:
        for label, value in sample.labels.items():
            if label != "le" and value not in values.setdefault(label, []):
                values[label].append(value)
    return "; ".join(f"`{label}`: {', '.join(found)}" for label, found in values.items())


def _watched() -> Iterator[tuple[str, str, str, str]]:
    """Describe the gauges that are read at each scrape, from the calls that make them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="watch"),
                    args=[ast.Constant(value=str(name)), ast.Constant(value=str(text)), _],
                ):
                    yield f"`streamguard_{name}`", "gauge", "", text
                case ast.Call(
                    func=ast.Attribute(attr="watch"), args=[ast.Constant(value=str(name)), _, _]
                ):
                    raise ValueError(f"the text of {name} must stand in its call, for this table")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    cells = ([cell.replace("|", "\\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def filled(text: str) -> str:
    """Put the tables between their markers."""
    tables = {"settings": settings_tables, "policy": policy_tables, "metrics": metrics_table}
    for name, make in tables.items():
        head, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        text = f"{head}{begin}\n{make()}\n\n{end}{tail}"
    return text


def main() -> None:
    """Write the tables anew."""
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
