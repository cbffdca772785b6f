"""Reads a model pack: a folder with a manifest, `model.toml`, and weights or where they come from.

Rule: weights are used only if their SHA-256 is the manifest's; nothing is ever downloaded.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from streamguard.core.errors import ModelError
from streamguard.core.event_values import Name
from streamguard.core.model import InputSpec, ModelSpec
from streamguard.toml_file import problem_in, read_toml

MANIFEST = "model.toml"
Side = Annotated[int, Field(ge=8, le=4096)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Word = Annotated[str, Field(pattern="^[a-z0-9_-]{1,64}$")]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WeightsTable(_Table):
    """Where the weights are: a file beside the manifest, or a resource of an installed package."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """Of the file, lower-case hex."""
    file: Annotated[str, Field(pattern="^[A-Za-z0-9._-]+$")]
    """Name of the file, beside the manifest or inside the package."""
    package: Annotated[str, Field(pattern="^[A-Za-z0-9_]+$")] | None = None
    """Import name of the package that ships the file; it is located, never imported."""
    install: str | None = None
    """What to install when the package is missing."""


class InputTable(_Table):
    """How a picture becomes the model's input."""

    name: str
    layout: Literal["NHWC", "NCHW"]
    size: tuple[Side, Side]
    """Height and width, pixels."""
    resize: tuple[Side, Side]
    """Height and width to which the whole picture is scaled before the centre is cut out."""
    colour: Literal["RGB", "BGR"]
    mean: tuple[Number, Number, Number]
    scale: tuple[Factor, Factor, Factor] = (1.0, 1.0, 1.0)
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | None = None
    """Pass the cut through JPEG first, as the model's training did."""


class OutputTable(_Table):
    """What the model's numbers mean."""

    name: str
    labels: Annotated[tuple[Word, ...], Field(min_length=1)]


class CategoryTable(_Table):
    """One label that matters."""

    label: Word
    threshold: Annotated[float, Field(gt=0, le=1)]


class Manifest(_Table):
    """`model.toml`."""

    name: Word
    version: Name
    licence: Name
    source: Name
    sees: Name
    """In a sentence, what the model recognises, and what it does not."""
    weights: WeightsTable
    input: InputTable
    output: OutputTable
    categories: Annotated[dict[Word, CategoryTable], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, category in self.categories.items():
            if category.label not in self.output.labels:
                raise ValueError(f"category {name} names {category.label}, which is no label")
        if twice := _twice(self.output.labels):
            raise ValueError(f"output: two labels are the same: {twice}")
        if twice := _twice(category.label for category in self.categories.values()):
            raise ValueError(f"two categories name the label {twice}")
        if any(cut > whole for cut, whole in zip(self.input.size, self.input.resize, strict=True)):
            raise ValueError("input.size is larger than input.resize")
        return self


@dataclass(frozen=True, slots=True)
class ModelPack:
    """A manifest that was read, and the weights that belong to it."""

    spec: ModelSpec
    sees: str
    weights: bytes


def load_pack(directory: Path) -> ModelPack:
    """Read a pack and check its weights byte by byte.

    Raises:
        ModelError: the manifest is wrong, or the weights are missing or others.
        ConfigError: there is no manifest, or it is no TOML.
    """
    file = directory / MANIFEST
    try:
        manifest = Manifest.model_validate(read_toml(file))
    except ValidationError as error:
        raise ModelError(problem_in(file, error)) from None
    path = _weights(directory, manifest.weights)
    try:
        weights = path.read_bytes()
    except OSError as error:
        problem = f"{directory}: there are no weights at {path}: {error.strerror}"
        raise ModelError(problem) from None
    if hashlib.sha256(weights).hexdigest() != manifest.weights.sha256:
        raise ModelError(f"{path}: the weights are not those of {file}: their SHA-256 differs")
    return ModelPack(_spec(manifest), manifest.sees, weights)


def _weights(directory: Path, table: WeightsTable) -> Path:
    """Locate the weights; a package is not imported for that."""
    if table.package is None:
        return directory / table.file
    try:
        found = find_spec(table.package)
    except ValueError:  # a module of this process that was never installed
        found = None
    folders = found.submodule_search_locations if found else None
    if not folders:
        remedy = f"install {table.install or table.package}"
        raise ModelError(f"{directory}: package {table.package} is missing: {remedy}")
    return Path(folders[0]) / table.file


def _twice(words: Iterable[str]) -> str | None:
    """Give a word that comes more than once, if any."""
    return next((word for word, count in Counter(words).items() if count > 1), None)


def _spec(manifest: Manifest) -> ModelSpec:
    table = manifest.input
    return ModelSpec(
        name=manifest.name,
        version=manifest.version,
        licence=manifest.licence,
        source=manifest.source,
        sha256=manifest.weights.sha256,
        input=InputSpec(
            name=table.name,
            layout=table.layout,
            height=table.size[0],
            width=table.size[1],
            resize_height=table.resize[0],
            resize_width=table.resize[1],
            colour=table.colour,
            mean=table.mean,
            scale=table.scale,
            jpeg_quality=table.jpeg_quality,
        ),
        output=manifest.output.name,
        labels=manifest.output.labels,
        categories={category.label: name for name, category in manifest.categories.items()},
        thresholds={name: category.threshold for name, category in manifest.categories.items()},
    )
