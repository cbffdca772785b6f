/* Owns PDQ from the thumbnail on: its DCT, which terms lie above the median, and the quality.
 *
 * Rule: as in shrink.c: sums run in one order whatever the instructions.
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

#define SIDE 64
#define N_FREQUENCIES 16
#define N_TERMS (N_FREQUENCIES * N_FREQUENCIES)
#define MEDIAN 127 /* the lower of the two */
#define LANES 8
#define GRADIENTS_A_POINT 90 /* percent of gradient that make one point of quality */
#define BEST_QUALITY 100

typedef struct {
    const float *thumb; /* SIDE * SIDE */
    const float *dct;   /* N_FREQUENCIES * SIDE */
    float luma_span;
    float tie_reach;
    uint8_t *bits;
    int quality;
    int n_ties;
    float odd_down, odd_across; /* share of the energy in terms of odd frequencies */
} Job;

INLINED void transform(const Job *job, float *terms)
{
    for (int down = 0; down < N_FREQUENCIES; down++) {
        float line[SIDE] = {0};
        for (int row = 0; row < SIDE; row++) {
            float weight = job->dct[down * SIDE + row];
            for (int x = 0; x < SIDE; x++) {
                line[x] += weight * job->thumb[row * SIDE + x];
            }
        }
        for (int across = 0; across < N_FREQUENCIES; across++) {
            float sums[LANES] = {0};
            for (int x = 0; x < SIDE; x += LANES) {
                for (int lane = 0; lane < LANES; lane++) {
                    sums[lane] += line[x + lane] * job->dct[across * SIDE + x + lane];
                }
            }
            terms[down * N_FREQUENCIES + across] =
                ((sums[0] + sums[4]) + (sums[2] + sums[6]))
                + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
        }
    }
}

/* Give the number that so many are smaller than or equal to; sorts some of them. */
static float ranked(float *numbers, int n_numbers, int rank)
{
    int first = 0, last = n_numbers - 1;
    while (first < last) {
        float pivot = numbers[(first + last) / 2];
        int low = first, high = last;
        while (low <= high) {
            while (numbers[low] < pivot) {
                low++;
            }
            while (numbers[high] > pivot) {
                high--;
            }
            if (low <= high) {
                float other = numbers[low];
                numbers[low++] = numbers[high];
                numbers[high--] = other;
            }
        }
        if (rank <= high) {
            last = high;
        } else if (rank >= low) {
            first = low;
        } else {
            break;
        }
    }
    return numbers[rank];
}

INLINED int gradients_along(const Job *job, int n_rows, int n_columns, int step)
{
    int total = 0;
    for (int y = 0; y < n_rows; y++) {
        for (int x = 0; x < n_columns; x++) {
            const float *pixel = job->thumb + y * SIDE + x;
            int percent = (int)((pixel[step] - pixel[0]) * 100.0f / job->luma_span);
            total += percent < 0 ? -percent : percent;
        }
    }
    return total;
}

/* The first term is of frequency 1 both ways. A picture without any energy mirrors nothing. */
INLINED void weigh_odd(Job *job, const float *terms)
{
    float total = 0, down = 0, across = 0;
    for (int i = 0; i < N_TERMS; i++) {
        float energy = terms[i] * terms[i];
        total += energy;
        down += i / N_FREQUENCIES % 2 ? 0 : energy;
        across += i % 2 ? 0 : energy;
    }
    job->odd_down = total > 0 ? down / total : 1;
    job->odd_across = total > 0 ? across / total : 1;
}

INLINED void hash_by(Job *job)
{
    float terms[N_TERMS], some[N_TERMS];
    transform(job, terms);
    memcpy(some, terms, sizeof terms);
    float median = ranked(some, N_TERMS, MEDIAN);
    memset(job->bits, 0, N_TERMS / 8);
    job->n_ties = 0;
    for (int i = 0; i < N_TERMS; i++) { /* the last term is the first bit */
        int bit = N_TERMS - 1 - i;
        job->bits[bit / 8] |= (uint8_t)((terms[i] > median) << (7 - bit % 8));
        job->n_ties += fabsf(terms[i] - median) <= job->tie_reach;
    }
    weigh_odd(job, terms);
    int total = gradients_along(job, SIDE - 1, SIDE, SIDE) + gradients_along(job, SIDE, SIDE - 1, 1);
    int quality = total / GRADIENTS_A_POINT;
    job->quality = quality < BEST_QUALITY ? quality : BEST_QUALITY;
}

static void hash_plain(Job *job)
{
    hash_by(job);
}

#if HAS_X86
FOR_AVX2 static void hash_avx2(Job *job)
{
    hash_by(job);
}
#endif

static void hash_best(Job *job)
{
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        hash_avx2(job);
        return;
    }
#endif
    hash_plain(job);
}

static int has_shape(const Py_buffer *view, Py_ssize_t n_rows, Py_ssize_t n_columns)
{
    return view->shape[0] == n_rows && (view->ndim < 2 || view->shape[1] == n_columns);
}

PyObject *hash_thumbnail(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[] = {
        {"thumb", 'f', 4, 2, 0, 0}, {"dct", 'f', 4, 2, 0, 0}, {"bits", 'u', 1, 1, 1, 0}};
    static const int PLACES[] = {0, 1, 4};
    enum { THUMB, DCT, BITS, N_VIEWS };
    Py_buffer views[N_VIEWS];
    long long luma_span;
    Job job;
    memset(views, 0, sizeof views);
    if (!has_arguments("hash_thumbnail", n_args, 5)
        || take_integer(args[2], "luma span", 1, 255, &luma_span) < 0) {
        return NULL;
    }
    double tie_reach = PyFloat_AsDouble(args[3]);
    if (tie_reach == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    for (int i = 0; i < N_VIEWS; i++) {
        if (take_array(args[PLACES[i]], &WANTED[i], &views[i]) < 0) {
            give_back(views, N_VIEWS);
            return NULL;
        }
    }
    if (!has_shape(&views[THUMB], SIDE, SIDE) || !has_shape(&views[DCT], N_FREQUENCIES, SIDE)
        || !has_shape(&views[BITS], N_TERMS / 8, 0)) {
        give_back(views, N_VIEWS);
        PyErr_SetString(PyExc_ValueError, "a thumbnail of 64 x 64, a DCT of 16 x 64, 32 bytes");
        return NULL;
    }
    job.thumb = views[THUMB].buf;
    job.dct = views[DCT].buf;
    job.bits = views[BITS].buf;
    job.luma_span = (float)luma_span;
    job.tie_reach = (float)tie_reach;
    hash_best(&job); /* too short to let other threads in */
    give_back(views, N_VIEWS);
    return Py_BuildValue("(iidd)", job.quality, job.n_ties, job.odd_down, job.odd_across);
}
