"""asyncapi.yaml against its specification, and against the topics that are really made."""

import json
import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from streamguard import contracts
from streamguard.adapters.kafka_topics import topic_spec
from streamguard.core.events import EventType
from streamguard.sections.kafka_section import KafkaSection

FILE = Path(contracts.__file__).parent / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
TOOL = Path(__file__).parent / "tool"
NODE_MODULES = Path(__file__).parent.parent.parent / ".cache" / "asyncapi"
SPECIFICATION = Draft7Validator(
    json.loads((TOOL / "asyncapi-3.0.0.json").read_text(encoding="utf-8"))
)
OLD_VERSION = "asyncapi-latest-version"
"""The parser's only remark: there is a 3.1 by now."""


def test_the_document_keeps_the_specification() -> None:
    assert [error.message for error in SPECIFICATION.iter_errors(DOCUMENT)] == []


@pytest.mark.parametrize(
    "change",
    [
        lambda copy: copy.pop("info"),
        lambda copy: copy["channels"]["flags"].update(address=7),
        lambda copy: copy["channels"]["flags"]["bindings"]["kafka"].update(partitions="many"),
        lambda copy: copy["operations"]["publish_flags"].update(action="shout"),
        lambda copy: copy["components"]["messages"]["flag_opened"].update(nonsense=1),
    ],
)
def test_a_document_that_breaks_the_specification_is_noticed(
    change: Callable[[Any], object],
) -> None:
    copy = deepcopy(DOCUMENT)
    change(copy)

    assert not SPECIFICATION.is_valid(copy)


@pytest.mark.integration
def test_the_projects_own_parser_follows_it_to_every_message() -> None:
    if not (NODE_MODULES / "node_modules").is_dir() or shutil.which("node") is None:
        pytest.skip("no AsyncAPI parser here: install npm, run .ci/setup parts")

    done = subprocess.run(
        ["node", TOOL / "validate.mjs", NODE_MODULES, FILE],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    *remarks, read = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in remarks if one["code"] != OLD_VERSION] == []
    assert set(read["messages"]) == set(EventType)


def test_topics_are_described_as_they_are_made() -> None:
    section = KafkaSection()
    for channel in DOCUMENT["channels"].values():
        said = channel["bindings"]["kafka"]
        spec = topic_spec(said["topic"], section.partitions, section.replication_factor)
        assert (said["partitions"], said["replicas"]) == (spec.n_partitions, spec.n_replicas)
        settings = said["topicConfiguration"] | {"cleanup.policy": "delete"}
        assert spec.policy == {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in settings.items()
        }
