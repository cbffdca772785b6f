from dataclasses import replace

from streamguard.core.reasons import REASONS, REASONS_VERSION, version_of


def test_a_list_that_says_anything_else_has_another_name() -> None:
    code, reason = next(iter(REASONS.items()))
    others = [
        {one: REASONS[one] for one in REASONS if one != code},
        {**REASONS, code: replace(reason, text="something else")},
        {**REASONS, code: replace(reason, outcomes=frozenset({"rejected"}))},
        {**REASONS, code: replace(reason, context="satire")},
    ]

    names = {version_of(one) for one in others}

    assert version_of(dict(REASONS)) == REASONS_VERSION
    assert len(names) == len(others)
    assert REASONS_VERSION not in names
