"""The contracts of today against those of the last release, in `released/`.

At a release the files of streamguard/contracts are copied there: `make contracts`, then cp.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamguard import contracts
from tests.contracts.compatibility import Node, channel_breaks, schema_breaks

TODAY = Path(contracts.__file__).parent
RELEASED = Path(__file__).parent / "released"
SCHEMAS = sorted(path.name for path in RELEASED.glob("*.json"))


def schema(folder: Path, name: str) -> Node:
    read: Node = json.loads((folder / name).read_text(encoding="utf-8"))
    return read


def channels(folder: Path) -> Node:
    read: Node = yaml.safe_load((folder / "asyncapi.yaml").read_text(encoding="utf-8"))
    return read


@pytest.mark.parametrize("name", SCHEMAS)
def test_whoever_knows_the_last_release_takes_the_events_of_today(name: str) -> None:
    assert schema_breaks(schema(RELEASED, name), schema(TODAY, name)) == []


def test_topics_and_messages_of_the_last_release_are_what_they_were() -> None:
    assert len(SCHEMAS) >= 16  # the last release had so many
    assert channel_breaks(channels(RELEASED), channels(TODAY)) == []


def edit(change: Callable[[Any], object]) -> tuple[Node, Node]:
    """Change the flag's data in a copy; give what was and what is."""
    old = schema(RELEASED, "org.streamguard.flag.opened.v1.json")
    new = deepcopy(old)
    change(new["$defs"])
    return old, new


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda parts: parts["FlagData"]["properties"].pop("policy"), "data.policy: gone"),
        (lambda parts: parts["FlagData"]["required"].append("is_rescreened"), "now required"),
        (lambda parts: parts["FlagData"]["required"].remove("signals"), "not required"),
        (
            lambda parts: parts["FlagData"]["properties"]["signals"].update(maxItems=9),
            "data.signals: maxItems was 8, is 9",
        ),
        (
            lambda parts: parts["FlagData"]["properties"]["flag_id"].update(type="integer"),
            "data.flag_id: type was string, is integer",
        ),
        (
            lambda parts: parts["StreamRef"]["properties"]["protocol"]["enum"].append("carrier"),
            "data.stream.protocol: enum was",
        ),
        (
            lambda parts: parts["FlagData"]["properties"]["signals"].pop("items"),
            "data.signals: items came or went",
        ),
        (
            lambda parts: parts["FlagData"].update(additionalProperties=False),
            "data: additionalProperties was None, is False",
        ),
    ],
)
def test_every_kind_of_break_is_named(change: Callable[[Any], object], says: str) -> None:
    [found] = schema_breaks(*edit(change))

    assert says in found


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: parts["FlagData"]["properties"].update(mood={"type": "string"}),
        lambda parts: parts["FlagData"].update(description="Otherwise said."),
        lambda parts: parts["FlagData"]["required"].sort(),
    ],
    ids=["an optional field", "a text", "an order"],
)
def test_what_harms_nobody_is_no_break(change: Callable[[Any], object]) -> None:
    assert schema_breaks(*edit(change)) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda new: new["channels"].pop("flags"), "flags: the topic is gone"),
        (lambda new: new["channels"]["flags"].update(address="x"), "flags: the topic is gone"),
        (
            lambda new: new["channels"]["flags"]["messages"].pop("flag_closed"),
            "flag_closed is not published there",
        ),
        (lambda new: new["components"]["messages"].pop("bank_released"), "bank_released: gone"),
        (
            lambda new: new["components"]["messages"]["flag_opened"].update(contentType="a/b"),
            "flag_opened: contentType was application/json, is a/b",
        ),
        (
            lambda new: new["channels"]["coverage"]["bindings"]["kafka"][
                "topicConfiguration"
            ].update({"retention.ms": 1}),
            "coverage: records are kept for a shorter time",
        ),
    ],
)
def test_every_break_of_topics_and_messages_is_named(
    change: Callable[[Any], object], says: str
) -> None:
    old = channels(RELEASED)
    new = deepcopy(old)
    change(new)

    [found] = channel_breaks(old, new)

    assert says in found


def test_a_header_that_goes_is_missed_in_every_message() -> None:
    old = channels(RELEASED)
    new = deepcopy(old)
    del new["components"]["schemas"]["headers"]["properties"]["ce_id"]

    assert channel_breaks(old, new) == [
        f"{name}.headers.ce_id: gone" for name in old["components"]["messages"]
    ]
