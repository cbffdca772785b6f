/* Owns shrinking a luma plane to the thumbnail that PDQ hashes: weighted sums of rows, then of
 * columns, in float32.
 *
 * Rule: the sums run in one order whatever the instructions, so that a picture has one hash on
 * every processor. The loops are plain C; the compiler makes vectors of them, and may not fuse a
 * product with a sum (-ffp-contract=off).
 */
#include "kernels.h"

#include <string.h>

#define SIDE 64
#define LANES 8   /* sums that run side by side along a line */
#define CACHE_LINE 64
#define AT_ONCE 4 /* rows whose weighted pixels are added up before they join the sum */

/* The weighted pixels of one side: weights (SIDE, n_weights) of the pixels from firsts[i] on. */
typedef struct {
    const int64_t *firsts;
    const float *weights;
    Py_ssize_t n_weights;
} Tents;

typedef struct {
    const uint8_t *luma;
    Py_ssize_t stride, width;
    Tents rows, columns;
    float *line; /* width + columns.n_weights, the rest behind the width zero */
    float *out;  /* SIDE * SIDE */
} Job;

/* Add some weighted pixels of four rows to a line. */
INLINED void add_four(float *line, const uint8_t *row, Py_ssize_t stride, const float *weights,
                      Py_ssize_t n_pixels)
{
    const uint8_t *a = row, *b = a + stride, *c = b + stride, *d = c + stride;
    for (Py_ssize_t x = 0; x < n_pixels; x++) {
        line[x] += ((float)a[x] * weights[0] + (float)b[x] * weights[1])
                 + ((float)c[x] * weights[2] + (float)d[x] * weights[3]);
    }
}

/* Weigh rows into one line of floats. */
INLINED void weigh_rows(const Job *job, int i)
{
    const float *weights = job->rows.weights + i * job->rows.n_weights;
    const uint8_t *row = job->luma + job->rows.firsts[i] * job->stride;
    float *line = job->line;
    Py_ssize_t tap = 0, stride = job->stride;
    memset(line, 0, (size_t)job->width * sizeof *line);
    for (; tap + AT_ONCE <= job->rows.n_weights; tap += AT_ONCE, row += AT_ONCE * stride) {
        Py_ssize_t x = 0;
        for (; x + CACHE_LINE <= job->width; x += CACHE_LINE) {
            for (int next = AT_ONCE; next < 2 * AT_ONCE; next++) {
                __builtin_prefetch(row + next * stride + x);
            }
            add_four(line + x, row + x, stride, weights + tap, CACHE_LINE);
        }
        add_four(line + x, row + x, stride, weights + tap, job->width - x);
    }
    for (; tap < job->rows.n_weights; tap++, row += stride) {
        for (Py_ssize_t x = 0; x < job->width; x++) {
            line[x] += (float)row[x] * weights[tap];
        }
    }
}

/* Weigh the line's columns into one row of the thumbnail. */
INLINED void weigh_columns(const Job *job, int i)
{
    for (int column = 0; column < SIDE; column++) {
        const float *weights = job->columns.weights + column * job->columns.n_weights;
        const float *pixels = job->line + job->columns.firsts[column];
        float sums[LANES] = {0};
        for (Py_ssize_t tap = 0; tap < job->columns.n_weights; tap += LANES) {
            for (int lane = 0; lane < LANES; lane++) {
                sums[lane] += pixels[tap + lane] * weights[tap + lane];
            }
        }
        job->out[i * SIDE + column] = ((sums[0] + sums[4]) + (sums[2] + sums[6]))
                                    + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
    }
}

INLINED void shrink_by(const Job *job)
{
    for (int i = 0; i < SIDE; i++) {
        weigh_rows(job, i);
        weigh_columns(job, i);
    }
}

static void shrink_plain(const Job *job)
{
    shrink_by(job);
}

#if HAS_X86
FOR_AVX2 static void shrink_avx2(const Job *job)
{
    shrink_by(job);
}

FOR_AVX512 static void shrink_avx512(const Job *job)
{
    shrink_by(job);
}
#endif

static void shrink_best(const Job *job)
{
#if HAS_X86
    if (instructions_in_use >= AVX512) {
        shrink_avx512(job);
        return;
    }
    if (instructions_in_use >= AVX2) {
        shrink_avx2(job);
        return;
    }
#endif
    shrink_plain(job);
}

/* Say whether the weighted pixels of a side lie among `n_pixels`. */
static int are_within(const Tents *tents, Py_ssize_t n_pixels)
{
    for (int i = 0; i < SIDE; i++) {
        if (tents->firsts[i] < 0 || tents->firsts[i] > n_pixels - tents->n_weights) {
            return 0;
        }
    }
    return 1;
}

enum { LUMA, ROW_FIRSTS, ROW_WEIGHTS, COLUMN_FIRSTS, COLUMN_WEIGHTS, OUT, N_VIEWS };

/* Read the shapes into the job. Returns 0, or -1 with an error set. */
static int take_shapes(Job *job, const Py_buffer *views)
{
    Py_ssize_t height = views[LUMA].shape[0];
    job->luma = views[LUMA].buf;
    job->width = views[LUMA].shape[1];
    job->stride = views[LUMA].strides[0];
    job->rows = (Tents){views[ROW_FIRSTS].buf, views[ROW_WEIGHTS].buf,
                        views[ROW_WEIGHTS].shape[1]};
    job->columns = (Tents){views[COLUMN_FIRSTS].buf, views[COLUMN_WEIGHTS].buf,
                           views[COLUMN_WEIGHTS].shape[1]};
    job->out = views[OUT].buf;
    if (views[OUT].shape[0] != SIDE || views[OUT].shape[1] != SIDE
        || views[ROW_FIRSTS].shape[0] != SIDE || views[COLUMN_FIRSTS].shape[0] != SIDE
        || views[ROW_WEIGHTS].shape[0] != SIDE || views[COLUMN_WEIGHTS].shape[0] != SIDE
        || job->columns.n_weights % LANES || !are_within(&job->rows, height)
        || !are_within(&job->columns, job->width + job->columns.n_weights)) {
        PyErr_SetString(PyExc_ValueError, "weights of 64 rows and columns of the picture, the "
                                          "columns' filled up to a multiple of 8");
        return -1;
    }
    return 0;
}

PyObject *shrink(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[N_VIEWS] = {
        {"luma", 'u', 1, 2, 0, 1},           {"row firsts", 'i', 8, 1, 0, 0},
        {"row weights", 'f', 4, 2, 0, 0},    {"column firsts", 'i', 8, 1, 0, 0},
        {"column weights", 'f', 4, 2, 0, 0}, {"out", 'f', 4, 2, 1, 0},
    };
    Py_buffer views[N_VIEWS];
    Job job;
    memset(views, 0, sizeof views);
    if (!has_arguments("shrink", n_args, N_VIEWS)) {
        return NULL;
    }
    for (int i = 0; i < N_VIEWS; i++) {
        if (take_array(args[i], &WANTED[i], &views[i]) < 0) {
            give_back(views, N_VIEWS);
            return NULL;
        }
    }
    if (take_shapes(&job, views) < 0) {
        give_back(views, N_VIEWS);
        return NULL;
    }
    job.line = PyMem_RawCalloc((size_t)(job.width + job.columns.n_weights), sizeof *job.line);
    if (job.line == NULL) {
        give_back(views, N_VIEWS);
        return PyErr_NoMemory();
    }
    Py_BEGIN_ALLOW_THREADS
    shrink_best(&job);
    Py_END_ALLOW_THREADS
    PyMem_RawFree(job.line);
    give_back(views, N_VIEWS);
    Py_RETURN_NONE;
}
