"""Writes the published contracts from the event models: JSON Schemas and asyncapi.yaml.

Rule: the files beside this module are its output, byte for byte; nobody edits them by hand. Run
`python -m streamguard.contracts.generate` after a change of the models; it writes the tables of
configs/README.md as well.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from streamguard.adapters.kafka_topics import topic_spec
from streamguard.contracts import reference
from streamguard.contracts.descriptions import describe
from streamguard.core.event_values import Value
from streamguard.core.events import KINDS, Event, EventType, Topic, schema_id
from streamguard.core.record import REDUCED, REPLAYED
from streamguard.sections.kafka_section import KafkaSection

CONTRACT_VERSION = "1.2.0"
"""Of the contracts, not of the package: a minor version adds types and optional fields."""

SIGNED_BY = ("signedby", "signature")
"""Attributes that only events have which decide something, and not all of them."""

CHANNELS = {
    Topic.FLAGS: ("flags", "Spans of a stream that may break a policy, for a human to judge."),
    Topic.COVERAGE: ("coverage", "What was screened and what was not. Not screened is not clean."),
    Topic.DECISIONS: ("decisions", "What people, and rules that people set, decided, and appeals."),
    Topic.ACTIONS: ("actions", "What was done for a decision, and seen to be done, or was not."),
    Topic.AUDIT: ("audit", "Who saw and did what: a chain in which each record names the last."),
}

SUMMARIES = {
    EventType.FLAG_OPENED: "Content of a stream matched; a human should look now.",
    EventType.FLAG_UPDATED: "Something about an open flag is new: evidence, or a stronger match.",
    EventType.FLAG_CLOSED: "No more samples will be added to the flag.",
    EventType.COVERAGE_GAP: "A stretch of a stream was not screened.",
    EventType.STREAM_STARTED: "Screening of a stream began.",
    EventType.STREAM_ENDED: "Screening of a stream ended.",
    EventType.STREAM_EXCLUDED: "A stream is not screened, by the operator's decision.",
    EventType.BANK_QUARANTINED: "A bank entry matched too many streams and was set aside.",
    EventType.BANK_RELEASED: "A bank entry that was set aside matches again.",
    EventType.DECISION_MADE: "A case was decided, or a decision about it was changed.",
    EventType.REFERRAL_MADE: "Somebody outside was told of an imminent threat.",
    EventType.APPEAL_RECEIVED: "Somebody objects to a decision.",
    EventType.APPEAL_RESOLVED: "Another reviewer looked again at a decision.",
    EventType.ACTION_REQUESTED: "A decision was taken up, and is being carried out.",
    EventType.ACTION_VERIFIED: "A decision was carried out, and that was seen.",
    EventType.ACTION_FAILED: "A decision was not carried out, or nobody saw it.",
    EventType.AUDIT_RECORDED: "Somebody saw or did something, or was kept from it.",
}


class WireSchema(GenerateJsonSchema):
    """JSON Schema of what is written: an absent field is left out and never null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """Describe the value alone."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Leave out that the default is null."""
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  # pydantic's signature
        """Say no: a title that repeats the field's name helps nobody."""
        return False


def event_schema(event_type: EventType) -> dict[str, Any]:
    """Describe one event as `streamguard events` prints it; its data lie under `$defs`."""
    kind = KINDS[event_type]
    envelope = Event.model_json_schema(schema_generator=WireSchema)
    data = kind.data.model_json_schema(schema_generator=WireSchema)
    parts = data.pop("$defs", {})
    if kind.state is not None:
        _narrow_flag(data, kind.state)
    fields = envelope["properties"]
    fields["type"]["const"] = event_type
    del fields["type"]["$ref"]
    if kind.topic is not Topic.DECISIONS:
        for name in SIGNED_BY:
            del fields[name]
    fields["dataschema"]["const"] = f"{schema_id(event_type)}#/$defs/{kind.data.__name__}"
    fields["data"] = {"$ref": f"#/$defs/{kind.data.__name__}"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_id(event_type),
        **envelope,
        "title": event_type,
        "description": SUMMARIES[event_type],
        "$defs": {kind.data.__name__: data, **parts},
    }


def _narrow_flag(data: dict[str, Any], state: str) -> None:
    """Say which state goes with the type, and that a reason goes with a closed flag alone."""
    data["properties"]["state"] = {"const": state}
    if state == "closed":
        data["required"].append("close_reason")
    else:
        del data["properties"]["close_reason"]


def asyncapi() -> dict[str, Any]:
    """Describe the topics and their messages in Kafka: CloudEvents in binary mode."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "streamguard",
            "version": CONTRACT_VERSION,
            "description": "What screening livestreams found, and what it did not see.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {CHANNELS[topic][0]: _channel(topic) for topic in Topic},
        "operations": {f"publish_{CHANNELS[topic][0]}": _operation(topic) for topic in Topic},
        "components": {
            "messages": {_name(event_type): _message(event_type) for event_type in EventType},
            "schemas": {"headers": _headers()},
        },
    }


def _name(event_type: EventType) -> str:
    return event_type.name.lower()


def _channel(topic: Topic) -> dict[str, Any]:
    """Describe a topic as it is made unless the configuration says otherwise."""
    section = KafkaSection()
    spec = topic_spec(topic, section.partitions, section.replication_factor)
    names = [_name(event_type) for event_type in EventType if KINDS[event_type].topic is topic]
    return {
        "address": topic,
        "description": CHANNELS[topic][1],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {
            "kafka": {
                "topic": topic,
                "partitions": spec.n_partitions,
                "replicas": spec.n_replicas,
                "topicConfiguration": {
                    **{name: _as_json(value) for name, value in spec.policy.items()},
                    "cleanup.policy": [spec.policy["cleanup.policy"]],
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _as_json(setting: str) -> int | bool | str:
    """Give a topic setting as the number or claim that it is."""
    if setting in {"true", "false"}:
        return setting == "true"
    return int(setting) if setting.lstrip("-").isdigit() else setting


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{CHANNELS[topic][0]}"},
        "summary": "At least once, in order within a stream; consumers deduplicate by id.",
    }


def _message(event_type: EventType) -> dict[str, Any]:
    data_name = KINDS[event_type].data.__name__
    return {
        "name": event_type,
        "summary": SUMMARIES[event_type],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/headers"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"./{event_type}.json#/$defs/{data_name}"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "As in ce_partitionkey."},
                "bindingVersion": "0.5.0",
            }
        },
    }


def _headers() -> dict[str, Any]:
    """Describe the envelope as Kafka headers: every attribute but the content type gets `ce_`."""
    envelope = Event.model_json_schema(schema_generator=WireSchema)["properties"]
    kept_apart = {"data", "datacontenttype", *SIGNED_BY}
    attributes = [name for name in envelope if name not in kept_apart]
    headers = {
        "content-type": envelope["datacontenttype"]["description"],
        **{f"ce_{name}": envelope[name]["description"] for name in attributes},
    }
    optional = {
        **{f"ce_{name}": envelope[name]["description"] for name in SIGNED_BY},
        REDUCED: "Present where data are cut down, for the broker refused the whole event: one of"
        " the same id without this header takes its place.",
        REPLAYED: "Present where the event is late, after an outage or a restart, or sent again.",
    }
    return {
        "type": "object",
        "required": list(headers),
        "properties": {
            name: {"type": "string", "description": text}
            for name, text in (headers | optional).items()
        },
    }


def _yaml(value: Any, indent: str = "") -> str:
    """Write mappings as blocks and all else as JSON, which is YAML as well."""
    if not isinstance(value, Mapping):
        return f" {json.dumps(value)}"
    return "".join(f"\n{indent}{key}:{_yaml(item, indent + '  ')}" for key, item in value.items())


def documents() -> dict[str, str]:
    """Give every contract by its file name."""
    describe(Value)
    schemas = {
        f"{event_type}.json": json.dumps(event_schema(event_type), indent=2) + "\n"
        for event_type in EventType
    }
    return {**schemas, "asyncapi.yaml": _yaml(asyncapi()).lstrip() + "\n"}


def write(folder: Path) -> None:
    """Write every contract into a folder."""
    for name, text in documents().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parent)
    reference.main()
