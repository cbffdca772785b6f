import json
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamguard.adapters.pyav_hasher import read_frames
from streamguard.adapters.system_clock import SystemClock
from streamguard.bank_build import PROGRESS_EVERY, EntryPlan, make_entry
from streamguard.cli import main
from streamguard.core.cuts import variants_of
from streamguard.core.location import parse_location
from streamguard.core.prune import Pruner
from tests.made_pictures import landscape

HEIGHT, WIDTH = 240, 320
FPS = 25


def write_clip(path: Path, pictures: list[NDArray[np.uint8]], crf: int = 20) -> Path:
    """Encode luma planes; a single one becomes an image."""
    height, width = pictures[0].shape
    with av.open(str(path), "w") as muxer:
        is_image = path.suffix == ".jpg"
        stream = cast("VideoStream", muxer.add_stream("mjpeg" if is_image else "libx264", rate=FPS))
        stream.width, stream.height = width, height
        stream.pix_fmt = "yuvj420p" if is_image else "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.gop_size = FPS
        stream.codec_context.time_base = Fraction(1, FPS)
        stream.options = {} if is_image else {"preset": "ultrafast", "crf": str(crf)}
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="gray").reformat(
                format=stream.pix_fmt
            )
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
    return path


def pan(n_frames: int) -> list[NDArray[np.uint8]]:
    """Let a window move over a landscape, four pixels a frame."""
    wide = landscape(HEIGHT, WIDTH + 4 * n_frames)
    return [np.ascontiguousarray(wide[:, 4 * i : 4 * i + WIDTH]) for i in range(n_frames)]


def copied(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut 5 % off a side, off-centre, and mirror what is left."""
    y0, y1 = round(0.07 * HEIGHT), HEIGHT - round(0.03 * HEIGHT)
    x0, x1 = round(0.02 * WIDTH), WIDTH - round(0.08 * WIDTH)
    return np.ascontiguousarray(picture[y0:y1, x0:x1][:, ::-1])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "attack.mp4", pan(60))


def rows_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def build(directory: Path, *arguments: str | Path) -> int:
    return main(["bank", "build", str(directory), *map(str, arguments), "--policy", "A", "--json"])


def test_a_mirrored_and_cropped_copy_is_found_by_its_keyframes(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = write_clip(tmp_path / "copy.mp4", [copied(picture) for picture in pan(60)], crf=32)
    build(tmp_path / "bank", clip)
    build(tmp_path / "plain", clip, "--variants", "none")
    capsys.readouterr()

    main(["bank", "query", str(tmp_path / "bank"), str(copy), "--json"])
    found = rows_of(capsys)
    main(["bank", "query", str(tmp_path / "plain"), str(copy), "--json"])

    assert [row["pts_ms"] for row in found] == [0, 1000, 2000]
    assert all(row["variant"].endswith("-mirror") for row in found)
    assert all(abs(row["bank_offset_ms"] - row["pts_ms"]) < 500 for row in found)
    assert capsys.readouterr().out == ""


def test_an_image_has_variants_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = landscape(HEIGHT, WIDTH)
    known = write_clip(tmp_path / "known.jpg", [picture])
    mirrored = write_clip(tmp_path / "mirrored.jpg", [picture[:, ::-1].copy()])

    build(tmp_path / "bank", known)
    main(["bank", "query", str(tmp_path / "bank"), str(mirrored), "--json"])

    built, found = rows_of(capsys)
    assert (built["images"], built["hashes_of"]["whole"]["hashes"]) == (1, 1)
    assert found["variant"] == "mirror"
    assert found["distance_bits"] <= 10


def test_a_picture_beside_a_chat_is_found_by_what_is_left_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = landscape(HEIGHT, WIDTH)
    known = write_clip(tmp_path / "known.jpg", [picture])
    covered = picture.copy()
    covered[:, 220:] = landscape(HEIGHT, 100, seed=9)
    copy = write_clip(tmp_path / "copy.jpg", [covered])

    build(tmp_path / "bank", known)
    build(tmp_path / "whole", known, "--variants", "mirror,crops")
    capsys.readouterr()
    main(["bank", "query", str(tmp_path / "bank"), str(copy), "--limit", "1", "--json"])
    main(["bank", "query", str(tmp_path / "whole"), str(copy), "--limit", "1", "--json"])

    found, *others = rows_of(capsys)
    assert (found["variant"], found["region"]) == ("without-right", "full")
    assert found["distance_bits"] <= 12
    assert all(row["distance_bits"] > 31 for row in others)


def test_a_bank_remembers_what_it_makes(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path, clip)
    build(tmp_path, clip, "--entry", "two", "--variants", "mirror")
    build(tmp_path, clip, "--entry", "three")
    build(tmp_path, clip, "--entry", "four", "--variants", "none")

    rows = rows_of(capsys)
    made = [row["variants"] for row in rows]
    n_hashes = np.diff([row["hashes"] for row in rows]).tolist()
    assert made == [["mirror", "crops", "overlays"], ["mirror"], ["mirror"], []]
    assert n_hashes[0] == n_hashes[1]
    assert 1.8 * n_hashes[2] <= n_hashes[1] <= 2.2 * n_hashes[2]


def test_stat_tells_what_each_group_of_variants_costs(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path, clip)

    (row,) = rows_of(capsys)
    groups = row["hashes_of"]
    mirrored = ["mirror", "crops-mirror", "overlays-mirror"]
    assert list(groups) == ["whole", "crops", "overlays", *mirrored]
    assert sum(group["hashes"] for group in groups.values()) == row["hashes"]
    assert sum(group["share"] for group in groups.values()) == pytest.approx(1, abs=1e-3)
    assert sum(group["size_bytes"] for group in groups.values()) == pytest.approx(
        row["size_bytes"], abs=4
    )
    assert groups["crops"]["hashes"] > 3 * groups["whole"]["hashes"]


def test_stat_gives_each_group_a_line(
    tmp_path: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build(tmp_path, clip, "--variants", "mirror")
    capsys.readouterr()

    main(["bank", "stat", str(tmp_path)])

    lines = [line for line in capsys.readouterr().out.splitlines() if "hashes_of" in line]
    assert [line.split()[:2] for line in lines] == [["hashes_of", "whole"], ["hashes_of", "mirror"]]
    assert all("share=0.5" in line for line in lines)


def test_an_unknown_recipe_is_refused_before_anything_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = build(tmp_path / "bank", tmp_path / "missing.mp4", "--variants", "mirror,zoom")

    assert code == 2
    assert "'zoom' is no variant to make" in capsys.readouterr().err
    assert not (tmp_path / "bank").exists()


def test_frames_hashed_side_by_side_are_kept_in_their_order(clip: Path) -> None:
    recipes = ("mirror", "crops")
    pruner = Pruner(recipes)
    expected = []
    for offset_us, frame in read_frames(parse_location(str(clip)), SystemClock(), every_frame=True):
        made = variants_of(frame.luma, full_range=frame.full_range, recipes=recipes)
        chosen = pruner.choose(offset_us, made)
        expected += [
            (offset_us, number, pdq.tobytes())
            for number, pdq in zip(chosen.numbers.tolist(), chosen.hashes, strict=True)
        ]

    entry = make_entry(str(clip), EntryPlan("it", "A", recipes), SystemClock(), lambda *_: None)

    columns = (entry.offsets_us.tolist(), entry.variants.tolist(), map(bytes, entry.hashes))
    assert list(zip(*columns, strict=True)) == expected
    assert entry.duration_us == 59 * 1_000_000 // FPS


def test_progress_is_told_now_and_then(tmp_path: Path) -> None:
    still = landscape(64, 64)
    clip = write_clip(tmp_path / "long.mp4", [still] * (PROGRESS_EVERY + 1))
    told: list[tuple[int, int]] = []

    make_entry(
        str(clip), EntryPlan("it", "A"), SystemClock(), lambda *numbers: told.append(numbers)
    )

    n_seconds = PROGRESS_EVERY // FPS
    assert told == [(PROGRESS_EVERY, told[0][1])]
    assert n_seconds / 2 <= told[0][1] <= n_seconds
