"""How long to wait before a source is tried again.

Rule: the first try is immediate, later ones are spread by chance so that a thousand streams do not
come back in one instant, ever further, so that a server in trouble is not troubled more.
"""

FIRST_S = 0.25
"""Longest wait after the second failure in a row; each further one doubles it."""

CAP_S = 15.0
"""Longest wait of all: what comes back unannounced is seen so late at worst, half of it on average.
Whoever can tell that it is back (discovery, or a server that takes connections again) ends it."""


def delay_s(n_failures: int, chance: float) -> float:
    """Give the seconds to wait after so many failures in a row; full jitter.

    chance: drawn evenly from [0, 1) by the caller.

    Source: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    if n_failures <= 1:
        return 0.0
    doublings = min(n_failures - 2, 6)  # beyond the cap already
    return float(min(CAP_S, FIRST_S * 2**doublings) * chance)
