"""The demo's origin: a channel encoded live and served over HTTP, by a process of its own.

`python -m streamguard.demo.origin --seconds 60 --json` prints an event a line: `listening` with the
port; `keyframe` each time the last byte of one was handed to a client's socket, with its PTS and
CLOCK_MONOTONIC, which all processes of this machine share; `ended`. It ends after its time, at
SIGTERM or Ctrl-C, and when the pipe on its stdin closes, so it never outlives its parent.
With `--publish rtmp://...` it publishes there instead: `publishing` when it begins,
`lost` when it is thrown out or not let in; then it comes back, a few times.

Rule: the programme runs in real time, whoever listens.
"""

import argparse
import contextlib
import json
import math
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from streamguard.demo.broadcast import Broadcast, BroadcastServer, Chunk, Keyframe
from streamguard.demo.live_encoder import LiveEncoder, pts_ms
from streamguard.demo.programme import Segment, programme
from streamguard.demo.scenes import FPS

_DRAIN_S = 2.0
"""How long clients get to take the last of the stream, seconds."""

_LOOK_EVERY_S = 0.05
"""How often it looks whether somebody listens, seconds."""

_COMES_BACK_S, _MOST_LOST = 1.0, 5
"""How long it waits before it comes back, seconds; thrown out so often, it stays away."""

_STDIN, _STDOUT = 0, 1

Say = Callable[..., None]
"""Prints one event: its name, and its fields by keyword."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the origin to its end; 2 when the port is in use."""
    parser = argparse.ArgumentParser(prog="python -m streamguard.demo.origin")
    parser.add_argument("--port", type=int, default=0, help="0 chooses a free one")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the programme")
    parser.add_argument("--when-heard", action="store_true", help="begin with the first client")
    parser.add_argument("--publish", metavar="URL", help="publish by RTMP instead of serving")
    parser.add_argument("--json", action="store_true", help="print events as JSON Lines")
    arguments = parser.parse_args(argv)
    say = partial(_say, as_json=arguments.json)
    stop = _stop_event()
    segments = programme(arguments.seconds)
    if arguments.publish:
        publish(segments, arguments.publish, say, stop)
    elif not _serve(arguments, segments, say, stop):
        return 2
    say("ended")
    return 0


def _serve(
    arguments: argparse.Namespace, segments: Sequence[Segment], say: Say, stop: threading.Event
) -> bool:
    """Serve a programme by HTTP; False where the port is in use."""
    broadcast = Broadcast()
    try:
        server = BroadcastServer(arguments.port, broadcast, partial(_stamp, say))
    except OSError as error:
        sys.stderr.write(f"origin: cannot listen on port {arguments.port}: {error.strerror}\n")
        return False
    with server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        say("listening", port=server.port)
        while arguments.when_heard and not broadcast.is_heard and not stop.is_set():
            time.sleep(_LOOK_EVERY_S)
        with contextlib.closing(LiveEncoder()) as encoder:
            put_on_air(segments, encoder, broadcast.publish, stop)
        broadcast.end(_DRAIN_S)
        server.shutdown()
    return True


def publish(segments: Sequence[Segment], url: str, say: Say, stop: threading.Event) -> None:
    """Publish a programme by RTMP; who is thrown out comes back, as streamers' software does."""

    def stamp(chunk: Chunk) -> None:
        if chunk.keyframe is not None:
            _stamp(say, chunk.keyframe, 1, time.monotonic())

    began_s = time.monotonic()
    for _ in range(_MOST_LOST):
        try:
            with contextlib.closing(LiveEncoder(url)) as encoder:
                say("publishing")
                put_on_air(segments, encoder, stamp, stop, began_s)
        except OSError:
            say("lost")
            time.sleep(_COMES_BACK_S)
        else:
            return


def put_on_air(
    segments: Sequence[Segment],
    encoder: LiveEncoder,
    publish: Callable[[Chunk], None],
    stop: threading.Event,
    began_s: float | None = None,
) -> None:
    """Draw, encode and publish a programme in real time, until its end or until told to stop.

    began_s: time.monotonic() at which it began, where it goes on; now, without it.

    Raises:
        OSError: whoever it is published to takes no more.
    """
    now_s = time.monotonic()
    began_s = now_s if began_s is None else began_s
    from_frame = math.ceil((now_s - began_s) * FPS)
    for segment in segments:
        for index in range(max(segment.first_frame, from_frame), segment.end_frame):
            if stop.is_set():
                return
            time.sleep(max(0.0, began_s + index / FPS - time.monotonic()))
            encoded = encoder.encode(
                segment.picture(index),
                index,
                bit_rate=segment.bit_rate,
                is_keyframe=index in {segment.first_frame, from_frame},
            )
            for payload, keyframe in encoded:
                publish(Chunk(payload, _label(segments, keyframe)))
    for payload, keyframe in encoder.drain():
        publish(Chunk(payload, _label(segments, keyframe)))


def _label(segments: Sequence[Segment], index: int | None) -> Keyframe | None:
    """Say what keyframe `index` of the programme shows; None stays None."""
    if index is None:
        return None
    segment = next(s for s in segments if index < s.end_frame)
    return Keyframe(pts_ms(index), segment.scene.name, segment.disguise)


def _stop_event() -> threading.Event:
    """Make the event that a signal, or the end of the pipe on stdin, sets.

    The main thread polls it and never waits for it: a handler that runs inside `wait` would hang.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    mode = os.fstat(_STDIN).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
        threading.Thread(target=_watch_parent, args=(stop,), daemon=True).start()
    return stop


def _watch_parent(stop: threading.Event) -> None:
    """Stop when stdin ends: whoever started this process is gone or wants no more."""
    while os.read(_STDIN, 4096):
        pass
    stop.set()


def _stamp(say: Say, keyframe: Keyframe, client: int, sent_at_s: float) -> None:
    """Print that a client was sent a keyframe."""
    say(
        "keyframe",
        pts_ms=keyframe.pts_ms,
        scene=keyframe.scene,
        disguise=keyframe.disguise,
        client=client,
        sent_at_s=sent_at_s,
    )


def _say(event: str, *, as_json: bool, **fields: object) -> None:
    """Print one event in one write, from any thread; a reader that is gone is no error."""
    words = {"event": event, **fields}
    line = json.dumps(words) if as_json else "  ".join(f"{k}={v}" for k, v in words.items())
    with contextlib.suppress(BrokenPipeError):
        os.write(_STDOUT, line.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
