"""Reads and writes as much of DER as time stamps need.

Rule: certificates come into the order that DER asks for: they are no part of what is signed, and
many authorities (those of openssl) send them in another, which strict readers refuse. Nothing else
is changed, and no length.
"""

SEQUENCE = 0x30

CERTIFICATES = 0xA0
"""Tag of the certificates within SignedData. Source: RFC 5652, 5.1."""

LONG = 0x80
"""From here on the first byte of a length says how many bytes it has. Source: X.690, 8.1.3.5."""

Element = tuple[int, int, int, int]
"""Tag, and where an element begins, where its content begins, and where it ends."""


def with_sorted_certificates(response: bytes) -> bytes:
    """Rewrite an answer of an authority; one without certificates stays as it is.

    Raises:
        ValueError: it is no answer with a token.
    """
    [whole] = _elements(response, 0, len(response))
    _, token, *_ = _inside(response, whole)
    _, explicit, *_ = _inside(response, token)
    [signed, *_] = _inside(response, explicit)
    for element in _inside(response, signed):
        tag, _, begin, end = element
        if tag == CERTIFICATES:
            each = sorted(response[one[1] : one[3]] for one in _inside(response, element))
            return response[:begin] + b"".join(each) + response[end:]
    return response


def sequence_of(content: bytes) -> bytes:
    """Write a sequence of elements that are written already."""
    size = len(content)
    if size < LONG:
        return bytes([SEQUENCE, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([SEQUENCE, LONG + len(length)]) + length + content


def _inside(content: bytes, element: Element) -> list[Element]:
    return _elements(content, element[2], element[3])


def _elements(content: bytes, at: int, end: int) -> list[Element]:
    """Read the elements of a stretch; raises ValueError where they do not fill it."""
    found = []
    while at < end:
        head = content[at : at + 2]
        if len(head) < 2:  # noqa: PLR2004  # a tag and a length
            raise ValueError("cut off")
        tag, size = head
        begin = at + 2
        if size > LONG:
            n_bytes = size - LONG
            size = int.from_bytes(content[begin : begin + n_bytes], "big")
            begin += n_bytes
        if begin + size > end:
            raise ValueError("longer than what it is in")
        found.append((tag, at, begin, begin + size))
        at = begin + size
    return found
