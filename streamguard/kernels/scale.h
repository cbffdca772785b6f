/* What the parts of the scaling share.
 *
 * Each side of the picture is scaled in a pass of its own. A pixel of its result is the sum of some
 * neighbouring pixels times coefficients of 22 bits behind the point, rounded to 8 bits.
 */
#ifndef STREAMGUARD_SCALE_H
#define STREAMGUARD_SCALE_H

#include "kernels.h"

#define FRACTION_BITS 22
#define HALF (1 << (FRACTION_BITS - 1))
#define CHANNELS 3
#define SLACK 64 /* bytes that a row pass may write past the end of its line */

/* One pass: which pixels make each pixel of the result, and with what coefficients. */
typedef struct {
    Py_ssize_t n_out;
    Py_ssize_t n_taps;   /* room for the coefficients of one pixel */
    Py_ssize_t *firsts;  /* first pixel that counts */
    Py_ssize_t *counts;  /* how many count: 1..n_taps */
    int32_t *weights;    /* n_out * n_taps, 0..2**22 */
    void *packed;        /* the weights as a vector pass wants them, or NULL */
} Side;

/* Lines of bytes: a picture, or part of one. */
typedef struct {
    uint8_t *bytes;
    Py_ssize_t stride;
    Py_ssize_t n_rows;
    Py_ssize_t row_bytes;
    const uint8_t *end; /* past the last byte that may be read */
} Lines;

#if HAS_X86
/* Bytes that the weights of a side take, laid out for `along`, and laying them out. */
size_t packed_bytes_avx2(const Side *side);
void pack_avx2(Side *side);

/* Scale lines along themselves; those of `to` have SLACK to spare. Returns how many it did: the
 * last lines are left where it would have to read past the end of `from`. */
Py_ssize_t along_avx2(const Side *side, const Lines *from, const Lines *to);

/* Scale across lines, from many to few. Returns how many bytes of each line it did. */
Py_ssize_t across_avx2(const Side *side, const Lines *from, const Lines *to);
#endif

#endif
