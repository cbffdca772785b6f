from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.naming import session_text, stream_id_of
from streamguard.core.published import SessionKey

SECRET, OTHER_SECRET = b"a" * 32, b"b" * 32


def test_a_path_has_one_id_for_as_long_as_the_secret_stays() -> None:
    assert stream_id_of(SECRET, "edge", "live/sk_1") == "edge-xjfmjl7mso6r5y44"


def test_another_secret_gives_another_id() -> None:
    assert stream_id_of(SECRET, "edge", "live/a") != stream_id_of(OTHER_SECRET, "edge", "live/a")


def test_the_same_path_on_another_server_is_another_stream() -> None:
    first, second = (stream_id_of(SECRET, name, "live/a") for name in ("edge1", "edge2"))

    assert first.partition("-")[2] != second.partition("-")[2]


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_two_publishes_share_a_session_only_if_they_are_one(
    path: str, publisher: str, other_path: str, other_publisher: str
) -> None:
    first = SessionKey("edge", path, publisher)
    second = SessionKey("edge", other_path, other_publisher)

    assert (session_text(SECRET, first) == session_text(SECRET, second)) == (first == second)


def test_a_taken_over_path_is_the_same_stream_in_another_session() -> None:
    first, second = (SessionKey("edge", "live/a", publisher) for publisher in ("7", "8"))

    assert stream_id_of(SECRET, first.server, first.path) == stream_id_of(
        SECRET, second.server, second.path
    )
    assert session_text(SECRET, first) != session_text(SECRET, second)
