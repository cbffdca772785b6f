/* Owns looking a hash up in the slot tables.
 *
 * Rule: rows come out in ascending order, each once; whatever is in the tables, no row past the last
 * hash is touched.
 */
#include "slots.h"

#include <limits.h>
#include <string.h>

/* The arrays that a query is given, and how many limits stand between IDS and ROWS. */
enum { QUERY, HASHES, OFFSETS, IDS, ROWS, BITS, N_VIEWS, N_LIMITS = 4 };

/* What stands for the number of hashes found where none were looked for. */
enum { TOO_MANY = -1, NO_MEMORY = -2 };

/* Hashes that are on their way into the cache while as many others are compared. With 16, 32 and
 * 192 a query among ten million took 12, 8 and 6 % longer. */
#define AHEAD 64

/* A set of rows, a bit for each. A word counts as 0 until its own bit in `used` is set, so that a
 * query clears 1 bit for 64 hashes and not 64. */
typedef struct {
    uint64_t *words; /* of 64 rows */
    uint64_t *used;  /* of 64 words */
    Py_ssize_t n_used;
} Marks;

/* What is asked, and where the answer goes. */
typedef struct {
    Tables tables;
    uint64_t query[WORDS];
    const uint8_t *pdq;
    unsigned within_bits;
    Reach reach;
    long long most; /* candidates beyond which a scan is less work */
    int64_t *rows;
    uint16_t *bits;
    Py_ssize_t room; /* of rows and bits */
} Search;

static inline uint32_t row_at(const uint8_t *id, int id_bytes)
{
    uint32_t low = id[0] | (uint32_t)id[1] << 8 | (uint32_t)id[2] << 16;
    return id_bytes == 3 ? low : low | (uint32_t)id[3] << 24;
}

/* Mark the rows that a slot's runs list. */
static void mark(const Tables *tables, int slot, const Run *runs, int n_runs, const Marks *marks)
{
    const uint8_t *ids = tables->ids + slot * tables->n_hashes * tables->id_bytes;
    int id_bytes = tables->id_bytes;
    for (int i = 0; i < n_runs; i++) {
        __builtin_prefetch(ids + (size_t)runs[i].start * (size_t)id_bytes);
    }
    for (int i = 0; i < n_runs; i++) {
        const uint8_t *id = ids + (size_t)runs[i].start * (size_t)id_bytes;
        for (uint32_t left = runs[i].count; left; left--, id += id_bytes) {
            uint32_t row = row_at(id, id_bytes);
            if (row < tables->n_hashes) {
                uint32_t word = row / 64;
                uint64_t *used = &marks->used[word / 64];
                uint64_t before = marks->words[word] & -(*used >> word % 64 & 1);
                marks->words[word] = before | (uint64_t)1 << row % 64;
                *used |= (uint64_t)1 << word % 64;
            }
        }
    }
}

INLINE Py_ssize_t compare(const Search *search, const uint32_t *rows, int n_rows,
                          Py_ssize_t n_found)
{
    for (int i = 0; i < n_rows; i++) {
        const uint8_t *hash = search->tables.hashes + (size_t)rows[i] * HASH_BYTES;
        unsigned bits = bits_between(search->query, hash);
        if (bits <= search->within_bits) {
            if (n_found < search->room) {
                search->rows[n_found] = rows[i];
                search->bits[n_found] = (uint16_t)bits;
            }
            n_found++;
        }
    }
    return n_found;
}

/* Compare the marked rows in their order. Returns how many are near. */
INLINE Py_ssize_t compare_marked(const Search *search, const Marks *marks)
{
    uint32_t ring[2][AHEAD + 64];
    int n_coming = 0, n_here = 0, coming = 0;
    Py_ssize_t n_found = 0;
    for (Py_ssize_t i = 0; i < marks->n_used; i++) {
        for (uint64_t used = marks->used[i]; used; used &= used - 1) {
            Py_ssize_t word = i * 64 + __builtin_ctzll(used);
            for (uint64_t left = marks->words[word]; left; left &= left - 1) {
                uint32_t row = (uint32_t)(word * 64 + __builtin_ctzll(left));
                __builtin_prefetch(search->tables.hashes + (size_t)row * HASH_BYTES);
                ring[coming][n_coming++] = row;
            }
            if (n_coming >= AHEAD) {
                n_found = compare(search, ring[!coming], n_here, n_found);
                n_here = n_coming;
                n_coming = 0;
                coming = !coming;
            }
        }
    }
    n_found = compare(search, ring[!coming], n_here, n_found);
    return compare(search, ring[coming], n_coming, n_found);
}

static Py_ssize_t compare_plain(const Search *search, const Marks *marks)
{
    return compare_marked(search, marks);
}

#if HAS_X86
FOR_AVX2 static Py_ssize_t compare_avx2(const Search *search, const Marks *marks)
{
    return compare_marked(search, marks); /* for its popcnt: four a hash */
}
#endif

static Py_ssize_t compare_best(const Search *search, const Marks *marks)
{
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        return compare_avx2(search, marks);
    }
#endif
    return compare_plain(search, marks);
}

/* Mark what the runs list, and compare it. Returns how many hashes are near, or NO_MEMORY. */
static Py_ssize_t compare_runs(const Search *search, const Run *runs, const int *n_runs)
{
    const Tables *tables = &search->tables;
    size_t n_words = (size_t)(tables->n_hashes + 63) / 64, n_used = (n_words + 63) / 64;
    uint64_t *words = PyMem_RawMalloc((n_words + n_used) * sizeof *words);
    if (words == NULL) {
        return NO_MEMORY;
    }
    Marks marks = {words, words + n_words, (Py_ssize_t)n_used};
    memset(marks.used, 0, n_used * sizeof *words);
    for (int slot = 0; slot < tables->n_slots; slot++) {
        mark(tables, slot, runs + slot * MOST_MASKS, n_runs[slot], &marks);
    }
    Py_ssize_t n_found = compare_best(search, &marks);
    PyMem_RawFree(words);
    return n_found;
}

/* Returns how many hashes are near, TOO_MANY or NO_MEMORY. */
static Py_ssize_t look_up(const Search *search)
{
    int n_runs[MOST_SLOTS];
    size_t n_places = (size_t)search->tables.n_slots * MOST_MASKS;
    Run *runs = PyMem_RawMalloc(n_places * sizeof *runs);
    if (runs == NULL) {
        return NO_MEMORY;
    }
    Py_ssize_t n_found = TOO_MANY;
    if (choose_runs(&search->tables, search->pdq, &search->reach, runs, n_runs) <= search->most) {
        n_found = compare_runs(search, runs, n_runs);
    }
    PyMem_RawFree(runs);
    return n_found;
}

/* Take what is asked. Returns 0, or -1 with a Python error set. */
static int take_search(PyObject *const *args, Py_buffer *views, Search *search)
{
    static const Wanted WANTED[] = {
        {"query", 'u', 1, 1, 0, 0}, {"hashes", 'u', 1, 2, 0, 0}, {"offsets", 'u', 4, 2, 0, 0},
        {"ids", 'u', 1, 3, 0, 0},   {"rows", 'i', 8, 1, 1, 0},   {"bits", 'u', 2, 1, 1, 0},
    };
    long long within_bits, needed;
    for (int i = 0; i < N_VIEWS; i++) {
        if (take_array(args[i < ROWS ? i : i + N_LIMITS], &WANTED[i], &views[i]) < 0) {
            return -1;
        }
    }
    PyObject *const *limits = args + ROWS;
    if (take_integer(limits[0], "within_bits", 0, HASH_BYTES * 8, &within_bits) < 0
        || take_integer(limits[1], "needed", 0, MOST_SLOTS * (MOST_FLIPS + 1), &needed) < 0
        || take_integer(limits[2], "spending", 0, LLONG_MAX, &search->reach.spending) < 0
        || take_integer(limits[3], "most", 0, LLONG_MAX, &search->most) < 0
        || take_tables(&views[HASHES], &views[OFFSETS], &views[IDS], &search->tables) < 0) {
        return -1;
    }
    if (views[QUERY].shape[0] != HASH_BYTES || views[ROWS].shape[0] != views[BITS].shape[0]) {
        PyErr_SetString(PyExc_ValueError, "a query is of 32 bytes, rows and bits of one length");
        return -1;
    }
    search->pdq = views[QUERY].buf;
    search->within_bits = (unsigned)within_bits;
    search->reach.needed = (int)needed;
    search->rows = views[ROWS].buf;
    search->bits = views[BITS].buf;
    search->room = views[ROWS].shape[0];
    memcpy(search->query, search->pdq, HASH_BYTES);
    return 0;
}

PyObject *slot_query(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    Py_buffer views[N_VIEWS];
    Search search;
    memset(views, 0, sizeof views);
    if (!has_arguments("slot_query", n_args, N_VIEWS + N_LIMITS)
        || take_search(args, views, &search) < 0) {
        give_back(views, N_VIEWS);
        return NULL;
    }
    Py_ssize_t n_found;
    Py_BEGIN_ALLOW_THREADS
    n_found = look_up(&search);
    Py_END_ALLOW_THREADS
    give_back(views, N_VIEWS);
    return n_found == NO_MEMORY ? PyErr_NoMemory() : PyLong_FromSsize_t(n_found);
}
