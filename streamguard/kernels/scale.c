/* Owns scaling a picture as Pillow does, bilinear with the filter widened where it shrinks.
 *
 * Rule: byte for byte what Pillow gives, whatever the instructions. The sums are of integers, so
 * their order does not matter; the weights are reckoned in double, in Pillow's order of steps.
 * Source: measured on Pillow 10 to 13; tests compare.
 */
#include "scale.h"

#include <math.h>
#include <string.h>

#define MOST_PIXELS (1 << 16) /* of a side, before and after */

/* What is asked for: the whole is scaled, and a part of that kept. */
typedef struct {
    Lines picture;
    Lines out;
    Py_ssize_t width, height;     /* of the picture, pixels */
    Side x, y;
    int is_vertical_first;
} Job;

static Py_ssize_t taps_of(Py_ssize_t n_in, Py_ssize_t n_scaled)
{
    double widening = fmax((double)n_in / (double)n_scaled, 1.0);
    return (Py_ssize_t)ceil(widening) * 2 + 1;
}

/* Reckon the weights of the kept pixels of one side. */
static void weigh(Side *side, Py_ssize_t n_in, Py_ssize_t n_scaled, Py_ssize_t begin)
{
    const double scale = (double)n_in / (double)n_scaled;
    const double widening = fmax(scale, 1.0);
    const double per_pixel = 1.0 / widening;
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        int32_t *weights = side->weights + i * side->n_taps;
        double centre = ((double)(begin + i) + 0.5) * scale;
        Py_ssize_t first = (Py_ssize_t)fmax(centre - widening + 0.5, 0.0);
        Py_ssize_t end = (Py_ssize_t)fmin(centre + widening + 0.5, (double)n_in);
        double sum = 0.0;
        for (Py_ssize_t at = first; at < end; at++) {
            sum += fmax(1.0 - fabs(((double)at - centre + 0.5) * per_pixel), 0.0);
        }
        for (Py_ssize_t at = first; at < end; at++) {
            double weight = fmax(1.0 - fabs(((double)at - centre + 0.5) * per_pixel), 0.0);
            weight = sum != 0.0 ? weight / sum : weight;
            weights[at - first] = (int32_t)(0.5 + weight * (1 << FRACTION_BITS));
        }
        side->firsts[i] = first;
        side->counts[i] = end - first;
    }
}

static Py_ssize_t end_of(const Side *side)
{
    return side->firsts[side->n_out - 1] + side->counts[side->n_out - 1];
}

static void along_plain(const Side *side, const Lines *from, const Lines *to, Py_ssize_t row)
{
    for (; row < from->n_rows; row++) {
        const uint8_t *line = from->bytes + row * from->stride;
        uint8_t *result = to->bytes + row * to->stride;
        for (Py_ssize_t i = 0; i < side->n_out; i++) {
            const int32_t *weights = side->weights + i * side->n_taps;
            const uint8_t *pixel = line + side->firsts[i] * CHANNELS;
            int32_t sums[CHANNELS] = {HALF, HALF, HALF};
            for (Py_ssize_t tap = 0; tap < side->counts[i]; tap++, pixel += CHANNELS) {
                for (int channel = 0; channel < CHANNELS; channel++) {
                    sums[channel] += pixel[channel] * weights[tap];
                }
            }
            for (int channel = 0; channel < CHANNELS; channel++) {
                result[i * CHANNELS + channel] = (uint8_t)(sums[channel] >> FRACTION_BITS);
            }
        }
    }
}

static void across_plain(const Side *side, const Lines *from, const Lines *to, Py_ssize_t begin)
{
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        const int32_t *weights = side->weights + i * side->n_taps;
        const uint8_t *lines = from->bytes + side->firsts[i] * from->stride;
        uint8_t *result = to->bytes + i * to->stride;
        for (Py_ssize_t byte = begin; byte < to->row_bytes; byte++) {
            int32_t sum = HALF;
            for (Py_ssize_t tap = 0; tap < side->counts[i]; tap++) {
                sum += lines[tap * from->stride + byte] * weights[tap];
            }
            result[byte] = (uint8_t)(sum >> FRACTION_BITS);
        }
    }
}

static void along(const Side *side, const Lines *from, const Lines *to)
{
    Py_ssize_t n_rows = 0;
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        n_rows = along_avx2(side, from, to);
    }
#endif
    along_plain(side, from, to, n_rows);
}

static void across(const Side *side, const Lines *from, const Lines *to)
{
    Py_ssize_t n_bytes = 0;
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        n_bytes = across_avx2(side, from, to);
    }
#endif
    across_plain(side, from, to, n_bytes);
}

/* Take room for a side and reckon it. Returns 0, or -1 where memory is out. */
static int make_side(Side *side, Py_ssize_t n_in, Py_ssize_t n_scaled, Py_ssize_t begin)
{
    side->n_taps = taps_of(n_in, n_scaled);
    side->firsts = PyMem_RawMalloc((size_t)side->n_out * 2 * sizeof *side->firsts);
    side->weights =
        PyMem_RawCalloc((size_t)side->n_out * (size_t)side->n_taps, sizeof *side->weights);
    if (side->firsts == NULL || side->weights == NULL) {
        return -1;
    }
    side->counts = side->firsts + side->n_out;
    weigh(side, n_in, n_scaled, begin);
    return 0;
}

/* Lay out the weights for the vector pass along lines, if one is in use. */
static int pack(Side *side)
{
#if HAS_X86
    if (instructions_in_use >= AVX2) {
        side->packed = PyMem_RawMalloc(packed_bytes_avx2(side));
        if (side->packed == NULL) {
            return -1;
        }
        pack_avx2(side);
    }
#else
    (void)side;
#endif
    return 0;
}

static void drop_side(Side *side)
{
    PyMem_RawFree(side->firsts);
    PyMem_RawFree(side->weights);
    PyMem_RawFree(side->packed);
}

/* Move what a side begins with to 0, as only the rows or columns that count were computed. */
static void begin_at(Side *side, Py_ssize_t first)
{
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        side->firsts[i] -= first;
    }
}

static uint8_t *room_for(Lines *lines, Py_ssize_t n_rows, Py_ssize_t row_bytes)
{
    lines->n_rows = n_rows;
    lines->row_bytes = row_bytes;
    lines->stride = row_bytes + SLACK;
    lines->bytes = PyMem_RawMalloc((size_t)(n_rows * lines->stride));
    lines->end = lines->bytes + n_rows * lines->stride;
    return lines->bytes;
}

/* Along each line that counts, then across the lines. */
static int scale_rows_first(Job *job)
{
    Py_ssize_t top = job->y.firsts[0];
    Lines from = job->picture, between;
    from.bytes += top * from.stride;
    from.n_rows = end_of(&job->y) - top;
    if (room_for(&between, from.n_rows, job->x.n_out * CHANNELS) == NULL) {
        return -1;
    }
    along(&job->x, &from, &between);
    begin_at(&job->y, top);
    across(&job->y, &between, &job->out);
    PyMem_RawFree(between.bytes);
    return 0;
}

/* Across the lines, for the columns that count, then along each line that came of it. */
static int scale_columns_first(Job *job)
{
    Py_ssize_t left = job->x.firsts[0];
    Py_ssize_t n_bytes = (end_of(&job->x) - left) * CHANNELS;
    Lines from = job->picture, between = {0}, result = {0};
    int status = -1;
    from.bytes += left * CHANNELS;
    from.row_bytes = n_bytes;
    if (room_for(&between, job->y.n_out, n_bytes) != NULL
        && room_for(&result, job->y.n_out, job->x.n_out * CHANNELS) != NULL) {
        across(&job->y, &from, &between);
        begin_at(&job->x, left);
        along(&job->x, &between, &result);
        for (Py_ssize_t row = 0; row < job->out.n_rows; row++) {
            memcpy(job->out.bytes + row * job->out.stride, result.bytes + row * result.stride,
                   (size_t)result.row_bytes);
        }
        status = 0;
    }
    PyMem_RawFree(between.bytes);
    PyMem_RawFree(result.bytes);
    return status;
}

static int scale(Job *job, const long long *numbers)
{
    int status = -1;
    if (make_side(&job->x, job->width, numbers[0], numbers[2]) == 0 && pack(&job->x) == 0
        && make_side(&job->y, job->height, numbers[1], numbers[3]) == 0) {
        status = job->is_vertical_first ? scale_columns_first(job) : scale_rows_first(job);
    }
    drop_side(&job->x);
    drop_side(&job->y);
    return status;
}

static Lines lines_of(const Py_buffer *picture)
{
    Lines lines = {
        .bytes = picture->buf,
        .stride = picture->strides[0],
        .n_rows = picture->shape[0],
        .row_bytes = picture->shape[1] * CHANNELS,
    };
    lines.end = lines.bytes + (lines.n_rows - 1) * lines.stride + lines.row_bytes;
    return lines;
}

/* Read the two pictures' shapes into the job. Returns 0, or -1 with an error set. */
static int take_shapes(Job *job, const Py_buffer *picture, const Py_buffer *out,
                       const long long *numbers)
{
    if (picture->shape[2] != CHANNELS || out->shape[2] != CHANNELS || picture->shape[0] < 1
        || picture->shape[1] < 1 || out->shape[0] < 1 || out->shape[1] < 1
        || picture->shape[0] > MOST_PIXELS || picture->shape[1] > MOST_PIXELS
        || out->shape[1] > numbers[0] - numbers[2] || out->shape[0] > numbers[1] - numbers[3]) {
        PyErr_SetString(PyExc_ValueError, "pictures are (H, W, 3), and the part lies in the whole");
        return -1;
    }
    job->height = picture->shape[0];
    job->width = picture->shape[1];
    job->picture = lines_of(picture);
    job->y.n_out = out->shape[0];
    job->x.n_out = out->shape[1];
    job->out = lines_of(out);
    return 0;
}

PyObject *scale_part(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted PICTURE = {"picture", 'u', 1, 3, 0, 1}, OUT = {"out", 'u', 1, 3, 1, 0};
    static const char *const NAMES[] = {"scaled width", "scaled height", "left", "top"};
    Py_buffer views[2];
    long long numbers[4];
    Job job = {0};
    int status = -1;
    memset(views, 0, sizeof views);
    if (!has_arguments("scale_part", n_args, 7)) {
        return NULL;
    }
    for (int i = 0; i < 4; i++) {
        if (take_integer(args[i + 1], NAMES[i], i < 2, MOST_PIXELS, &numbers[i]) < 0) {
            return NULL;
        }
    }
    job.is_vertical_first = PyObject_IsTrue(args[5]);
    if (job.is_vertical_first < 0 || take_array(args[0], &PICTURE, &views[0]) < 0
        || take_array(args[6], &OUT, &views[1]) < 0
        || take_shapes(&job, &views[0], &views[1], numbers) < 0) {
        give_back(views, 2);
        return NULL;
    }
    Py_BEGIN_ALLOW_THREADS
    status = scale(&job, numbers);
    Py_END_ALLOW_THREADS
    give_back(views, 2);
    if (status < 0) {
        return PyErr_NoMemory();
    }
    Py_RETURN_NONE;
}
