/* Owns comparing hashes of 256 bits, one or several with many.
 *
 * Rule: rows come out in ascending order, whatever the instructions.
 */
#include "hamming.h"
#include "kernels.h"

#include <string.h>

/* What a scan compares, and where it writes what is near. */
typedef struct {
    const uint8_t *query;
    const uint8_t *hashes;
    Py_ssize_t n_hashes;
    unsigned within_bits;
    int64_t *rows;
    uint16_t *bits;
    Py_ssize_t room; /* of rows and bits */
} Scan;

/* Write what is near from row `row` on; `n_found` were found before. Returns how many are now. */
INLINE Py_ssize_t scan_from(const Scan *scan, Py_ssize_t row, Py_ssize_t n_found)
{
    uint64_t query[WORDS];
    memcpy(query, scan->query, HASH_BYTES);
    for (; row < scan->n_hashes; row++) {
        unsigned bits = bits_between(query, scan->hashes + row * HASH_BYTES);
        if (bits <= scan->within_bits) {
            if (n_found < scan->room) {
                scan->rows[n_found] = row;
                scan->bits[n_found] = (uint16_t)bits;
            }
            n_found++;
        }
    }
    return n_found;
}

static Py_ssize_t scan_plain(const Scan *scan)
{
    return scan_from(scan, 0, 0);
}

#if HAS_X86
FOR_AVX2 static Py_ssize_t scan_avx2(const Scan *scan) /* for its popcnt: four a hash */
{
    return scan_from(scan, 0, 0);
}

/* Eight hashes a step: four vectors of two, whose counts share the 16-bit quarters of one. */
FOR_AVX512 static Py_ssize_t scan_avx512(const Scan *scan)
{
    const __m512i query =
        _mm512_broadcast_i64x4(_mm256_loadu_si256((const __m256i *)scan->query));
    const __m512i within = _mm512_set1_epi16((short)scan->within_bits);
    Py_ssize_t n_found = 0, row = 0;
    for (; row + 8 <= scan->n_hashes; row += 8) {
        const uint8_t *hashes = scan->hashes + row * HASH_BYTES;
        __m512i sums = _mm512_setzero_si512();
        for (int pair = 3; pair >= 0; pair--) {
            __m512i two = _mm512_loadu_si512(hashes + pair * 2 * HASH_BYTES);
            __m512i counts = _mm512_popcnt_epi64(_mm512_xor_si512(two, query));
            sums = _mm512_add_epi64(_mm512_slli_epi64(sums, 16), counts);
        }
        sums = _mm512_add_epi64(sums, _mm512_permutex_epi64(sums, 0x4E));
        sums = _mm512_add_epi64(sums, _mm512_permutex_epi64(sums, 0xB1));
        if (_mm512_cmple_epu16_mask(sums, within)) {
            Scan eight = *scan;
            eight.n_hashes = row + 8;
            n_found = scan_from(&eight, row, n_found);
        }
    }
    return scan_from(scan, row, n_found);
}
#endif

static Py_ssize_t scan_best(const Scan *scan)
{
#if HAS_X86
    if (instructions_in_use >= AVX512) {
        return scan_avx512(scan);
    }
    if (instructions_in_use >= AVX2) {
        return scan_avx2(scan);
    }
#endif
    return scan_plain(scan);
}

PyObject *hamming_scan(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[] = {
        {"query", 'u', 1, 1, 0, 0},
        {"hashes", 'u', 1, 2, 0, 0},
        {"rows", 'i', 8, 1, 1, 0},
        {"bits", 'u', 2, 1, 1, 0},
    };
    enum { QUERY, HASHES, ROWS, BITS, N_VIEWS };
    Py_buffer views[N_VIEWS];
    long long within_bits;
    Py_ssize_t n_found;
    memset(views, 0, sizeof views);
    if (!has_arguments("hamming_scan", n_args, 5)
        || take_integer(args[2], "within_bits", 0, HASH_BYTES * 8, &within_bits) < 0
        || take_array(args[0], &WANTED[QUERY], &views[QUERY]) < 0
        || take_array(args[1], &WANTED[HASHES], &views[HASHES]) < 0
        || take_array(args[3], &WANTED[ROWS], &views[ROWS]) < 0
        || take_array(args[4], &WANTED[BITS], &views[BITS]) < 0) {
        give_back(views, N_VIEWS);
        return NULL;
    }
    if (views[QUERY].shape[0] != HASH_BYTES || views[HASHES].shape[1] != HASH_BYTES
        || views[ROWS].shape[0] != views[BITS].shape[0]) {
        give_back(views, N_VIEWS);
        return PyErr_Format(PyExc_ValueError,
                            "hashes are of %d bytes, rows and bits of one length", HASH_BYTES);
    }
    Scan scan = {
        .query = views[QUERY].buf,
        .hashes = views[HASHES].buf,
        .n_hashes = views[HASHES].shape[0],
        .within_bits = (unsigned)within_bits,
        .rows = views[ROWS].buf,
        .bits = views[BITS].buf,
        .room = views[ROWS].shape[0],
    };
    Py_BEGIN_ALLOW_THREADS
    n_found = scan_best(&scan);
    Py_END_ALLOW_THREADS
    give_back(views, N_VIEWS);
    return PyLong_FromSsize_t(n_found);
}

PyObject *hamming_any(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[] = {
        {"queries", 'u', 1, 2, 0, 0},
        {"hashes", 'u', 1, 2, 0, 0},
        {"is_near", 'u', 1, 1, 1, 0},
    };
    enum { QUERIES, HASHES, IS_NEAR, N_VIEWS };
    Py_buffer views[N_VIEWS];
    long long within_bits;
    memset(views, 0, sizeof views);
    if (!has_arguments("hamming_any", n_args, 4)
        || take_integer(args[2], "within_bits", 0, HASH_BYTES * 8, &within_bits) < 0
        || take_array(args[0], &WANTED[QUERIES], &views[QUERIES]) < 0
        || take_array(args[1], &WANTED[HASHES], &views[HASHES]) < 0
        || take_array(args[3], &WANTED[IS_NEAR], &views[IS_NEAR]) < 0) {
        give_back(views, N_VIEWS);
        return NULL;
    }
    if (views[QUERIES].shape[1] != HASH_BYTES || views[HASHES].shape[1] != HASH_BYTES
        || views[QUERIES].shape[0] != views[IS_NEAR].shape[0]) {
        give_back(views, N_VIEWS);
        return PyErr_Format(PyExc_ValueError,
                            "hashes are of %d bytes, is_near as long as queries", HASH_BYTES);
    }
    Scan scan = {
        .hashes = views[HASHES].buf,
        .n_hashes = views[HASHES].shape[0],
        .within_bits = (unsigned)within_bits,
    };
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < views[QUERIES].shape[0]; i++) {
        scan.query = (const uint8_t *)views[QUERIES].buf + i * HASH_BYTES;
        ((uint8_t *)views[IS_NEAR].buf)[i] = scan_best(&scan) > 0;
    }
    Py_END_ALLOW_THREADS
    give_back(views, N_VIEWS);
    Py_RETURN_NONE;
}
