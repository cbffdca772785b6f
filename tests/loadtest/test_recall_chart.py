from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from loadtest.recall_chart import COLOURS, LEFT, TOP, WIDE, draw_chart
from loadtest.recall_rows import Row

ROW = Row("one", True, "mirror", "mirror", False, "frames", "auto", 2)  # noqa: FBT003  # fields


def test_a_bar_is_as_long_as_the_share_found(tmp_path: Path) -> None:
    out = tmp_path / "chart.png"

    draw_chart([replace(ROW, first_s=1.0), ROW], ["frames/auto"], out)

    row = np.asarray(Image.open(out))[TOP + 5]
    is_bar = (row == COLOURS[0]).all(axis=1)
    assert abs(is_bar[LEFT:].sum() - WIDE / 2) <= 2


def test_modes_of_no_row_are_left_out(tmp_path: Path) -> None:
    with_one, with_two = tmp_path / "one.png", tmp_path / "two.png"

    draw_chart([ROW], ["frames/auto"], with_one)
    draw_chart([ROW], ["frames/auto", "vpdq/whole"], with_two)

    assert with_one.read_bytes() == with_two.read_bytes()
