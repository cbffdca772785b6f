/* Owns finding the flat bars around a picture.
 *
 * Rule: step by step what streamguard.core.regions does in numpy: that module says what for.
 */
#include "kernels.h"

#include <math.h>
#include <string.h>

#define LEVELS 256

/* What a bar is. */
typedef struct {
    Py_ssize_t n_samples; /* pixels looked at along a line, evenly spread */
    int tolerance;        /* luma steps */
    double flat_share;    /* of a line that lies at the bar's level */
    double bar_share;     /* of the picture that is the thinnest bar */
} Rules;

/* Lines to look along, from one side of the picture to the other. */
typedef struct {
    const uint8_t *pixels; /* the first pixel looked at, of the first line */
    Py_ssize_t n_lines, to_next_line;
    Py_ssize_t n_pixels, to_next_pixel;
} Lines;

static int is_flat(const Lines *lines, Py_ssize_t line, int level, const Rules *rules)
{
    const uint8_t *pixel = lines->pixels + line * lines->to_next_line;
    Py_ssize_t n_at_level = 0;
    for (Py_ssize_t i = 0; i < lines->n_pixels; i++, pixel += lines->to_next_pixel) {
        n_at_level += *pixel >= level - rules->tolerance && *pixel <= level + rules->tolerance;
    }
    return (double)n_at_level >= rules->flat_share * (double)lines->n_pixels;
}

/* Give the median of a line, the upper one. */
static int median_of(const Lines *lines, Py_ssize_t line)
{
    const uint8_t *pixel = lines->pixels + line * lines->to_next_line;
    Py_ssize_t counts[LEVELS] = {0};
    for (Py_ssize_t i = 0; i < lines->n_pixels; i++, pixel += lines->to_next_pixel) {
        counts[*pixel]++;
    }
    int level = 0;
    for (Py_ssize_t n_below = counts[0]; n_below <= lines->n_pixels / 2; n_below += counts[level]) {
        level++;
    }
    return level;
}

/* Count the lines of the bar that begins at the first line; 0 where there is none. */
static Py_ssize_t bar_depth(const Lines *lines, const Rules *rules)
{
    Py_ssize_t thinnest = (Py_ssize_t)nearbyint(rules->bar_share * (double)lines->n_lines);
    thinnest = thinnest > 2 ? thinnest : 2;
    if (thinnest >= lines->n_lines) {
        return 0;
    }
    int level = median_of(lines, thinnest - 1);
    if (!is_flat(lines, thinnest - 1, level, rules)) {
        return 0;
    }
    Py_ssize_t line = thinnest;
    while (line < lines->n_lines && is_flat(lines, line, level, rules)) {
        line++;
    }
    return line;
}

/* Find the first line after one bar and the first line of the other one. */
static void between_bars(const uint8_t *pixels, Py_ssize_t n_lines, Py_ssize_t to_next_line,
                         Py_ssize_t length, Py_ssize_t to_next_pixel, const Rules *rules,
                         Py_ssize_t *ends)
{
    Py_ssize_t step = length / rules->n_samples > 1 ? length / rules->n_samples : 1;
    Lines forth = {
        .pixels = pixels + step / 2 * to_next_pixel,
        .n_lines = n_lines,
        .to_next_line = to_next_line,
        .n_pixels = (length - step / 2 + step - 1) / step,
        .to_next_pixel = step * to_next_pixel,
    };
    Lines back = forth;
    back.pixels += (n_lines - 1) * to_next_line;
    back.to_next_line = -to_next_line;
    ends[0] = bar_depth(&forth, rules);
    ends[1] = n_lines - bar_depth(&back, rules);
}

PyObject *find_bars(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted LUMA = {"luma", 'u', 1, 2, 0, 1};
    Py_buffer luma;
    long long n_samples, tolerance;
    if (!has_arguments("find_bars", n_args, 5)
        || take_integer(args[1], "samples", 1, 1 << 16, &n_samples) < 0
        || take_integer(args[2], "tolerance", 0, LEVELS - 1, &tolerance) < 0) {
        return NULL;
    }
    Rules rules = {n_samples, (int)tolerance, PyFloat_AsDouble(args[3]), PyFloat_AsDouble(args[4])};
    if (PyErr_Occurred() || take_array(args[0], &LUMA, &luma) < 0) {
        return NULL;
    }
    Py_ssize_t height = luma.shape[0], width = luma.shape[1], stride = luma.strides[0];
    Py_ssize_t rows[] = {0, height}, columns[] = {0, width};
    if (height > 0 && width > 0) {
        between_bars(luma.buf, height, stride, width, 1, &rules, rows);
        if (rows[0] < rows[1]) {
            const uint8_t *top = (const uint8_t *)luma.buf + rows[0] * stride;
            between_bars(top, width, 1, rows[1] - rows[0], stride, &rules, columns);
        }
    }
    PyBuffer_Release(&luma);
    return Py_BuildValue("(nnnn)", rows[0], rows[1], columns[0], columns[1]);
}
