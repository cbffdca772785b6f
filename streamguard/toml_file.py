"""Reads TOML files, and says in one line what is wrong with them and where.

Rule: a problem names the file, the line and the field, and never repeats the value: it may be a
secret.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streamguard.core.errors import ConfigError

_TABLE = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+")
_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")


def read_toml(file: Path) -> dict[str, Any]:
    """Parse a file.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file} is not valid TOML: it is not UTF-8 (at line {line})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}") from None


def problem_in(file: Path | None, error: ValidationError) -> str:
    """Say the first problem of a validation in one line."""
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "configuration"
    what = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        what = "there is no such setting; is it misspelt?"
    elif first["type"] == "tuple_type":
        what = "a list is needed: values in [ ], or tables in [[ ]]"
    elif first["type"] == "model_type":
        what = f"a section is needed: settings below [{field}]"
    if file is None:
        return f"{field}: {what}"
    line = line_of(file, first["loc"])
    return f"{file}:{line}: {field}: {what}" if line else f"{file}: {field}: {what}"


def line_of(file: Path, loc: tuple[int | str, ...]) -> int | None:
    """Find the line of a field, of its first part, or of the table around it; None without any."""
    wanted = [str(part) for part in loc]
    table: list[str] = []
    counts: dict[str, int] = {}
    best: tuple[int, int] | None = None  # how many parts of the field's name agree, and the line
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        header, key = _TABLE.match(text), _KEY.match(text)
        here = table
        if header:
            name = header[1].replace('"', "")
            table = name.split(".")
            if text.lstrip().startswith("[["):
                table = [*table, str(counts.setdefault(name, 0))]
                counts[name] += 1
            here = table
        elif key:
            here = [*table, *key[1].split(".")]
        n_agree = min(len(here), len(wanted))
        if n_agree and here[:n_agree] == wanted[:n_agree] and (best is None or n_agree > best[0]):
            best = (n_agree, number)
    return best[1] if best else None
