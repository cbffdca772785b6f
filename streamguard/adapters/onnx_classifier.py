"""Runs a model pack with ONNX Runtime.

Rule: what comes out is a score for each label, or an error; never a number that nobody computed.
Which provider really runs is asked, not assumed.
"""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from streamguard.core.errors import ModelError
from streamguard.core.model import InputSpec, ModelSpec, Picture

CPU = "CPUExecutionProvider"
PROVIDERS = {"cuda": "CUDAExecutionProvider", "cpu": CPU}
"""Short names of the configuration, and ONNX Runtime's."""

GPU_BATCH = 8

SCORE_SLACK = 1e-3
"""How far a score may lie outside 0..1 by rounding; further, and it is nonsense."""


class OnnxClassifier:
    """A loaded model; one thread runs it, any thread may prepare."""

    def __init__(
        self,
        spec: ModelSpec,
        weights: Path,
        *,
        providers: Sequence[str] = ("cpu",),
        n_threads: int = 1,
    ) -> None:
        """Load the weights on the first provider of the list that this machine has.

        Args:
            spec: what the weights are.
            weights: an ONNX file.
            providers: "cuda" and "cpu", in the order of preference.
            n_threads: of one inference on the CPU.

        Raises:
            ModelError: the weights cannot be loaded, or are not what the spec says.
        """
        self.spec = spec
        available = onnxruntime.get_available_providers()
        wanted = [PROVIDERS[name] for name in providers if PROVIDERS[name] in available]
        if not wanted:
            raise ModelError(
                f"model {spec.name}: none of {', '.join(providers)} is available here: allow cpu"
            )
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal: what matters is raised, and said in our words
        try:
            self._session = onnxruntime.InferenceSession(str(weights), options, providers=wanted)
        except Exception as error:  # noqa: BLE001  # the library raises bare Exceptions of its own
            raise ModelError(
                f"model {spec.name}: the weights cannot be loaded ({type(error).__name__})"
            ) from None
        self.provider: str = self._session.get_providers()[0]
        """What really runs it, ONNX Runtime's name."""
        self.best_batch = 1 if self.provider == CPU else GPU_BATCH
        """Pictures of one run: on a CPU batches gain nothing (measured), on a GPU they do."""
        self._check_shapes()

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
        batch = as_input(pictures, self.spec.input)
        try:
            scores: NDArray[np.float32]
            (scores,) = self._session.run([self.spec.output], {self.spec.input.name: batch})
        except Exception as error:  # noqa: BLE001  # the library raises bare Exceptions of its own
            raise ModelError(
                f"model {self.spec.name}: a run failed ({type(error).__name__})"
            ) from None
        if scores.shape != (len(pictures), len(self.spec.labels)):
            raise ModelError(f"model {self.spec.name}: gave {scores.shape} for {len(pictures)}")
        if not np.all((scores >= -SCORE_SLACK) & (scores <= 1 + SCORE_SLACK)):  # NaN fails, too
            raise ModelError(f"model {self.spec.name}: gave numbers that are no scores")
        return np.clip(scores, 0, 1)

    def _check_shapes(self) -> None:
        spec = self.spec
        height, width = spec.input.height, spec.input.width
        picture = (height, width, 3) if spec.input.layout == "NHWC" else (3, height, width)
        inputs = {value.name: value for value in self._session.get_inputs()}
        outputs = {value.name: value for value in self._session.get_outputs()}
        if spec.input.name not in inputs or spec.output not in outputs:
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


def prepared(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """Scale a (H, W, 3) uint8 RGB picture and cut out the centre, as the model was trained."""
    top = (spec.resize_height - spec.height) // 2
    left = (spec.resize_width - spec.width) // 2
    # scaling only what is kept would be a quarter cheaper, but rounds otherwise: JPEG then turns
    # single steps of grey into scores that differ by 0.02 (measured)
    whole = Image.fromarray(picture).resize(
        (spec.resize_width, spec.resize_height), Image.Resampling.BILINEAR
    )
    cut = whole.crop((left, top, left + spec.width, top + spec.height))
    if spec.jpeg_quality is not None:
        passed = BytesIO()
        cut.save(passed, format="JPEG", quality=spec.jpeg_quality)
        cut = Image.open(passed)
    return np.asarray(cut)


def as_input(pictures: Sequence[NDArray[np.uint8]], spec: InputSpec) -> NDArray[np.float32]:
    """Stack prepared pictures into the model's input, (N, ...) float32."""
    batch = np.stack(pictures).astype(np.float32)
    if spec.colour == "BGR":
        batch = batch[..., ::-1]
    batch = batch - np.array(spec.mean, np.float32)
    if spec.scale != (1.0, 1.0, 1.0):
        batch *= np.array(spec.scale, np.float32)
    if spec.layout == "NCHW":
        batch = batch.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(batch)
