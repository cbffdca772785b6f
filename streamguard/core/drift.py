"""How far a connection has fallen behind the stream that it reads.

Rule: arrival is held against media time. What comes late stays late: in the buffers of a slow
network, or of a server, that nobody sees.
"""

MAX_SKEW = 2e-4
"""How much faster or slower than ours a sender's clock may run and be no drift, seconds a second:
quartz keeps to 1e-4, so two of them to this."""


class Drift:
    """One connection; fed with packets in the order of reading.

    The soonest packet is the measure: a server begins with what it held back, all at once.
    """

    def __init__(self) -> None:
        self._epoch = -1
        self._least_s = self._least_at_s = 0.0
        self.behind_s = 0.0
        """How much later the last packet came than the soonest one, seconds, 0 or more."""

    def read(self, epoch: int, dts_us: int, read_at_s: float) -> None:
        """Take a packet.

        epoch:     its timeline; a new one begins anew.
        dts_us:    its decode time there, microseconds.
        read_at_s: when it was read, Clock.monotonic(), seconds.
        """
        late_s = read_at_s - dts_us / 1e6
        least_s = self._least_s + MAX_SKEW * (read_at_s - self._least_at_s)
        if epoch != self._epoch or late_s <= least_s:
            self._epoch, self._least_s, self._least_at_s = epoch, late_s, read_at_s
            least_s = late_s
        self.behind_s = late_s - least_s
