"""Erases evidence whose time is over, and proves it.

Rule: whoever orders it has seen the plan, and what changed since is not erased. The order is on
record before the first byte goes, with the hashes of what goes; that all of it is gone, after it
was looked for. An erasure that a crash broke off is finished by the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streamguard.adapters.failpoint import reach
from streamguard.core.custody import Detail, Entry, Ledger, Standing, instant
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.retention import Retention, is_due, plan_id
from streamguard.vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Due:
    """An evidence that is to be erased.

    sha256: of all its parts.
    """

    standing: Standing
    delete_after: str
    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be erased now; `id` is what whoever orders it has to name."""

    due: tuple[Due, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Round:
    """What came of looking once: how many are due still, and how many were erased."""

    n_due: int
    n_erased: int


def plan_purge(vault: Vault, rules: Retention) -> Plan:
    """Find what is to be erased now; nothing is.

    Raises:
        EvidenceDamaged: the custody is not what was written.
    """
    now_s = vault.clock.wall()
    ledger, parts = Ledger(), dict[str, list[str]]()
    for entry in vault.entries():  # once: it may be long, and grows meanwhile
        ledger.take(entry)
        hashes = entry.detail.get("sha256")
        if entry.action == "collect" and isinstance(hashes, tuple):
            parts.setdefault(entry.evidence_id, []).extend(hashes)
    due = tuple(
        Due(
            standing,
            instant(rules.delete_after_s(standing)),
            tuple(parts.get(standing.evidence_id, ())),
        )
        for standing in ledger.evidence.values()
        if is_due(standing, rules, now_s)
    )
    return Plan(due, plan_id(each.standing for each in due))


def erase(
    vault: Vault, rules: Retention, plan: Plan, seen: str, actor: str
) -> Iterator[tuple[Due, Entry]]:
    """Erase what the plan names, one after another; yield each with the entry that proves it.

    seen: the id of the plan that was looked at.

    Raises:
        ConfigError: another plan was looked at; nothing was erased.
        EvidenceUnavailable: something cannot be erased; what came before is.
    """
    if seen != plan.id:
        raise ConfigError(f"the plan is now {plan.id}, not {seen}: look at it, then name it")
    for due in plan.due:
        yield due, _erase(vault, rules, due, actor)


class Purger:
    """Erases by itself what is due, as long as it was told before.

    What a round finds due is erased by the next one, if nothing was done with it in between: a
    clock that was wrong for less than that, or a rule mistyped and put right, erases nothing.
    """

    def __init__(self, vault: Vault, rules: Retention, actor: str, most: int) -> None:
        """most: how many a round may erase; 0 erases none, and tells of all."""
        self._vault = vault
        self._rules = rules
        self._actor = actor
        self._most = most
        self._told: dict[str, str] = {}

    def round(self) -> Round:
        """Erase what was told the last time, the oldest first; tell what is due now.

        Raises:
            EvidenceDamaged: the custody is not what was written; nothing was erased.
            EvidenceUnavailable: something cannot be erased; what came before is.
        """
        told, self._told = self._told, {}
        plan = plan_purge(self._vault, self._rules)
        was_told = [
            each
            for each in plan.due
            if told.get(each.standing.evidence_id) == each.standing.last_hash
        ]
        n_erased = 0
        for due in sorted(was_told, key=lambda due: due.delete_after)[: self._most]:
            try:
                _erase(self._vault, self._rules, due, self._actor)
            except ConfigError:
                continue  # somebody was there first: it is looked at again
            n_erased += 1
        left = plan_purge(self._vault, self._rules) if n_erased else plan
        self._told = {each.standing.evidence_id: each.standing.last_hash for each in left.due}
        return Round(len(left.due), n_erased)


def _erase(vault: Vault, rules: Retention, due: Due, actor: str) -> Entry:
    """Erase one evidence; once the order is on record, nobody adds anything to it.

    Others may keep evidence meanwhile: a store elsewhere may take its time.
    """
    evidence_id, purpose = due.standing.evidence_id, f"kept until {due.delete_after}"
    detail: Detail = {"class": due.standing.evidence_class, "sha256": due.sha256}
    with vault.changing() as chain:
        standing = chain.ledger.evidence[evidence_id]
        if standing.last_hash != due.standing.last_hash:
            raise ConfigError(f"evidence {evidence_id} has changed: look at the plan again")
        if not is_due(standing, rules, vault.clock.wall()):
            raise ConfigError(f"evidence {evidence_id} is not due: look at the plan again")
        if standing.state == "kept":
            chain.append(evidence_id, "delete", detail, actor=actor, purpose=purpose)
        reach("evidence_erasure_ordered")
    _clear(vault, evidence_id)
    with vault.changing() as chain:
        if chain.ledger.evidence[evidence_id].state == "erased":
            raise ConfigError(f"evidence {evidence_id} was erased by somebody else meanwhile")
        return chain.append(evidence_id, "erased", detail, actor=actor, purpose=purpose)


def _clear(vault: Vault, evidence_id: str) -> None:
    """Remove all of an evidence, and look that none of it is left."""
    try:
        vault.folder.erase(evidence_id)
        reach("evidence_erased")
        left = vault.folder.objects(evidence_id)
    except OSError as error:
        raise EvidenceUnavailable(
            f"evidence {evidence_id} cannot be erased: {error.strerror}"
        ) from None
    if left:
        raise EvidenceUnavailable(f"evidence {evidence_id} is still there: {', '.join(left)}")
