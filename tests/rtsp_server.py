"""A real RTSP server on loopback, GStreamer's: run by Debian's Python, which has its bindings.

With a clip as its argument it serves /clip, /wrap, /sound and /both, and prints its port; without
one it only looks whether it could.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402  # after the versions are chosen

ELEMENTS = ("filesrc", "qtdemux", "rtph264pay", "audiotestsrc", "alawenc", "rtppcmapay")

WRAP_S = 2
"""RTP timestamps of /wrap begin so long before they wrap, seconds."""

VIDEO = 'filesrc location="{clip}" ! qtdemux ! rtph264pay {options} pt=96 config-interval=-1'
SOUND = "audiotestsrc is-live=true ! alawenc ! rtppcmapay {options} pt=8"


def launches(clip: str) -> dict[str, str]:
    """Say what each path serves."""
    before_wrap = (1 << 32) - 90_000 * WRAP_S
    video = VIDEO.format(clip=clip, options="name=pay0")
    return {
        "/clip": video,
        "/wrap": f"{video} timestamp-offset={before_wrap}",
        "/sound": SOUND.format(options="name=pay0"),
        "/both": SOUND.format(options="name=pay0")
        + " "
        + VIDEO.format(clip=clip, options="name=pay1"),
    }


def main() -> int:
    Gst.init(None)
    missing = [name for name in ELEMENTS if Gst.ElementFactory.find(name) is None]
    if missing:
        sys.stderr.write(f"no {missing[0]} here: install gstreamer1.0-plugins-good")
        return 1
    if len(sys.argv) < 2:
        return 0
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    for path, launch in launches(sys.argv[1]).items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        server.get_mount_points().add_factory(path, factory)
    server.attach(None)
    sys.stdout.write(f"{server.get_bound_port()}\n")
    sys.stdout.flush()
    GLib.MainLoop().run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
