"""RTSP as a server that only ever plays one stream writes it: just enough for a client to read.

Rule: everything a server says is made beforehand, so that it can be damaged like a file: the head
of its answers, the description, and the packets, which go over the same connection.
Source: RFC 2326, 10.12 (interleaving), RFC 4566 (SDP), RFC 6184 and 7798 (H.264 and H.265 in RTP).
"""

import re
import socket
from base64 import b64encode

RTP_BYTES = 1_200
"""Of one packet, as servers send them that also serve by UDP."""

ANSWER = (
    b"RTSP/1.0 200 OK\r\nCSeq: %d\r\nSession: 7;timeout=60\r\nPublic: DESCRIBE, SETUP, PLAY\r\n"
    b"Transport: RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0BADCAFE\r\n"
    b"RTP-Info: url=track;seq=1;rtptime=0\r\nRange: npt=0.000-\r\n"
)
"""The head of every answer: a client reads of it what its question was about."""

SETTLED = b"PLAY"
"""After this question the packets come."""

QUESTION_S = 0.1
"""A client asks its next question within a millisecond; one that still waits for the answer to the
last one, which was damaged, would wait for as long as it is let."""

MAX_QUESTIONS = 16
"""A client has four; some answers let it ask the same again, for as long as it may take to open."""

_MAX_HEAD_BYTES = 65_536
_RTCP = frozenset({200, 201, 202, 203})
_SEQUENCE = re.compile(rb"CSeq: *(\d+)", re.IGNORECASE)
_H264_SETS = (7, 8)


class RtpPackets:
    """A file that takes each write as one packet, as FFmpeg's RTP muxer makes them."""

    def __init__(self) -> None:
        self._sent = bytearray()

    def write(self, packet: bytes) -> int:
        """Put a packet between the answers: of RTP on channel 0, of RTCP on channel 1."""
        channel = packet[1] in _RTCP
        self._sent += b"$" + bytes([channel]) + len(packet).to_bytes(2) + packet
        return len(packet)

    def getvalue(self) -> bytes:
        """Give all that was sent."""
        return bytes(self._sent)


def description(packets: bytes, *, is_hevc: bool) -> bytes:
    """Describe a stream: its codec, and of H.264 the parameter sets, which stand in it as well."""
    sets = ",".join(b64encode(one).decode() for one in _parameter_sets(packets))
    name = "H265" if is_hevc else "H264"
    how = "" if is_hevc else f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
    return (
        "v=0\r\no=- 7 1 IN IP4 127.0.0.1\r\ns=clip\r\nt=0 0\r\na=range:npt=0-\r\na=control:*\r\n"
        f"m=video 0 RTP/AVP 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 {name}/90000\r\n{how}"
        "a=framerate:25\r\na=control:track\r\n"
    ).encode()


def play(client: socket.socket, answer: bytes, sdp: bytes, packets: bytes) -> None:
    """Answer a client's questions up to that which lets the packets come; then send them.

    Raises:
        OSError: it asks no further.
    """
    patience_s = client.gettimeout()
    client.settimeout(QUESTION_S)
    for _ in range(MAX_QUESTIONS):
        question = _question(client)
        if not question:
            return
        number = _SEQUENCE.search(question)
        head = answer.replace(b"%d", number[1] if number else b"0")
        body = sdp if question.startswith(b"DESCRIBE") else b""
        status, _, fields = head.partition(b"\n")
        kind = b"\nContent-Type: application/sdp\r\nContent-Length: %d\r\n" % len(body)
        client.sendall(status + kind + fields + b"\r\n" + body)
        if question.startswith(SETTLED):
            client.settimeout(patience_s)
            client.sendall(packets)
            return


def _question(client: socket.socket) -> bytes:
    """Read the head of a question; empty where none comes."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and len(head) < _MAX_HEAD_BYTES:
        piece = client.recv(_MAX_HEAD_BYTES)
        if not piece:
            return b""
        head += piece
    return head


def _parameter_sets(packets: bytes) -> list[bytes]:
    """Find what H.264 packets hold of parameter sets, each in an aggregate (RFC 6184, 5.7.1)."""
    found: dict[int, bytes] = {}
    at = 0
    while at + 17 < len(packets):
        size = int.from_bytes(packets[at + 2 : at + 4])
        payload = packets[at + 16 : at + 4 + size]
        at += 4 + size
        if payload[0] & 31 != 24:  # STAP-A
            continue
        inner = 1
        while inner + 2 < len(payload):
            length = int.from_bytes(payload[inner : inner + 2])
            unit = payload[inner + 2 : inner + 2 + length]
            inner += 2 + length
            if unit and unit[0] & 31 in _H264_SETS:
                found.setdefault(unit[0] & 31, unit)
    return [found[kind] for kind in _H264_SETS if kind in found]
