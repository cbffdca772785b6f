from pathlib import Path

from streamguard.adapters.disk_probe import has_room, room


def test_evidence_never_gets_the_last_of_a_disk(tmp_path: Path) -> None:
    assert not has_room(tmp_path, room(tmp_path).free_bytes)


def test_there_is_room_where_nobody_can_tell_how_much(tmp_path: Path) -> None:
    """Whatever keeps it from being told keeps from writing, and that says so itself."""
    assert has_room(tmp_path / "gone", 1 << 50)
