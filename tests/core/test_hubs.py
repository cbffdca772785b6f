import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.hubs import HOUR_S, Hub, HubRule, HubWatch, reason_until, until_of

INTRO = ("known", "intro")
ATTACK = ("known", "attack")


def watch_with(n_streams: int, rule: HubRule) -> HubWatch:
    watch = HubWatch(rule)
    for number in range(n_streams):
        watch.seen(f"stream-{number}", 0.0)
    return watch


def test_an_entry_that_matches_more_than_its_share_of_streams_is_a_hub() -> None:
    watch = watch_with(10, HubRule(max_share=0.2, min_streams=1))

    told = [watch.matched(f"stream-{number}", INTRO, 1.0) for number in range(3)]

    assert told == [None, None, Hub(INTRO, n_matched=3, n_seen=10)]


@pytest.mark.parametrize(("n_matching", "is_hub"), [(4, False), (5, True)])
def test_so_many_streams_must_match_whatever_their_share(n_matching: int, *, is_hub: bool) -> None:
    watch = HubWatch(HubRule(max_share=0.2, min_streams=5))

    told = [watch.matched(f"stream-{number}", INTRO, 1.0) for number in range(n_matching)]

    assert (told[-1] is not None) is is_hub
    assert told[:-1] == [None] * (n_matching - 1)


def test_a_stream_that_matches_again_and_again_counts_once() -> None:
    watch = watch_with(10, HubRule(max_share=0.2, min_streams=2))

    told = [watch.matched("stream-1", INTRO, float(second)) for second in range(100)]

    assert set(told) == {None}


@pytest.mark.parametrize(("later_s", "is_hub"), [(HOUR_S, True), (HOUR_S + 1, False)])
def test_only_the_last_hour_counts(later_s: float, *, is_hub: bool) -> None:
    watch = HubWatch(HubRule(max_share=0.2, min_streams=2))
    watch.matched("stream-1", INTRO, 0.0)

    told = watch.matched("stream-2", INTRO, later_s)

    assert (told is not None) is is_hub


def test_entries_are_counted_apart() -> None:
    watch = HubWatch(HubRule(max_share=0.2, min_streams=2))
    watch.matched("stream-1", INTRO, 0.0)

    assert watch.matched("stream-2", ATTACK, 0.0) is None


def test_what_was_forgotten_is_counted_anew() -> None:
    watch = HubWatch(HubRule(max_share=0.2, min_streams=2))
    watch.matched("stream-1", INTRO, 0.0)

    watch.forget(INTRO)

    assert watch.matched("stream-2", INTRO, 1.0) is None
    assert watch.matched("stream-1", INTRO, 2.0) == Hub(INTRO, n_matched=2, n_seen=2)


@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.sampled_from([INTRO, ATTACK]), st.floats(0, 900)),
        max_size=60,
    ),
    st.integers(1, 5),
    st.floats(0.1, 0.9),
)
def test_counts_are_those_of_a_plain_model(
    matches: list[tuple[int, tuple[str, str], float]], min_streams: int, max_share: float
) -> None:
    watch = HubWatch(HubRule(max_share, min_streams))
    now_s = 0.0
    seen: dict[int, float] = {}
    matched: dict[tuple[tuple[str, str], int], float] = {}

    for stream, key, step_s in matches:
        now_s += step_s
        seen[stream] = matched[key, stream] = now_s
        n_seen = sum(at_s >= now_s - HOUR_S for at_s in seen.values())
        times = [at_s for (other, _), at_s in matched.items() if other == key]
        n_matched = sum(at_s >= now_s - HOUR_S for at_s in times)

        hub = watch.matched(str(stream), key, now_s)

        is_hub = n_matched >= min_streams and n_matched > max_share * n_seen
        assert hub == (Hub(key, n_matched, n_seen) if is_hub else None)


@given(st.integers(0, 4_000_000_000_000))
def test_a_bank_keeps_until_when_a_hub_is_aside(until_ms: int) -> None:
    assert until_of(reason_until(until_ms / 1000)) == until_ms / 1000


@pytest.mark.parametrize(
    "reason", ["", "a person", "matched too many streams; until ", reason_until(0.0)[:-1] + "?"]
)
def test_other_reasons_name_no_end(reason: str) -> None:
    assert until_of(reason) is None
