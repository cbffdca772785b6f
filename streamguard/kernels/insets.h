/* What choosing the rectangles of a layout and weighing its edges share. */
#ifndef STREAMGUARD_INSETS_H
#define STREAMGUARD_INSETS_H

#include "kernels.h"

#define N_BLOCKS 16
#define MAX_LINES 14
#define MAX_EDGES (MAX_LINES + 2) /* the borders of the picture first and last */
#define MAX_PAIRS (MAX_EDGES * (MAX_EDGES - 1) / 2)

/* The bounds of core.insets, in this order. */
enum {
    MIN_BLOCKS_DENSITY,
    MIN_DENSITY,
    MIN_STRETCH,
    ENOUGH_DENSITY,
    OVERSHOOT_COST,
    OVERSHOOT_BLOCKS,
    BORDER_WORTH,
    AREA_WORTH,
    MIN_WORTH,
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

/* Keep one among the best that were met, best first, of equal ones the first. Returns how many. */
int keep_best(Ranked *best, int n_best, int most, Ranked one);

/* Choose the edges across an axis, and the pairs of them. Returns 0, or -1 where memory is out. */
int find_edges(const Axis *axis, const double *rules, Edges *edges);

/* Weigh the edges of one axis, of this length, as sides between the pairs of the other. */
void weigh_edges(Edges *edges, const Edges *other, int64_t length, const double *rules);

#endif
