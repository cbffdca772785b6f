"""Counts what a bank holds, by terms and by variant.

Rule: what was removed is not counted, what is quarantined is.
"""

from collections import Counter

import numpy as np

from streamguard.core.bank import Bank
from streamguard.core.bank_values import Terms


def count_terms(bank: Bank) -> Counter[Terms]:
    """Count the entries that are in a bank on the same terms."""
    counts: Counter[Terms] = Counter()
    for table in (bank.base.table, bank.tail):
        of_each = np.bincount(table.terms_of, minlength=len(table.terms)).tolist()
        counts.update(dict(zip(table.terms, of_each, strict=True)))
    for number in bank.dead.tolist():
        counts[bank.first_terms_of(number)] -= 1
    for number, terms in bank.changed.items():
        counts[bank.first_terms_of(number)] -= 1
        counts[terms] += 1
    return +counts


def count_variants(bank: Bank) -> Counter[int]:
    """Count the hashes of each variant."""
    counts = np.bincount(bank.base.table.variants, minlength=256)
    counts += np.bincount(bank.tail.variants, minlength=256)
    for number in bank.dead.tolist():
        table, row = bank.place_of(number)
        counts -= np.bincount(table.variants[table.rows_of(row)], minlength=256)
    return Counter({variant: n for variant, n in enumerate(counts.tolist()) if n})
