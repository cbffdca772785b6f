"""What `evidence mend` does.

Rule: whoever orders it has seen what is wrong, and what could not be saved.
"""

import argparse

from streamguard.core.errors import ConfigError
from streamguard.vault.mending import mend as begin_anew
from streamguard.vault.mending import plan_mending
from streamguard.verbs.evidence_verbs import vault_of


def mend(arguments: argparse.Namespace) -> int:
    """Tell what is wrong with the chain of custody, or begin it anew behind that."""
    vault = vault_of(arguments)
    if arguments.begin is not None:
        if not arguments.purpose:
            raise ConfigError("say what happened: --purpose TEXT")
        entry = begin_anew(vault, arguments.begin, arguments.by, arguments.purpose)
        told = entry.detail
        print(f"{entry.at}  begun anew by entry {entry.seq}, {entry.hash}")
        print(f"{told['n_again']} entries again; the damaged chain is {told['file']}")
        return 0
    plan = plan_mending(vault)
    print(f"custody.jsonl: {plan.problem}")
    print(f"{plan.n_sound} entries are sound and stay; {len(plan.again)} after them are made again")
    for again in plan.again:
        print(f"  again: {again.action} {again.evidence_id} {again.detail.get('at', '')}")
    for line in plan.left_out:
        print(f"  in the damaged chain alone: {line}")
    print(f"plan {plan.id}: nothing was changed")
    return 0
