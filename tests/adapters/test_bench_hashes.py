from pathlib import Path

import numpy as np
import pytest

from streamguard.adapters.bench_hashes import draw, hashes_of_drawn_clips, read_hashes
from streamguard.core.errors import ConfigError


def test_the_same_hashes_are_drawn_each_time() -> None:
    first, again = draw(100), draw(100)

    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])


def test_a_grown_hash_lies_8_to_40_flips_from_a_real_one() -> None:
    real = np.zeros((1, 32), np.uint8)

    hashes, needles = draw(2_000, real)

    n_flipped = np.bitwise_count(hashes).sum(axis=1)
    assert len(needles) == 250
    assert n_flipped.max() <= 40
    assert 20 < n_flipped.mean() < 24


def test_frames_of_a_drawn_clip_look_alike_and_clips_do_not() -> None:
    hashes = hashes_of_drawn_clips()

    to_the_next = np.bitwise_count(hashes[1:] ^ hashes[:-1]).sum(axis=1)
    is_cut = np.arange(1, len(hashes)) % 100 == 0
    assert hashes.shape == (5_000, 32)
    assert np.median(to_the_next[~is_cut]) < 32
    assert to_the_next[is_cut].min() > 61


def test_hashes_are_read_from_whatever_stands_around_them(tmp_path: Path) -> None:
    lines = [
        "0,100," + "ab" * 32 + ",0.000",
        '{"pts_ms": 0, "pdq": "' + "CD" * 32 + '"}',
        "ff" * 33,
    ]
    file = tmp_path / "hashes.txt"
    file.write_text("\n".join(lines))

    hashes = read_hashes(file)

    assert hashes.tolist() == [[0xAB] * 32, [0xCD] * 32]


def test_a_file_without_hashes_and_one_that_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("no hash")

    with pytest.raises(ConfigError, match="has no hash"):
        read_hashes(tmp_path / "empty.txt")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_hashes(tmp_path / "missing.txt")
