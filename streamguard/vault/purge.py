"""Erases evidence whose time is over, and proves it.

Rule: whoever orders it has seen the plan, and what changed since is not erased. The order is on
record before the first byte goes, with the hashes of what goes; that all of it is gone, after it
was looked for. An erasure that a crash broke off is finished by the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from streamguard.adapters.failpoint import reach
from streamguard.core.custody import Detail, Entry, Standing, instant
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


def plan_purge(vault: Vault, rules: Retention) -> Plan:
    """Find what is to be erased now; nothing is.

    Raises:
        EvidenceDamaged: the custody is not what was written.
    """
    now_s = vault.clock.wall()
    ledger, parts = vault.ledger(), dict[str, list[str]]()
    for entry in vault.entries():
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


def _erase(vault: Vault, rules: Retention, due: Due, actor: str) -> Entry:
    """Erase one evidence, while nobody else may write to the store."""
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
        vault.folder.erase(evidence_id)
        reach("evidence_erased")
        if left := vault.folder.objects(evidence_id):
            raise EvidenceUnavailable(f"evidence {evidence_id} is still there: {', '.join(left)}")
        return chain.append(evidence_id, "erased", detail, actor=actor, purpose=purpose)
