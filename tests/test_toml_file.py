from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from streamguard.core.errors import ConfigError
from streamguard.toml_file import line_of, problem_in, read_toml

TEXT = """\
title = "x"
inline = {a = 1, b = 2}

[one]  # a comment
key = 1
"quoted" = 2

[one.two]
key = 3

[[many]]
key = 4
[[many]]
key = 5
[many.inner]
key = 6
["odd name"]
key = 7
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file.toml"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize(
    ("loc", "line"),
    [
        (("title",), 1),
        (("inline", "a"), 2),
        (("one",), 4),
        (("one", "key"), 5),
        (("one", "missing"), 4),
        (("one", "two", "key"), 9),
        (("many",), 11),
        (("many", 0, "key"), 12),
        (("many", 1), 13),
        (("many", 1, "key"), 14),
        (("many", 2), None),
        (("odd name", "key"), 18),
        (("missing",), None),
        ((), None),
    ],
)
def test_a_field_is_found_in_its_line(
    loc: tuple[str | int, ...], line: int | None, file: Path
) -> None:
    assert line_of(file, loc) == line


def test_a_file_is_read(file: Path) -> None:
    assert read_toml(file)["many"] == [{"key": 4}, {"key": 5, "inner": {"key": 6}}]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a = 1\nb = \n", " is not valid TOML: Invalid value (at line 2, column 5)"),
        (b"[a\n", " is not valid TOML: Expected ']' at the end of a table declaration (at line 1"),
        (b"a = 1\na = 2\n", " is not valid TOML: Cannot overwrite a value (at line 2"),
        (b"a = '\xff'\n", " is not valid TOML: it is not UTF-8 (at line 1)"),
        (b"a = 1\n\n# \xfc\n", " is not valid TOML: it is not UTF-8 (at line 3)"),
    ],
)
def test_malformed_toml_is_named_with_its_line(content: bytes, problem: str, file: Path) -> None:
    file.write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_toml(file)

    assert str(caught.value).startswith(f"{file}{problem}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "why"), [("missing.toml", "No such file or directory"), (".", "Is a directory")]
)
def test_a_file_that_cannot_be_read_is_named(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_toml(tmp_path / name)

    assert str(caught.value) == f"{tmp_path / name} cannot be read: {why}"


class Inner(BaseModel):
    key: int


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    many: tuple[int, ...]
    inner: Inner | None = None


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "many: Field required"),
        ({"many": "SECRET"}, "many: a list is needed: values in [ ], or tables in [[ ]]"),
        ({"many": [1, "SECRET"]}, "many.1: Input should be a valid integer"),
        ({"many": [], "inner": "SECRET"}, "inner: a section is needed: settings below [inner]"),
        ({"many": [], "more": "SECRET"}, "more: there is no such setting; is it misspelt?"),
    ],
)
def test_a_problem_names_the_field_and_never_the_value(
    values: dict[str, object], problem: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Table.model_validate(values)

    assert problem_in(None, caught.value).startswith(problem)
    assert "SECRET" not in problem_in(None, caught.value)
