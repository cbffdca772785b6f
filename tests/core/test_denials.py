from dataclasses import replace

import pytest

from streamguard.core.denials import Denial, DenyList

CUT = Denial("edge-a", "publish", "c-1", "d-1", 100.0, 200.0)
SUSPENDED = Denial("edge-b", "publish", "c-2", "d-2", 100.0)
LIMITED = Denial("edge-c", "play", "c-3", "d-3", 100.0)


@pytest.fixture
def listed() -> DenyList:
    return DenyList([CUT, SUSPENDED, LIMITED])


@pytest.mark.parametrize(("now_s", "is_denied"), [(199.999, True), (200.0, False)])
def test_a_cut_ends_at_its_instant(listed: DenyList, now_s: float, *, is_denied: bool) -> None:
    assert (listed.find("edge-a", "publish", now_s) is CUT) == is_denied
    assert (listed.over(now_s) == []) == is_denied


def test_a_suspension_has_no_end(listed: DenyList) -> None:
    assert listed.find("edge-b", "publish", 1e12) is SUSPENDED
    assert listed.over(1e12) == [CUT]


def test_who_may_not_be_watched_may_be_published(listed: DenyList) -> None:
    assert listed.find("edge-c", "play", 0.0) is LIMITED
    assert listed.find("edge-c", "publish", 0.0) is None


def test_nobody_else_is_denied_anything(listed: DenyList) -> None:
    assert listed.find("edge-d", "publish", 0.0) is None
    assert (len(listed), len(DenyList())) == (3, 0)


def test_of_several_cases_the_one_that_stands_longest_is_told(listed: DenyList) -> None:
    longer = replace(CUT, case_id="c-4", until_s=300.0)
    suspended = replace(CUT, case_id="c-5", until_s=None)

    listed.add(longer)
    assert listed.find("edge-a", "publish", 150.0) is longer
    listed.add(suspended)

    assert listed.find("edge-a", "publish", 150.0) is suspended
    assert len(listed) == 5


def test_an_entry_that_is_taken_out_leaves_those_of_other_cases(listed: DenyList) -> None:
    other = replace(CUT, case_id="c-4")
    listed.add(other)

    listed.remove(CUT.place)
    listed.remove(CUT.place)

    assert listed.find("edge-a", "publish", 150.0) is other
    assert listed.at(CUT.place) is None


def test_a_case_has_one_entry_of_a_kind(listed: DenyList) -> None:
    anew = replace(CUT, until_s=None)

    listed.add(anew)

    assert listed.find("edge-a", "publish", 250.0) is anew
    assert (len(listed), listed.over(1e12)) == (3, [])
