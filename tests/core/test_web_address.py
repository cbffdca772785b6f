import pytest

from streamguard.core.web_address import require_address, shown_address


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]:8080",
        "localhost:9000",
        "10.255.255.255",
        "172.31.0.1",
        "192.168.1.1",
        "169.254.1.1",
        "[fe80::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "receiver",
        "RECEIVER:80",
        "coop.internal",
        "coop.local",
        "coop.home.arpa",
    ],
)
def test_http_may_lead_to_this_host_or_its_network(host: str) -> None:
    require_address("url", f"http://{host}/flags?key=hidden")


@pytest.mark.parametrize(
    "host",
    [
        "8.8.8.8",
        "134744072",
        "0x08080808",
        "172.32.0.1",
        "11.0.0.1",
        "[2001:4860:4860::8888]",
        "[::ffff:8.8.8.8]",
        "example.org",
        "example.org.",
        "internal.example.org",
        "127.0.0.1.example.org",
        "localhost@example.org",
    ],
)
def test_to_anywhere_else_it_takes_https_or_a_word_for_it(host: str) -> None:
    with pytest.raises(ValueError, match="url: http shows all") as problem:
        require_address("url", f"http://{host}/flags?key=hidden")

    require_address("url", f"https://{host}/flags")
    require_address("url", f"http://{host}/flags", may_be_plain=True)
    assert "hidden" not in f"{problem.value}"
    assert host not in f"{problem.value}"


@pytest.mark.parametrize("url", ["ftp://a", "a", "https://", "http://:80/", "/flags", ""])
def test_what_is_no_address_by_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="give a page_url that begins with https:// or http://"):
        require_address("page_url", url, may_be_plain=True)


def test_what_cannot_be_read_is_refused_without_being_repeated() -> None:
    with pytest.raises(ValueError, match=r"^url is no URL$"):
        require_address("url", "http://[hidden")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("https://hooks.example", "https://hooks.example"),
        ("https://hooks.example:8443/", "https://hooks.example:8443"),
        ("https://hooks.example/T0KEN", "https://hooks.example/**********"),
        ("https://hooks.example?key=T0KEN", "https://hooks.example/**********"),
        ("http://u:T0KEN@[::1]:7", "http://[::1]:7/**********"),
    ],
)
def test_an_address_is_shown_as_far_as_its_host(url: str, shown: str) -> None:
    assert shown_address(url) == shown
