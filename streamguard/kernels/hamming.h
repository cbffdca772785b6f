/* Owns the distance of two hashes. */
#ifndef STREAMGUARD_HAMMING_H
#define STREAMGUARD_HAMMING_H

#include "kernels.h"

#include <stdint.h>
#include <string.h>

#define HASH_BYTES 32
#define WORDS 4 /* of 64 bits, in a hash */

/* Count the bits in which two hashes differ, 0 to 256; the second may lie at any address. */
INLINE unsigned bits_between(const uint64_t *query, const uint8_t *hash)
{
    uint64_t words[WORDS];
    memcpy(words, hash, HASH_BYTES);
    unsigned bits = 0;
    for (int i = 0; i < WORDS; i++) {
        bits += (unsigned)__builtin_popcountll(query[i] ^ words[i]);
    }
    return bits;
}

#endif
