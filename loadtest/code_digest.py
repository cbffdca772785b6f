"""Tells whether code has changed: a digest of a module and of all of ours that it imports.

Rule: it reads sources, and never runs them.
"""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from loadtest.programs import ROOT

NATIVE = ROOT / "streamguard" / "kernels"
"""Compiled code has no imports to follow: its sources always count."""

LEFT_OUT = {"streamguard.core.ports", "streamguard.core.errors"}
"""Roles and errors compute nothing, and name much that does not matter to who uses them."""


def code_digest(*modules: str) -> str:
    """Digest these modules, as `streamguard.bank_build`, and what they import: 16 hex digits."""
    paths: set[Path] = set()
    waiting = [path for module in modules for path in _paths(module)]
    while waiting:
        path = waiting.pop()
        if path not in paths:
            paths.add(path)
            waiting += [found for name in _imported(path) for found in _paths(name)]
    digest = hashlib.sha256()
    for path in sorted([*paths, *NATIVE.glob("*.[ch]")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _imported(path: Path) -> Iterator[str]:
    """Yield what a source imports, names within modules included: they may be modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _paths(module: str) -> list[Path]:
    """Find a module of ours that computes; of others, nothing."""
    if not module.startswith("streamguard.") or module in LEFT_OUT:
        return []
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    return [path] if path.is_file() else []
