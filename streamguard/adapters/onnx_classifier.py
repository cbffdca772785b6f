"""Runs a model pack with ONNX Runtime.

Rule: what comes out is a score for each label, or an error; never a number that nobody computed.
Which provider really runs is asked, not assumed.
"""

import os
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from streamguard.adapters.pillow_input import as_input, prepared
from streamguard.core.errors import ModelError
from streamguard.core.model import ModelSpec, Picture

CPU = "CPUExecutionProvider"
PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": CPU}
"""Short names of the configuration, and ONNX Runtime's."""

GPU_BATCH = 8

EXTERNAL_WEIGHTS = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's name for where a model may have files of weights beside it."""

SCORE_SLACK = 1e-3
"""How far a score may lie outside 0..1 by rounding; further, and it is nonsense."""


class OnnxClassifier:
    """A loaded model; one thread runs it, any thread may prepare."""

    def __init__(
        self,
        spec: ModelSpec,
        weights: bytes,
        *,
        providers: Sequence[str] = ("cpu",),
        n_threads: int = 1,
    ) -> None:
        """Load the weights on the first provider of the list that this machine has.

        Args:
            spec: what the weights are.
            weights: an ONNX model, all in one: what it keeps in other files is never read.
            providers: "cuda" and "cpu", in the order of preference.
            n_threads: of one inference on the CPU.

        Raises:
            ModelError: the weights cannot be loaded, or are not what the spec says, or none of the
                providers can run them.
        """
        self.spec = spec
        available = onnxruntime.get_available_providers()
        wanted = [PROVIDERS[name] for name in providers if PROVIDERS[name] in available]
        if not wanted:
            raise ModelError(
                f"model {spec.name}: none of {', '.join(providers)} is available here: allow cpu"
            )
        self._session = self._open(weights, wanted, n_threads)
        self.provider: str = self._session.get_providers()[0]
        """What really runs it, ONNX Runtime's name."""
        if self.provider not in wanted:  # a GPU that is there and cannot be used is passed over
            raise ModelError(
                f"model {spec.name}: {', '.join(providers)} cannot be used here: repair its driver "
                "or allow cpu"
            )
        self._check_values()
        takes_many = not isinstance(self._session.get_inputs()[0].shape[0], int)
        self.best_batch = GPU_BATCH if takes_many and self.provider != CPU else 1
        """Pictures of one run: on a CPU batches gain nothing (measured), on a GPU they do."""

    def prepare(self, picture: Picture) -> NDArray[np.uint8]:
        """Scale a picture and cut the model's input out of it; (height, width, 3) uint8, RGB."""
        return prepared(picture, self.spec.input)

    def run(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Score prepared pictures.

        Returns:
            (N, labels) float32, 0..1.

        Raises:
            ModelError: the run failed, or what came out are no scores.
        """
        scores: NDArray[np.float32]
        try:
            batch = as_input(pictures, self.spec.input)
            (scores,) = self._session.run([self.spec.output], {self.spec.input.name: batch})
        except Exception as error:  # noqa: BLE001  # the library raises bare Exceptions of its own
            raise ModelError(
                f"model {self.spec.name}: a run failed ({type(error).__name__})"
            ) from None
        if scores.shape != (len(pictures), len(self.spec.labels)):
            raise ModelError(f"model {self.spec.name}: gave {scores.shape} for {len(pictures)}")
        if not (scores.min() >= -SCORE_SLACK and scores.max() <= 1 + SCORE_SLACK):  # NaN fails, too
            raise ModelError(f"model {self.spec.name}: gave numbers that are no scores")
        return scores.clip(0, 1)

    def _open(
        self, weights: bytes, wanted: Sequence[str], n_threads: int
    ) -> onnxruntime.InferenceSession:
        """Load the weights on the first provider that can; those after it help it out."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal: what matters is raised, and said in our words
        # weights in files of their own would be no part of what was checked
        options.add_session_config_entry(EXTERNAL_WEIGHTS, os.devnull)
        problem = ""
        for first in range(len(wanted)):
            try:
                # the library's own fall-back would print to stdout, where the events go
                return onnxruntime.InferenceSession(
                    weights, options, providers=wanted[first:], enable_fallback=0
                )
            except Exception as error:  # noqa: BLE001  # the library raises bare Exceptions of its own
                problem = type(error).__name__
        raise ModelError(f"model {self.spec.name}: the weights cannot be loaded ({problem})")

    def _check_values(self) -> None:
        """Hold the inputs and outputs of the graph against the manifest."""
        spec = self.spec
        height, width = spec.input.height, spec.input.width
        picture = (height, width, 3) if spec.input.layout == "NHWC" else (3, height, width)
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        if [*inputs] != [spec.input.name] or spec.output not in outputs:
            raise ModelError(
                f"model {spec.name}: the graph has inputs {sorted(inputs)} and outputs "
                f"{sorted(outputs)}, not {spec.input.name!r} and {spec.output!r}"
            )
        _check(spec, "input", inputs[spec.input.name], picture)
        _check(spec, "output", outputs[spec.output], (len(spec.labels),))


def _check(spec: ModelSpec, role: str, value: onnxruntime.NodeArg, shape: tuple[int, ...]) -> None:
    """Compare a graph's value with the manifest; named dimensions fit anything."""
    if value.type != "tensor(float)":
        raise ModelError(f"model {spec.name}: {role} is {value.type}, not tensor(float)")
    actual = tuple(value.shape[1:])
    is_fit = len(actual) == len(shape) and all(
        not isinstance(have, int) or have == want for have, want in zip(actual, shape, strict=True)
    )
    if not is_fit:
        raise ModelError(f"model {spec.name}: {role} is {actual}, the manifest says {shape}")
    if isinstance(value.shape[0], int) and value.shape[0] != 1:
        raise ModelError(
            f"model {spec.name}: {role} is of {value.shape[0]} pictures: export it with a free "
            "first dimension, or one of 1"
        )
