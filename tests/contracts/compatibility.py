"""What breaks between two versions of a contract: pure, so that it can be tested by itself.

Rule: within one version of a type optional fields may be added and texts may change, nothing else:
whoever knows the old contract must take new events, and whoever knows the new one old events.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Node = dict[str, Any]

TEXTS = {"title", "description", "examples"}
"""What a schema says to people alone."""

FOLLOWED = {"$ref", "properties", "required", "items", "anyOf", "oneOf"}


@dataclass(frozen=True)
class Pair:
    """Two versions of a document, and where in them we look."""

    old: Node
    new: Node
    path: str = ""

    def at(self, step: str) -> "Pair":
        return Pair(self.old, self.new, f"{self.path}.{step}")


def schema_breaks(old: Node, new: Node) -> list[str]:
    """Name all by which a JSON Schema breaks with an older one."""
    return [*_breaks(Pair(old, new), old, new)]


def _breaks(pair: Pair, old: Node, new: Node) -> Iterator[str]:
    old, new = _followed(pair.old, old), _followed(pair.new, new)
    for name in sorted((old.keys() | new.keys()) - TEXTS - FOLLOWED - {"$defs"}):
        if old.get(name) != new.get(name):
            yield f"{pair.path}: {name} was {old.get(name)}, is {new.get(name)}"
    yield from _field_breaks(pair, old, new)
    for word in ("anyOf", "oneOf"):
        before, after = old.get(word, []), new.get(word, [])
        if len(before) != len(after):
            yield f"{pair.path}: {word} had {len(before)} choices, has {len(after)}"
        for number, (left, right) in enumerate(zip(before, after, strict=False)):
            yield from _breaks(pair.at(f"{word}{number}"), left, right)
    if ("items" in old) != ("items" in new):
        yield f"{pair.path}: items came or went"
    if "items" in old and "items" in new:
        yield from _breaks(pair.at("items"), old["items"], new["items"])


def _field_breaks(pair: Pair, old: Node, new: Node) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    required = set(old.get("required", [])), set(new.get("required", []))
    for name in sorted(required[0] ^ required[1]):
        yield f"{pair.path}.{name}: {'not' if name in required[0] else 'now'} required any more"
    for name, field in before.items():
        if name not in after:
            yield f"{pair.path}.{name}: gone"
        else:
            yield from _breaks(pair.at(name), field, after[name])


def _followed(document: Node, node: Node) -> Node:
    while "$ref" in node:
        target: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = {**target, **{name: value for name, value in node.items() if name != "$ref"}}
    return node


def channel_breaks(old: Node, new: Node) -> list[str]:
    """Name all by which an AsyncAPI document breaks with an older one.

    Topics, keys, headers and messages stay; records are kept as long as before, or longer.
    """
    return [*_channel_breaks(old, new), *_message_breaks(old, new)]


def _channel_breaks(old: Node, new: Node) -> Iterator[str]:
    for name, before in old["channels"].items():
        after = new["channels"].get(name)
        if after is None or after["address"] != before["address"]:
            yield f"{name}: the topic is gone or called otherwise"
            continue
        for message in before["messages"].keys() - after["messages"].keys():
            yield f"{name}: {message} is not published there any more"
        kept = [one["bindings"]["kafka"]["topicConfiguration"] for one in (before, after)]
        if kept[0]["cleanup.policy"] != kept[1]["cleanup.policy"]:
            yield f"{name}: records are kept or compacted otherwise"
        if kept[1]["retention.ms"] < kept[0]["retention.ms"]:
            yield f"{name}: records are kept for a shorter time"


def _message_breaks(old: Node, new: Node) -> Iterator[str]:
    for name, before in old["components"]["messages"].items():
        after = new["components"]["messages"].get(name)
        if after is None:
            yield f"{name}: gone"
            continue
        for part in ("name", "contentType", "payload"):
            if before[part] != after[part]:
                yield f"{name}: {part} was {before[part]}, is {after[part]}"
        keys = [one["bindings"]["kafka"]["key"]["type"] for one in (before, after)]
        if keys[0] != keys[1]:
            yield f"{name}: the key is another"
        headers = [_followed(doc, one["headers"]) for doc, one in ((old, before), (new, after))]
        yield from _breaks(Pair(old, new, f"{name}.headers"), *headers)
