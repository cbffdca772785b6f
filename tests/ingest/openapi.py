"""Holds what a stand-in answers against the published description of the API that it stands in for.

Rule: strict; a property that the description does not know is a mistake, and none may be missing.
Only what the fixtures use of OpenAPI 3.0 is known.
"""

from pathlib import Path
from typing import Any, cast

import yaml

FIXTURES = Path(__file__).parent.parent / "fixtures"
TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool}

Schema = dict[str, Any]


class Description:
    """One of the files in fixtures/."""

    def __init__(self, name: str) -> None:
        self._all = cast("Schema", yaml.safe_load((FIXTURES / name).read_text()))

    def check_answer(self, path: str, answer: Any) -> None:
        """Raise an AssertionError where the answer at a path is not as described."""
        self._check(path, answer, self._all["paths"][path])

    def check(self, schema: str, value: Any) -> None:
        """Raise an AssertionError where a value is not as described."""
        self._check(schema, value, self._all["components"]["schemas"][schema])

    def _check(self, where: str, value: Any, schema: Schema) -> None:
        if value is None:
            assert schema.get("nullable"), f"{where} is null"
            return
        if "$ref" in schema:
            schema = self._all["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        match schema["type"]:
            case "object":
                missing = {
                    name for name, one in schema["properties"].items() if not one.get("deprecated")
                }
                assert missing <= value.keys() <= schema["properties"].keys(), where
                for name, inner in value.items():
                    self._check(f"{where}.{name}", inner, schema["properties"][name])
            case "array":
                for inner in value:
                    self._check(f"{where}[]", inner, schema["items"])
            case kind:
                assert isinstance(value, TYPES[kind]), f"{where} is no {kind}"
                assert kind == "boolean" or not isinstance(value, bool), where
                assert value in schema.get("enum", [value]), f"{where} is none of the enum"
