import stat
from dataclasses import replace
from pathlib import Path

import pytest

from streamguard.core.errors import ConfigError, LogUnavailable
from streamguard.core.location import parse_location
from streamguard.core.sampling import Sampling
from streamguard.ingest.added import AddedStreams
from streamguard.runtime.parts import Stream

URL = "rtmp://camera/live/sk_secret"


def added(stream_id: str) -> Stream:
    return Stream(stream_id, parse_location(URL), Sampling.KEYFRAMES, ("known",))


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    file = AddedStreams(tmp_path / "streams.json", {"known"})

    file.save([added("a"), added("b")])

    assert file.load() == {"a": added("a"), "b": added("b")}


def test_a_stream_whose_bank_is_there_no_more_is_not_held_against_nothing(tmp_path: Path) -> None:
    AddedStreams(tmp_path / "streams.json", {"known"}).save([added("a")])

    with pytest.raises(ConfigError, match="the added stream 'a' names the bank 'known'") as refusal:
        AddedStreams(tmp_path / "streams.json", {"other"}).load()

    assert "take it out of this file" in str(refusal.value)


def test_a_stream_that_names_no_bank_is_refused(tmp_path: Path) -> None:
    file = AddedStreams(tmp_path / "streams.json", {"known"})

    with pytest.raises(ConfigError, match="stream 'a' names no bank: leave banks out for all"):
        file.check(replace(added("a"), banks=()))


def test_before_anything_was_saved_there_is_nothing(tmp_path: Path) -> None:
    assert AddedStreams(tmp_path / "streams.json", {"known"}).load() == {}


def test_the_file_holds_keys_and_so_is_its_owner_s_alone(tmp_path: Path) -> None:
    AddedStreams(tmp_path / "streams.json", {"known"}).save([added("a")])

    assert stat.S_IMODE((tmp_path / "streams.json").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"format": 2, "streams": []}',
        f'{{"format": 1, "streams": [{{"id": "a", "url": "gopher://{URL}"}}]}}',
        '{"format": 1, "streams": [{"id": "a"}]}',
    ],
)
def test_a_damaged_file_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    file = tmp_path / "streams.json"
    file.write_text(text)

    with pytest.raises(ConfigError, match="damaged") as refusal:
        AddedStreams(file).load()

    assert "sk_secret" not in str(refusal.value)
    assert refusal.value.__context__ is None


def test_a_list_that_cannot_be_saved_leaves_the_old_one(tmp_path: Path) -> None:
    file = AddedStreams(tmp_path / "streams.json", {"known"})
    file.save([added("a")])
    (tmp_path / "streams.json.new").mkdir()

    with pytest.raises(LogUnavailable, match="cannot be written"):
        file.save([added("b")])

    assert file.load() == {"a": added("a")}
