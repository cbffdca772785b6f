"""The shape of the package: which layer may import what, and how large a module may grow."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import streamguard

ROOT = Path(streamguard.__file__).parent
MODULES = {path.relative_to(ROOT).as_posix(): path for path in sorted(ROOT.rglob("*.py"))}

MAY_IMPORT = {
    "kernels": {"kernels"},
    "core": {"core", "kernels"},
    "adapters": {"adapters", "core", "kernels"},
    "runtime": {"runtime", "core"},
    "exchange": {"exchange", "core"},
    "ingest": {"ingest", "runtime", "core"},
    "vault": {"vault", "adapters", "core"},
    "review": {"review", "vault", "adapters", "core"},
    "enforce": {"enforce", "ingest", "runtime", "adapters", "core"},
}
MAY_IMPORT_DEMO = {"demo", "app", "cli", "verbs"}
NOT_IN_CORE = {
    *("asyncio", "logging", "os", "pathlib", "random", "socket", "subprocess", "threading", "time"),
    *(
        "aiokafka",
        "apsw",
        "av",
        "cryptography",
        "obstore",
        "onnxruntime",
        "prometheus_client",
        "structlog",
    ),
}
MAY_CATCH_ALL = {
    "adapters/onnx_classifier.py",  # the library raises bare Exceptions of its own
    "adapters/outbox_values.py",  # a thread of `run`, as below
    "enforce/actions.py",  # what breaks one action ends no other: else nothing is cut any more
    "enforce/hold_rules.py",  # as above, of a flag or a round
    "enforce/intake.py",  # as above, of a decision
    "enforce/sweep.py",  # as above, of a look
    "enforce/trying.py",  # as above, of a try
    "upkeep/checkpoints.py",  # as below
    "upkeep/desk_pruning.py",  # what is not forgotten stops no console
    "upkeep/evidence_follow.py",  # a thread of `run` that ends is not seen: it goes on
    "upkeep/evidence_purge.py",  # as above
    "upkeep/evidence_stamp.py",  # as above
    "upkeep/evidence_upload.py",  # as above
    "parts/review_banking.py",  # one clip that breaks a library is on record, and holds no other up
    "runtime/collecting.py",  # a bug there costs the evidence, not the flag
    "runtime/feeder.py",  # threads hand a bug to the task that watches them
    "runtime/lane.py",
    "runtime/pool.py",
    "runtime/screen.py",  # ends the session as any other error does, then tells the worker
    "runtime/worker.py",  # a bug met on one stream ends that stream's session only
}
MOST_LINES = 300


def imported_names(tree: ast.Module) -> Iterator[list[str]]:
    """Yield each imported name in its parts, ["streamguard", "core", "types", "Frame"]."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ([*module.split("."), alias.name] for alias in node.names)


def may_import(layer: str, other: str) -> bool:
    """Say whether modules of one layer may import from another."""
    if layer in MAY_IMPORT:
        return other in MAY_IMPORT[layer]
    return other != "demo" or layer in MAY_IMPORT_DEMO


def catches_all(handler: ast.ExceptHandler) -> bool:
    """Say whether a handler is bare, or names Exception or BaseException."""
    if handler.type is None:
        return True
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)}
    return not names.isdisjoint({"Exception", "BaseException"})


def faults(module: str, source: str) -> Iterator[str]:
    """Yield what is wrong with the source of a module, given by its path in the package."""
    layer = module.split("/", maxsplit=1)[0].removesuffix(".py")
    tree = ast.parse(source)
    for name in imported_names(tree):
        spelt = ".".join(name)
        if name[0] == "":
            yield f"imports {spelt} relatively"
        if layer == "core" and name[0] in NOT_IN_CORE:
            yield f"core imports {spelt}, which acts on the world"
        if name[0] == "streamguard" and not may_import(layer, name[1]):
            yield f"{layer} imports {spelt}"
    if module not in MAY_CATCH_ALL:
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and catches_all(node):
                yield f"catches everything in line {node.lineno}"
    if source.strip() and ast.get_docstring(tree) is None:
        yield "has no docstring"
    if len(source.splitlines()) > MOST_LINES:
        yield f"is longer than {MOST_LINES} lines"


@pytest.mark.parametrize("module", MODULES)
def test_module_keeps_the_shape_of_the_package(module: str) -> None:
    assert list(faults(module, MODULES[module].read_text())) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/x.py", "import time"),
        ("core/x.py", "import os.path"),
        ("core/x.py", "from pathlib import Path"),
        ("core/x.py", "from streamguard.adapters.x import y"),
        ("kernels/x.py", "from streamguard.core.x import y"),
        ("runtime/x.py", "from streamguard.kernels.x import y"),
        ("core/x.py", "from streamguard import adapters"),
        ("core/x.py", "def late(): import streamguard.runtime.x"),
        ("core/x.py", "from . import y"),
        ("adapters/x.py", "from streamguard.runtime.x import y"),
        ("adapters/x.py", "from streamguard.settings import Settings"),
        ("adapters/x.py", "from .y import z"),
        ("runtime/x.py", "from streamguard.adapters.x import y"),
        ("runtime/x.py", "from streamguard.demo.x import y"),
        ("exchange/x.py", "from streamguard.adapters.x import y"),
        ("settings.py", "from streamguard.demo.x import y"),
        ("runtime/x.py", "try: ...\nexcept Exception: ..."),
        ("runtime/x.py", "try: ...\nexcept (OSError, BaseException): ..."),
        ("runtime/x.py", "try: ...\nexcept: ..."),
        ("runtime/x.py", "x = 1\n" * MOST_LINES),
    ],
)
def test_breach_is_seen(module: str, line: str) -> None:
    assert len(list(faults(module, f'"""Docstring."""\n{line}\n'))) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("core/x.py", "import numpy as np"),
        ("core/x.py", "from datetime import timedelta"),
        ("core/x.py", "from streamguard.core.types import Frame"),
        ("core/x.py", "from streamguard.kernels.compiled import kernels"),
        ("adapters/x.py", "import apsw"),
        ("adapters/x.py", "from streamguard.adapters.y import z"),
        ("runtime/x.py", "from streamguard.core import types"),
        ("demo/x.py", "from streamguard.demo.y import z"),
        ("demo/x.py", "from streamguard.adapters.y import z"),
        ("cli.py", "from streamguard.demo.x import y"),
        ("app.py", "from streamguard.demo.x import y"),
        ("runtime/x.py", "try: ...\nexcept OSError: ..."),
        ("runtime/feeder.py", "try: ...\nexcept Exception: ..."),
        ("runtime/x.py", "\n".join(["x = 1"] * (MOST_LINES - 1))),
    ],
)
def test_what_is_allowed_passes(module: str, line: str) -> None:
    assert list(faults(module, f'"""Docstring."""\n{line}\n')) == []


def test_missing_docstring_is_seen_and_an_empty_module_needs_none() -> None:
    assert list(faults("core/x.py", "x = 1\n")) == ["has no docstring"]
    assert list(faults("core/__init__.py", "")) == []


def test_no_two_test_modules_have_the_same_name() -> None:
    """Pytest imports them by name alone, and would refuse the second one."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))
