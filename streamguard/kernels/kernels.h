/* What the kernels share: their table's names, checked arguments, and the choice of instructions.
 *
 * Rule: a kernel changes nothing but the arrays that it is given to fill. It checks each argument
 * before it touches memory, and lets other threads run while it works.
 */
#ifndef STREAMGUARD_KERNELS_H
#define STREAMGUARD_KERNELS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAS_X86 1
#include <immintrin.h>
#define FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define FOR_AVX512 /* of Ice Lake, Zen 4 and later */ \
    __attribute__((target("avx2,bmi,bmi2,popcnt,avx512f,avx512bw,avx512vl,avx512vpopcntdq")))
#else
#define HAS_X86 0
#endif

/* For what is to be compiled anew with the instructions of each function that calls it. */
#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline
#endif

/* A loop that is compiled anew for each set of instructions it is used with. */
#define INLINED static inline __attribute__((always_inline))

/* Sets of instructions, each including those before it. */
enum { PLAIN, AVX2, AVX512 };

/* The set in use: the best that this processor has, or less where a test says so. */
extern int instructions_in_use;

/* What an array has to be: C-contiguous, but for the lines of a picture, which may be padded. */
typedef struct {
    const char *name;
    char kind;           /* 'u' unsigned, 'i' signed, 'f' floating point */
    Py_ssize_t item_size; /* bytes */
    int n_dims;
    int is_written;
    int may_be_padded;   /* its first axis may have any stride upwards */
} Wanted;

/* Take hold of an array. Returns 0, or -1 with a Python error set and nothing held. */
int take_array(PyObject *object, const Wanted *wanted, Py_buffer *view);

/* Give back arrays; those never taken have to be zeroed and are passed over. */
void give_back(Py_buffer *views, int n_views);

/* Read an integer between two bounds, both included. Returns 0, or -1 with an error set. */
int take_integer(PyObject *object, const char *name, long long least, long long most,
                 long long *value);

/* Say whether so many arguments were given; sets an error where they were not. */
int has_arguments(const char *function, Py_ssize_t n_given, Py_ssize_t n_wanted);

/* The kernels, one family a file. */
PyObject *hamming_any(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *hamming_scan(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *find_bars(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *find_insets(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *hash_thumbnail(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *shrink(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *mark_edges(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *join_edges(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *scale_part(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *slot_build(PyObject *module, PyObject *const *args, Py_ssize_t n_args);
PyObject *slot_query(PyObject *module, PyObject *const *args, Py_ssize_t n_args);

#endif
