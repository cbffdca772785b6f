"""What is published of a session whose process died."""

from dataclasses import replace

import pytest

from loadtest.made_events import opened
from streamguard.core.account import Account
from streamguard.core.coverage_data import GapData, StreamEndedData
from streamguard.core.event_data import FlagData, utc_text
from streamguard.core.settling import Kept, Now, OpenFlag, closing, ending, gap_until
from tests.core_fakes import SOURCE

NOW = Now(monotonic_s=1_000.0, wall_s=1_700_000_000.0)
ACCOUNT = Account(
    stream_id="lobby",
    session_id="session-1",
    session_key="",
    protocol="rtmp",
    detectors=("hash", "classifier"),
    epoch=2,
    newest_us=7_000_000,
    accounted_s=990.0,
    accounted_wall_s=1_699_999_990.0,
    n_packets=5,
    screened_us=3_000_000,
)


def gaps_of(kept: Kept) -> tuple[list[GapData], Account]:
    events, account = gap_until(kept, SOURCE, NOW)
    data = [event.data for event in events]
    assert all(isinstance(gap, GapData) for gap in data)
    return data, account  # type: ignore[return-value]  # as it was just asserted


def test_a_flag_closes_as_interrupted_and_says_that_its_evidence_is_gone() -> None:
    last = opened(1)
    assert isinstance(last.data, FlagData)
    event = closing(OpenFlag(last.to_json()), NOW)

    assert isinstance(event.data, FlagData)
    assert (event.data.state, event.data.close_reason) == ("closed", "interrupted")
    assert (event.data.flag_id, event.data.revision) == (last.data.flag_id, 1)
    assert event.data.evidence.state != "pending"
    assert event.recordedtime == utc_text(NOW.wall_s)


def test_a_flag_that_is_closed_twice_is_the_same_event() -> None:
    flag = OpenFlag(opened(1).to_json())

    assert closing(flag, NOW).id == closing(flag, replace(NOW, wall_s=NOW.wall_s + 9)).id


def test_each_detector_has_a_gap_from_what_was_accounted_for_until_now() -> None:
    gaps, account = gaps_of(Kept(ACCOUNT))

    assert [gap.detector for gap in gaps] == ["hash", "classifier"]
    assert {gap.reason for gap in gaps} == {"interrupted"}
    assert {(gap.start_time, gap.end_time) for gap in gaps} == {
        (utc_text(1_699_999_990.0), utc_text(1_700_000_000.0))
    }
    assert {(gap.start_pts_ms, gap.end_pts_ms, gap.stream.epoch) for gap in gaps} == {
        (7000, 7000, 2)
    }
    assert (account.accounted_s, account.accounted_wall_s) == (NOW.monotonic_s, NOW.wall_s)


def test_what_is_settled_again_begins_where_the_first_settling_ended() -> None:
    _, once = gaps_of(Kept(ACCOUNT))
    again, _ = gaps_of(Kept(once))

    assert {(gap.start_time, gap.end_time) for gap in again} == {
        (utc_text(NOW.wall_s), utc_text(NOW.wall_s))
    }


def test_after_a_reboot_the_wall_clock_tells_since_when_nobody_looked() -> None:
    gaps, account = gaps_of(Kept(replace(ACCOUNT, accounted_s=5e6), is_same_boot=False))

    assert {gap.start_time for gap in gaps} == {utc_text(1_699_999_990.0)}
    assert account.accounted_s == NOW.monotonic_s


def test_a_clock_that_was_set_back_makes_no_gap_that_ends_before_it_starts() -> None:
    ahead = replace(ACCOUNT, accounted_wall_s=NOW.wall_s + 3_600)
    gaps, _ = gaps_of(Kept(ahead, is_same_boot=False))

    assert all(gap.start_time <= gap.end_time for gap in gaps)


def test_a_session_that_nobody_goes_on_with_ends_with_its_account() -> None:
    event = ending(ACCOUNT, SOURCE, "interrupted", NOW)

    assert isinstance(event.data, StreamEndedData)
    assert (event.data.reason, event.data.n_packets) == ("interrupted", 5)
    assert event.data.screened_ms == pytest.approx(3000)
