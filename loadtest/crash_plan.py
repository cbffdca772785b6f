"""Which streams there are where processes are killed, and how they are configured.

Rule: half of each kind is known throughout, or half is found: whatever is killed hits all kinds.
"""

from dataclasses import dataclass
from pathlib import Path

from loadtest.crash_truth import Kind
from loadtest.origin_content import encoded, source_clips
from loadtest.programs import find
from loadtest.rtmp import DROPPING, HOST, RtmpServer
from streamguard.core.naming import stream_id_of

SERVER = "edge"
SECRET = "0" * 64
"""Names what is found; here there is nothing to hide."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How many streams of which kind.

    n_http: from the origin; of every other one the bank knows each keyframe.
    n_rtmp: published to nginx, from the origin, too; every other one is configured, the others are
        found; every other pair has sound.
    """

    n_http: int
    n_rtmp: int
    profile: str
    gop_s: int

    def kinds(self) -> dict[str, Kind]:
        """Give the streams by name."""
        http: dict[str, Kind] = {f"{n:04}": "http" for n in range(self.n_http)}
        return http | {f"p{n}": "found" if n % 2 else "static" for n in range(self.n_rtmp)}

    def is_known(self, name: str) -> bool:
        """Say whether the bank has a stream's every keyframe."""
        return name.startswith("p") or int(name) % 2 == 0

    def n_served(self) -> int:
        """Count the streams of the origin."""
        return self.number_of(self.n_rtmp)

    def number_of(self, publisher: int) -> int:
        """Say which stream of the origin is published: an even one, for these are known."""
        return self.n_http + self.n_http % 2 + 2 * publisher

    def files(self) -> dict[str, Path]:
        """Give what streams show, by clip, encoded once; of every other one the bank is made."""
        clips = source_clips().items()
        return {name: encoded(name, clip, self.profile, self.gop_s) for name, clip in clips}

    def stream_ids(self) -> dict[str, str]:
        """Give names by the ids that the log has."""
        return {
            stream_id_of(SECRET.encode(), SERVER, f"live/{name}") if kind == "found" else name: name
            for name, kind in self.kinds().items()
        }


def configuration(plan: Plan, folder: Path, port: int, server: RtmpServer) -> str:
    """Write the file of `streamguard run`; port: of the origin."""
    secret = folder / "secret"
    secret.write_text(SECRET)
    urls = {
        name: f"http://{HOST}:{port}/{name}.ts" if kind == "http" else server.url(name)
        for name, kind in plan.kinds().items()
        if kind != "found"
    }
    streams = [
        f'[[streams]]\nid = "{name}"\nurl = "{url}"\nsampling = "keyframes"'
        for name, url in urls.items()
    ]
    rest = f"""
[deployment]
name = "load-test"
secret_file = "{secret}"
[[servers]]
name = "{SERVER}"
kind = "nginx_rtmp"
api = "{server.stat_url}"
pull = "rtmp://{HOST}:{server.port}"
sampling = "keyframes"
[bank]
paths = ["{folder / "bank"}"]
[hygiene]
hub_max_share = 1.0
[log]
file = "{folder / "events.db"}"
[http]
port = 0
"""
    return "\n".join([*streams, rest])


def publisher(shown: str, url: str, *, has_sound: bool) -> list[str]:
    """Give the command that publishes a live stream, and comes back as encoders do."""
    source = ["-analyzeduration", "10M", "-probesize", "20M", "-i", shown]
    tone = ["-f", "lavfi", "-i", "sine=sample_rate=48000"] if has_sound else []
    sound = ["-map", "1:a", "-c:a", "aac", "-b:a", "96k", "-tag:a", "10"] if has_sound else []
    quiet = [str(find("ffmpeg")), "-v", "error", "-nostdin"]
    return [*quiet, *source, *tone, *DROPPING, "-c:v", "copy", *sound, url]
