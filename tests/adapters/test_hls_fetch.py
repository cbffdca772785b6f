"""Real servers on loopback: what is asked, what is not, and what may come back."""

import gzip
import traceback
from collections.abc import Iterator

import httpx
import pytest

from streamguard.adapters.hls_fetch import FetchFailed, FetchRefused, HlsFetcher
from streamguard.adapters.hls_playlist import Section
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.ports import Clock
from tests.clock import FakeClock
from tests.hls_server import Site, web_site
from tests.servers import HOST, Answer, cut_short, refusing_port, serving, silent, then_silent

pytestmark = pytest.mark.integration

TIMEOUTS = SourceTimeouts(open_s=0.5, read_s=0.3)
PATIENT = SourceTimeouts(open_s=30.0, read_s=30.0)
"""For what is answered: on a busy machine that may take its time."""

PAGE = "/live/hidden.m3u8"
MANY = 1 << 20
LONG_S = 60.0


class TickingClock(FakeClock):
    """A second passes with each look."""

    def monotonic(self) -> float:
        self.advance(1)
        return self.now_s


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as running:
        yield running


@pytest.fixture
def other() -> Iterator[Site]:
    with web_site() as running:
        yield running


def fetcher(url: str, hosts: tuple[str, ...] = (), clock: Clock | None = None) -> HlsFetcher:
    return HlsFetcher(httpx.URL(url), hosts, clock or FakeClock(), PATIENT)


def section(site: Site, uri: str = "") -> Section:
    return Section(httpx.URL(site.url(PAGE)), uri)


def assert_no_address(error: BaseException) -> None:
    """Look at all that a handler may print, the errors behind the error included."""
    behind: BaseException | None = error
    told = [*traceback.format_exception(error)]
    while behind is not None:
        told += [str(behind), repr(behind.args)]
        behind = behind.__cause__ or behind.__context__
    assert "hidden" not in "".join(told)


def test_a_page_is_fetched_with_what_asks_whether_it_has_changed(site: Site) -> None:
    site.put(PAGE, "text")
    asking = fetcher(site.url(PAGE))

    first = asking.get(section(site), MANY, LONG_S)
    second = asking.get(section(site), MANY, LONG_S, first.validators)
    site.put(PAGE, "other")
    third = asking.get(section(site), MANY, LONG_S, first.validators)
    asking.close()

    assert [one.body for one in (first, second, third)] == [b"text", None, b"other"]
    assert str(first.url) == site.url(PAGE)
    assert site.asked == [PAGE] * 3


def test_a_date_of_change_is_asked_by_too(site: Site) -> None:
    site.put(PAGE, "text", **{"Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT"})
    asking = fetcher(site.url(PAGE))

    found = asking.get(section(site), MANY, LONG_S)
    asking.get(section(site), MANY, LONG_S, found.validators)
    asking.close()

    assert site.heads[1]["If-Modified-Since"] == "Fri, 02 Jan 2026 03:04:05 GMT"


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "ftp://{host}:{port}/hidden",
        "data:text/plain,hidden",
        "//{host}:{other}/hidden",
        "http://{host}:{other}/hidden",
        "http://{host}/hidden",
        "http://localhost:{port}/hidden",
        "http://127.1:{port}/hidden",
        "http://169.254.169.254/hidden",
        "http://[::1]:{port}/hidden",
        "https://{host}:{port}/hidden",
        "http://{host}:{port}@{host}:{other}/hidden",
    ],
)
def test_another_scheme_host_or_port_is_refused_and_not_asked(
    site: Site, other: Site, uri: str
) -> None:
    asking = fetcher(site.url(PAGE))
    where = section(site, uri.format(host=HOST, port=site.port, other=other.port))

    with pytest.raises(FetchRefused) as caught:
        asking.get(where, MANY, LONG_S)
    asking.close()

    assert site.asked == other.asked == []
    assert_no_address(caught.value)


@pytest.mark.parametrize("uri", ["../../../../a", "/a", "//{host}:{port}/a", "http:/a", "/b/../a"])
def test_an_address_that_stays_within_the_origin_is_asked(site: Site, uri: str) -> None:
    site.put("/a", "text")
    asking = fetcher(site.url(PAGE))

    found = asking.get(section(site, uri.format(host=HOST, port=site.port)), MANY, LONG_S)
    asking.close()

    assert found.body == b"text"


def test_a_host_that_was_allowed_is_asked_at_its_port_alone(site: Site, other: Site) -> None:
    other.put("/a", "text")
    asking = fetcher(site.url(PAGE), (f"{HOST.upper()}:{other.port}", "elsewhere.example"))

    found = asking.get(section(site, other.url("/a")), MANY, LONG_S)
    with pytest.raises(FetchRefused):
        asking.get(section(site, f"http://{HOST}/a"), MANY, LONG_S)
    with pytest.raises(FetchRefused):
        asking.get(section(site, "http://elsewhere.example:81/a"), MANY, LONG_S)
    asking.close()

    assert found.body == b"text"


def test_what_began_encrypted_goes_nowhere_else_in_clear(other: Site) -> None:
    asking = fetcher("https://media.example/live.m3u8", (f"{HOST}:{other.port}",))

    with pytest.raises(FetchRefused, match="from HTTPS to HTTP"):
        asking.get(section(other, other.url("/a")), MANY, LONG_S)
    asking.close()

    assert other.asked == []


def test_credentials_go_to_the_origin_alone(site: Site, other: Site) -> None:
    for running in (site, other):
        running.put("/a", "text")
    asking = fetcher(site.url(PAGE, "bob:hidden@"), (f"{HOST}:{other.port}",))

    asking.get(section(site, "/a"), MANY, LONG_S)
    asking.get(section(site, other.url("/a")), MANY, LONG_S)
    asking.close()

    assert site.heads[0]["Authorization"] == "Basic Ym9iOmhpZGRlbg=="
    assert "Authorization" not in other.heads[0]


def test_an_origin_without_credentials_is_given_none(site: Site) -> None:
    site.put(PAGE, "text")
    asking = fetcher(site.url(PAGE))

    asking.get(section(site), MANY, LONG_S)
    asking.close()

    assert "Authorization" not in site.heads[0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_within_the_origin_are_followed_three_times(site: Site, status: int) -> None:
    for at, to in (("/1", "2"), ("/2", "/3"), ("/3", site.url("/4"))):
        site.refuse(at, status, Location=to)
    site.put("/4", "text")
    asking = fetcher(site.url(PAGE))

    found = asking.get(section(site, "/1"), MANY, LONG_S)
    asking.close()

    assert found.body == b"text"
    assert str(found.url) == site.url("/4")


def test_a_fourth_redirect_is_refused(site: Site) -> None:
    site.refuse("/1", 302, Location="/1")
    asking = fetcher(site.url(PAGE))

    with pytest.raises(FetchRefused, match="redirects too often"):
        asking.get(section(site, "/1"), MANY, LONG_S)
    asking.close()

    assert site.asked == ["/1"] * 4


@pytest.mark.parametrize("to", ["file:///etc/hidden", "//{host}:{other}/hidden", "//[hidden"])
def test_a_redirect_that_leads_elsewhere_is_refused(site: Site, other: Site, to: str) -> None:
    site.refuse("/1", 302, Location=to.format(host=HOST, other=other.port))
    asking = fetcher(site.url(PAGE))

    with pytest.raises(FetchRefused) as caught:
        asking.get(section(site, "/1"), MANY, LONG_S)
    asking.close()

    assert other.asked == []
    assert_no_address(caught.value)


@pytest.mark.parametrize(
    ("status", "after", "after_s"),
    [
        (404, "", 0.0),
        (429, "7", 7.0),
        (503, "61", 60.0),
        (503, "Fri, 02 Jan 2026 03:04:05 GMT", 0.0),
        (503, "-1", 0.0),
        (500, "", 0.0),
        (204, "", 0.0),
    ],
)
def test_a_refusal_says_its_status_and_when_to_ask_again(
    site: Site, status: int, after: str, after_s: float
) -> None:
    site.refuse(PAGE, status, Retry_After=after)
    asking = fetcher(site.url(PAGE))

    with pytest.raises(FetchFailed, match=f"answers with HTTP {status}") as caught:
        asking.get(section(site), MANY, LONG_S)
    asking.close()

    assert (caught.value.status, caught.value.retry_after_s) == (status, after_s)


def test_a_page_may_have_so_many_bytes_and_no_more(site: Site) -> None:
    site.put(PAGE, bytes(1000))
    asking = fetcher(site.url(PAGE))

    found = asking.get(section(site), 1000, LONG_S)
    with pytest.raises(FetchFailed, match="sends more than 999 bytes"):
        asking.get(section(site), 999, LONG_S)
    asking.close()

    assert found.body == bytes(1000)


def test_what_was_packed_is_bounded_by_what_it_holds(site: Site) -> None:
    site.put(PAGE, gzip.compress(bytes(10 * MANY)), **{"Content-Encoding": "gzip"})
    asking = fetcher(site.url(PAGE))

    with pytest.raises(FetchFailed, match="sends more than"):
        asking.get(section(site), MANY, LONG_S)
    asking.close()


def test_a_page_may_take_so_long_and_no_longer(site: Site) -> None:
    site.put(PAGE, bytes(1_000_000))
    asking = fetcher(site.url(PAGE), clock=TickingClock())

    found = asking.get(section(site), MANY, 10_000.0)
    with pytest.raises(FetchFailed, match=r"^sends too slowly$"):
        asking.get(section(site), MANY, 1.0)
    asking.close()

    assert found.body == bytes(1_000_000)


def test_a_part_of_a_file_is_fetched(site: Site) -> None:
    site.put("/a.mp4", b"0123456789")
    asking = fetcher(site.url(PAGE))

    found = asking.get(Section(httpx.URL(site.url("/a.mp4")), "", 3, 4), MANY, LONG_S)
    asking.close()

    assert found.body == b"3456"


def test_a_server_that_knows_no_parts_is_not_believed(site: Site) -> None:
    site.put("/no-ranges.mp4", b"0123456789")
    asking = fetcher(site.url(PAGE))

    with pytest.raises(FetchFailed, match="does not give parts of a file"):
        asking.get(Section(httpx.URL(site.url("/no-ranges.mp4")), "", 3, 4), MANY, LONG_S)
    asking.close()


@pytest.mark.parametrize(
    "answer",
    [
        silent,
        then_silent(b"some"),
        cut_short(b"some", 10_000),
        lambda connection: connection.send(b"hello\r\n\r\n"),
        lambda connection: None,
    ],
    ids=["silent", "stalled", "cut", "no-http", "closed"],
)
def test_an_answer_that_is_none_fails_without_an_address(answer: Answer) -> None:
    with serving(answer) as server:
        url = server.url(PAGE, "bob:hidden@")
        asking = HlsFetcher(httpx.URL(url), (), FakeClock(), TIMEOUTS)
        with pytest.raises(FetchFailed) as caught:
            asking.get(Section(httpx.URL(url), ""), MANY, LONG_S)
        asking.close()

    assert_no_address(caught.value)


def test_a_host_that_speaks_no_tls_fails_without_an_address(site: Site) -> None:
    url = site.url(PAGE, "bob:hidden@").replace("http:", "https:")
    asking = fetcher(url)

    with pytest.raises(FetchFailed) as caught:
        asking.get(Section(httpx.URL(url), ""), MANY, LONG_S)
    asking.close()

    assert_no_address(caught.value)
    assert site.asked == []


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 64])
def test_a_host_that_is_not_found_fails(host: str) -> None:
    asking = fetcher(f"http://{host}{PAGE}")

    with pytest.raises(FetchFailed) as caught:
        asking.get(Section(httpx.URL(f"http://{host}{PAGE}"), ""), MANY, LONG_S)
    asking.close()

    assert_no_address(caught.value)


def test_a_host_that_refuses_fails_without_an_address() -> None:
    url = f"http://bob:hidden@{HOST}:{refusing_port()}{PAGE}"
    asking = fetcher(url)

    with pytest.raises(FetchFailed) as caught:
        asking.get(Section(httpx.URL(url), ""), MANY, LONG_S)
    asking.close()

    assert_no_address(caught.value)
