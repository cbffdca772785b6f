/* Owns remembering how densely the lines of a stream's pictures were marked.
 *
 * Rule: what is remembered is said in streamguard/core/edges.py, whose numpy way gives the same
 * floats.
 */
#include "kernels.h"

#include <string.h>

/* What lines are, were, and are taken for: so many floats each. */
typedef struct {
    const float *now, *last;
    float *mean, *shown;
    Py_ssize_t n;
    float n_seen, new_cost;
    int takes_blank;
    double least_share;
} Memory;

INLINED float most(float a, float b)
{
    return a > b ? a : b;
}

/* Add up in eight lanes: one waits four cycles for each addition. */
INLINED double sum_of(const float *values, Py_ssize_t n)
{
    double sums[8] = {0};
    Py_ssize_t i = 0;
    for (; i + 8 <= n; i += 8) {
        for (int lane = 0; lane < 8; lane++) {
            sums[lane] += values[i + lane];
        }
    }
    for (; i < n; i++) {
        sums[0] += values[i];
    }
    return sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] + sums[7];
}

/* Returns whether hardly anything is marked now. */
INLINED int join_all(const Memory *memory)
{
    const float *restrict now = memory->now, *restrict last = memory->last;
    float *restrict mean = memory->mean, *restrict shown = memory->shown;
    int is_blank = sum_of(now, memory->n) < memory->least_share * (double)memory->n;
    if (memory->takes_blank || !is_blank) {
        for (Py_ssize_t i = 0; i < memory->n; i++) {
            mean[i] += (now[i] - mean[i]) / memory->n_seen;
        }
    }
    for (Py_ssize_t i = 0; i < memory->n; i++) {
        float stands = (now[i] + last[i]) / 2;
        shown[i] = most(mean[i], most(stands, now[i] - memory->new_cost));
    }
    return is_blank;
}

static int join_plain(const Memory *memory)
{
    return join_all(memory);
}

#if HAS_X86
FOR_AVX2 static int join_avx2(const Memory *memory)
{
    return join_all(memory);
}
#endif

static int join_best(const Memory *memory)
{
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        return join_avx2(memory);
    }
#endif
    return join_plain(memory);
}

enum { NOW, LAST, MEAN, SHOWN, N_JOINED };

/* Read the numbers after the arrays. Returns 0, or -1 with an error set. */
static int take_memory(Memory *memory, const Py_buffer *views, PyObject *const *args)
{
    long long n_seen, takes_blank;
    if (take_integer(args[0], "n_seen", 1, INT32_MAX, &n_seen) < 0
        || take_integer(args[1], "takes_blank", 0, 1, &takes_blank) < 0) {
        return -1;
    }
    double least_share = PyFloat_AsDouble(args[2]), new_cost = PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred()) {
        return -1;
    }
    *memory = (Memory){
        .now = views[NOW].buf,
        .last = views[LAST].buf,
        .mean = views[MEAN].buf,
        .shown = views[SHOWN].buf,
        .n = views[NOW].len / (Py_ssize_t)sizeof(float),
        .n_seen = (float)n_seen,
        .new_cost = (float)new_cost,
        .takes_blank = (int)takes_blank,
        .least_share = least_share,
    };
    return 0;
}

/* Take hold of the lines, all of one size. Returns 0, or -1 with an error set. */
static int take_lines(PyObject *const *args, Py_buffer *views)
{
    static const Wanted WANTED[N_JOINED] = {
        {"now", 'f', 4, 2, 0, 0},
        {"last", 'f', 4, 2, 0, 0},
        {"mean", 'f', 4, 2, 1, 0},
        {"shown", 'f', 4, 2, 1, 0},
    };
    for (int i = 0; i < N_JOINED; i++) {
        if (take_array(args[i], &WANTED[i], &views[i]) < 0) {
            return -1;
        }
        if (views[i].len != views[NOW].len) {
            PyErr_SetString(PyExc_ValueError, "lines of one size are joined");
            return -1;
        }
    }
    return 0;
}

PyObject *join_edges(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    Py_buffer views[N_JOINED];
    Memory memory;
    PyObject *result = NULL;
    memset(views, 0, sizeof views);
    if (!has_arguments("join_edges", n_args, N_JOINED + 4)) {
        return NULL;
    }
    if (take_lines(args, views) == 0 && take_memory(&memory, views, args + N_JOINED) == 0) {
        result = PyBool_FromLong(join_best(&memory));
    }
    give_back(views, N_JOINED);
    return result;
}
