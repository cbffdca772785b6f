"""Every format, both ways, and every way to get one wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import ListInvalid
from streamguard.exchange.csv_list import COLUMNS
from streamguard.exchange.lists import FORMATS
from streamguard.exchange.record import Record
from streamguard.exchange.text_file import MAX_LINE_BYTES, TextFile
from tests.exchange.made_records import POLICY, frame, pdq, record, records

DEFAULTS = {"source": "list", "policy": POLICY}


def read(path: Path, name: str) -> list[Record]:
    return list(FORMATS[name].read(TextFile(path), DEFAULTS))


def write(path: Path, name: str, written: list[Record]) -> None:
    path.write_bytes("".join(FORMATS[name].write(written)).encode())


def problem_of(tmp_path: Path, name: str, content: str | bytes) -> str:
    """Give what is said against a list of this content, after the file's name."""
    path = tmp_path / "list.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ListInvalid) as caught:
        read(path, name)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize("name", ["jsonl", "csv"])
@given(written=st.lists(records, max_size=4))
def test_our_own_lists_lose_nothing(
    name: str, written: list[Record], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lists") / "list"

    write(path, name, written)

    kept = [found.model_copy(update={"policy": None}) for found in read(path, name)]
    assert kept == [given.model_copy(update={"policy": None}) for given in written]
    assert [found.policy or POLICY for found in read(path, name)] == [
        given.policy or POLICY for given in written
    ]


@pytest.mark.parametrize("name", ["jsonl", "csv", "plain", "te"])
def test_case_byte_order_mark_and_line_ends_do_not_matter(name: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    write(path, name, [record("1", 1), record("2", 2)])
    text = path.read_text()

    for number in (1, 2):
        text = text.replace(pdq(number), pdq(number).upper())
    path.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())

    assert [found.hash for found in read(path, name)] == [pdq(1), pdq(2)]


def test_a_line_of_csv_needs_a_hash_alone(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text(f"hash,max_distance\n{pdq(1)},12\n\n{pdq(2)}\n")

    first, second = read(path, "csv")

    assert (first.hash, first.max_distance, first.source) == (pdq(1), 12, "list")
    assert (second.hash, second.max_distance, second.policy) == (pdq(2), None, POLICY)


def test_a_plain_list_may_name_types_and_have_comments(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(
        f"# a list\n\n{pdq(1)}  # the first\npdq {pdq(2)}\nvideo_md5 {'0' * 32}\n{'1' * 32}\n"
        f"{'2' * 40}\n{'3' * 128}\nsha256 {pdq(3)}\n"
    )

    found = read(path, "plain")

    assert [one.hash_type for one in found] == [
        *("pdq", "pdq", "video-md5", "md5", "sha1", "sha512", "sha256")
    ]
    assert [one.is_matched for one in found] == [True, True, *[False] * 5]


def test_the_same_plain_hash_has_the_same_id_each_time(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"{pdq(1)}\npdq {pdq(1).upper()}\n{pdq(2)}\n")

    ids = [one.record_id for one in read(path, "plain")]

    assert ids[0] == ids[1] != ids[2]


def test_frames_of_vpdq_keep_their_time(tmp_path: Path) -> None:
    """The three forms that exist, of the same two frames."""
    path = tmp_path / "clip.txt"
    contents = (
        f"0,100,{pdq(1)},0.000\n15,49,{pdq(2)},0.501\n",
        f'["{pdq(1)},100,0.000", "{pdq(2)},49,0.501"]',
        f"""{{"0": {{"hash": "{pdq(1)}", "quality": 100, "timestamp": 0.0}},
             "15": {{"hash": "{pdq(2)}", "quality": 49, "timestamp": 0.501}}}}""",
    )

    for content in contents:
        path.write_text(content)
        first, second = read(path, "vpdq")

        assert (first.hash, first.quality, first.t_offset_ms) == (pdq(1), 100, 0)
        assert (second.hash, second.quality, second.t_offset_ms) == (pdq(2), 49, 501)
        assert {first.video_id, second.video_id} == {"clip"}
        assert first.record_id != second.record_id


def test_frames_are_written_as_vpdq_has_them(tmp_path: Path) -> None:
    path = tmp_path / "clip.txt"
    written = [frame("clip", 501, 2, quality=80), frame("clip", 0, 1)]

    write(path, "vpdq", written)

    assert path.read_text() == f"0,50,{pdq(1)},0.000\n1,80,{pdq(2)},0.501\n"


def test_metas_own_hashes_of_a_real_clip_are_read(tmp_path: Path) -> None:
    """Lines as facebook/ThreatExchange has them in vpdq/sample-hashes (BSD)."""
    path = tmp_path / "chair-19-sd-bar.txt"
    path.write_text(
        "0,100,e271017837246aaccddea259648fb7d62f435c89d9e99b2497763e216c8d055c,0.000\n"
        "1,100,c0f11178372c6aaccddea259648fbfd62f434c89c9e99b249772be216c8d055c,0.033\n"
    )

    found = read(path, "vpdq")

    assert [one.t_offset_ms for one in found] == [0, 33]
    assert [one.record_id for one in found] == ["chair-19-sd-bar#0", "chair-19-sd-bar#1"]


def test_te_rows_say_who_thinks_what(tmp_path: Path) -> None:
    path = tmp_path / "simple.HASH_PDQ.te"
    path.write_text(
        f"{pdq(1)},77,2020-07-01T18:31:15+0000,propaganda true_positive\n"
        f"{pdq(2)},78,mine,false_positive\n"
        f"{pdq(3)},79,2020-07-01T18:31:15+0000,disputed other\n"
        f"{pdq(4)},900,80,2020-07-01T18:31:15+0000,\n"
    )

    first, second, third, fourth = read(path, "te")

    assert (first.record_id, first.opinion, first.tags) == ("77", "pos", ("propaganda",))
    assert first.added_at
    assert first.added_at.year == 2020
    assert (second.opinion, second.added_at) == ("neg", None)
    assert (third.opinion, third.tags) == ("seed", ("other",))
    assert (fourth.record_id, fourth.opinions[0].descriptor_id) == ("900", "80")


def test_a_te_file_says_by_its_name_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "simple.HASH_VIDEO_MD5.te"
    path.write_text(f"{'0' * 32},77,mine,\n")

    (found,) = read(path, "te")

    assert (found.hash_type, found.is_matched) == ("video-md5", False)


def test_te_rows_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "simple.HASH_PDQ.te"
    opinions = [{"standing": "neg", "descriptor_id": "77"}]
    written = [
        record("5", 1, opinion="neg", opinions=opinions, tags=["a"]),
        record("6", 2, added_at="2024-02-03T04:05:06Z"),
        record("no number", 3),
        record("nor this", 4),
    ]

    write(path, "te", written)

    found = read(path, "te")
    assert [one.hash for one in found] == [pdq(n) for n in (1, 2, 3, 4)]
    assert [one.opinion for one in found] == ["neg", "pos", "pos", "pos"]
    assert [one.tags for one in found] == [("a",), (), (), ()]
    assert [one.added_at for one in found] == [None, written[1].added_at, None, None]
    assert [one.record_id for one in found[:2]] == ["77", "6"]
    assert len({one.record_id for one in found}) == 4


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("jsonl", "{}\nnonsense", ":1: hash: it is missing"),
        ("jsonl", f'{{"hash": "{pdq(1)}"}}\nnonsense', ":2: it is not JSON"),
        ("jsonl", "[" * 100_000, ":1: it is not JSON"),
        ("jsonl", "\n \n[]", ":3: a line is one JSON object"),
        ("jsonl", f'{{"hash": "{pdq(1)[:32]}"}}', ":1: hash: a PDQ hash has 64 hex digits, this"),
        ("jsonl", b"\xff\xfe{\x00}\x00", ":1: it is not UTF-8"),
        ("jsonl", f'{{"hash": "{pdq(1)}", "qualty": 1}}', ":1: qualty: there is no such field"),
        ("jsonl", "x" * (MAX_LINE_BYTES + 1), ":1: a line is longer than"),
        ("csv", "", ": it has no header"),
        ("csv", "source,a\n", ":1: column 2: there is no column so named"),
        ("csv", f"{pdq(1)}\n", ":1: column 1: there is no column so named"),
        ("csv", "source\n", ":1: the header names no column hash"),
        ("csv", "hash,hash\n", ":1: a column stands twice"),
        ("csv", f"hash\n{pdq(1)},x\n", ":2: row: it has 2 cells, the header 1"),
        ("csv", f"hash,quality\n{pdq(1)},x\n", ":2: quality: a whole number is needed"),
        ("csv", f"hash,deleted\n{pdq(1)},yes\n", ":2: deleted: true or false is needed"),
        ("csv", f"hash,tags\n{pdq(1)},[\n", ":2: tags: JSON is needed"),
        ("csv", f'hash\n"{pdq(1)}"x\n', ":2: it is not CSV"),
        ("csv", f'hash,record_id\n{pdq(1)},"a\nb"\n', ":3: record_id: 1 to 256 bytes"),
        ("csv", "hash\nabc\n", ":2: hash: a PDQ hash has 64 hex digits"),
        ("plain", f"{pdq(1)}\nabc\n", ":2: hash: none of the known hashes has 3 digits"),
        ("plain", "{" * 64, ":1: hash: a hash is hex digits alone"),
        ("plain", "pdq is abc", ":1: a line is a hash, or a type and a hash"),
        ("plain", f"pdq {'g' * 64}", ":1: hash: a PDQ hash is hex digits alone"),
        ("plain", f"p? {pdq(1)}", ":1: hash_type: "),
        ("vpdq", f"0,100,{pdq(1)}\n", ":1: a line is frame,quality,hash,seconds"),
        ("vpdq", f"0,100,{pdq(1)},soon\n", ":1: seconds: a number of seconds is needed"),
        ("vpdq", f"0,100,{pdq(1)},nan\n", ":1: seconds: a number of seconds is needed"),
        ("vpdq", f"0,100,{pdq(1)},-1\n", ":1: t_offset_ms: "),
        ("vpdq", f"x,100,{pdq(1)},0\n", ":1: frame: a whole number is needed"),
        ("vpdq", f"0,101,{pdq(1)},0\n", ":1: quality: "),
        ("vpdq", f"0,100,{pdq(1)[:62]},0\n", ":1: hash: a PDQ hash has 64 hex digits, this has 62"),
        ("vpdq", "[1]", ": frame 0: a frame is"),
        ("vpdq", "[", ": it is not JSON"),
        ("vpdq", "\n[\n7", ": it is not JSON"),
        ("vpdq", "[]x", ": it is not JSON"),
        ("vpdq", '{"0": 1}', ": frame: a frame has quality, hash and timestamp"),
        ("te", "a,b,c\n", ":1: row: it has 3 cells, not 4 or 5"),
        ("te", "abc,7,mine,\n", ":1: hash: a PDQ hash has 64 hex digits"),
        ("te", f'"{pdq(1)}"x,7,mine,\n', ":1: it is not CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_field(
    name: str, content: str | bytes, said: str, tmp_path: Path
) -> None:
    problem = problem_of(tmp_path, name, content)

    assert problem.startswith(said)
    assert pdq(1)[:16] not in problem


@pytest.mark.parametrize("name", ["plain", "vpdq", "te"])
def test_what_is_no_pdq_hash_is_not_written_where_only_those_belong(name: str) -> None:
    md5 = record("1", hash_type="md5", hash="0" * 32)

    assert list(FORMATS[name].write([md5])) == []


def test_a_line_as_long_as_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "list.jsonl"
    line = f'{{"hash": "{pdq(1)}"}}'
    path.write_text(line + " " * (MAX_LINE_BYTES - len(line)))

    assert len(read(path, "jsonl")) == 1


def test_a_file_that_is_not_there_is_said_to_be_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ListInvalid, match="cannot be read: No such file"):
        read(tmp_path / "none", "plain")


def test_the_header_of_csv_has_every_field_of_a_record() -> None:
    fields = set(Record.model_fields) - {"labels"}

    assert fields < set(COLUMNS)
