/* Owns the tables that list hashes by the values in slots of theirs.
 *
 * Rule: each line of ids is the rows of all hashes, by the slot's value, ascending within a value.
 * streamguard/core/slots.py says what they are for, and builds the same without a compiler.
 */
#include "slots.h"

#include <string.h>

int take_tables(const Py_buffer *hashes, const Py_buffer *offsets, const Py_buffer *ids,
                Tables *tables)
{
    Py_ssize_t n_slots = offsets->shape[0], n_values = offsets->shape[1] - 1;
    int width_bits = 1;
    while (width_bits < MAX_WIDTH && (Py_ssize_t)1 << width_bits < n_values) {
        width_bits++;
    }
    if (hashes->shape[1] != HASH_BYTES || n_values != (Py_ssize_t)1 << width_bits
        || n_slots < 1 || n_slots * width_bits > 8 * HASH_BYTES || ids->shape[0] != n_slots
        || ids->shape[1] != hashes->shape[0] || ids->shape[1] > UINT32_MAX
        || (ids->shape[2] != 3 && ids->shape[2] != 4)) {
        PyErr_SetString(PyExc_ValueError,
                        "hashes are of 32 bytes; offsets are a line of 2**width + 1 for each slot; "
                        "ids are a line of 3 or 4 bytes a hash for each slot");
        return -1;
    }
    *tables = (Tables){
        .hashes = hashes->buf,
        .n_hashes = hashes->shape[0],
        .offsets = offsets->buf,
        .ids = ids->buf,
        .n_slots = (int)n_slots,
        .width_bits = width_bits,
        .n_values = n_values,
        .id_bytes = (int)ids->shape[2],
    };
    return 0;
}

/* Sort the rows by their value in one slot: count, then place each where its value begins. */
static void build_slot(const Tables *tables, int slot)
{
    uint32_t *offsets = tables->offsets + slot * (tables->n_values + 1);
    uint8_t *ids = tables->ids + slot * tables->n_hashes * tables->id_bytes;
    memset(offsets, 0, (size_t)(tables->n_values + 1) * sizeof *offsets);
    for (Py_ssize_t row = 0; row < tables->n_hashes; row++) {
        offsets[value_of(tables->hashes + row * HASH_BYTES, slot, tables->width_bits) + 1]++;
    }
    for (Py_ssize_t value = 0; value < tables->n_values; value++) {
        offsets[value + 1] += offsets[value];
    }
    for (Py_ssize_t row = 0; row < tables->n_hashes; row++) {
        uint32_t value = value_of(tables->hashes + row * HASH_BYTES, slot, tables->width_bits);
        uint8_t *id = ids + (Py_ssize_t)offsets[value]++ * tables->id_bytes;
        for (int byte = 0; byte < tables->id_bytes; byte++) {
            id[byte] = (uint8_t)(row >> 8 * byte);
        }
    }
    /* each value's place has moved on to where the next value begins */
    memmove(offsets + 1, offsets, (size_t)tables->n_values * sizeof *offsets);
    offsets[0] = 0;
}

PyObject *slot_build(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[] = {
        {"hashes", 'u', 1, 2, 0, 0},
        {"offsets", 'u', 4, 2, 1, 0},
        {"ids", 'u', 1, 3, 1, 0},
    };
    enum { HASHES, OFFSETS, IDS, N_VIEWS };
    Py_buffer views[N_VIEWS];
    Tables tables;
    memset(views, 0, sizeof views);
    if (!has_arguments("slot_build", n_args, N_VIEWS)
        || take_array(args[0], &WANTED[HASHES], &views[HASHES]) < 0
        || take_array(args[1], &WANTED[OFFSETS], &views[OFFSETS]) < 0
        || take_array(args[2], &WANTED[IDS], &views[IDS]) < 0
        || take_tables(&views[HASHES], &views[OFFSETS], &views[IDS], &tables) < 0) {
        give_back(views, N_VIEWS);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    for (int slot = 0; slot < tables.n_slots; slot++) {
        build_slot(&tables, slot);
    }
    Py_END_ALLOW_THREADS
    give_back(views, N_VIEWS);
    Py_RETURN_NONE;
}

