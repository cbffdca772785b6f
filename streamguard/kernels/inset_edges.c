/* Owns choosing the edges of a layout, and weighing them as sides of a rectangle.
 *
 * Rule: step by step what streamguard.core.insets does in numpy, in the same order and precision:
 * that module says what for.
 */
#include "insets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINES_APART 2

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

int keep_best(Ranked *best, int n_best, int most, Ranked one)
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
            n_all = keep_best(all, n_all, (int)axis->n_lines, (Ranked){stretch, (int)line});
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

int find_edges(const Axis *axis, const double *rules, Edges *edges)
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

void weigh_edges(Edges *edges, const Edges *other, int64_t length, const double *rules)
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
