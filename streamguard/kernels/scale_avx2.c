/* Owns the scaling passes for AVX2.
 *
 * A weight of 22 bits is too long for a product of 16-bit numbers. Its upper 14 bits and its lower
 * 8 are summed apart: sum(p * w) = (sum(p * (w >> 8)) << 8) + sum(p * (w & 255)), exactly.
 *
 * Rule: nothing is read outside the lines that were given.
 */
#include "scale.h"

#if HAS_X86

#include <string.h>

#define GROUP 4  /* pixels a step along a line: 12 bytes, of 16 that are read */
#define READ 16
#define ROWS 4   /* lines at once, so that weights are read once for them */
#define GROUP_BYTES 64 /* of packed weights: their upper parts, then their lower ones */

static Py_ssize_t groups_of(const Side *side)
{
    return (side->n_taps + GROUP - 1) / GROUP;
}

size_t packed_bytes_avx2(const Side *side)
{
    return (size_t)(side->n_out * groups_of(side)) * GROUP_BYTES;
}

/* For each four pixels two vectors: of pixels 0 and 1, four times, then of pixels 2 and 3. */
void pack_avx2(Side *side)
{
    int16_t *packed = side->packed;
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        for (Py_ssize_t tap = 0; tap < groups_of(side) * GROUP; tap += GROUP, packed += 32) {
            for (int at = 0; at < 16; at++) {
                Py_ssize_t from = tap + at / 8 * 2 + at % 2;
                int32_t weight =
                    from < side->n_taps ? side->weights[i * side->n_taps + from] : 0;
                packed[at] = (int16_t)(weight >> 8);
                packed[at + 16] = (int16_t)(weight & 255);
            }
        }
    }
}

/* Scale four lines at once, the next four being `to_next` bytes further: sums of red, green, blue, nothing, in both halves of a vector. */
FOR_AVX2 static void four_along(const Side *side, const uint8_t *const *lines,
                                uint8_t *const *results, Py_ssize_t to_next)
{
    const __m256i spread = _mm256_setr_epi8( /* r0 r1 g0 g1 b0 b1 . . | r2 r3 ..., as 16 bits */
        0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1,
        6, -1, 9, -1, 7, -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
    const __m128i half = _mm_set1_epi32(HALF);
    const uint8_t *packed = side->packed;
    Py_ssize_t n_groups = groups_of(side);
    for (Py_ssize_t i = 0; i < side->n_out; i++, packed += n_groups * GROUP_BYTES) {
        Py_ssize_t at = side->firsts[i] * CHANNELS;
        __m256i high[ROWS], low[ROWS];
        for (int row = 0; row < ROWS; row++) {
            __builtin_prefetch(lines[row] + at + to_next); /* a fifth less time, measured */
            high[row] = low[row] = _mm256_setzero_si256();
        }
        for (Py_ssize_t group = 0; group * GROUP < side->counts[i]; group++) {
            const __m256i *weights = (const __m256i *)(packed + group * GROUP_BYTES);
            __m256i weights_high = _mm256_loadu_si256(weights);
            __m256i weights_low = _mm256_loadu_si256(weights + 1);
            for (int row = 0; row < ROWS; row++) {
                const uint8_t *pixels = lines[row] + at + group * GROUP * CHANNELS;
                __m256i values = _mm256_shuffle_epi8(
                    _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)pixels)), spread);
                high[row] = _mm256_add_epi32(high[row], _mm256_madd_epi16(values, weights_high));
                low[row] = _mm256_add_epi32(low[row], _mm256_madd_epi16(values, weights_low));
            }
        }
        __m128i sums[ROWS];
        for (int row = 0; row < ROWS; row++) {
            __m256i both = _mm256_add_epi32(_mm256_slli_epi32(high[row], 8), low[row]);
            __m128i sum =
                _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
            sums[row] = _mm_srai_epi32(_mm_add_epi32(sum, half), FRACTION_BITS);
        }
        __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(sums[0], sums[1]),
                                         _mm_packs_epi32(sums[2], sums[3]));
        uint32_t pixels[ROWS];
        _mm_storeu_si128((__m128i *)pixels, bytes);
        for (int row = 0; row < ROWS; row++) { /* the fourth byte is the next pixel's, or slack */
            memcpy(results[row] + i * CHANNELS, &pixels[row], sizeof pixels[row]);
        }
    }
}

/* Bytes of a line that are read, from its begin: a few more than the line may have. */
static Py_ssize_t read_bytes(const Side *side)
{
    Py_ssize_t most = 0;
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        Py_ssize_t n_groups = (side->counts[i] + GROUP - 1) / GROUP;
        Py_ssize_t end = (side->firsts[i] + (n_groups - 1) * GROUP) * CHANNELS + READ;
        most = end > most ? end : most;
    }
    return most;
}

Py_ssize_t along_avx2(const Side *side, const Lines *from, const Lines *to)
{
    Py_ssize_t spare = from->end - from->bytes - read_bytes(side);
    Py_ssize_t n_rows = spare < 0 ? 0 : spare / from->stride + 1;
    n_rows = n_rows < from->n_rows ? n_rows : from->n_rows;
    for (Py_ssize_t row = 0; row < n_rows; row += ROWS) {
        const uint8_t *lines[ROWS];
        uint8_t *results[ROWS];
        for (int i = 0; i < ROWS; i++) { /* past the last line, that one again */
            Py_ssize_t at = row + i < n_rows ? row + i : n_rows - 1;
            lines[i] = from->bytes + at * from->stride;
            results[i] = to->bytes + at * to->stride;
        }
        four_along(side, lines, results, ROWS * from->stride);
    }
    return n_rows;
}

/* What two lines add to the sums of 16 bytes; sums[0..1] of bytes 0-3 and 8-11, high and low. */
FOR_AVX2 static inline void add_two(__m256i *sums, const uint8_t *one, const uint8_t *two,
                                    __m256i high, __m256i low)
{
    __m256i a = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)one));
    __m256i b = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)two));
    __m256i left = _mm256_unpacklo_epi16(a, b), right = _mm256_unpackhi_epi16(a, b);
    sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(left, high));
    sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(left, low));
    sums[2] = _mm256_add_epi32(sums[2], _mm256_madd_epi16(right, high));
    sums[3] = _mm256_add_epi32(sums[3], _mm256_madd_epi16(right, low));
}

FOR_AVX2 static inline __m256i rounded(__m256i high, __m256i low)
{
    __m256i sum = _mm256_add_epi32(_mm256_slli_epi32(high, 8), low);
    return _mm256_srai_epi32(_mm256_add_epi32(sum, _mm256_set1_epi32(HALF)), FRACTION_BITS);
}

/* Scale one column of 16 bytes. */
FOR_AVX2 static void column_across(const Side *side, Py_ssize_t i, const Lines *from,
                                   Py_ssize_t byte, uint8_t *result)
{
    const int32_t *weights = side->weights + i * side->n_taps;
    const uint8_t *line = from->bytes + side->firsts[i] * from->stride + byte;
    __m256i sums[4];
    memset(sums, 0, sizeof sums);
    for (Py_ssize_t tap = 0; tap < side->counts[i]; tap += 2, line += 2 * from->stride) {
        int is_pair = tap + 1 < side->counts[i];
        int32_t first = weights[tap], second = is_pair ? weights[tap + 1] : 0;
        add_two(sums, line, is_pair ? line + from->stride : line,
                _mm256_set1_epi32((first >> 8) | (second >> 8) << 16),
                _mm256_set1_epi32((first & 255) | (second & 255) << 16));
    }
    __m256i words = _mm256_packus_epi32(rounded(sums[0], sums[1]), rounded(sums[2], sums[3]));
    __m128i bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i *)result, bytes);
}

Py_ssize_t across_avx2(const Side *side, const Lines *from, const Lines *to)
{
    Py_ssize_t n_bytes = to->row_bytes / READ * READ;
    for (Py_ssize_t i = 0; i < side->n_out; i++) {
        for (Py_ssize_t byte = 0; byte < n_bytes; byte += READ) {
            column_across(side, i, from, byte, to->bytes + i * to->stride + byte);
        }
    }
    return n_bytes;
}
#endif
