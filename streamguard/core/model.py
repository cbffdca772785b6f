"""What a model is to streamguard: what goes in, what comes out, and what its labels mean.

Rule: values only. A model says how sure it is of each label; the policy says what that leads to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8, RGB, C-contiguous: a frame as a model's preparation takes it."""


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How a picture becomes the model's input.

    name:        input of the graph.
    layout:      order of the axes.
    height, width: of the input, pixels.
    resize_height, resize_width: the whole picture is first scaled to this (bilinear with the filter
                 widened when it shrinks), then the input is cut from its centre.
    colour:      order of the channels.
    mean, scale: each channel, in that order, becomes (value - mean) * scale; values are 0..255.
    jpeg_quality: the cut is passed through JPEG of this quality, as in training; None leaves it.
    """

    name: str
    layout: Literal["NHWC", "NCHW"]
    height: int
    width: int
    resize_height: int
    resize_width: int
    colour: Literal["RGB", "BGR"]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    jpeg_quality: int | None


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model pack, as its manifest describes it.

    output:     output of the graph, (N, labels) float32 of values 0..1.
    labels:     what the columns of the output mean, in order.
    categories: labels that matter, each with the category that the policy knows it by.
    thresholds: the pack's own inclusive threshold of each category; a policy file may differ.
    sha256:     of the weights, lower-case hex.
    """

    name: str
    version: str
    licence: str
    source: str
    sha256: str
    input: InputSpec
    output: str
    labels: tuple[str, ...]
    categories: Mapping[str, str]
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model said of one sample.

    by_category: score of each category, 0..1.
    by_label:    score of each label that is no category, 0..1.
    """

    epoch: int
    pts_us: int
    read_at_s: float
    by_category: Mapping[str, float]
    by_label: Mapping[str, float] = field(default_factory=dict)
