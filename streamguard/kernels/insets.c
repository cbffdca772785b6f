/* Owns choosing the rectangles of a layout from how densely its lines are marked.
 *
 * Rule: step by step what streamguard.core.insets does in numpy, in the same order and precision:
 * that module says what for.
 */
#include "kernels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_BLOCKS 16
#define MAX_LINES 8
#define MAX_EDGES (MAX_LINES + 2) /* the borders of the picture first and last */
#define MAX_PAIRS (MAX_EDGES * (MAX_EDGES - 1) / 2)
#define LINES_APART 2
#define SIDES 4

/* The bounds of core.insets, in this order. */
enum {
    MIN_BLOCKS_DENSITY,
    MIN_DENSITY,
    MIN_STRETCH,
    ENOUGH_DENSITY,
    OVERSHOOT_COST,
    OVERSHOOT_BLOCKS,
    BORDER_WORTH,
    MIN_AREA_SHARE,
    MIN_APART_SHARE,
    N_RULES
};

/* The lines across one axis, as they are given. */
typedef struct {
    const float *density; /* N_BLOCKS * n_lines */
    Py_ssize_t n_lines;
    int64_t first_place;  /* what the first of them lies before, pixels */
    int64_t step;         /* from one to the next */
    int64_t length;       /* of the axis */
    double least_side;    /* share of the length */
} Axis;

typedef struct {
    int n_edges;
    int64_t places[MAX_EDGES];
    double marked[MAX_EDGES][N_BLOCKS + 1];
    int n_pairs;
    int pairs[MAX_PAIRS][2];
    double worth[MAX_EDGES][MAX_PAIRS]; /* as a side between a pair of the other axis */
} Edges;

typedef struct {
    double worth;
    int place;
} Ranked;

static inline float density_at(const Axis *axis, int block, Py_ssize_t line)
{
    return axis->density[block * axis->n_lines + line];
}

/* Weigh the longest stretch of a line that is dense; below 0 where no three blocks are. */
static double stretch_of(const Axis *axis, Py_ssize_t line, const double *rules)
{
    float densest = -INFINITY;
    double sum = 0.0, least = 0.0, most = 0.0;
    for (int block = 0; block + 2 < N_BLOCKS; block++) {
        float three = density_at(axis, block, line) + density_at(axis, block + 1, line)
                    + density_at(axis, block + 2, line);
        densest = three > densest ? three : densest;
    }
    if (!(densest >= (float)rules[MIN_BLOCKS_DENSITY])) {
        return -1.0;
    }
    for (int block = 0; block < N_BLOCKS; block++) {
        sum += (double)(density_at(axis, block, line) - (float)rules[MIN_DENSITY]);
        least = sum < least ? sum : least;
        most = sum - least > most ? sum - least : most;
    }
    return most;
}

/* Keep a line among the best that were met, best first. */
static int insert(Ranked *best, int n_best, int most, Ranked one)
{
    int at = n_best < most ? n_best : most;
    while (at > 0 && best[at - 1].worth < one.worth) {
        at--;
    }
    if (at == most) {
        return n_best;
    }
    n_best = n_best < most ? n_best + 1 : most;
    memmove(best + at + 1, best + at, (size_t)(n_best - 1 - at) * sizeof *best);
    best[at] = one;
    return n_best;
}

static int by_number(const void *one, const void *other)
{
    int a = *(const int *)one, b = *(const int *)other;
    return (a > b) - (a < b);
}

/* Choose lines by their stretch, none side by side; in order. Returns how many, or -1: no room. */
static int choose_lines(const Axis *axis, const double *rules, int *chosen)
{
    Ranked *all = PyMem_RawMalloc((size_t)(axis->n_lines + 1) * sizeof *all);
    int n_all = 0, n_chosen = 0;
    if (all == NULL) {
        return -1;
    }
    for (Py_ssize_t line = 0; line < axis->n_lines; line++) {
        double stretch = stretch_of(axis, line, rules);
        if (stretch >= rules[MIN_STRETCH]) {
            n_all = insert(all, n_all, (int)axis->n_lines, (Ranked){stretch, (int)line});
        }
    }
    for (int i = 0; i < n_all && n_chosen < MAX_LINES; i++) {
        int is_apart = 1;
        for (int other = 0; other < n_chosen; other++) {
            is_apart &= abs(all[i].place - chosen[other]) > LINES_APART;
        }
        if (is_apart) {
            chosen[n_chosen++] = all[i].place;
        }
    }
    PyMem_RawFree(all);
    qsort(chosen, (size_t)n_chosen, sizeof *chosen, by_number);
    return n_chosen;
}

static int find_edges(const Axis *axis, const double *rules, Edges *edges)
{
    int chosen[MAX_LINES];
    int n_chosen = choose_lines(axis, rules, chosen);
    if (n_chosen < 0) {
        return -1;
    }
    edges->n_edges = n_chosen + 2;
    edges->places[0] = 0;
    edges->places[n_chosen + 1] = axis->length;
    for (int i = 0; i < n_chosen; i++) {
        float sum = 0.0f;
        edges->places[i + 1] = axis->first_place + chosen[i] * axis->step;
        edges->marked[i + 1][0] = 0.0;
        for (int block = 0; block < N_BLOCKS; block++) {
            sum += density_at(axis, block, chosen[i]);
            edges->marked[i + 1][block + 1] = (double)sum;
        }
    }
    edges->n_pairs = 0;
    for (int one = 0; one < edges->n_edges; one++) {
        for (int other = one + 1; other < edges->n_edges; other++) {
            int64_t apart = edges->places[other] - edges->places[one];
            if ((double)apart >= axis->least_side * (double)axis->length) {
                edges->pairs[edges->n_pairs][0] = one;
                edges->pairs[edges->n_pairs++][1] = other;
            }
        }
    }
    return 0;
}

/* Give how much of an edge is marked before a place along it, blocks. */
static double marked_before(const double *marked, double at)
{
    at = at < 0.0 ? 0.0 : at > N_BLOCKS ? N_BLOCKS : at;
    int block = (int)at < N_BLOCKS - 1 ? (int)at : N_BLOCKS - 1;
    return marked[block] + (marked[block + 1] - marked[block]) * (at - block);
}

/* Weigh an edge as a side between two places along it, blocks. */
static double worth_between(const double *marked, double start, double end, const double *rules)
{
    double length = end - start, beyond = rules[OVERSHOOT_BLOCKS];
    double at[] = {
        marked_before(marked, start - beyond),
        marked_before(marked, start),
        marked_before(marked, start + length * 0.25),
        marked_before(marked, start + length * 0.5),
        marked_before(marked, start + length * 0.75),
        marked_before(marked, start + length),
        marked_before(marked, start + length + beyond),
    };
    double sum = 0.0, worth = 0.0;
    for (int quarter = 1; quarter <= 4; quarter++) {
        double density = (at[quarter + 1] - at[quarter]) * (4 / length);
        sum += density;
        worth += density < rules[ENOUGH_DENSITY] ? density : rules[ENOUGH_DENSITY];
    }
    if (sum < 4 * rules[MIN_DENSITY]) {
        return -INFINITY;
    }
    return worth / 4
         - rules[OVERSHOOT_COST] / beyond * ((at[1] - at[0]) + (at[6] - at[5]));
}

/* Weigh the edges of one axis as sides between the pairs of the other. */
static void weigh(Edges *edges, const Edges *other, int64_t length, const double *rules)
{
    double scale = (double)N_BLOCKS / (double)length;
    for (int edge = 0; edge < edges->n_edges; edge++) {
        int is_border = edge == 0 || edge == edges->n_edges - 1;
        for (int pair = 0; pair < other->n_pairs; pair++) {
            double start = (double)other->places[other->pairs[pair][0]] * scale;
            double end = (double)other->places[other->pairs[pair][1]] * scale;
            edges->worth[edge][pair] =
                is_border ? rules[BORDER_WORTH]
                          : worth_between(edges->marked[edge], start, end, rules);
        }
    }
}

static int by_worth(const void *one, const void *other)
{
    const Ranked *a = one, *b = other;
    if (a->worth != b->worth) {
        return a->worth < b->worth ? 1 : -1;
    }
    return (a->place > b->place) - (a->place < b->place);
}

/* List the rectangles that are large enough and have four sides, best first. */
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
            if (worth > -INFINITY && area != size
                && (double)area >= rules[MIN_AREA_SHARE] * (double)size) {
                ranked[n_ranked++] = (Ranked){worth, y * down->n_pairs + x};
            }
        }
    }
    qsort(ranked, (size_t)n_ranked, sizeof *ranked, by_worth);
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
    Ranked ranked[MAX_PAIRS * MAX_PAIRS];
    double slack[] = {rules[MIN_APART_SHARE] * (double)axes[0].length,
                      rules[MIN_APART_SHARE] * (double)axes[1].length};
    Py_ssize_t n_chosen = 0;
    if (find_edges(&axes[0], rules, &across) < 0 || find_edges(&axes[1], rules, &down) < 0) {
        return -1;
    }
    weigh(&across, &down, axes[1].length, rules);
    weigh(&down, &across, axes[0].length, rules);
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
        PyErr_SetString(PyExc_ValueError, "16 blocks, 4 numbers an axis, 9 rules, 4 sides");
        return NULL;
    }
    Axis axes[] = {axis_of(&views[ROWS], &views[ROW_NUMBERS]),
                   axis_of(&views[COLUMNS], &views[COLUMN_NUMBERS])};
    n_chosen = choose(axes, views[RULES].buf, views[OUT].buf, views[OUT].shape[0]);
    give_back(views, N_VIEWS);
    return n_chosen < 0 ? PyErr_NoMemory() : PyLong_FromSsize_t(n_chosen);
}
