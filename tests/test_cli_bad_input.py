"""What people and disks get wrong: an exit code, one line that helps, and nothing lost."""

import json
import random
import re
import socket
import subprocess
from pathlib import Path

import av
import pytest

from streamguard.adapters.bank_live import open_bank
from streamguard.cli import main
from tests.made_banks import all_of, base_of, contents
from tests.media import audio_ts
from tests.processes import (
    DEADLINE_S,
    Finished,
    build_bank,
    command,
    environment,
    on_time,
    streamguard,
    transport_stream,
)
from tests.servers import Answer, paced, refusing_port, serving, silent, status, whole

pytestmark = pytest.mark.integration


def into(path: Path, *arguments: str | Path) -> Finished:
    """Run one command with its standard output in a file."""
    with path.open("w") as out:
        done = subprocess.run(
            command(*arguments),
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
    return Finished(done.returncode, "", done.stderr)


def test_screening_onto_a_full_disk_says_how_much_was_lost(
    known_bank: Path, real_clips: dict[str, Path], tmp_path: Path
) -> None:
    config = tmp_path / "config.toml"
    config.write_text("[worker]\nstop_timeout_s = 0.5\n")

    done = into(
        Path("/dev/full"),
        *("screen", real_clips["bikes"], "--bank", known_bank, "--config", config),
    )

    logged, problem = done.err.splitlines()
    assert done.code == 3
    assert '"event": "log_unavailable"' in logged
    assert problem == (
        "streamguard: 6 events could not be committed before the stop: free the disk, then screen "
        "these streams again"
    )


def test_a_result_that_does_not_fit_on_the_disk_is_said(real_clips: dict[str, Path]) -> None:
    done = into(Path("/dev/full"), "hash", "--every-frame", real_clips["bikes"])

    assert done.code == 3
    assert done.problem == "streamguard: the disk is full: free some space, then try again"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "streamguard: the following arguments are required: VERB"),
        (("watch", "x"), "streamguard: argument VERB: invalid choice: 'watch'"),
        (("screen",), "streamguard screen: the following arguments are required: source"),
        (("screen", "x", "--sampling", "much"), "streamguard screen: argument --sampling"),
        (("run",), "streamguard run: the following arguments are required: --config"),
        (("bank", "build", "b", "x"), "streamguard bank build: the following arguments"),
        (("bank", "bench", "--entries", "0"), "streamguard bank bench: argument --entries"),
        (("bank", "bench", "--entries", "many"), "streamguard bank bench: argument --entries"),
        (("bank", "query", "b", "x", "--limit", "-1"), "streamguard bank query: argument --limit"),
        (("demo", "--seconds", "0"), "streamguard demo: argument --seconds"),
        (("demo", "--seconds", "nan"), "streamguard demo: argument --seconds"),
        (("hash", "x", "--fast"), "streamguard: unrecognized arguments: --fast"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_verb_and_its_help(
    arguments: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith(what)
    assert re.search(r"; see streamguard( \w+)* --help$", err)


@pytest.mark.parametrize(
    "arguments",
    [
        ("rtmp://host/app/KEY",),
        ("screen", "a.mp4", "rtmp://user:KEY@host/app"),
        ("screen", "a.mp4", "--sampling", "https://host/KEY"),
        ("demo", "--seconds=rtmp://host/app/KEY"),
    ],
)
def test_a_url_in_the_wrong_place_is_not_repeated(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert "KEY" not in capsys.readouterr().err


@pytest.mark.parametrize("stream_id", ["", "x" * 257, "two\nlines"])
def test_a_stream_id_that_no_event_can_carry_is_refused(
    stream_id: str, real_clips: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["screen", str(real_clips["bikes"]), "--stream-id", stream_id])

    problem = "a stream id is one line of 1 to 256 characters: give another with --stream-id"
    assert (code, capsys.readouterr().err) == (2, f"streamguard: {problem}\n")


def test_a_name_with_a_line_break_does_not_break_the_line(
    tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    odd = tmp_path / "two\nlines.mp4"
    odd.symlink_to(real_clips["carphone_pristine"])

    done = streamguard("screen", odd)

    assert (done.code, done.out) == (2, "")
    assert done.problem.endswith("rename it")


def test_a_bank_is_not_built_from_a_live_stream(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["bank", "build", str(tmp_path), "http://host/app/KEY", "--policy", "A"])

    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "download or record the video first" in err
    assert "KEY" not in err


# files that are no video, or not all of one


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    """Make a directory of files that something is wrong with."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "empty.mp4").touch()
    (folder / "noise.mp4").write_bytes(random.Random(7).randbytes(100_000))
    (folder / "text.mp4").write_text("no video\n" * 1_000)
    whole = folder / "whole.mp4"
    with (
        av.open(str(real_clips["bikes"])) as clip,
        av.open(str(whole), "w", options={"movflags": "faststart"}) as muxer,
    ):
        stream = muxer.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                muxer.mux(packet)
    (folder / "half.mp4").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return folder


@pytest.mark.parametrize("name", ["empty.mp4", "noise.mp4", "text.mp4", "missing.mp4", "."])
def test_a_file_that_is_no_video_is_not_hashed(
    name: str, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["hash", str(broken / name)])

    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert str(broken / name) in err


@pytest.mark.parametrize("name", ["empty.mp4", "noise.mp4"])
def test_a_file_that_is_no_video_is_refused(name: str, broken: Path) -> None:
    done = streamguard("screen", name, cwd=broken)

    assert (done.code, done.out) == (2, "")
    assert name in done.problem


def test_what_comes_before_the_break_of_a_file_is_screened_and_flagged(
    broken: Path, known_bank: Path
) -> None:
    done = streamguard("screen", broken / "half.mp4", "--bank", known_bank)

    *_, closed, gap, ended = (event["data"] for event in done.rows)
    assert done.code == 2
    assert done.types[:2] == ["stream.started", "flag.opened"]
    assert done.types[-3:] == ["flag.closed", "coverage.gap", "stream.ended"]
    assert closed["window"]["end_pts_ms"] > 2_500
    assert (gap["reason"], gap["end_pts_ms"]) == ("truncated", pytest.approx(10_000, abs=50))
    assert ended["screened_ms"] + ended["gap_ms"] == pytest.approx(10_000, abs=50)
    assert re.search(r"half.mp4 is cut short after \d\.\d of 10\.0 s", done.problem)


@pytest.mark.parametrize("name", ["noise.mp4", "half.mp4"])
def test_a_bank_does_not_change_when_one_of_its_sources_is_broken(
    name: str,
    broken: Path,
    tmp_path: Path,
    real_clips: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    fine = real_clips["carphone_pristine"]
    bank = build_bank(tmp_path / "bank", fine)
    before = contents(bank)

    arguments = ["bank", "build", str(bank), str(fine), str(broken / name), "--replace"]
    code = main([*arguments, "--policy", "TVEC-OTHER"])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert str(broken / name) in err.splitlines()[-1]
    assert contents(bank) == before


# hosts that are no help


@pytest.fixture
def impatient(tmp_path: Path) -> Path:
    """Make a configuration that waits for a second only."""
    config = tmp_path / "impatient.toml"
    config.write_text("[source]\nopen_timeout_s = 0.5\nread_timeout_s = 0.5\n")
    return config


TRICKLE = [audio_ts(60)[at : at + 2 * 188] for at in range(0, 200 * 2 * 188, 2 * 188)]
"""MPEG-TS of sound alone, in 200 pieces."""


def screen_live(url: str, config: Path) -> Finished:
    return streamguard("screen", url, "--stream-id", "live", "--config", config)


def test_a_host_that_refuses_is_said_to_be_down(impatient: Path) -> None:
    port = refusing_port()

    done = screen_live(f"rtmp://127.0.0.1:{port}/live/KEY", impatient)

    assert (done.code, done.out) == (3, "")
    assert f"rtmp source at 127.0.0.1:{port} cannot be opened (ECONNREFUSED)" in done.problem


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        (silent, "it sent nothing in time"),
        (status("404 Not Found"), "cannot be opened"),
        (whole(b"no video\n" * 50_000), "it sends neither MPEG-TS nor FLV video"),
        (paced(TRICKLE, 0.1), "holds no video|in time"),
    ],
    ids=["silent", "missing", "no video", "audio only"],
)
def test_a_host_without_video_is_named_with_what_it_did(
    answer: Answer, what: str, impatient: Path
) -> None:
    with serving(answer) as server:
        done = screen_live(server.url("/live/KEY"), impatient)
        where = f"http source at 127.0.0.1:{server.port}"

    assert (done.code, done.out) == (3, "")
    assert where in done.problem
    assert re.search(what, done.problem)


def test_a_host_that_goes_silent_leaves_the_account_of_what_came(
    impatient: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    impatient.write_text(f'{impatient.read_text()}[bank]\npaths = ["{known_bank}"]\n')
    channel = transport_stream(real_clips["bikes"])

    with serving(on_time(channel, burst_s=60)) as server:
        done = screen_live(server.url(), impatient)

    assert (done.code, done.types[-2:]) == (3, ["flag.closed", "stream.ended"])
    assert done.rows[-1]["data"]["reason"] == "source_unavailable"
    assert "stopped sending" in done.problem or "sent nothing" in done.problem


# banks, settings and ports


def cut(content: bytes) -> bytes:
    return content[:-100]


def flipped(content: bytes) -> bytes:
    return content[:2000] + bytes([content[2000] ^ 1]) + content[2001:]


def of_another_version(content: bytes) -> bytes:
    return content[:7] + b"\x09" + content[8:]


@pytest.fixture
def damaged_bank(
    request: pytest.FixtureRequest, tmp_path: Path, real_clips: dict[str, Path]
) -> Path:
    bank = build_bank(tmp_path / "bank", real_clips["carphone_pristine"])
    file = base_of(bank)
    file.write_bytes(request.param(file.read_bytes()))
    return bank


DAMAGES = [
    (cut, "bytes long and should be"),
    (flipped, "its section hashes is damaged"),
    (of_another_version, "it is no base of a bank, or of another version"),
]


@pytest.mark.parametrize(("damaged_bank", "what"), DAMAGES, indirect=["damaged_bank"])
def test_a_damaged_bank_is_refused_by_every_verb_and_left_as_it_is(
    damaged_bank: Path,
    what: str,
    tmp_path: Path,
    real_clips: dict[str, Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    clip, bank = str(real_clips["carphone_pristine"]), str(damaged_bank)
    config = tmp_path / "config.toml"
    config.write_text(f'[bank]\npaths = ["{bank}"]\n')
    before = contents(damaged_bank)

    for arguments in (
        ("bank", "stat", bank),
        ("bank", "query", bank, clip),
        ("bank", "remove", bank, "it"),
        ("bank", "build", bank, clip, "--policy", "A"),
        ("check-config", str(config)),
    ):
        code = main(arguments)

        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert what in err.splitlines()[-1]
    assert main(("bank", "verify", bank)) == 2
    assert what in capsys.readouterr().out
    assert contents(damaged_bank) == before


@pytest.mark.parametrize(("damaged_bank", "what"), [DAMAGES[1]], indirect=["damaged_bank"])
def test_nothing_is_screened_against_a_damaged_bank(
    damaged_bank: Path, what: str, tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        f'[bank]\npaths = ["{damaged_bank}"]\n[http]\nport = 0\n'
        f'[[streams]]\nid = "a"\nurl = "rtmp://127.0.0.1:{refusing_port()}/a"\n'
    )

    screened = streamguard("screen", real_clips["bikes"], "--bank", damaged_bank)
    ran = streamguard("run", "--config", config, cwd=tmp_path)

    for done in (screened, ran):
        assert (done.code, done.out) == (2, "")
        assert what in done.problem
    assert not (tmp_path / "streamguard.db").exists()


@pytest.mark.parametrize("text", ["[http]\nprt = 1\n", "[http\nport = 1\n"])
def test_run_does_not_start_on_a_configuration_that_is_wrong(text: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)

    done = streamguard("run", "--config", config, cwd=tmp_path)

    assert (done.code, done.out) == (2, "")
    assert re.match(
        rf"streamguard: {config}(:\d: | is not valid TOML: .*\(at line 1)", done.problem
    )
    assert list(tmp_path.iterdir()) == [config]


def test_a_misspelt_variable_is_refused_by_a_process(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.touch()

    done = streamguard("check-config", config, env=environment(STREAMGUARD_HTTP__PRT="1"))

    assert (done.code, done.out) == (2, "")
    assert done.problem.startswith("streamguard: variable STREAMGUARD_HTTP__PRT: there is no such")


def test_a_policy_that_is_wrong_is_refused(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('version = "1"\n[default]\nseverity = "P9"\n')

    done = streamguard("screen", real_clips["bikes"], "--policy", policy)

    assert (done.code, done.out) == (2, "")
    assert done.problem.startswith(f"streamguard: {policy}:3: default.severity: ")


def run_on(port: int, folder: Path, more: str = "") -> Finished:
    """Try to run with these settings; a stream is named, but nobody serves it."""
    config = folder / "config.toml"
    config.write_text(
        f"{more}\n[http]\nport = {port}\n"
        f'[[streams]]\nid = "a"\nurl = "rtmp://127.0.0.1:{refusing_port()}/a"\n'
    )
    return streamguard("run", "--config", config, cwd=folder)


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_on(port, tmp_path)

    assert (done.code, done.out) == (2, "")
    assert done.problem == (
        f"streamguard: cannot listen on 127.0.0.1:{port} (Address already in use): "
        "choose another [http] port"
    )


def test_a_log_that_is_no_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("dear diary " * 1_000)

    done = run_on(0, tmp_path, '[log]\nfile = "notes.txt"')

    assert (done.code, done.out) == (3, "")
    assert "notes.txt: this is no event log" in done.problem
    assert (tmp_path / "notes.txt").read_text() == "dear diary " * 1_000


def test_an_evidence_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    done = run_on(0, tmp_path, '[evidence]\ndirectory = "file/evidence"')

    assert (done.code, done.out) == (3, "")
    assert f"evidence directory {tmp_path}/file/evidence cannot be used" in done.problem


# disks


SMALL_FILES_ONLY = ("sh", "-c", 'ulimit -f 4 && exec "$@"', "sh")
"""Runs a command that can write no file of more than 2 kB."""


def test_a_flag_stands_where_its_clip_does_not_fit_on_the_disk(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    evidence = tmp_path / "evidence"

    done = streamguard(
        *("screen", real_clips["bikes"], "--bank", known_bank, "--evidence", evidence),
        wrapper=SMALL_FILES_ONLY,
    )

    closed = done.rows[-2]["data"]
    logged = [json.loads(line) for line in done.err.splitlines()]
    assert done.code == 0
    assert closed["evidence"] == {"state": "unavailable"}
    told = ["evidence_waits", "evidence_cut_short", "evidence_unavailable"]
    assert [each["event"] for each in logged] == told
    assert {each["flag_id"] for each in logged} == {closed["flag_id"]}
    left = {path.name for path in (evidence / "objects").rglob("*") if path.is_file()}
    assert left <= {"key.json", "clip-0000.growing"}  # no whole part; the next start takes it up


def test_a_bank_that_does_not_fit_on_the_disk_leaves_the_old_one_in_force(
    tmp_path: Path, real_clips: dict[str, Path]
) -> None:
    bank = build_bank(tmp_path / "bank", real_clips["carphone_pristine"])
    before = all_of(open_bank(bank))

    done = streamguard(
        *("bank", "build", bank, real_clips["bikes"], "--policy", "TVEC-X"),
        wrapper=SMALL_FILES_ONLY,
    )

    assert (done.code, done.out) == (2, "")
    assert "the bank that was there is still in force" in done.err.splitlines()[-1]
    assert all_of(open_bank(bank)) == before
