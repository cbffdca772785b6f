from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.errors import ConfigError
from streamguard.core.policy import CategoryRule, HashRule, Policy
from streamguard.core.types import Severity
from streamguard.policy_file import HashTable, load_policy


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


def test_without_a_file_every_match_is_p1_at_the_standard_distance() -> None:
    policy = load_policy(None)

    assert policy == Policy()
    assert policy.hash_rule("ANY-CODE") == HashRule(Severity.P1, max_distance_bits=31)


def test_a_code_gets_its_rule_and_any_other_the_default(file: Path) -> None:
    file.write_text("""
        version = "2026-11"
        [default]
        severity = "P3"
        [banks.TVEC-ATTACK-FOOTAGE]
        severity = "P0"
        max_distance_bits = 24
        min_quality = 60
        min_votes = 2
        [categories.weapon]
        severity = "P1"
        threshold = 0.9
        exonerating = ["gameplay", "film"]
    """)

    policy = load_policy(file)

    assert policy.version == "2026-11"
    assert policy.hash_rule("TVEC-ATTACK-FOOTAGE") == HashRule(Severity.P0, 24, 60, 2)
    assert policy.hash_rule("ANY-OTHER") == HashRule(severity=Severity.P3)
    assert policy.categories == {"weapon": CategoryRule(Severity.P1, 0.9, ("gameplay", "film"))}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[default]\nseverity = "P1"', ": version: Field required"),
        ("version = 1", ":1: version: Input should be a valid string"),
        ('version = ""', ":1: version: String should have at least 1 character"),
        ('version = "1"\nbank = 1', ":2: bank: there is no such setting; is it misspelt?"),
        ('version = "1"\n[bank.A]\nmin_votes = 1', ":2: bank: there is no such setting"),
        ('version = "1"\n[default]\nvotes = 1', ":3: default.votes: there is no such setting"),
        ('version = "1"\n[default]\nseverity = "P4"', ":3: default.severity: Input should be 'P0'"),
        ('version = "1"\n[banks.A]\nmax_distance_bits = 32', ":3: banks.A.max_distance_bits: "),
        ('version = "1"\n[banks.A]\nmax_distance_bits = -1', ":3: banks.A.max_distance_bits: "),
        ('version = "1"\n[banks.A]\nmin_quality = 49', ":3: banks.A.min_quality: "),
        ('version = "1"\n[banks.A]\nmin_quality = 101', ":3: banks.A.min_quality: "),
        ('version = "1"\n[banks.A]\nmin_votes = 0', ":3: banks.A.min_votes: "),
        (
            'version = "1"\n[banks.a-b]\nmin_votes = 1',
            ":2: banks.a-b.[key]: a policy code is ",
        ),
        ('version = "1"\n[categories.x]\nthreshold = 0', ":3: categories.x.threshold: "),
        ('version = "1"\n[categories.x]\nthreshold = 1.01', ":3: categories.x.threshold: "),
        (
            'version = "1"\n[categories.x]\nexonerating = ["a", "b", "c", "d", "e"]',
            ":3: categories.x.exonerating: ",
        ),
        ("version = \n", " is not valid TOML: Invalid value (at line 1, column 11)"),
    ],
)
def test_a_wrong_policy_is_refused_with_the_line(text: str, problem: str, file: Path) -> None:
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load_policy(file)

    assert str(caught.value).startswith(f"{file}{problem}")
    assert "\n" not in str(caught.value)


@given(
    bits=st.sampled_from([0, 31]),
    quality=st.sampled_from([50, 100]),
    votes=st.sampled_from([1, 100]),
)
def test_the_edges_of_each_bound_are_allowed(bits: int, quality: int, votes: int) -> None:
    table = HashTable(max_distance_bits=bits, min_quality=quality, min_votes=votes)

    assert (table.max_distance_bits, table.min_quality, table.min_votes) == (bits, quality, votes)
