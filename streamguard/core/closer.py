"""Chooses the samples that deserve a closer look: without what an overlay may cover.

Rule: only what is near and not known yet is looked at closer, at any time, and now and then a
picture that hardly moves: it will not come nearer by itself.
"""

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from streamguard.core.banks import Banks
from streamguard.core.following import Key
from streamguard.core.hearing import Heard
from streamguard.core.types import View
from streamguard.core.variants import OVERLAYS
from streamguard.core.vote import bits_between

SLOW_BITS = 96
"""A hash within so many bits of the one before shows a scene that goes on. Of keyframes 2 s apart
those of a code editor, of a city and of cameras that stand still lie 14 to 92 bits apart, those of
handheld film 108 to 124, and unrelated pictures 128."""

SLOW_EVERY = 8
"""Samples from one closer look at a scene that goes on to the next: each has four needles, eight
where there are bars, which is half a needle a sample, and 0.06 ms with a bank of a million."""


class Closer:
    """What one stream shows, as far as it decides where to look closer."""

    def __init__(self) -> None:
        self._last: NDArray[np.uint8] | None = None
        self._n_since = SLOW_EVERY

    def views(self, banks: Banks, heard: Heard, found: Collection[Key]) -> Sequence[View]:
        """Give the further views that a sample is to be held against the banks with.

        heard: what the banks said of its views.
        found: the entries that it is known to show, those of its strong hits among them.
        """
        chosen = self._chosen(heard, found)
        if not chosen or not any(OVERLAYS in bank.settings.variants for bank in banks.banks):
            return ()
        self._n_since = 0
        return [side for view in chosen for side in view.sides() if side.is_matchable]

    def _chosen(self, heard: Heard, found: Collection[Key]) -> Sequence[View]:
        """Choose the view that is near, or of a scene that goes on the whole and the content."""
        self._n_since += 1
        goes_on = self._goes_on(heard.views)
        if heard.hits:
            view, nearest = min(heard.hits, key=lambda hit: hit[1].distance_bits)
            return () if (nearest.bank, nearest.entry) in found else (view,)
        if not goes_on or self._n_since < SLOW_EVERY:
            return ()
        return [view for view in heard.views if view.region != "inset"][:2]

    def _goes_on(self, views: Sequence[View]) -> bool:
        last, self._last = self._last, views[0].pdq if views else None
        if last is None or self._last is None:
            return False
        return bits_between(last, self._last) <= SLOW_BITS
