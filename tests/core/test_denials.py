import pytest

from streamguard.core.denials import Denial, DenyList

CUT = Denial("edge-a", "publish", "d-1", 100.0, 200.0)
SUSPENDED = Denial("edge-b", "publish", "d-2", 100.0)
LIMITED = Denial("edge-c", "play", "d-3", 100.0)
LIST = DenyList([CUT, SUSPENDED, LIMITED])


@pytest.mark.parametrize(("now_s", "is_denied"), [(199.999, True), (200.0, False)])
def test_a_cut_ends_at_its_instant(now_s: float, *, is_denied: bool) -> None:
    assert (LIST.find("edge-a", "publish", now_s) is CUT) == is_denied
    assert ("edge-a" in LIST.streams("publish", now_s)) == is_denied
    assert (LIST.over(now_s) == []) == is_denied


def test_a_suspension_has_no_end() -> None:
    assert LIST.find("edge-b", "publish", 1e12) is SUSPENDED


def test_who_may_not_be_watched_may_be_published() -> None:
    assert LIST.find("edge-c", "play", 0.0) is LIMITED
    assert LIST.find("edge-c", "publish", 0.0) is None
    assert LIST.streams("play", 0.0) == {"edge-c"}


def test_nobody_else_is_denied_anything() -> None:
    assert LIST.find("edge-d", "publish", 0.0) is None
    assert (len(LIST), len(DenyList())) == (3, 0)
