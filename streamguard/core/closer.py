"""Chooses the samples that deserve a closer look: at what an overlay leaves free of them.

Rule: what is near and not known yet is looked at closer at any time, all else now and then: under a
logo a dark plain picture is near nothing, and a picture that stands still comes no nearer.
"""

from collections.abc import Collection, Sequence

from streamguard.core.banks import Banks
from streamguard.core.following import Key
from streamguard.core.hearing import Heard
from streamguard.core.sides import N_FIRST
from streamguard.core.types import View
from streamguard.core.variants import OVERLAYS

LOOK_EVERY = 8
"""One of so many samples that are near nothing is looked at closer, every 16 s where keyframes come
every 2 s. Three needles then, six where there are bars, and their hashes cost 0.4 ms with a bank of
a million, or 0.05 ms a sample, whose decoding takes 12."""

LOOK_ON = 4
"""Samples that are looked at closer after one that came near by a closer look alone: nothing else
may show it again, and its flag would close and open."""


class Closer:
    """How long ago one stream was looked at closer, and what came of it."""

    def __init__(self) -> None:
        self._n_since = LOOK_EVERY
        self._n_left = 0

    def came_near(self) -> None:
        """Take note that the views it gave last are near something."""
        self._n_left = LOOK_ON

    def views(self, banks: Banks, heard: Heard, found: Collection[Key]) -> Sequence[View]:
        """Give the further views that a sample is to be held against the banks with.

        heard: what the banks said of its views.
        found: the entries that it is known to show, those of its strong hits among them.
        """
        chosen = self._chosen(heard, found)
        if not chosen or not any(OVERLAYS in bank.settings.variants for bank in banks.banks):
            return ()
        return [side for side in chosen if side.is_matchable]

    def _chosen(self, heard: Heard, found: Collection[Key]) -> Sequence[View]:
        """Choose the sides of the view that is near, or of the whole and the content."""
        self._n_since += 1
        if heard.hits:
            view, nearest = min(heard.hits, key=lambda hit: hit[1].distance_bits)
            return () if (nearest.bank, nearest.entry) in found else view.sides()
        looked = [view for view in heard.views if view.region != "inset"][:2]
        if self._n_left:
            self._n_left -= 1
            return [side for view in looked for side in view.sides()]
        if self._n_since < LOOK_EVERY:
            return ()
        self._n_since = 0
        return [side for view in looked for side in view.sides(n_first=N_FIRST)]
