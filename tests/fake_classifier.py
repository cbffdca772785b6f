"""A classifier of the test's own: what it says, and when it returns, is in the test's hands.

Rule: a picture of one value v scores v / 100 for red; BAD makes a run fail.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from streamguard.core.errors import ModelError
from streamguard.core.model import InputSpec, ModelSpec, Picture

T = TypeVar("T")

BAD = 255

CATEGORY = "red-content"

SPEC = ModelSpec(
    name="fake",
    version="1.0",
    licence="Apache-2.0",
    source="made by the tests",
    sha256="0" * 64,
    input=InputSpec(
        name="pixels",
        layout="NHWC",
        height=8,
        width=8,
        resize_height=8,
        resize_width=8,
        colour="RGB",
        mean=(0, 0, 0),
        scale=(1, 1, 1),
        jpeg_quality=None,
    ),
    output="scores",
    labels=("other", "red"),
    categories={"red": CATEGORY},
    thresholds={CATEGORY: 0.6},
)


def picture(value: int) -> NDArray[np.uint8]:
    """Give a prepared picture that scores value / 100."""
    return np.full((8, 8, 3), value, np.uint8)


def doing(act: Callable[[T], None], steps: Iterable[T]) -> Callable[[], None]:
    """Give a `during` that takes these steps, once, however many runs come of them."""
    left = iter(steps)

    def run() -> None:
        for step in left:
            act(step)

    return run


class FakeClassifier:
    """Calls `during` in each run, before it answers."""

    provider = "fake"
    best_batch = 1

    def __init__(self, during: Callable[[], None] = lambda: None) -> None:
        self.spec = SPEC
        self.during = during
        self.n_pictures: list[int] = []
        """Pictures of each run."""

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        return picture[:8, :8]

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        self.n_pictures.append(len(pictures))
        self.during()
        values = np.array([one[0, 0, 0] for one in pictures])
        if BAD in values:
            raise ModelError("model fake: gave numbers that are no scores")
        red = values.astype(np.float32) / 100
        return np.stack([1 - red, red], axis=1)
