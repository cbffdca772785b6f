import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamguard import contracts
from streamguard.contracts.generate import SIGNED_BY, asyncapi, documents, write
from streamguard.core.events import KINDS, Event, EventType, Topic

FOLDER = Path(contracts.__file__).parent
DOCUMENTS = documents()


def schema_of(event_type: EventType) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((FOLDER / f"{event_type}.json").read_text())
    return schema


def follow(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference within one document."""
    if "$ref" not in node:
        return node
    target: Any = schema
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    found: dict[str, Any] = target
    return found


def objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *(part for part in schema["$defs"].values() if part["type"] == "object")]


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_contract_on_disk_is_what_the_models_say(name: str) -> None:
    """Where this fails, run `python -m streamguard.contracts.generate`."""
    assert (FOLDER / name).read_text(encoding="utf-8") == DOCUMENTS[name]


def test_no_contract_lies_around_that_no_model_makes() -> None:
    on_disk = {path.name for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml"}}

    assert on_disk == set(DOCUMENTS) == {f"{name}.json" for name in EventType} | {"asyncapi.yaml"}


def test_the_generator_writes_what_lies_here(tmp_path: Path) -> None:
    write(tmp_path)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        name: (FOLDER / name).read_bytes() for name in DOCUMENTS
    }


@pytest.mark.parametrize("event_type", EventType)
def test_a_schema_is_of_one_type_and_its_data(event_type: EventType) -> None:
    schema = schema_of(event_type)

    data_name = KINDS[event_type].data.__name__
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["properties"]["type"]["const"] == event_type
    assert schema["properties"]["dataschema"]["const"] == f"{schema['$id']}#/$defs/{data_name}"
    assert schema["properties"]["data"] == {"$ref": f"#/$defs/{data_name}"}
    may_be_signed = KINDS[event_type].topic is Topic.DECISIONS
    optional = SIGNED_BY if may_be_signed else ()
    assert set(schema["properties"]) == set(Event.model_fields) - set(SIGNED_BY) | set(optional)
    assert set(schema["required"]) == set(schema["properties"]) - set(optional)


@pytest.mark.parametrize("event_type", EventType)
def test_every_reference_of_a_schema_leads_somewhere(event_type: EventType) -> None:
    schema = schema_of(event_type)

    fields = [field for part in objects(schema) for field in part["properties"].values()]
    reached = {follow(schema, field)["title"] for field in fields if "$ref" in field}

    assert reached >= {KINDS[event_type].data.__name__}


@pytest.mark.parametrize("event_type", EventType)
def test_every_field_is_described(event_type: EventType) -> None:
    schema = schema_of(event_type)

    silent = [
        f"{part['title']}.{name}"
        for part in objects(schema)
        for name, field in part["properties"].items()
        if "description" not in follow(schema, field) and "const" not in field
    ]

    assert silent == []


@pytest.mark.parametrize("event_type", EventType)
def test_a_consumer_with_this_schema_takes_later_optional_fields(event_type: EventType) -> None:
    parts = objects(schema_of(event_type))

    assert len(parts) > 1
    assert not [part["title"] for part in parts if "additionalProperties" in part]


@pytest.mark.parametrize("event_type", EventType)
def test_no_schema_has_room_for_hashes_urls_or_keys(event_type: EventType) -> None:
    names = {name for part in objects(schema_of(event_type)) for name in part["properties"]}

    assert names.isdisjoint({"pdq", "hash", "url", "key", "title", "channel"})


def test_the_state_of_a_flag_goes_with_its_type() -> None:
    states = {}
    for event_type in (EventType.FLAG_OPENED, EventType.FLAG_UPDATED, EventType.FLAG_CLOSED):
        data = schema_of(event_type)["$defs"]["FlagData"]
        states[data["properties"]["state"]["const"]] = "close_reason" in data["required"]

    assert states == {"open": False, "updated": False, "closed": True}


def test_asyncapi_yaml_reads_as_the_document_that_was_meant() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())

    assert document == json.loads(json.dumps(asyncapi()))
    assert document["asyncapi"] == "3.0.0"


def test_asyncapi_names_every_topic_with_the_messages_that_go_there() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())

    found = {
        channel["bindings"]["kafka"]["topic"]: {
            follow(document, message)["name"] for message in channel["messages"].values()
        }
        for channel in document["channels"].values()
    }

    assert found == {
        topic: {str(name) for name, kind in KINDS.items() if kind.topic is topic} for topic in Topic
    }


def test_asyncapi_refers_to_schemas_that_are_there() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())

    for message in document["components"]["messages"].values():
        name, _, pointer = message["payload"]["schema"]["$ref"].partition("#")
        schema = json.loads((FOLDER / name).read_text())
        assert schema["properties"]["type"]["const"] == message["name"]
        assert follow(schema, {"$ref": f"#{pointer}"})["type"] == "object"


def test_an_event_goes_into_kafka_headers_without_loss() -> None:
    document = yaml.safe_load((FOLDER / "asyncapi.yaml").read_text())
    headers = document["components"]["schemas"]["headers"]

    attributes = {f"ce_{name}" for name in Event.model_fields} - {"ce_data", "ce_datacontenttype"}

    signed_by = {f"ce_{name}" for name in SIGNED_BY}
    assert set(headers["required"]) == attributes - signed_by | {"content-type"}
    assert signed_by <= set(headers["properties"])
