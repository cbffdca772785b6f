"""Real programs that send live video on loopback: RTSP by GStreamer, SRT and HLS by ffmpeg.

Rule: none outlives its `with`, and none is waited for without a deadline.
"""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
DEADLINE_S = 20.0
FFMPEG = ("ffmpeg", "-v", "error", "-nostdin")


@contextmanager
def running(command: Sequence[str | Path], **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program; at the end kill it, however it does."""
    process = subprocess.Popen(command, **pipes)
    try:
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_S)
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()


@contextmanager
def rtsp_server(command: Sequence[str | Path], clip: Path) -> Iterator[str]:
    """Serve a clip; give the URL to which its path is to be added."""
    with running([*command, clip], stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield f"rtsp://{HOST}:{int(process.stdout.readline())}"


def srt_sender(clip: Path, options: str, *, port: int) -> list[str | Path]:
    """Give the command that sends a clip at its own pace over SRT, to its end."""
    url = f"srt://{HOST}:{port}?transtype=live&{options}"
    return [*FFMPEG, "-re", "-i", clip, "-c", "copy", "-f", "mpegts", url]


def udp_port() -> int:
    """Give a UDP port on which nobody listens."""
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        return int(taken.getsockname()[1])
