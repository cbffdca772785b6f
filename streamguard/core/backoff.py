"""How long to wait before a source is tried again.

Rule: the first try is immediate, later ones are spread by chance so that a thousand streams do not
come back in one instant; the cap keeps the promise to begin within 2 s of a server's return.
"""

FIRST_S = 1.0
"""Longest wait after the second failure in a row; each further one doubles it."""

CAP_S = 2.0


def delay_s(n_failures: int, chance: float) -> float:
    """Give the seconds to wait after so many failures in a row; full jitter.

    chance: drawn evenly from [0, 1) by the caller.
    """
    if n_failures <= 1:
        return 0.0
    doublings = min(n_failures - 2, 8)  # beyond the cap already
    return float(min(CAP_S, FIRST_S * 2**doublings) * chance)
