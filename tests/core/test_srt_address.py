import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError
from streamguard.core.srt_address import OPTIONS, srt_address

HOST = "srt://media.example:9000"


def test_without_options_we_call() -> None:
    address = srt_address(HOST)

    assert (address.host, address.port, address.options) == (
        "media.example",
        9000,
        {"mode": "caller"},
    )
    assert address.url == f"{HOST}?mode=caller"


def test_options_are_decoded_and_spelt_out() -> None:
    address = srt_address(
        f"{HOST}?mode=listener&streamid=%23!::r=live/x,m=request&passphrase=a%20b+c%25d?e=fg"
        "&pbkeylen=16&latency=250"
    )

    assert address.options == {
        "mode": "listener",
        "streamid": "#!::r=live/x,m=request",
        "passphrase": "a b+c%d?e=fg",
        "pbkeylen": "16",
        "latency": "250",
    }
    assert address.url == (
        f"{HOST}?mode=listener&streamid=#!::r=live/x,m=request&passphrase=a b+c%d?e=fg"
        "&pbkeylen=16&latency=250"
    )


def test_a_streamid_may_begin_with_its_usual_sign_as_it_is() -> None:
    address = srt_address(f"{HOST}?streamid=#!::r=live/x&latency=120")

    assert address.options["streamid"] == "#!::r=live/x"
    assert address.options["latency"] == "120"


def test_an_ipv6_address_keeps_its_brackets() -> None:
    assert srt_address("srt://[::1]:9000").url == "srt://[::1]:9000?mode=caller"


@pytest.mark.parametrize("url", ["srt://media.example", "srt://media.example:0", "srt://:9000"])
def test_a_missing_host_or_port_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"names no port: give srt://host:port$"):
        srt_address(url)


@pytest.mark.parametrize(
    ("option", "problem"),
    [
        ("hidden=1", "has an option that is not known: use mode, streamid, "),
        ("streamid=x&hidden", "has an option that is not known"),
        ("&", "has an option that is not known"),
        ("mode=hidden", "has a mode other than"),
        ("mode=", "has a mode other than"),
        ("passphrase=hidden123", "has a passphrase that is not of 10 to 79 bytes"),
        (f"passphrase={'h' * 80}", "has a passphrase that is not of 10 to 79 bytes"),
        (f"streamid={'h' * 513}", "has a streamid of more than 512 bytes"),
        ("pbkeylen=17", "has a pbkeylen other than"),
        ("latency=60001", "has a latency that is not of 0 to 60000 milliseconds"),
        ("latency=-1", "has a latency"),
        (f"latency={'9' * 5000}", "has a latency"),
        ("latency=\u0661", "has a latency"),
        ("streamid=hidden%26", "has a streamid with a character that cannot be passed on"),
        ("streamid=hidden%00", "has a streamid with a character that cannot be passed on"),
        ("streamid=a&streamid=b", "gives an option twice"),
    ],
)
def test_an_option_that_cannot_work_is_refused_without_showing_it(
    option: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        srt_address(f"{HOST}?{option}")

    assert str(caught.value).startswith(f"the srt source {problem}")
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "option",
    [
        f"passphrase={'h' * 10}",
        f"passphrase={'h' * 79}",
        f"streamid={'h' * 512}",
        "latency=0",
        "latency=60000",
        "pbkeylen=32",
    ],
)
def test_an_option_at_its_bound_is_taken(option: str) -> None:
    assert srt_address(f"{HOST}?{option}").url.endswith(f"&{option}")


def test_no_secret_shows() -> None:
    address = srt_address(f"{HOST}?passphrase=hidden-hidden&streamid=hidden")

    assert "hidden" not in f"{address!r} {address}"


@given(st.text(max_size=40))
def test_any_options_are_taken_or_refused_in_one_line(text: str) -> None:
    try:
        shown = srt_address(f"{HOST}?{text}").url
    except ConfigError as error:
        shown = str(error)

    assert len(shown.splitlines()) == 1


@given(st.text(st.characters(codec="utf-8"), max_size=80))
def test_what_is_spelt_out_reads_as_the_same(text: str) -> None:
    """Nothing within a value can become an option of its own."""
    try:
        address = srt_address(f"{HOST}?streamid={text}")
    except ConfigError:
        return

    assert address.options.keys() <= OPTIONS.keys()
    assert address.url.count("&") == len(address.options) - 1
