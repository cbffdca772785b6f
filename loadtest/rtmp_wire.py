"""RTMP as a server that only ever plays one stream writes it: just enough for a client to read.

Rule: everything a server says is made beforehand, so that it can be damaged like a file.
Source: Adobe's Real Time Messaging Protocol, 1.0: 5.2 handshake, 5.3 chunks, 7.1 messages.
"""

import struct
from collections.abc import Iterator

HANDSHAKE_BYTES = 1536
CLIENT_HELLO_BYTES = 1 + HANDSHAKE_BYTES
CHUNK_BYTES = 4096

_SET_CHUNK_SIZE, _AMF0 = 1, 20
_FLV_HEAD_BYTES = 13
_TAG_HEAD_BYTES, _TAG_TAIL_BYTES = 11, 4


def hello() -> bytes:
    """Give S0, S1 and S2; of version 0, so that the client asks for no digest."""
    return b"\x03" + bytes(2 * HANDSHAKE_BYTES)


def preamble() -> bytes:
    """Grant what a player asks for, in the order in which it asks: connect, stream 1, play."""
    return (
        _message(2, _SET_CHUNK_SIZE, 0, struct.pack(">I", CHUNK_BYTES), chunk_bytes=128)
        + _message(3, _AMF0, 0, _command("_result", 1.0) + _status("NetConnection.Connect.Success"))
        + _message(3, _AMF0, 0, _command("_result", 2.0) + b"\x05" + _number(1.0))
        + _message(5, _AMF0, 0, _command("onStatus", 0.0) + _status("NetStream.Play.Start"))
    )


def messages_of_flv(flv: bytes) -> bytes:
    """Put the tags of an FLV file into messages: both hold the same, with other headers."""
    sent = bytearray()
    at = _FLV_HEAD_BYTES
    while at + _TAG_HEAD_BYTES <= len(flv):
        kind, size = flv[at], int.from_bytes(flv[at + 1 : at + 4])
        time_ms = int.from_bytes(flv[at + 4 : at + 7])
        body = flv[at + _TAG_HEAD_BYTES : at + _TAG_HEAD_BYTES + size]
        sent += _message(6, kind, time_ms, body)
        at += _TAG_HEAD_BYTES + size + _TAG_TAIL_BYTES
    return bytes(sent)


def _message(
    channel: int, kind: int, time_ms: int, body: bytes, *, chunk_bytes: int = CHUNK_BYTES
) -> bytes:
    head = bytes([channel]) + time_ms.to_bytes(3) + len(body).to_bytes(3) + bytes([kind])
    stream = struct.pack("<I", 0 if kind in (_SET_CHUNK_SIZE, _AMF0) else 1)
    return head + stream + bytes([0xC0 | channel]).join(_pieces(body, chunk_bytes))


def _pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


def _command(name: str, transaction: float) -> bytes:
    return b"\x02" + _text(name) + _number(transaction)


def _number(value: float) -> bytes:
    return b"\x00" + struct.pack(">d", value)


def _text(value: str) -> bytes:
    return struct.pack(">H", len(value)) + value.encode()


def _status(code: str) -> bytes:
    said = {"level": "status", "code": code}
    pairs = b"".join(_text(name) + b"\x02" + _text(value) for name, value in said.items())
    return b"\x05\x03" + pairs + b"\x00\x00\x09"
