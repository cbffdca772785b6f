"""Damages what a source sends, as strangers, broken encoders and bad lines do.

Rule: a seed and a number give the same case, always; what is damaged stays small.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from loadtest.hostile_clips import HEAD, KINDS, LIST, MASTER, SDP, Case, clip, whole_case

MAX_BYTES = 400_000
"""Of one page: a playlist of thousands of segments, a clip that was repeated."""

N_VARIANTS = 12

Damage = Callable[[bytearray, random.Random], bytes]

_WILD = (
    b"\x00",
    b"\x01",
    b"\x7f\xff",
    b"\x80\x00",
    b"\xff\xff\xff",
    b"\xff" * 4,
    b"\x7f" + b"\xff" * 7,
)
_MARKS = {
    "ts": (b"\x00\x00\x01\xe0", b"\x47\x40\x00", b"\x47\x50\x00"),
    "flv": (b"\x09\x00", b"\x12\x00", b"\x17\x01"),
    "mp4": (
        b"stsz",
        b"stts",
        b"stss",
        b"stco",
        b"ctts",
        b"stsc",
        b"mdat",
        b"trun",
        b"tfhd",
        b"avcC",
    ),
    "rtmp": (b"\x06\x00", b"\xc6"),
    "rtsp": (b"$\x00", b"$\x01", b"\x80\x60", b"\x80\xe0", b"\x80\xc8", b"\x7c", b"\x78"),
}
_PARAMETERS = (b"\x00\x00\x01\x67", b"\x00\x00\x00\x01\x67", b"\x67\x42", b"\x67\x4d", b"\x42\x01")
"""Where parameter sets begin: of H.264 in Annex B and in avcC, of H.265."""

_PLAYLIST_LINES = (
    *("#EXTINF:1e9,", "#EXTINF:-1,", "#EXTINF:nan,", "#EXTINF:0.000001,", "#EXTINF:,"),
    *("#EXT-X-BYTERANGE:99999999999@0", "#EXT-X-BYTERANGE:1", "#EXT-X-BYTERANGE:-5@-5"),
    *("#EXT-X-MEDIA-SEQUENCE:18446744073709551616", "#EXT-X-MEDIA-SEQUENCE:-1"),
    *("#EXT-X-TARGETDURATION:0", "#EXT-X-TARGETDURATION:999999999", "#EXT-X-GAP"),
    *('#EXT-X-MAP:URI="list.m3u8"', '#EXT-X-MAP:URI="0.ts",BYTERANGE="9@9"', "#EXT-X-MAP:"),
    *('#EXT-X-KEY:METHOD=AES-128,URI="k"', "#EXT-X-KEY:METHOD=NONE", "#EXT-X-DISCONTINUITY"),
    *(
        "#EXT-X-STREAM-INF:BANDWIDTH=1",
        "#EXT-X-STREAM-INF:RESOLUTION=99999x99999",
        "#EXT-X-ENDLIST",
    ),
    *("list.m3u8", "master.m3u8", "missing.ts", "file:///etc/hostname", "//[::", "\udcff\x00"),
)
_SDP_LINES = (
    *(
        "m=video 0 RTP/AVP 96",
        "m=video 0 RTP/AVP 33",
        "m=video 0 RTP/AVP 26",
        "m=audio 0 RTP/AVP 0",
    ),
    *(
        "m=video 99999 RAW/RAW/UDP 999",
        "m=application 0 RTP/AVP 127",
        "m=",
        "c=IN IP4 10.0.0.1/255",
    ),
    *("a=rtpmap:96 H265/90000", "a=rtpmap:96 MP4V-ES/1", "a=rtpmap:96 VP8/0", "a=rtpmap:96 AV1/-1"),
    *("a=rtpmap:96 MP2T/90000", "a=rtpmap:96 JPEG/99999999999", "a=rtpmap:96 X-QT/90000"),
    *("a=rtpmap:96 H263-1998/90000", "a=rtpmap:96 DV/90000", "a=rtpmap:96 X-MP4V-ES/90000"),
    *("a=rtpmap:96 theora/90000", "a=rtpmap:96 VP9/90000", "a=rtpmap:-1 H264/90000", "a=rtpmap:"),
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=Z////w==,aP//",
    "a=fmtp:96 config=000001B001000001B58913" + "FF" * 300,
    "a=fmtp:96 sprop-vps=QAE=;sprop-sps=QgEB" + "////" * 200 + ";sprop-pps=RAE=",
    "a=fmtp:96 packetization-mode=1;sprop-parameter-sets=" + ",".join(["Z0IAH5Y="] * 2000),
    *("a=fmtp:96 " + "x" * 9000, "a=framesize:96 99999-99999", "a=framerate:1e99", "a=framerate:0"),
    *("a=range:npt=1e18-2e18", "a=range:clock=19961108T143720.25Z-", "a=cliprect:0,0,99999,99999"),
    *("a=control:rtsp://127.0.0.1:1/other", "a=control:http://127.0.0.1:1/x", "a=control:"),
    *("a=control:" + "y" * 5000, "a=SdpplinVersion:1610641560", "a=IsRealDataType:integer;1"),
    *("a=source-filter:incl IN IP4 * 10.0.0.1", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:eA=="),
    *(
        "a=pgmpu:data:application/vnd.ms.wms-hdr.asfv1;base64,MCaydY5mzxGm2QCqAGLObA==",
        "\udcff\x00",
    ),
)
_HEAD_LINES = (
    *("RTSP/1.0 401 Unauthorized", "RTSP/1.0 302 Found", "RTSP/1.0 404 Not Found", "RTSP/1.0", ""),
    *("Location: rtsp://127.0.0.1:1/x", "Location: file:///etc/hostname", "CSeq: 99999999999"),
    *(
        "Content-Length: 99999999999",
        "Content-Length: -1",
        "Content-Length: 7",
        "Session: ;timeout=-9",
    ),
    *(
        "Session: " + "7" * 9000,
        "Session: 7;timeout=0",
        "Transport: RTP/AVP;unicast;client_port=1-2",
    ),
    *(
        "Transport: RAW/RAW/UDP",
        "Transport: RTP/AVP/TCP;interleaved=99999-0",
        "Transport: x-real-rdt",
    ),
    *(
        "Transport: RTP/AVP;multicast;destination=239.0.0.1;port=5-6;ttl=255",
        "Server: WMServer/9.0",
    ),
    *(
        "RTP-Info: url=track;seq=99999999;rtptime=-1",
        "Range: npt=1e18-",
        "Range: clock=1-",
        "Notice: 2101",
    ),
    'WWW-Authenticate: Digest realm="' + "r" * 900 + '", nonce="", qop="auth", algorithm=MD5',
    *(
        "Public: GET_PARAMETER",
        "Server: RealServer",
        "RealChallenge1: 00",
        "$\x00\x00\x00",
        "\udcff\x00",
    ),
)
_LINES = {LIST: _PLAYLIST_LINES, MASTER: _PLAYLIST_LINES, SDP: _SDP_LINES, HEAD: _HEAD_LINES}
"""What may stand in a page of text, by its name."""


def hostile_case(seed: int, number: int) -> Case:
    """Make one case; the kinds come in turn."""
    chance = random.Random(f"{seed}:{number}")  # no secret: the same again is wanted
    kind = KINDS[number % len(KINDS)]
    case = whole_case(kind, chance.randrange(N_VARIANTS))
    pages = dict(case.pages)
    for name in chance.sample(sorted(pages), chance.choice((1, 1, 1, len(pages)))):
        if name in _LINES and chance.random() < 0.8:  # else its bytes
            pages[name] = _rewritten(pages[name], _LINES[name], chance)
        else:
            pages[name] = _damaged(pages[name], kind, chance)
    return replace(case, pages=pages)


def _damaged(payload: bytes, kind: str, chance: random.Random) -> bytes:
    """Damage a file in one to three ways."""
    inner = "ts" if kind == "hls" and payload[:1] == b"\x47" else "mp4" if kind == "hls" else kind
    ways: list[Damage] = [_flip, _flip, _cut, _drop, _repeat, _splice, _blow_up, _parameters]
    if inner in _MARKS:
        ways += [_marked(_MARKS[inner])] * 4
    for _ in range(chance.choice((1, 1, 2, 3))):
        payload = chance.choice(ways)(bytearray(payload), chance)[:MAX_BYTES]
    return payload


def _flip(payload: bytearray, chance: random.Random) -> bytes:
    for _ in range(int(2 ** chance.uniform(0, 7)) if payload else 0):
        payload[chance.randrange(len(payload))] ^= 1 << chance.randrange(8)
    return bytes(payload)


def _cut(payload: bytearray, chance: random.Random) -> bytes:
    return bytes(payload[: chance.randrange(len(payload) + 1)])


def _drop(payload: bytearray, chance: random.Random) -> bytes:
    at, size = _stretch(payload, chance)
    return bytes(payload[:at] + payload[at + size :])


def _repeat(payload: bytearray, chance: random.Random) -> bytes:
    at, size = _stretch(payload, chance)
    times = chance.choice((1, 2, 30))
    return bytes(payload[:at] + payload[at : at + size] * times + payload[at:])


def _splice(payload: bytearray, chance: random.Random) -> bytes:
    """Put the beginning of another file into this one, or before it."""
    container = chance.choice(("mpegts", "flv", "mp4", "fragments"))
    other = clip(container, chance.randrange(N_VARIANTS))
    head = other[: chance.choice((13, 188, 600, len(other)))]
    at, size = _stretch(payload, chance)
    at = chance.choice((0, at))
    return bytes(payload[:at] + head + payload[at + chance.choice((0, size)) :])


def _blow_up(payload: bytearray, chance: random.Random) -> bytes:
    """Overwrite what may be a length, a count or a time, with the largest and the smallest."""
    for _ in range(chance.choice((1, 3, 10))):
        wild = chance.choice(_WILD)
        at = chance.randrange(len(payload) + 1)
        payload[at : at + len(wild)] = wild
    return bytes(payload)


def _parameters(payload: bytearray, chance: random.Random) -> bytes:
    """Change a parameter set: the size of the picture, its depth, its reference frames."""
    found = [at for at in (payload.find(mark) for mark in _PARAMETERS) if at >= 0]
    if found:
        at = chance.choice(found) + chance.randrange(3, 24)
        payload[at : at + 2] = chance.randbytes(2)
    return bytes(payload)


def _marked(marks: tuple[bytes, ...]) -> Damage:
    """Aim at what stands behind a mark: lengths, counts, times."""

    def damage(payload: bytearray, chance: random.Random) -> bytes:
        mark = chance.choice(marks)
        for _ in range(chance.choice((1, 2, 8))):
            at = payload.find(mark, chance.randrange(len(payload) + 1))
            if at >= 0:
                at += len(mark) + chance.randrange(-4, 16)
                wild = chance.choice((*_WILD, chance.randbytes(4)))
                payload[max(0, at) : max(0, at) + len(wild)] = wild
        return bytes(payload)

    return damage


def _rewritten(payload: bytes, wild: tuple[str, ...], chance: random.Random) -> bytes:
    lines = payload.decode().splitlines()
    for _ in range(chance.choice((1, 2, 4))):
        at = chance.randrange(len(lines) + 1)
        match chance.randrange(4):
            case 0:
                lines[at : at + 1] = [chance.choice(wild)]
            case 1:
                lines.insert(at, chance.choice(wild))
            case 2:
                del lines[at : at + 1]
            case _:
                lines[at:at] = lines[-3:] * chance.choice((1, 5, 3000))
    text = "\n".join(lines) + chance.choice(("\n", ""))
    return text.encode("utf-8", "surrogateescape")[:MAX_BYTES]


def _stretch(payload: bytearray, chance: random.Random) -> tuple[int, int]:
    at = chance.randrange(len(payload) + 1)
    return at, min(int(2 ** chance.uniform(0, 12)), len(payload) - at)
