"""What people and disks get wrong: an exit code, one line that helps, and nothing lost."""

import re
import subprocess
from pathlib import Path

import pytest
from processes import (
    DEADLINE_S,
    Finished,
    build_bank,
    command,
    environment,
    streamguard,
)

from streamguard.cli import main

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def known_bank(tmp_path_factory: pytest.TempPathFactory, real_clips: dict[str, Path]) -> Path:
    return build_bank(tmp_path_factory.mktemp("known") / "bank", real_clips["bikes"])


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
        "streamguard: 5 events could not be committed before the stop: free the disk, then screen "
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
        (("screem", "x"), "streamguard: argument VERB: invalid choice: 'screem'"),
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
