"""Which passwords do.

Rule: a password is judged by how many guesses it takes, and by nothing else: no rule says which
characters it must have. Source: OWASP ASVS 5.0, 6.2.1 to 6.2.12.
"""

from zxcvbn import zxcvbn

from streamguard.core.errors import AccountRefused

MIN_PASSWORD, MAX_PASSWORD = 12, 128
"""Characters. Source: OWASP ASVS 5.0, 6.2.1 (8 or more, 15 recommended) and 6.2.9 (64 allowed)."""

LEAST_SCORE = 3
"""Of zxcvbn's 0 to 4: a hundred million guesses or more. It knows the 30,000 commonest passwords,
names, words, and how people lengthen and disguise them, so that none of the commonest that have 12
characters does (ASVS 5.0, 6.2.4 and 6.2.12)."""

JUDGED = 72
"""Characters that are judged, as many as zxcvbn takes: more can only be better."""

OURS = ("streamguard", "reviewer", "moderator", "livestream")
"""Words that whoever guesses a password of this console tries first (ASVS 5.0, 6.1.2)."""


def require_good(name: str, password: str) -> None:
    """Refuse a password that is soon guessed, for the account of this name.

    Raises:
        AccountRefused: it is.
    """
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise AccountRefused(f"a password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    judged = zxcvbn(password[:JUDGED], user_inputs=[name, *OURS])
    if judged["score"] < LEAST_SCORE:
        raise AccountRefused("this password is soon guessed: take several words, or a random one")
