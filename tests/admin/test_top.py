"""What `streamguard top` draws."""

from typing import Any

from streamguard.admin.top import table


def row(stream_id: str, state: str = "screening", **other: Any) -> dict[str, Any]:
    drawn = {
        "id": stream_id,
        "state": state,
        "sampling": "auto",
        "is_dense": False,
        "codec": "h264",
        "width": 1920,
        "height": 1080,
        "lag_s": 0.012,
        "coverage": 0.9995,
        "gap_s": 3.2,
        "n_flags": 0,
        "last_error": "",
    }
    return {**drawn, **other}


def said(*rows: dict[str, Any]) -> dict[str, Any]:
    worker = {"worker": 1, "phase": "active", "n_streams": len(rows), "rss_bytes": 100 << 20}
    return {"streams": list(rows), "excluded": {"x": "ours"}, "workers": [worker]}


def test_what_is_wrong_comes_first_and_the_head_counts() -> None:
    lines = table(said(row("a"), row("b", "away", last_error="gone"), row("c")))

    assert lines[0] == "2 of 3 streams screened, 1 excluded; workers: 1 active (3, 100 MiB)"
    assert [line.split()[0] for line in lines[1:]] == ["stream", "b", "a", "c"]
    assert lines[2].endswith("gone")
    assert "h264 1920x1080" in lines[3]
    assert "99.95%" in lines[3]


def test_columns_stand_below_each_other() -> None:
    lines = table(said(row("a"), row("a-much-longer-name", sampling="dense")))

    starts = {line.index("screening") for line in lines[2:]}
    assert starts == {lines[1].index("state")}


def test_a_name_cannot_move_the_cursor() -> None:
    lines = table(said(row("evil\x1b[2J\u202e")))

    assert "\x1b" not in "".join(lines)
    assert "\u202e" not in "".join(lines)


def test_nothing_to_screen_is_shown_as_such() -> None:
    assert table(said())[0].startswith("0 of 0 streams screened")


def test_colours_say_the_state() -> None:
    lines = table(said(row("a", "waiting")), is_colour=True)

    assert lines[2].startswith("\x1b[31m")
    assert lines[2].endswith("\x1b[0m")
