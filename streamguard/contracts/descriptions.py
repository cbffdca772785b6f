"""Gives the fields of models the descriptions that stand below them in the source.

Rule: whoever writes contracts or tables calls `describe` first; nobody else needs descriptions, and
to find them, as pydantic can by itself, takes a sixth of the start of every process (measured).
"""

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache

from pydantic import BaseModel


def describe(base: type[BaseModel]) -> None:
    """Describe the fields of a model and of all below it, in the order in which they were made."""
    for model in (base, *_below(base)):
        texts = _texts_of(model)
        for name, field in model.model_fields.items():
            field.description = field.description or texts.get(name)
        model.model_rebuild(force=True)


def _below(base: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for model in base.__subclasses__():
        yield model
        yield from _below(model)


def _texts_of(model: type[BaseModel]) -> dict[str, str]:
    """Read the text below each field of a model and of what it inherits from."""
    texts: dict[str, str] = {}
    for parent in reversed(model.__mro__):
        texts |= _texts_of_module(parent.__module__).get(parent.__qualname__, {})
    return texts


@cache
def _texts_of_module(name: str) -> dict[str, dict[str, str]]:
    if not name.startswith("streamguard."):
        return {}
    tree = ast.parse(inspect.getsource(sys.modules[name]))
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return {node.name: dict(_texts_below(node)) for node in classes}


def _texts_below(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield each annotated name of a class with the text that follows it."""
    for field, below in zip(node.body, node.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)
