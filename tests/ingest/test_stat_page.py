import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.ingest.stat_page import StatPageInvalid, read_stat_page

PUBLISHER = """<client><id>2</id><address>203.0.113.5</address><time>2736</time>
<flashver>FMLE/3.0 (compatible; Lavf59.27</flashver><dropped>0</dropped><avsync>-2640</avsync>
<timestamp>2640</timestamp><publishing/><active/></client>"""
PLAYER = """<client><id>3</id><address>127.0.0.1</address><time>100</time>
<flashver>LNX 9,0,124,2</flashver><dropped>0</dropped><avsync>0</avsync>
<timestamp>0</timestamp><active/></client>"""
META = """<meta><video><width>640</width><height>272</height><frame_rate>25</frame_rate>
<codec>H264</codec><profile>High</profile><compat>0</compat><level>2.1</level></video>
<audio></audio></meta>"""


def page(streams: str, *, pid: str = "<pid>71</pid>") -> str:
    """Give a page as nginx-rtmp 1.1.4 of Debian 12 writes it."""
    return f"""<?xml version="1.0" encoding="utf-8" ?>
<rtmp><nginx_version>1.22.1</nginx_version><nginx_rtmp_version>1.1.4</nginx_rtmp_version>
{pid}<uptime>4</uptime><naccepted>2</naccepted><bw_in>0</bw_in>
<server><application><name>live</name><live>{streams}<nclients>2</nclients></live></application>
</server></rtmp>"""


def listed(name: str, clients: str = PUBLISHER, meta: str = META) -> str:
    return (
        f"<stream><name>{name}</name><time>2558</time>{clients}{meta}"
        "<nclients>1</nclients><publishing/><active/></stream>"
    )


def test_a_publish_is_read_with_its_publisher_players_and_height() -> None:
    read = read_stat_page(page(listed("a", PLAYER + PUBLISHER + PLAYER)))

    (publish,) = read.publishes
    assert (read.pid, read.uptime_s) == (71, 4)
    assert (publish.application, publish.name, publish.client) == ("live", "a", "2")
    assert (publish.address, publish.age_ms) == ("203.0.113.5", 2736)
    assert (publish.n_players, publish.height) == (2, 272)


def test_a_stream_without_publisher_is_none() -> None:
    waiting = f"<stream><name>a</name>{PLAYER}<nclients>1</nclients></stream>"

    assert read_stat_page(page(waiting)).publishes == ()


def test_before_the_first_picture_the_height_is_not_known() -> None:
    (publish,) = read_stat_page(page(listed("a", meta=""))).publishes

    assert publish.height is None


@pytest.mark.parametrize("bad", ["\x01", "\x00", "\x1b[2J", "\ufffe", "\ud800"])
def test_a_name_that_xml_forbids_hides_no_other_publish(bad: str) -> None:
    read = read_stat_page(page(listed(f"x{bad}") + listed("b")))

    assert [publish.name for publish in read.publishes][1] == "b"


def test_escaped_characters_are_those_that_the_publisher_chose() -> None:
    (publish,) = read_stat_page(page(listed("a &lt;&amp;&gt; b"))).publishes

    assert publish.name == "a <&> b"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        page("")[:-20],
        page("", pid=""),
        page("", pid="<pid>x</pid>"),
        '<!DOCTYPE rtmp [<!ENTITY a "b">]>' + page("").partition("?>")[2],
        "<rtmp>" + "<a>" * 100_000,
    ],
)
def test_what_is_no_page_is_refused_as_a_whole(text: str) -> None:
    with pytest.raises(StatPageInvalid):
        read_stat_page(text)


def test_a_page_without_clients_is_refused_for_it_names_no_publisher() -> None:
    with pytest.raises(StatPageInvalid, match="rtmp_stat all"):
        read_stat_page(page(listed("a", clients="")))


@given(st.text())
def test_any_text_is_a_page_or_is_refused(text: str) -> None:
    try:
        read_stat_page(page(text))
    except StatPageInvalid as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017  # a page that can be read is fine, too
