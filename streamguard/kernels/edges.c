/* Owns marking where a picture changes sharply across many parallel lines.
 *
 * Rule: what is marked is said in streamguard/core/edges.py, whose numpy way gives the same floats.
 * The loops are plain C over bytes; the compiler makes vectors of them.
 */
#include "kernels.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS 16
#define MARGIN 2 /* lines at both ends that are not marked for want of a neighbour */
#define MOST_SAMPLES 255 /* a block's marks are counted in bytes */

typedef struct {
    const uint8_t *luma;
    Py_ssize_t stride;
    Py_ssize_t line_step, line_stride;     /* pixels, and bytes from a line to the next */
    Py_ssize_t sample_step, sample_stride; /* the same along a line */
    Py_ssize_t n_lines, n_samples;
    uint8_t least;
    uint8_t *samples; /* n_samples * n_lines, those of one place along the lines side by side */
    uint8_t *steps;   /* n_lines */
    uint8_t *counts;  /* n_lines */
    float *density;   /* BLOCKS * (n_lines - 1 - 2 * MARGIN) */
} Job;

INLINED uint8_t larger(uint8_t a, uint8_t b)
{
    return a > b ? a : b;
}

INLINED uint8_t apart(uint8_t a, uint8_t b)
{
    return a > b ? (uint8_t)(a - b) : (uint8_t)(b - a);
}

/* Read the pixels in the order in which they lie in memory. */
static void gather(const Job *job)
{
    const uint8_t *first = job->luma + job->line_step / 2 * job->line_stride
                         + job->sample_step / 2 * job->sample_stride;
    Py_ssize_t line = job->line_step * job->line_stride;
    Py_ssize_t sample = job->sample_step * job->sample_stride;
    if (job->line_stride > job->sample_stride) {
        for (Py_ssize_t i = 0; i < job->n_lines; i++) {
            for (Py_ssize_t k = 0; k < job->n_samples; k++) {
                job->samples[k * job->n_lines + i] = first[i * line + k * sample];
            }
        }
        return;
    }
    for (Py_ssize_t k = 0; k < job->n_samples; k++) {
        for (Py_ssize_t i = 0; i < job->n_lines; i++) {
            job->samples[k * job->n_lines + i] = first[i * line + k * sample];
        }
    }
}

/* Add the marks at one place along the lines to the counts. */
INLINED void mark(const Job *job, const uint8_t *pixels)
{
    uint8_t *restrict steps = job->steps, *restrict counts = job->counts;
    Py_ssize_t n_steps = job->n_lines - 1;
    for (Py_ssize_t i = 0; i < n_steps; i++) {
        steps[i] = apart(pixels[i], pixels[i + 1]);
    }
    for (Py_ssize_t i = 0; i < n_steps - 2 * MARGIN; i++) {
        uint8_t second = larger(steps[i], steps[i + 4]);
        uint8_t twice = second > 127 ? 254 : (uint8_t)(2 * second);
        uint8_t beside = larger(steps[i + 1], steps[i + 3]);
        counts[i] += steps[i + 2] >= larger(larger(twice, beside), job->least);
    }
}

INLINED void mark_all(const Job *job)
{
    Py_ssize_t n_marked = job->n_lines - 1 - 2 * MARGIN, k = 0;
    gather(job);
    for (int block = 0; block < BLOCKS; block++) {
        float *density = job->density + block * n_marked;
        Py_ssize_t first = k;
        memset(job->counts, 0, (size_t)job->n_lines);
        for (; k < job->n_samples && k * BLOCKS / job->n_samples == block; k++) {
            mark(job, job->samples + k * job->n_lines);
        }
        for (Py_ssize_t i = 0; i < n_marked; i++) {
            density[i] = (float)job->counts[i] / (float)(k - first);
        }
    }
}

static void mark_plain(const Job *job)
{
    mark_all(job);
}

#if HAS_X86
FOR_AVX2 static void mark_avx2(const Job *job)
{
    mark_all(job);
}
#endif

static void mark_best(const Job *job)
{
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        mark_avx2(job);
        return;
    }
#endif
    mark_plain(job);
}

enum { LUMA, DENSITY, N_VIEWS };

/* Read shapes and numbers into the job. Returns 0, or -1 with an error set. */
static int take_job(Job *job, const Py_buffer *views, PyObject *const *args)
{
    long long is_across, line_step, sample_step, least;
    if (take_integer(args[1], "is_between_columns", 0, 1, &is_across) < 0
        || take_integer(args[2], "step", 1, INT32_MAX, &line_step) < 0
        || take_integer(args[3], "along", 1, INT32_MAX, &sample_step) < 0
        || take_integer(args[4], "least", 1, UINT8_MAX, &least) < 0) {
        return -1;
    }
    Py_ssize_t stride = views[LUMA].strides[0];
    Py_ssize_t length = views[LUMA].shape[is_across], width = views[LUMA].shape[!is_across];
    *job = (Job){
        .luma = views[LUMA].buf,
        .line_step = line_step,
        .line_stride = is_across ? 1 : stride,
        .sample_step = sample_step,
        .sample_stride = is_across ? stride : 1,
        .n_lines = (length - line_step / 2 + line_step - 1) / line_step,
        .n_samples = (width - sample_step / 2 + sample_step - 1) / sample_step,
        .least = (uint8_t)least,
        .density = views[DENSITY].buf,
    };
    if (job->n_samples < BLOCKS || job->n_samples > MOST_SAMPLES
        || job->n_lines < 2 + 2 * MARGIN || views[DENSITY].shape[0] != BLOCKS
        || views[DENSITY].shape[1] != job->n_lines - 1 - 2 * MARGIN) {
        PyErr_SetString(PyExc_ValueError, "16 to 255 samples along each line, and a density of 16 "
                                          "blocks by the lines between");
        return -1;
    }
    return 0;
}

static PyObject *marked(Job *job)
{
    size_t n_lines = (size_t)job->n_lines, n_samples = (size_t)job->n_samples;
    job->samples = PyMem_RawMalloc((n_samples + 2) * n_lines);
    if (job->samples == NULL) {
        return PyErr_NoMemory();
    }
    job->steps = job->samples + n_samples * n_lines;
    job->counts = job->steps + n_lines;
    Py_BEGIN_ALLOW_THREADS
    mark_best(job);
    Py_END_ALLOW_THREADS
    PyMem_RawFree(job->samples);
    Py_RETURN_NONE;
}

PyObject *mark_edges(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[N_VIEWS] = {
        {"luma", 'u', 1, 2, 0, 1},
        {"density", 'f', 4, 2, 1, 0},
    };
    Py_buffer views[N_VIEWS];
    Job job;
    PyObject *result = NULL;
    memset(views, 0, sizeof views);
    if (!has_arguments("mark_edges", n_args, 6)) {
        return NULL;
    }
    if (take_array(args[0], &WANTED[LUMA], &views[LUMA]) == 0
        && take_array(args[5], &WANTED[DENSITY], &views[DENSITY]) == 0
        && take_job(&job, views, args) == 0) {
        result = marked(&job);
    }
    give_back(views, N_VIEWS);
    return result;
}
