import argparse
import json
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import av
import pytest

from streamguard import __version__
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.cli import _parser, main
from streamguard.core.coverage_data import StreamStartedData
from streamguard.core.event_data import (
    StreamRef,
    utc_text,
)
from streamguard.core.events import Event, stream_started_event
from streamguard.core.sampling import Sampling
from tests.kept import content_of
from tests.processes import (
    DEADLINE_S,
    POLICY,
    Finished,
    Row,
    Running,
    build_bank,
    command,
    environment,
    on_time,
    short_type,
    streamguard,
    transport_stream,
)
from tests.servers import serving

pytestmark = pytest.mark.integration

VERBS = {
    *("screen", "run", "events", "check-config", "demo", "hash", "doctor", "topics create"),
    *("bank build", "bank query", "bank remove", "bank stat", "bank verify", "bank bench"),
}


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Yield the parser of each verb that does something."""
    inner = [a.choices for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield parser
    for choices in inner:
        for child in choices.values():
            yield from parsers(child)


HELP = {parser.prog.removeprefix("streamguard "): parser for parser in parsers(_parser())}


def example(verb: str) -> list[str]:
    """Give the arguments of the example in a verb's help."""
    found = re.fullmatch("Example: streamguard (.*)", str(HELP[verb].epilog))
    assert found
    return shlex.split(found[1])


def flags_of(done: Finished) -> list[Row]:
    return [event for event in done.rows if short_type(event).startswith("flag.")]


def started() -> Event:
    """Make an event about coverage."""
    ref = StreamRef(stream_id="a", session_id="b", epoch=0, protocol="file")
    data = StreamStartedData(
        stream=ref,
        codec="h264",
        width=16,
        height=16,
        sampling=Sampling.AUTO,
        start_pts_ms=0,
        start_time=utc_text(0.0),
    )
    return stream_started_event("/streamguard/test", data, recorded_s=0.0)


@pytest.fixture(scope="module")
def screened(
    tmp_path_factory: pytest.TempPathFactory, known_bank: Path, real_clips: dict[str, Path]
) -> Finished:
    """Screen a clip that the bank knows."""
    evidence = tmp_path_factory.mktemp("screened") / "evidence"
    return streamguard("screen", real_clips["bikes"], "--bank", known_bank, "--evidence", evidence)


def test_each_verb_has_an_example_that_parses() -> None:
    assert set(HELP) >= VERBS
    for verb, parser in HELP.items():
        arguments = _parser().parse_args(example(verb))
        assert arguments.verb is parser.get_default("verb")


def test_help_lists_the_verbs() -> None:
    done = streamguard("--help")

    listed = re.findall(r"^    ([a-z-]+)", done.out, re.MULTILINE)
    assert (done.code, done.err) == (0, "")
    assert set(listed) == {verb.split()[0] for verb in HELP}


def test_version_is_printed() -> None:
    done = streamguard("--version")

    assert (done.code, done.out, done.err) == (0, f"streamguard {__version__}\n", "")


def test_the_examples_of_help_run_one_after_another(
    tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    for name in ("attack.mp4", "copy.mp4"):
        shutil.copy(real_clips["bikes"], tmp_path / name)
    (tmp_path / "streamguard.toml").write_text('[bank]\npaths = ["bank"]\n')

    build, stat, query, verify, screen, check, remove = (
        streamguard(*example(verb), cwd=tmp_path)
        for verb in (
            *("bank build", "bank stat", "bank query", "bank verify"),
            *("screen", "check-config", "bank remove"),
        )
    )

    assert {d.code for d in (build, stat, query, verify, screen, check, remove)} == {0}
    assert re.search("^entries +1$", build.out, re.MULTILINE)
    assert re.fullmatch(r"attack.mp4: \d{4,5} hashes kept: 200 whole, .+\n", build.err)
    assert re.search(f"^policies +.*{POLICY}", stat.out, re.MULTILINE)
    assert len(re.findall("^pts_ms=.* entry=attack.mp4 ", query.out, re.MULTILINE)) == 6
    assert query.err == "6 of 6 frames are near an entry\n"
    assert verify.out == "bank: ok\n"
    assert screen.types[-2:] == ["flag.closed", "stream.ended"]
    assert json.loads(check.out)["bank"]["paths"] == ["bank"]
    assert re.search("^entries +0$", remove.out, re.MULTILINE)


def test_known_content_is_told_from_first_hit_over_evidence_to_end(screened: Finished) -> None:
    assert (screened.code, screened.err) == (0, "")
    assert screened.types[:2] == ["stream.started", "flag.opened"]
    assert set(screened.types[2:-2]) == {"flag.updated"}
    assert screened.types[-2:] == ["flag.closed", "stream.ended"]


def test_a_flag_says_what_matched_and_how_urgent_it_is(screened: Finished) -> None:
    opened = flags_of(screened)[0]["data"]

    match = opened["signals"][0]["match"]
    assert opened["policy"] == {"code": POLICY, "severity": "P1"}
    assert opened["stream"]["stream_id"] == "bikes.mp4"
    assert opened["evidence"] == {"state": "pending"}
    assert (match["bank"], match["entry"]) == ("bank", "bikes.mp4")
    assert match["distance_bits"] <= 31


def test_evidence_is_announced_once_it_lies_there_with_its_digest(screened: Finished) -> None:
    flags = [event["data"] for event in flags_of(screened)]

    *_, ready, closed = (flag for flag in flags if flag["evidence"]["state"] == "ready")
    assert (ready["state"], closed["state"]) == ("updated", "closed")
    assert closed["evidence"] == ready["evidence"]
    for artifact in (ready["evidence"]["clip"], ready["evidence"]["still"]):
        assert content_of(artifact)


def test_the_stored_clip_plays(screened: Finished) -> None:
    closed = flags_of(screened)[-1]["data"]

    with av.open(BytesIO(content_of(closed["evidence"]["clip"]))) as clip:
        n_frames = sum(1 for _ in clip.decode(video=0))

    assert n_frames >= 4 * 25  # four seconds after the first hit at the least


def test_the_account_covers_the_whole_clip(screened: Finished) -> None:
    ended = screened.rows[-1]["data"]

    assert (ended["reason"], ended["n_flags"], ended["n_packets"]) == ("ended", 1, 250)
    assert (ended["gap_ms"], ended["n_dropped"]) == (0, 0)
    assert 9_900 <= ended["screened_ms"] <= 10_000


def test_revisions_of_a_flag_count_up_under_ids_of_their_own(screened: Finished) -> None:
    flags = flags_of(screened)

    assert [flag["data"]["revision"] for flag in flags] == list(range(len(flags)))
    assert len({flag["id"] for flag in flags}) == len(flags)
    assert len({flag["data"]["flag_id"] for flag in flags}) == 1


def test_hashes_of_keyframes_are_among_those_of_every_frame(real_clips: dict[str, Path]) -> None:
    keyframes = streamguard("hash", real_clips["bikes"])
    frames = streamguard("hash", real_clips["bikes"], "--every-frame")

    assert (frames.code, frames.err) == (0, "")
    assert [row["pts_ms"] for row in frames.rows] == [index * 40 for index in range(250)]
    assert all(re.fullmatch("[0-9a-f]{64}", row["pdq"]) for row in frames.rows)
    assert {tuple(row) for row in frames.rows} == {("pts_ms", "pdq", "quality")}
    assert len(keyframes.rows) == 6
    assert all(row in frames.rows for row in keyframes.rows)


def first_frame(clip: Path, picture: Path, codec: str = "png", pixels: str = "rgb24") -> Path:
    """Write the first frame of a clip as a picture."""
    with av.open(str(clip)) as source:
        frame = next(source.decode(video=0))
    with av.open(str(picture), "w", format="image2") as out:
        stream = out.add_stream(codec, rate=1)
        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, pixels
        out.mux(stream.encode(frame.reformat(format=pixels)))
        out.mux(stream.encode(None))
    return picture


@pytest.mark.parametrize("sampling", ["auto", "keyframes", "dense"])
def test_an_image_is_found_by_a_bank_of_images(
    sampling: str, tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    picture = first_frame(real_clips["bikes"], tmp_path / "picture.png")
    other = first_frame(real_clips["carphone_pristine"], tmp_path / "other.png")
    bank = tmp_path / "bank"
    streamguard("bank", "build", bank, picture, "--policy", "TVEC-TEST")

    found, not_found = (
        streamguard("screen", each, "--bank", bank, "--sampling", sampling)
        for each in (picture, other)
    )

    flags = [row for row in found.rows if row["type"].endswith("flag.opened.v1")]
    assert (found.code, [flag["data"]["policy"]["code"] for flag in flags]) == (0, ["TVEC-TEST"])
    assert not [row for row in not_found.rows if ".flag." in row["type"]]


@pytest.mark.parametrize(
    ("suffix", "codec", "pixels"), [("png", "png", "rgb24"), ("jpg", "mjpeg", "yuvj420p")]
)
def test_hash_of_an_image_is_one_line(
    suffix: str, codec: str, pixels: str, tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    picture = first_frame(real_clips["bikes"], tmp_path / f"picture.{suffix}", codec, pixels)

    done = streamguard("hash", picture)

    assert (done.code, done.err) == (0, "")
    assert [row["pts_ms"] for row in done.rows] == [0]


def test_bank_bench_prints_what_scripts_read() -> None:
    done = streamguard("bank", "bench", "--entries", "2000", "--json")

    (row,) = done.rows
    assert list(row)[:5] == ["entries", "ms_per_needle", "bytes_per_entry", "build_s", "start_s"]
    assert row["entries"] == 2000
    assert row["skewed_ms_per_needle"] > 0


def test_bank_bench_grows_its_crowd_from_the_hashes_of_a_file(tmp_path: Path) -> None:
    hashes = tmp_path / "hashes.txt"
    hashes.write_text("ab" * 32)

    done = streamguard("bank", "bench", "--entries", "200", "--grown-from", hashes, "--json")
    refused = streamguard("bank", "bench", "--grown-from", tmp_path / "missing.txt")

    assert done.rows[0]["skewed_ms_per_needle"] > 0
    assert (refused.code, refused.err.count("\n")) == (2, 1)


def test_a_name_is_built_once_unless_it_is_to_be_replaced(
    tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    bank = tmp_path / "bank"
    build = ("bank", "build", bank, real_clips["carphone_pristine"], "--json", "--entry", "it")
    first = streamguard(*build, "--policy", "TVEC-ONE")

    again = streamguard(*build, "--policy", "TVEC-TWO")
    after = streamguard("bank", "stat", bank, "--json")
    replaced = streamguard(*build, "--policy", "TVEC-TWO", "--replace")

    assert (first.code, again.code, replaced.code) == (0, 2, 0)
    assert "has an entry named 'it'" in again.err.splitlines()[-1]
    assert after.rows == first.rows
    assert replaced.rows[0]["policies"] == {"TVEC-TWO": 1}


@pytest.mark.parametrize(("sampling", "least", "most"), [("keyframes", 6, 6), ("dense", 35, 50)])
def test_sampling_decides_how_much_is_looked_at(
    sampling: str, least: int, most: int, real_clips: dict[str, Path]
) -> None:
    done = streamguard("screen", real_clips["bikes"], "--sampling", sampling)

    assert done.rows[0]["data"]["sampling"] == sampling
    assert least <= done.rows[-1]["data"]["n_samples"] <= most


def test_policy_configuration_and_stream_id_show_in_the_flag(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    policy, config = tmp_path / "policy.toml", tmp_path / "config.toml"
    policy.write_text(f'version = "1"\n[banks.{POLICY}]\nseverity = "P0"\nmin_votes = 3\n')
    config.write_text(
        f'[deployment]\nname = "here"\n[bank]\npaths = ["{known_bank}"]\n'
        f'[evidence]\ndirectory = "{tmp_path / "evidence"}"\n'
    )

    done = streamguard(
        *("screen", real_clips["bikes"], "--stream-id", "Studio 7 \N{EM DASH} süd"),
        *("--policy", policy, "--config", config),
    )

    opened = flags_of(done)[0]
    assert opened["source"] == "/streamguard/here"
    assert opened["partitionkey"] == "Studio 7 \N{EM DASH} süd"
    assert opened["data"]["policy"]["severity"] == "P0"
    assert opened["data"]["signals"][0]["match"]["votes"] == 3
    assert opened["data"]["evidence"] == {"state": "pending"}
    assert len(list((tmp_path / "evidence").glob("objects/*/*-clip.sealed"))) == 1


def test_bank_verbs_speak_json(
    tmp_path: Path, real_clips: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    clip = real_clips["carphone_pristine"]
    bank = str(build_bank(tmp_path / "bank", clip))

    codes = [
        main(["bank", "query", bank, str(clip), "--every-frame", "--limit", "2", "--json"]),
        main(["bank", "remove", bank, clip.name, "--json"]),
    ]

    *near, removed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert codes == [0, 0]
    assert {row["entry"] for row in near} == {clip.name}
    assert {row["policy"] for row in near} == {POLICY}
    assert [row["distance_bits"] for row in near[:2]] == [0, near[1]["distance_bits"]]
    assert (removed["entries"], removed["hashes"], removed["policies"]) == (0, 0, {})


def test_unknown_content_gives_no_flag(known_bank: Path, real_clips: dict[str, Path]) -> None:
    done = streamguard("screen", real_clips["carphone_pristine"], "--bank", known_bank)

    assert (done.code, done.types) == (0, ["stream.started", "stream.ended"])


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_signal_ends_a_live_screening_with_its_account(
    number: signal.Signals, expected: int, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    channel = on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=2)
    with serving(channel) as server:
        arguments = ("screen", server.url(), "--stream-id", "live", "--bank", known_bank)
        with Running(*arguments) as screen:
            screen.wait_for_type("flag.opened")
            code = screen.stop(number)

    assert (code, screen.log) == (expected, [])
    assert [short_type(event) for event in screen.out][-2:] == ["flag.closed", "stream.ended"]
    assert screen.out[-2]["data"]["close_reason"] == "interrupted"
    assert screen.out[-1]["data"]["reason"] == "interrupted"


def test_a_group_of_readers_goes_on_where_it_stopped(
    tmp_path: Path,
    known_bank: Path,
    real_clips: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One process writes the log; one follows it and is interrupted; two more take over."""
    config, log_file = tmp_path / "streamguard.toml", tmp_path / "streamguard.db"
    channel = on_time(transport_stream(real_clips["bikes"], n_rounds=6), burst_s=2)
    with serving(channel) as server:
        config.write_text(
            f'[http]\nport = 0\n[bank]\npaths = ["{known_bank}"]\n[log]\nfile = "{log_file}"\n'
            f'[[streams]]\nid = "a"\nurl = "{server.url()}"\n'
        )
        group = ("events", "--config", config, "--group", "review")
        with Running("run", "--config", config) as run:
            run.wait_for(run.log, event="run_started")
            with Running(*group, "--follow") as first:
                first.wait_for_type("flag.opened")
                code = first.stop(signal.SIGINT)
            second = streamguard(*group)
            run.stop()
    third = streamguard(*group)
    main(["events", "--log", str(log_file), "--topic", "streamguard.flags.v1"])

    with SqliteLog.open_reader(log_file) as event_log:
        everything = [json.loads(record.body) for record in event_log.read(1)]
    again = [event for event in second.rows if event in first.out]  # printed, not yet noted down
    assert code == 130
    assert first.out + second.rows[len(again) :] + third.rows == everything
    assert third.types[-1] == "stream.ended"
    flags = [event for event in everything if short_type(event).startswith("flag.")]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == flags


@pytest.mark.parametrize("verb", ["screen", "hash"])
def test_a_reader_that_has_seen_enough_ends_the_command(
    verb: str, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    channel = on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=60)
    more = {
        "screen": ("--stream-id", "live", "--bank", known_bank),
        "hash": ("--every-frame",),
    }
    with (
        serving(channel) as server,
        subprocess.Popen(
            command(verb, server.url(), *more[verb]),
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process,
    ):
        assert process.stdout
        assert process.stderr
        first = process.stdout.readline()
        process.stdout.close()
        problem = process.stderr.read()
        code = process.wait(DEADLINE_S)

    assert json.loads(first)
    assert (code, problem) == (0, "")


@pytest.mark.parametrize("topic", [(), ("--topic", "streamguard.flags.v1")])
def test_a_group_is_known_and_up_to_date_though_nothing_came_for_it(
    topic: tuple[str, ...], tmp_path: Path
) -> None:
    """Else records would be pruned before it reads them, or none because it read no other topic."""
    file = tmp_path / "log.db"
    with SqliteLog(file) as event_log:
        if topic:
            event_log.append([started()])

        code = main(["events", "--log", str(file), "--group", "review", *topic])

        assert (code, event_log.position("review")) == (0, event_log.end_offset())


def test_a_consumer_group_that_is_gone_for_good_is_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log.db"
    with SqliteLog(file) as event_log:
        event_log.commit("gone", 1, 1_000.0)
        event_log.commit("here", 1, 1_000.0)
        forget = ["events", "--log", str(file), "--forget"]

        codes = [main([*forget, "--group", "gone"]) for _ in range(2)]
        nobody = main(forget)

        assert (event_log.position("gone"), event_log.position("here")) == (None, 1)
    assert (codes, nobody) == ([0, 2], 2)
    problems = capsys.readouterr().err
    assert "the log knows no consumer group gone" in problems
    assert "--group NAME" in problems
