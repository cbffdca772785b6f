/* Owns the module `streamguard.kernels._kernels`: its table, arguments, and choice of instructions.
 *
 * Rule: no kernel lives here. A new one is a line in the table below and a line in kernels.h.
 */
#include "kernels.h"

#include <string.h>

int instructions_in_use = PLAIN;

static int best_instructions = PLAIN;

static const char *const NAMES[] = {"plain", "avx2", "avx512"};

static int detect(void)
{
#if HAS_X86
    __builtin_cpu_init();
    if (!(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")
          && __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt"))) {
        return PLAIN;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vpopcntdq")) {
        return AVX512;
    }
    return AVX2;
#else
    return PLAIN;
#endif
}

/* Give the kind of a buffer's items, or 0 where they are none of ours. */
static char kind_of(const char *format)
{
    if (format == NULL) {
        return 'u'; /* the buffer protocol: unsigned bytes */
    }
    if (*format == '@' || *format == '=') {
        format++;
    }
    if (format[0] == '\0' || format[1] != '\0') {
        return 0;
    }
    return strchr("BHILQN", *format) ? 'u' : strchr("bhilqn", *format) ? 'i'
         : strchr("efd", *format)    ? 'f'
                                     : 0;
}

/* Say whether the lines of an array are whole and follow each other in memory, padded or not. */
static int has_whole_lines(const Py_buffer *view)
{
    Py_ssize_t wanted = view->itemsize;
    for (int axis = view->ndim - 1; axis > 0; axis--) {
        if (view->strides[axis] != wanted && view->shape[axis] > 1) {
            return 0;
        }
        wanted *= view->shape[axis];
    }
    return view->strides[0] >= wanted || view->shape[0] < 2;
}

int take_array(PyObject *object, const Wanted *wanted, Py_buffer *view)
{
    int flags = PyBUF_FORMAT | (wanted->is_written ? PyBUF_WRITABLE : 0)
              | (wanted->may_be_padded ? PyBUF_STRIDES : PyBUF_C_CONTIGUOUS);
    if (PyObject_GetBuffer(object, view, flags) < 0) {
        return -1;
    }
    if (kind_of(view->format) != wanted->kind || view->itemsize != wanted->item_size
        || view->ndim != wanted->n_dims) {
        PyErr_Format(PyExc_ValueError, "%s: expected %d dimensions of %c%zd, got %d of '%s'",
                     wanted->name, wanted->n_dims, wanted->kind, wanted->item_size, view->ndim,
                     view->format ? view->format : "B");
        PyBuffer_Release(view);
        return -1;
    }
    if (wanted->may_be_padded && !has_whole_lines(view)) {
        PyErr_Format(PyExc_ValueError, "%s: its lines are not contiguous", wanted->name);
        PyBuffer_Release(view);
        return -1;
    }
    return 0;
}

void give_back(Py_buffer *views, int n_views)
{
    for (int i = 0; i < n_views; i++) {
        PyBuffer_Release(&views[i]);
    }
}

int take_integer(PyObject *object, const char *name, long long least, long long most,
                 long long *value)
{
    *value = PyLong_AsLongLong(object);
    if (*value == -1 && PyErr_Occurred()) {
        return -1;
    }
    if (*value < least || *value > most) {
        PyErr_Format(PyExc_ValueError, "%s: %lld is not within %lld and %lld", name, *value, least,
                     most);
        return -1;
    }
    return 0;
}

int has_arguments(const char *function, Py_ssize_t n_given, Py_ssize_t n_wanted)
{
    if (n_given != n_wanted) {
        PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, got %zd", function, n_wanted,
                     n_given);
        return 0;
    }
    return 1;
}

static PyObject *instructions(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    return PyUnicode_FromString(NAMES[instructions_in_use]);
}

static PyObject *use_instructions(PyObject *module, PyObject *name)
{
    (void)module;
    const char *wanted = PyUnicode_AsUTF8(name);
    if (wanted == NULL) {
        return NULL;
    }
    for (int set = PLAIN; set <= best_instructions; set++) {
        if (strcmp(wanted, NAMES[set]) == 0) {
            instructions_in_use = set;
            Py_RETURN_NONE;
        }
    }
    return PyErr_Format(PyExc_ValueError, "this processor has no '%s'", wanted);
}

#define KERNEL(name) {#name, (PyCFunction)(void (*)(void))(name), METH_FASTCALL, NULL}

static PyMethodDef METHODS[] = {
    {"instructions", instructions, METH_NOARGS, NULL},
    {"use_instructions", use_instructions, METH_O, NULL},
    KERNEL(hamming_any),
    KERNEL(hamming_scan),
    KERNEL(mark_edges),
    KERNEL(join_edges),
    KERNEL(scale_part),
    KERNEL(shrink),
    KERNEL(hash_thumbnail),
    KERNEL(find_insets),
    KERNEL(find_bars),
    KERNEL(slot_build),
    KERNEL(slot_query),
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {
    PyModuleDef_HEAD_INIT,
    .m_name = "streamguard.kernels._kernels",
    .m_doc = "Inner loops, compiled. What each does is said in _kernels.pyi.",
    .m_size = 0,
    .m_methods = METHODS,
};

PyMODINIT_FUNC PyInit__kernels(void)
{
    best_instructions = detect();
    instructions_in_use = best_instructions;
    return PyModuleDef_Init(&MODULE);
}
