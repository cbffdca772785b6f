"""Where something may be sent by HTTP: by https, or no farther than this host or its network.

It says as well how much of such an address may be shown.

Rule: it is decided by the address as it is written; nobody is asked for a name.
"""

from ipaddress import ip_address
from urllib.parse import urlsplit

_NAMES_OF_A_NETWORK = (".localhost", ".internal", ".local", ".home.arpa")
"""Names that end so lead nowhere else; sources: RFC 6761, 6762, 8375, and ICANN's resolution
2024.07.29.06 of `internal`."""


def require_address(name: str, url: str, *, may_be_plain: bool = False) -> None:
    """See to it that events go by https, or no farther than this host or its network.

    Args:
        name: what the setting is called.
        url: its value.
        may_be_plain: http may lead anywhere.

    Raises:
        ValueError: they would not; it repeats nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise ValueError(f"{name} is no URL") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise ValueError(f"give a {name} that begins with https:// or http://, and a host")
    if parts.scheme == "http" and not (may_be_plain or _is_near(host)):
        raise ValueError(
            f"{name}: http shows all that is sent to whoever is on the way: give https"
        )


def shown_address(url: str) -> str:
    """Give as much of an address as may be shown: who knows the rest may often write there.

    Args:
        url: an address that `require_address` lets pass, or "".

    Returns:
        Its scheme, host and port; where there is more of it, `**********` for the rest.
    """
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if url else ""
    return where if url in {where, f"{where}/"} else f"{where}/**********"


def _is_near(host: str) -> bool:
    """Say of an address or a name, without asking anybody, whether it is on this host or network.

    A name without a dot is, the public DNS has none, unless it is a number: by such, hosts are
    addressed as well (`inet_aton`).
    """
    try:
        address = ip_address(host)
    except ValueError:
        is_bare = "." not in host and not host[0].isdigit()
        return is_bare or host.endswith(_NAMES_OF_A_NETWORK)
    mapped = address.ipv4_mapped if address.version == 6 else None  # noqa: PLR2004  # IPv6
    return (mapped or address).is_private
