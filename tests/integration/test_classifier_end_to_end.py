"""A model beside the hashes, from a file or a live stream to the log.

Rule: harmless. The tiny model sees how red a picture is, and what is flagged is red.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from numpy.typing import NDArray

from streamguard import app
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.account import Account
from streamguard.core.banks import Banks
from streamguard.core.events import Event, EventType
from streamguard.core.location import parse_location
from streamguard.core.model import Picture
from streamguard.core.policy import Policy
from streamguard.core.record import Row as LogRow
from streamguard.core.sampling import Sampling
from streamguard.core.types import GapReason
from streamguard.runtime.batcher import Batcher
from streamguard.runtime.parts import Stream
from streamguard.runtime.stop import Stop
from streamguard.runtime.worker import screen_once
from tests.fake_classifier import FakeClassifier
from tests.fake_classifier import picture as prepared_picture
from tests.kept import content_of
from tests.made_models import Graph, write_pack
from tests.processes import (
    Finished,
    Row,
    Running,
    build_bank,
    on_time,
    short_type,
    streamguard,
    transport_stream,
    until,
)
from tests.servers import serving, whole

pytestmark = pytest.mark.integration

OPENNSFW = Path(__file__).parent.parent.parent / "models" / "opennsfw"
CPU = "CPUExecutionProvider"
PATIENCE_S = 60.0
FPS, WIDTH, HEIGHT = 10, 320, 180


@cache
def _pictures(colour: str) -> list[NDArray[np.uint8]]:
    """Give a moving pattern, which hashes can judge, in grey or in red."""
    rng = np.random.default_rng(11)
    blocks = rng.integers(0, 256, (HEIGHT // 20, WIDTH // 20), dtype=np.uint8)
    pattern = np.kron(blocks, np.ones((20, 20), np.uint8))
    made = []
    for step in range(FPS):
        moved = np.roll(pattern, 3 * step, axis=1)
        dim = moved // 10
        channels = [128 + moved // 2, dim, dim] if colour == "red" else [moved] * 3
        made.append(np.dstack(channels).astype(np.uint8))
    return made


def write_clip(path: Path, *parts: tuple[str, int]) -> Path:
    """Write a video of so many seconds of each colour, with a keyframe every second."""
    with av.open(str(path), "w") as muxer:
        stream = cast("VideoStream", muxer.add_stream("libx264", rate=FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = FPS
        stream.options = {"preset": "ultrafast", "x264-params": "scenecut=0:threads=1"}
        shown = (pic for colour, seconds in parts for pic in _pictures(colour) * seconds)
        for number, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            muxer.mux(stream.encode(frame))
        muxer.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def red_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give six seconds of red between as many of grey."""
    path = tmp_path_factory.mktemp("red") / "red.mp4"
    return write_clip(path, ("grey", 6), ("red", 6), ("grey", 6))


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pack(tmp_path_factory.mktemp("model") / "redness")


@pytest.fixture(scope="module")
def screened(red_clip: Path, pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Screen the red clip with the model that sees red."""
    evidence = tmp_path_factory.mktemp("evidence")
    return streamguard("screen", red_clip, "--model", pack, "--evidence", evidence)


def flags_of(done: Finished) -> list[Row]:
    return [row for row in done.rows if short_type(row).startswith("flag.")]


def gaps_of(done: Finished) -> list[Row]:
    return [row["data"] for row in done.rows if short_type(row) == "coverage.gap"]


def logged(done: Finished, event: str) -> list[str]:
    return [line for line in done.err.splitlines() if f'"event": "{event}"' in line]


def test_what_the_model_sees_is_flagged_from_its_second_keyframe_to_its_last(
    screened: Finished,
) -> None:
    flags = flags_of(screened)
    window = flags[-1]["data"]["window"]

    assert screened.code == 0
    assert [flag["data"]["state"] for flag in flags] == ["open", "updated", "closed"]
    assert (window["start_pts_ms"], window["end_pts_ms"], window["n_samples"]) == (7000, 11000, 5)
    assert {flag["data"]["policy"]["code"] for flag in flags} == {"red-content"}
    assert flags[0]["data"]["policy"]["severity"] == "P2"


def test_its_signal_says_which_model_and_how_sure(screened: Finished) -> None:
    (signal,) = flags_of(screened)[0]["data"]["signals"]
    score, course = signal["score"].pop("score"), signal["score"].pop("course")

    assert signal == {
        "detector": "classifier",
        "score": {
            "model": "redness",
            "version": "1.0",
            "category": "red-content",
            "threshold": 0.6,
            "votes": 2,
        },
    }
    assert 0.6 <= score <= 0.8
    assert course == {"step_ms": 100, "sample_pts_ms": [7000], "scores": [round(score, 3)]}


def test_its_clip_and_still_are_there(screened: Finished) -> None:
    evidence = flags_of(screened)[-1]["data"]["evidence"]

    assert evidence["state"] == "ready"
    for artifact in (evidence["clip"], evidence["still"]):
        assert content_of(artifact)


def test_what_runs_the_model_is_logged(screened: Finished) -> None:
    (line,) = logged(screened, "model_loaded")

    assert CPU in line
    assert "redness" in line


def test_a_clip_without_red_is_screened_and_not_flagged(pack: Path, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "grey.mp4", ("grey", 10))

    done = streamguard("screen", clip, "--model", pack)

    assert (done.code, done.types) == (0, ["stream.started", "stream.ended"])
    assert done.rows[-1]["data"]["screened_ms"] >= 9_000


@pytest.mark.parametrize(("threshold", "n_flags"), [(0.55, 1), (0.95, 0)])
def test_the_policys_threshold_and_severity_win(
    red_clip: Path, pack: Path, tmp_path: Path, threshold: float, n_flags: int
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(
        f'version = "1"\n[categories.red-content]\nseverity = "P0"\nthreshold = {threshold}\n'
        'exonerating = ["other", "gameplay"]\n'
        "[categories.blue-content]\n"
    )

    done = streamguard("screen", red_clip, "--model", pack, "--policy", policy)

    opened = [row["data"] for row in done.rows if short_type(row) == "flag.opened"]
    assert done.code == 0
    assert [flag["policy"]["severity"] for flag in opened] == ["P0"] * n_flags
    assert all(flag["signals"][0]["score"]["threshold"] == threshold for flag in opened)
    (warning,) = logged(done, "category_unknown")
    assert "blue-content" in warning
    (warning,) = logged(done, "label_unknown")
    assert '"label": "gameplay"' in warning
    told = [flag["signals"][0]["score"]["against"] for flag in opened]
    assert [[one["label"] for one in against] for against in told] == [["other"]] * n_flags


@pytest.mark.parametrize("flaw", ["nan", "fails"])
def test_what_a_model_could_not_score_is_a_gap_and_not_clean(
    red_clip: Path, tmp_path: Path, flaw: str
) -> None:
    """It gives NaN for red pictures, or its run fails; it scores grey ones."""
    pack = write_pack(tmp_path / "flawed", Graph(flaw=flaw))

    done = streamguard("screen", red_clip, "--model", pack)

    (gap,) = gaps_of(done)
    ended = done.rows[-1]["data"]
    assert done.code == 0
    assert (gap["detector"], gap["reason"]) == ("classifier", "model_error")
    assert (gap["start_pts_ms"], gap["end_pts_ms"]) == (7_500, 9_500)
    assert ended["gap_ms"] == 2_000
    assert ended["screened_ms"] == pytest.approx(15_900, abs=200)
    assert flags_of(done) == []
    assert len(logged(done, "model_failed")) == len(logged(done, "model_recovered")) == 1


@pytest.mark.parametrize("name", ["bikes", "bigbuckbunny", "carphone_pristine"])
def test_real_harmless_footage_is_neither_flagged_nor_missed(
    name: str, real_clips: dict[str, Path]
) -> None:
    done = streamguard("screen", real_clips[name], "--model", OPENNSFW)

    assert (done.code, done.types) == (0, ["stream.started", "stream.ended"])
    assert done.rows[-1]["data"]["gap_ms"] == 0


def test_a_live_stream_shows_what_runs_the_model_and_whether_it_answers(
    pack: Path, tmp_path: Path
) -> None:
    """First with a model that is sound, on the provider that is there, then with a flawed one."""
    clip = write_clip(tmp_path / "red.mp4", ("red", 8))
    flawed = write_pack(tmp_path / "flawed", Graph(flaw="nan"))
    with serving(on_time(transport_stream(clip), burst_s=4)) as server:
        for model, healthy in ((pack, 1.0), (flawed, 0.0)):
            config = tmp_path / "config.toml"
            config.write_text(
                f'[log]\nfile = "{tmp_path / model.name}.db"\n[http]\nport = 0\n'
                f'[model]\npack = "{model}"\nproviders = ["cuda", "cpu"]\n'
                f'[[streams]]\nid = "a"\nurl = "{server.url()}"\n'
            )
            with Running("run", "--config", config) as running:
                loaded = running.wait_for(running.log, event="model_loaded")
                if healthy:
                    wait_until_scored(running)
                else:
                    running.wait_for(running.log, event="model_failed")
                claim = f"streamguard_model_healthy {healthy}"
                until(lambda claim=claim, running=running: claim in running.get("/metrics")[1])
                _, metrics = running.get("/metrics")
                assert running.stop() == 0

            assert loaded["provider"] == CPU
            info = 'model_info{name="redness",provider="CPUExecutionProvider",version="1.0"} 1.0'
            assert f"streamguard_{info}" in metrics


def wait_until_scored(running: Running) -> None:
    """Wait until the model has answered well once."""
    clock = SystemClock()
    until_s = clock.monotonic() + PATIENCE_S
    while 'streamguard_scores_total{outcome="scored"}' not in running.get("/metrics")[1]:
        assert clock.monotonic() < until_s


class Unmoved(FakeClassifier):
    """Finds nothing in any picture, when it answers."""

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        return prepared_picture(1)


class Kept:
    """An event log in memory that tells when a flag is committed."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.flagged = threading.Event()

    def append(self, events: Sequence[Event | LogRow], accounts: Sequence[Account] = ()) -> None:
        assert not accounts
        self.events += [event for event in events if isinstance(event, Event)]
        if self.of(EventType.FLAG_OPENED):
            self.flagged.set()

    def of(self, kind: EventType) -> list[Any]:
        return [event.data for event in self.events if event.type is kind]


def waiting(event: threading.Event, seconds: float) -> Callable[[], None]:
    """Give what makes a run wait."""

    def wait() -> None:
        event.wait(seconds)

    return wait


def screen(
    source: str, classifier: FakeClassifier, kept: Kept, banks: Banks, hang_s: float = PATIENCE_S
) -> tuple[PrometheusMeter, bool]:
    """Screen a source beside a classifier of the test's own; say whether that was healthy."""
    meter = PrometheusMeter()
    plan = app.Plan("test", lambda: banks, Policy(), kept, None)
    stream = Stream("a", parse_location(source), Sampling.AUTO)

    async def main() -> bool:
        async with app.assembled(plan, meter) as parts:
            with Batcher(classifier, 1, SystemClock(), meter, hang_s=hang_s) as batcher:
                error = await screen_once(stream, replace(parts, batcher=batcher), Stop())
                assert error is None
                return batcher.is_healthy()

    return meter, asyncio.run(main())


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Banks:
    directory = build_bank(tmp_path_factory.mktemp("bank") / "bank", real_clips["bikes"])
    return Banks((open_bank(directory),))


@pytest.mark.parametrize("way", ["file", "live"])
def test_a_hanging_model_delays_no_flag_of_the_hashes(
    way: str, known: Banks, real_clips: dict[str, Path]
) -> None:
    """Its first run returns only once the flag is committed."""
    kept, begun = Kept(), threading.Event()
    was_running: list[bool] = []

    def hang() -> None:
        begun.set()
        was_running.append(kept.flagged.wait(PATIENCE_S))

    clip = real_clips["bikes"]
    with serving(whole(b"".join(chunk for _, chunk in transport_stream(clip)))) as server:
        source = str(clip) if way == "file" else server.url()
        screen(source, Unmoved(hang), kept, known)

    assert begun.is_set()
    assert was_running[0]
    (flag,) = kept.of(EventType.FLAG_OPENED)
    assert flag.signals[0].detector == "hash"
    assert flag.latency_ms.ingest_to_decision < PATIENCE_S * 1000 / 2


def test_a_model_that_hangs_to_the_end_leaves_its_seconds_in_gaps(
    known: Banks, real_clips: dict[str, Path]
) -> None:
    kept, done = Kept(), threading.Event()

    hanging = Unmoved(waiting(done, PATIENCE_S))
    _, is_healthy = screen(str(real_clips["bikes"]), hanging, kept, known, hang_s=0.2)
    done.set()

    gaps = kept.of(EventType.COVERAGE_GAP)
    (ended,) = kept.of(EventType.STREAM_ENDED)
    assert {(gap.detector, gap.reason) for gap in gaps} == {("classifier", GapReason.MODEL_ERROR)}
    assert (ended.screened_ms, ended.n_flags) == (0, 1)
    assert ended.gap_ms == sum(gap.end_pts_ms - gap.start_pts_ms for gap in gaps) > 9_000
    assert not is_healthy


def test_a_model_that_comes_back_goes_on_screening(tmp_path: Path) -> None:
    """Its first run is given up, and returns when there is no room for more questions."""
    clip = write_clip(tmp_path / "long.mp4", ("grey", 90))
    kept, sixth, returned = Kept(), threading.Event(), threading.Event()

    def hang_once() -> None:
        if not returned.is_set():
            assert sixth.wait(PATIENCE_S)
            returned.set()

    class Told(Unmoved):
        n_prepared = 0

        def prepare(self, picture: Picture) -> NDArray[np.uint8]:
            self.n_prepared += 1
            if self.n_prepared == 70:
                sixth.set()
                assert returned.wait(PATIENCE_S)
            return super().prepare(picture)

    meter, is_healthy = screen(str(clip), Told(hang_once), kept, Banks(()), hang_s=0.05)

    outcomes = {
        outcome: meter.registry.get_sample_value("streamguard_scores_total", {"outcome": outcome})
        for outcome in ("scored", "not_scored")
    }
    gaps = kept.of(EventType.COVERAGE_GAP)
    assert is_healthy
    assert outcomes["not_scored"] >= 5
    assert sum(outcomes.values()) == 90
    assert {(gap.detector, gap.reason) for gap in gaps} <= {("classifier", GapReason.MODEL_ERROR)}


def test_every_keyframe_of_a_file_is_scored_however_slow_the_model(tmp_path: Path) -> None:
    """While it scores one, all others of this short file could have been decoded."""
    clip = write_clip(tmp_path / "long.mp4", ("grey", 20))
    kept = Kept()
    classifier = Unmoved(waiting(threading.Event(), 0.02))

    meter, _ = screen(str(clip), classifier, kept, Banks(()))

    assert sum(classifier.n_pictures) == 20
    assert meter.registry.get_sample_value(
        "streamguard_scores_total", {"outcome": "scored"}
    ) == pytest.approx(20)
    (ended,) = kept.of(EventType.STREAM_ENDED)
    assert (ended.n_samples, ended.gap_ms, ended.n_dropped) == (20, 0, 0)
