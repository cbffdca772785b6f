"""Real programs that send video on loopback: RTSP by GStreamer, SRT and HLS by ffmpeg and nginx.

Rule: none outlives its `with`, and none is waited for without a deadline.
"""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from loadtest.rtmp import free_port, free_ports

HOST = "127.0.0.1"
DEADLINE_S = 60.0
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


def hls_ladder(clip: Path, directory: Path, heights: Sequence[int], seconds: float) -> Path:
    """Make a recording in renditions of these heights; give its master playlist.

    The nth rendition is in the folder n.
    """
    outputs: list[str] = []
    for index, height in enumerate(heights):
        outputs += ["-map", "0:v", f"-filter:v:{index}", f"scale=-2:{height}"]
        outputs += [f"-b:v:{index}", f"{height * height * 2}"]
    streams = " ".join(f"v:{index}" for index in range(len(heights)))
    made = [*FFMPEG, "-t", str(seconds), "-i", clip, *outputs, "-preset", "ultrafast", "-g", "25"]
    made += ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod", "-var_stream_map", streams]
    made += ["-master_pl_name", "master.m3u8", directory / "%v" / "list.m3u8"]
    subprocess.run(made, check=True, timeout=DEADLINE_S)
    return directory / "master.m3u8"


@contextmanager
def hls_packager(clip: Path, playlist: Path, seconds: float) -> Iterator[None]:
    """Package a clip at its own pace, as a live broadcast; begin once it has its first segment."""
    window = ("-hls_time", "1", "-hls_list_size", "3", "-hls_flags", "delete_segments")
    command = [*FFMPEG, "-re", "-t", str(seconds), "-i", clip, "-c", "copy", *window, playlist]
    with running(command) as packager:
        while not playlist.exists():
            with suppress(subprocess.TimeoutExpired):
                packager.wait(0.1)
                raise AssertionError("ffmpeg ended before its first segment")
        yield


@contextmanager
def web_server(program: Path, directory: Path) -> Iterator[str]:
    """Serve a directory by nginx; give the URL to which a path is to be added."""
    port = free_port()
    settings = directory / "nginx.conf"
    site = f"server {{ listen {HOST}:{port}; root {directory}; }}"
    settings.write_text(
        f"daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr crit;\n"
        f"events {{}} http {{ access_log off; {site} }}\n"
    )
    with running([program, "-p", directory, "-e", "stderr", "-c", settings]) as server:
        while not answers(port):
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.05)
                raise AssertionError("nginx did not start")
        yield f"http://{HOST}:{port}"


def answers(port: int) -> bool:
    """Say whether somebody listens."""
    with socket.socket() as client:
        return client.connect_ex((HOST, port)) == 0


def udp_port() -> int:
    """Give a UDP port on which nobody listens."""
    return free_ports(1, socket.SOCK_DGRAM)[0]
