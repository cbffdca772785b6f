"""How a re-uploader disguises a clip: the filter graphs of ffmpeg, by name.

Rule: texts and numbers only; who encodes stands in copies.py. A graph goes from [v], the clip at
the copy's height, to [out], with what is laid over or under the picture as [more].
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from loadtest.perspective import Angles, projected

More = Literal["logo", "banner", "facecam", "chat", "host"]
"""A second picture: a still logo, a news banner, a talking head, a chat, or an unrelated stream."""

HEIGHT = 360
CRF = 26
"""Of most copies: a live ladder's middle rung, as x264 sends it at about 0.5 Mbit/s."""


@dataclass(frozen=True, slots=True)
class Size:
    """Of a picture, pixels."""

    width: int
    height: int


Graph: TypeAlias = Callable[[Size], str]


@dataclass(frozen=True, slots=True)
class Transform:
    """One disguise.

    group:     under which it is counted in tables.
    graph:     gives the filter graph for a clip of this size.
    more:      the second picture that the graph wants.
    height:    of the 16:9 frame that the copy fits into before the graph, pixels.
    crf:       x264's quality, 0 best to 51.
    speed:     media seconds of the clip in one second of the copy.
    fps:       frame rate of the copy; 0 keeps the clip's.
    lead_s:    least and most seconds of an unrelated stream before the clip; 0 for none.
    length_s:  longest stretch of the clip, seconds.
    is_apart:  reported apart: the goal is lower.
    """

    name: str
    group: str
    graph: Graph
    more: More | None = None
    height: int = HEIGHT
    crf: int = CRF
    speed: float = 1.0
    fps: int = 0
    lead_s: tuple[float, float] = (0.0, 0.0)
    length_s: float = 15.0
    is_apart: bool = False


def even(pixels: float) -> int:
    """Round to what 4:2:0 can hold."""
    return max(2, 2 * round(pixels / 2))


def _plain(_: Size) -> str:
    return "[v]null[out]"


def _filter(text: str, _: Size) -> str:
    return f"[v]{text}[out]"


def _bars(shares: tuple[float, float], colour: str, size: Size) -> str:
    """Put bars around the picture: shares of its own width and height, on each side."""
    x_share, y_share = shares
    dx = even(size.width * x_share) if x_share else 0
    dy = even(size.height * y_share) if y_share else 0
    return f"[v]pad={size.width + 2 * dx}:{size.height + 2 * dy}:{dx}:{dy}:{colour}[out]"


def _crop(sides: tuple[float, float, float, float], size: Size) -> str:
    """Cut percents off left, right, top and bottom; scale what is left to the size that it had."""
    left, right, top, bottom = sides
    width = size.width * (1 - (left + right) / 100)
    height = size.height * (1 - (top + bottom) / 100)
    place = f"{size.width * left / 100:.2f}:{size.height * top / 100:.2f}"
    cut = f"crop={width:.2f}:{height:.2f}:{place}:exact=1"
    return f"[v]format=yuv444p,{cut},scale={size.width}:{size.height}[out]"


def _overlay(shares: tuple[float, float], place: str, size: Size) -> str:
    """Lay the second picture over the clip; shares of the clip's size, place as ffmpeg says it."""
    fitted = f"{even(size.width * shares[0])}:{even(size.height * shares[1])}"
    return f"[more]scale={fitted},setsar=1[top];[v][top]overlay={place}:shortest=1[out]"


def _inset(share: float, place: tuple[float, float], size: Size) -> str:
    """Show the clip within an unrelated stream: share of its width, place 0..1 of what is left."""
    inner = f"{even(size.width * share)}:{even(size.height * share)}"
    return (
        f"[more]scale={size.width}:{size.height},setsar=1[under];[v]scale={inner}[top];"
        f"[under][top]overlay=(W-w)*{place[0]}:(H-h)*{place[1]}:shortest=1[out]"
    )


def _box_mirror_logo(size: Size) -> str:
    logo = _overlay((0.14, 0.14), "main_w*0.04:main_h*0.05", size)
    box = _bars((0.11, 0.11), "black", size).replace("[v]", "[seen]")
    return f"{logo.replace('[v]', '[turned]').replace('[out]', '[seen]')};[v]hflip[turned];{box}"


def _filmed(angles: Angles, size: Size) -> str:
    """Film a screen in a dark room, from a little aside: turned, soft, grainy, darker outside."""
    corners = projected(angles, size.width / size.height)
    points = ":".join(
        f"x{i}={x * (size.width + 4):.2f}:y{i}={y * (size.height + 4):.2f}"
        for i, (x, y) in enumerate(corners)
    )
    room = f"pad={size.width + 4}:{size.height + 4}:2:2:0x141418"
    turned = f"perspective={points}:sense=destination:interpolation=linear"
    return f"[v]{room},{turned},gblur=sigma=0.8,noise=alls=6:allf=t,vignette=PI/7[out]"


def _embedded(size: Size) -> str:
    """Fit the clip into an unrelated stream; copies.py puts [before] and [after] around it."""
    del size
    fitted = "scale=640:360:force_original_aspect_ratio=decrease:force_divisible_by=2"
    return f"[v]{fitted},pad=640:360:-1:-1,setsar=1,fps=30,format=yuv420p[clip]"


def _codec(height: int, crf: int) -> Transform:
    return Transform(f"crf{crf}-{height}p", "codec", _plain, height=height, crf=crf)


def _cropped(name: str, sides: tuple[float, float, float, float]) -> Transform:
    return Transform(f"crop-{name}", "crop", partial(_crop, sides))


def _facecam(name: str, place: str) -> Transform:
    return Transform(
        f"facecam-{name}", "overlay", partial(_overlay, (0.25, 0.25), place), more="facecam"
    )


def _overlaid(name: More, graph: Graph) -> Transform:
    return Transform(name, "overlay", graph, more=name)


def _filmed_at(name: str, angles: Angles) -> Transform:
    return Transform(name, "filmed", partial(_filmed, angles), is_apart=True)


def _picture(percent: int, x_place: float, y_place: float) -> Transform:
    inset = partial(_inset, percent / 100, (x_place, y_place))
    return Transform(f"pip-{percent}", "pip", inset, more="host", is_apart=percent < 75)


_SEPIA = "colorchannelmixer=.393:.769:.189:0:.349:.686:.168:0:.272:.534:.131"

TRANSFORMS: Sequence[Transform] = (
    *(_codec(h, q) for h, q in ((1080, 28), (1080, 45), (720, 36), (480, 40))),
    *(_codec(h, q) for h, q in ((360, 28), (360, 45), (240, 38), (144, 28), (144, 45))),
    *(Transform(f"speed-{s:.2f}", "speed", _plain, speed=s) for s in (0.8, 0.9, 1.1, 1.25)),
    *(Transform(f"fps-{fps}", "rate", _plain, fps=fps) for fps in (24, 30, 60)),
    Transform("letterbox", "bars", partial(_bars, (0, 0.125), "black")),
    Transform("letterbox-thin", "bars", partial(_bars, (0, 0.045), "black")),
    Transform("pillarbox", "bars", partial(_bars, (0.167, 0), "black")),
    Transform("windowbox", "bars", partial(_bars, (0.125, 0.125), "black")),
    Transform("windowbox-grey", "bars", partial(_bars, (0.08, 0.14), "0x404448")),
    *(_cropped(f"{p}", (p, p, p, p)) for p in (2, 5, 8, 10)),
    _cropped("2-topleft", (2, 0, 2, 0)),
    _cropped("5-bottomright", (0, 5, 0, 5)),
    _cropped("10-topleft", (10, 0, 10, 0)),
    _cropped("10-right", (0, 10, 0, 0)),
    _cropped("10-bottom", (0, 0, 0, 10)),
    _cropped("uneven", (7, 2, 1, 4)),
    Transform("mirror", "mirror", partial(_filter, "hflip")),
    Transform(
        "logo", "overlay", partial(_overlay, (0.12, 0.12), "main_w*0.85:main_h*0.04"), more="logo"
    ),
    _overlaid("banner", partial(_overlay, (1.0, 0.15), "0:main_h-h")),
    _facecam("topleft", "0:0"),
    _facecam("topright", "main_w-w:0"),
    _facecam("bottomleft", "0:main_h-h"),
    _facecam("bottomright", "main_w-w:main_h-h"),
    _overlaid("chat", partial(_overlay, (0.22, 1.0), "main_w-w:0")),
    *(_picture(p, x, y) for p, x, y in ((90, 0.5, 0.5), (75, 0.9, 0.15))),
    *(_picture(p, x, y) for p, x, y in ((60, 0.1, 0.9), (50, 0.5, 0.2))),
    Transform("sepia", "colour", partial(_filter, _SEPIA)),
    Transform("grey", "colour", partial(_filter, "hue=s=0")),
    Transform("hue", "colour", partial(_filter, "hue=h=90")),
    Transform("gamma-0.6", "colour", partial(_filter, "eq=gamma=0.6")),
    Transform("gamma-1.7", "colour", partial(_filter, "eq=gamma=1.7")),
    Transform("brighter", "colour", partial(_filter, "eq=brightness=0.15")),
    Transform("darker", "colour", partial(_filter, "eq=brightness=-0.15")),
    _filmed_at("filmed-3", Angles(3, 2, 1, zoom=0.92)),
    _filmed_at("filmed-6", Angles(-6, 3, 2, zoom=0.9)),
    Transform(
        "filmed-close", "filmed", partial(_filmed, Angles(4, -2, -1, zoom=1.06)), is_apart=True
    ),
    Transform("box-mirror-logo", "combined", _box_mirror_logo, more="logo"),
    *(
        Transform(
            f"within-{seconds}s", "within", _embedded, "host", lead_s=(4.0, 10.0), length_s=seconds
        )
        for seconds in (5, 15)
    ),
)
"""All disguises that a figure is promised for."""

BY_NAME = {transform.name: transform for transform in TRANSFORMS}
