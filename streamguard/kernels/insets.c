/* Owns choosing the rectangles of a layout from how densely its lines are marked.
 *
 * Rule: step by step what streamguard.core.insets does in numpy, in the same order and precision:
 * that module says what for.
 */
#include "insets.h"

#include <stdlib.h>
#include <string.h>

#define SIDES 4
#define MAX_RANKED 128

/* Count how many of a pair of edges are the borders of the picture. */
static inline int borders_of(const Edges *edges, const int *pair)
{
    return (pair[0] == 0) + (pair[1] == edges->n_edges - 1);
}

/* List the best of the rectangles that are large enough and have four good sides. */
static int rank(const Edges *across, const Edges *down, int64_t size, const double *rules,
                Ranked *ranked)
{
    int n_ranked = 0;
    for (int y = 0; y < across->n_pairs; y++) {
        const int *tops = across->pairs[y];
        for (int x = 0; x < down->n_pairs; x++) {
            const int *lefts = down->pairs[x];
            int64_t area = (across->places[tops[1]] - across->places[tops[0]])
                         * (down->places[lefts[1]] - down->places[lefts[0]]);
            double worth = (across->worth[tops[0]][x] + across->worth[tops[1]][x])
                         + (down->worth[lefts[0]][y] + down->worth[lefts[1]][y]);
            int n_borders = borders_of(across, tops) + borders_of(down, lefts);
            if (worth - rules[BORDER_WORTH] * n_borders >= rules[MIN_WORTH] * (SIDES - n_borders)
                && area != size && (double)area >= rules[MIN_AREA_SHARE] * (double)size) {
                worth += rules[AREA_WORTH] * ((double)area / (double)size);
                Ranked one = {worth, y * down->n_pairs + x};
                n_ranked = keep_best(ranked, n_ranked, MAX_RANKED, one);
            }
        }
    }
    return n_ranked;
}

static int differs(const int64_t *one, const int64_t *other, const double *slack)
{
    for (int side = 0; side < SIDES; side++) {
        if ((double)llabs(one[side] - other[side]) > slack[side / 2]) {
            return 1;
        }
    }
    return 0;
}

/* Fill `out` with the best rectangles that differ. Returns how many, or -1 where memory is out. */
static Py_ssize_t choose(const Axis *axes, const double *rules, int64_t *out, Py_ssize_t most)
{
    Edges across, down;
    Ranked ranked[MAX_RANKED];
    double slack[] = {rules[MIN_APART_SHARE] * (double)axes[0].length,
                      rules[MIN_APART_SHARE] * (double)axes[1].length};
    Py_ssize_t n_chosen = 0;
    if (find_edges(&axes[0], rules, &across) < 0 || find_edges(&axes[1], rules, &down) < 0) {
        return -1;
    }
    weigh_edges(&across, &down, axes[1].length, rules);
    weigh_edges(&down, &across, axes[0].length, rules);
    int n_ranked = rank(&across, &down, axes[0].length * axes[1].length, rules, ranked);
    for (int i = 0; i < n_ranked && n_chosen < most; i++) {
        const int *tops = across.pairs[ranked[i].place / down.n_pairs];
        const int *lefts = down.pairs[ranked[i].place % down.n_pairs];
        int64_t sides[SIDES] = {across.places[tops[0]], across.places[tops[1]],
                                down.places[lefts[0]], down.places[lefts[1]]};
        int is_new = 1;
        for (Py_ssize_t other = 0; other < n_chosen; other++) {
            is_new &= differs(sides, out + other * SIDES, slack);
        }
        if (is_new) {
            memcpy(out + n_chosen++ * SIDES, sides, sizeof sides);
        }
    }
    return n_chosen;
}

enum { ROWS, COLUMNS, ROW_NUMBERS, COLUMN_NUMBERS, RULES, OUT, N_VIEWS };

static Axis axis_of(const Py_buffer *density, const Py_buffer *numbers)
{
    const double *number = numbers->buf;
    return (Axis){density->buf,       density->shape[1],   (int64_t)number[0],
                  (int64_t)number[1], (int64_t)number[2], number[3]};
}

PyObject *find_insets(PyObject *module, PyObject *const *args, Py_ssize_t n_args)
{
    (void)module;
    static const Wanted WANTED[N_VIEWS] = {
        {"rows", 'f', 4, 2, 0, 0},           {"columns", 'f', 4, 2, 0, 0},
        {"row numbers", 'f', 8, 1, 0, 0},    {"column numbers", 'f', 8, 1, 0, 0},
        {"rules", 'f', 8, 1, 0, 0},          {"out", 'i', 8, 2, 1, 0},
    };
    Py_buffer views[N_VIEWS];
    Py_ssize_t n_chosen = 0;
    memset(views, 0, sizeof views);
    if (!has_arguments("find_insets", n_args, N_VIEWS)) {
        return NULL;
    }
    for (int i = 0; i < N_VIEWS; i++) {
        if (take_array(args[i], &WANTED[i], &views[i]) < 0) {
            give_back(views, N_VIEWS);
            return NULL;
        }
    }
    if (views[ROWS].shape[0] != N_BLOCKS || views[COLUMNS].shape[0] != N_BLOCKS
        || views[ROW_NUMBERS].shape[0] != 4 || views[COLUMN_NUMBERS].shape[0] != 4
        || views[RULES].shape[0] != N_RULES || views[OUT].shape[1] != SIDES) {
        give_back(views, N_VIEWS);
        PyErr_SetString(PyExc_ValueError, "16 blocks, 4 numbers an axis, 11 rules, 4 sides");
        return NULL;
    }
    Axis axes[] = {axis_of(&views[ROWS], &views[ROW_NUMBERS]),
                   axis_of(&views[COLUMNS], &views[COLUMN_NUMBERS])};
    n_chosen = choose(axes, views[RULES].buf, views[OUT].buf, views[OUT].shape[0]);
    give_back(views, N_VIEWS);
    return n_chosen < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(n_chosen);
}
