/* Owns the choice of what to look up in the slot tables for one hash.
 *
 * Rule: the same runs are chosen as by `runs_near` in streamguard/core/slots.py, which says why they
 * leave out nothing near; whatever is in the tables, the runs lie inside them.
 */
#include "slots.h"

/* All ways to flip so many bits of a slot: those of `flips` end before ends[flips]. */
typedef struct {
    uint32_t masks[MOST_MASKS];
    int ends[MOST_FLIPS + 1];
} Masks;

static void list_masks(int width_bits, Masks *list)
{
    int n = 0;
    list->masks[n++] = 0;
    list->ends[0] = n;
    for (int one = 0; one < width_bits; one++) {
        list->masks[n++] = (uint32_t)1 << one;
    }
    list->ends[1] = n;
    for (int one = 0; one < width_bits; one++) {
        for (int other = one + 1; other < width_bits; other++) {
            list->masks[n++] = (uint32_t)1 << one | (uint32_t)1 << other;
        }
    }
    list->ends[2] = n;
}

/* Find the runs of one slot, and count the candidates for each number of flips. */
static void find_runs(const Tables *tables, const uint8_t *pdq, int slot, const Masks *list,
                      Run *runs, long long *shells)
{
    const uint32_t *offsets = tables->offsets + slot * (tables->n_values + 1);
    uint32_t own = value_of(pdq, slot, tables->width_bits);
    for (int i = 0; i < list->ends[MOST_FLIPS]; i++) {
        __builtin_prefetch(offsets + (own ^ list->masks[i]));
    }
    for (int flips = 0, i = 0; flips <= MOST_FLIPS; flips++) {
        shells[flips] = 0;
        for (; i < list->ends[flips]; i++) {
            uint32_t value = own ^ list->masks[i];
            uint32_t start = offsets[value], stop = offsets[value + 1];
            if (stop > tables->n_hashes) {
                stop = (uint32_t)tables->n_hashes;
            }
            runs[i] = (Run){start, stop > start ? stop - start : 0};
            shells[flips] += runs[i].count;
        }
    }
}

/* Choose how many flips are looked up in each slot: all, but while there are too many candidates,
 * the slot whose outermost flip costs most gives it up. Returns the number of candidates. */
static long long choose_flips(long long shells[][MOST_FLIPS + 1], int n_slots, const Reach *reach,
                              int *flips)
{
    int sum = n_slots * (MOST_FLIPS + 1);
    long long total = 0;
    for (int slot = 0; slot < n_slots; slot++) {
        flips[slot] = MOST_FLIPS;
        for (int i = 0; i <= MOST_FLIPS; i++) {
            total += shells[slot][i];
        }
    }
    for (; sum > reach->needed && total > reach->spending; sum--) {
        int costliest = -1;
        for (int slot = 0; slot < n_slots; slot++) {
            if (flips[slot] >= 0
                && (costliest < 0
                    || shells[slot][flips[slot]] > shells[costliest][flips[costliest]])) {
                costliest = slot;
            }
        }
        total -= shells[costliest][flips[costliest]--];
    }
    return total;
}

long long choose_runs(const Tables *tables, const uint8_t *pdq, const Reach *reach, Run *runs,
                      int *n_runs)
{
    Masks list;
    int flips[MOST_SLOTS];
    long long shells[MOST_SLOTS][MOST_FLIPS + 1];
    list_masks(tables->width_bits, &list);
    for (int slot = 0; slot < tables->n_slots; slot++) {
        find_runs(tables, pdq, slot, &list, runs + slot * MOST_MASKS, shells[slot]);
    }
    long long total = choose_flips(shells, tables->n_slots, reach, flips);
    for (int slot = 0; slot < tables->n_slots; slot++) {
        n_runs[slot] = flips[slot] < 0 ? 0 : list.ends[flips[slot]];
    }
    return total;
}
