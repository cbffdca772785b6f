/* What building and querying the slot tables share. */
#ifndef STREAMGUARD_SLOTS_H
#define STREAMGUARD_SLOTS_H

#include "hamming.h"
#include "kernels.h"

enum {
    MOST_SLOTS = 256,
    MAX_WIDTH = 24,
    MOST_FLIPS = 2, /* that are looked up in a slot */
    MOST_MASKS = 1 + MAX_WIDTH + MAX_WIDTH * (MAX_WIDTH - 1) / 2
};

/* The tables of one bank. */
typedef struct {
    const uint8_t *hashes;
    Py_ssize_t n_hashes;
    uint32_t *offsets; /* n_slots lines of n_values + 1 */
    uint8_t *ids;      /* n_slots lines of n_hashes numbers of id_bytes */
    int n_slots;
    int width_bits;
    Py_ssize_t n_values;
    int id_bytes;
} Tables;

/* The rows of a slot that have one of the values looked up: ids from `start`, so many. */
typedef struct {
    uint32_t start;
    uint32_t count;
} Run;

/* How far to look: see core/slots.py, `reach`. */
typedef struct {
    int needed;         /* least sum of flips + 1 over the slots */
    long long spending; /* candidates up to which more than that is looked up */
} Reach;

/* Take three arrays as the tables of a bank. Returns 0, or -1 with a Python error set. */
int take_tables(const Py_buffer *hashes, const Py_buffer *offsets, const Py_buffer *ids,
                Tables *tables);

/* Find the runs to look through, MOST_MASKS places for each slot, of which the first n_runs are to
 * be looked at. All lie inside the tables. Returns how many candidates they list. */
long long choose_runs(const Tables *tables, const uint8_t *pdq, const Reach *reach, Run *runs,
                      int *n_runs);

/* Give the value of one slot of a hash. */
static inline uint32_t value_of(const uint8_t *hash, int slot, int width_bits)
{
    int first = slot * width_bits;
    int byte = first / 8 < HASH_BYTES - 4 ? first / 8 : HASH_BYTES - 4;
    const uint8_t *four = hash + byte;
    uint32_t bits = four[0] | (uint32_t)four[1] << 8 | (uint32_t)four[2] << 16
                  | (uint32_t)four[3] << 24;
    return bits >> (first - 8 * byte) & (((uint32_t)1 << width_bits) - 1);
}

#endif
