"""The made footage: which generators there are, and videos of them in the cache.

Rule: what a video shows follows from its generator and its seed alone. Twenty generators give the
made contents; all of them, with other seeds, give the unrelated footage.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from loadtest import made_games, made_patterns, made_screens, made_sights
from loadtest.encoding import KEYFRAMES
from loadtest.made_parts import HEIGHT, WIDTH, Chance, Paint
from loadtest.programs import ProgramUnavailable, find

CONTENTS: Mapping[str, Callable[[Chance], Paint]] = {
    "platformer": made_games.platformer,
    "maze": made_games.maze,
    "road": made_games.road,
    "space": made_games.space,
    "pool-table": made_games.pool_table,
    "board-game": made_games.board_game,
    "slides": made_screens.slides,
    "newscast": made_screens.newscast,
    "code-editor": made_screens.code_editor,
    "landscape": made_sights.handheld_landscape,
    "city": made_sights.handheld_city,
    "fly-over": made_sights.fly_over,
    "crowd": made_sights.crowd,
    "fireworks": made_sights.fireworks,
    "water": made_sights.water,
    "fractal": made_patterns.fractal_zoom,
    "tunnel": made_patterns.tunnel,
    "texture": made_patterns.scrolling_texture,
    "shapes": made_patterns.moving_shapes,
    "solids": made_patterns.solids,
}
"""Generators of contents."""

UNRELATED: Mapping[str, Callable[[Chance], Paint]] = {
    **CONTENTS,
    "plasma": made_patterns.plasma,
    "cells": made_patterns.cells,
    "gradients": made_patterns.gradients,
    "talking-head": made_screens.talking_head,
    "chat": made_screens.chat,
    "credits": made_screens.credits_roll,
    "starting-soon": made_screens.starting_soon,
    "night": made_sights.night_street,
}
"""Generators of unrelated footage."""

EXTRA = {"ticker": made_screens.ticker}
"""Generators of what is only laid over others."""


@dataclass(frozen=True, slots=True)
class Made:
    """A made video: its generator, its seed, its length in seconds and its frame rate."""

    generator: str
    seed: int
    length_s: float
    fps: int = 25

    def encode(self, out: Path) -> None:
        """Paint and encode it, nearly without loss: x264 at crf 14.

        Raises:
            ProgramUnavailable: there is no ffmpeg, or it failed.
        """
        generators = {**UNRELATED, **EXTRA}
        paint = generators[self.generator](np.random.default_rng(self.seed))
        picture = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}"]
        quietly = [str(find("ffmpeg")), "-v", "error", "-nostdin", "-y"]
        coded = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "14", "-threads", "1"]
        coded += KEYFRAMES
        command = [*quietly, *picture, "-r", str(self.fps), "-i", "pipe:", "-vf"]
        command += ["format=yuv420p", *coded, str(out)]
        # stderr is not read while frames are written: with -v error it stays short
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None  # noqa: S101  # it was asked for
            for number in range(round(self.length_s * self.fps)):
                process.stdin.write(paint(number / self.fps).tobytes())
            process.stdin.close()
        if process.returncode:
            raise ProgramUnavailable(f"ffmpeg failed (exit {process.returncode}) on {out.name}")
