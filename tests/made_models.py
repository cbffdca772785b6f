"""Model packs whose scores are known beforehand: a few nodes of ONNX, made in a test's folder.

Rule: harmless. What a tiny model "sees" is how red a picture is: 0 for grey, 1 for pure red.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, external_data_helper, helper, numpy_helper

Layout = Literal["NHWC", "NCHW"]
Colour = Literal["RGB", "BGR"]

OPSET, IR_VERSION = 17, 8
"""Old enough for every ONNX Runtime that the project allows."""


@dataclass(frozen=True)
class Graph:
    """What to make; as it is, it fits the manifest of `write_pack`.

    batch: pictures of one run; "N" leaves it open.
    hides_outputs: the graph does not say how many there are.
    lift:  what is added to every score.
    flaw:  "nan" gives NaN for red pictures, "fails" cannot run them, "wild" doubles what it gives.
    """

    layout: Layout = "NHWC"
    colour: Colour = "RGB"
    size: tuple[int, int] = (32, 32)
    batch: int | str = "N"
    input_name: str = "pixels"
    output_name: str = "scores"
    input_type: int = TensorProto.FLOAT
    output_type: int = TensorProto.FLOAT
    n_outputs: int = 2
    hides_outputs: bool = False
    flaw: Literal["none", "nan", "fails", "wild"] = "none"
    extra_input: str | None = None
    lift: float = 0.0


def redness(rgb: Sequence[float]) -> float:
    """Say what the model gives for a picture of one colour."""
    red, green, blue = rgb
    return min(1.0, max(0.0, (red - (green + blue) / 2) / 255))


def flat(rgb: Sequence[int], size: tuple[int, int] = (32, 32)) -> NDArray[np.uint8]:
    """Give a picture of one colour, (H, W, 3) uint8."""
    return np.broadcast_to(np.array(rgb, np.uint8), (*size, 3)).copy()


def graph_bytes(graph: Graph) -> bytes:
    """Serialise the model: the mean of each channel, weighed and cut to 0..1."""
    height, width = graph.size
    is_last = graph.layout == "NHWC"
    shape = [graph.batch, height, width, 3] if is_last else [graph.batch, 3, height, width]
    inputs = [helper.make_tensor_value_info(graph.input_name, graph.input_type, shape)]
    if graph.extra_input:
        inputs.append(helper.make_tensor_value_info(graph.extra_input, TensorProto.FLOAT, [1]))
    output = helper.make_tensor_value_info(
        graph.output_name,
        graph.output_type,
        [graph.batch, "any" if graph.hides_outputs else graph.n_outputs],
    )
    axes = [1, 2] if is_last else [2, 3]
    nodes = [
        helper.make_node("Cast", [graph.input_name], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x"], ["means"], axes=axes, keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["weighed"]),
        helper.make_node("Clip", ["weighed", "zero", "one"], ["red"]),
        *_flaw(graph),
        helper.make_node("MatMul", ["end", "spread"], ["signed"]),
        helper.make_node("Add", ["signed", "bias"], ["sure"]),
        helper.make_node("Compress", ["sure", "all"], ["unsure"], axis=1),  # nobody counts these
        helper.make_node(
            "Cast",
            ["unsure" if graph.hides_outputs else "sure"],
            [graph.output_name],
            to=graph.output_type,
        ),
    ]
    made = helper.make_graph(nodes, "redness", inputs, [output], _constants(graph))
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def weights_beside(directory: Path) -> bytes:
    """Serialise a model that keeps its weights in a file of this folder, as large ones do."""
    height, width = Graph.size
    weights = numpy_helper.from_array(np.full((height * width * 3, 2), 1e-6, np.float32), "w")
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["N", height, width, 3])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])
    nodes = [
        helper.make_node("Flatten", ["pixels"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["scores"]),
    ]
    made = helper.make_graph(nodes, "beside", [pixels], [scores], [weights])
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(made, opset_imports=[opset], ir_version=IR_VERSION)
    directory.mkdir()
    external_data_helper.convert_model_to_external_data(model, location="weights.bin")
    external_data_helper.write_external_data_tensors(model, str(directory))
    return bytes(model.SerializeToString())


def _constants(graph: Graph) -> list[onnx.TensorProto]:
    """Give the numbers of the graph: its first output is 1 - red, each further one red."""
    weights = np.array([[1], [-0.5], [-0.5]], np.float32) / 255
    others = graph.n_outputs - 1
    values = {
        "weights": weights[::-1] if graph.colour == "BGR" else weights,
        "spread": np.array([[-1, *[1] * others]], np.float32),
        "bias": np.array([1, *[0] * others], np.float32) + np.float32(graph.lift),
        "zero": np.float32(0),
        "half": np.float32(0.5),
        "one": np.float32(1),
        "all": np.ones(graph.n_outputs, np.bool_),
        "one_row": np.zeros(1, np.float32),
    }
    return [numpy_helper.from_array(np.array(value), name) for name, value in values.items()]


def _flaw(graph: Graph) -> list[onnx.NodeProto]:
    """Lead from `red` to `end`."""
    node = helper.make_node
    match graph.flaw:
        case "nan":  # the root of what is negative where red is above a half
            return [
                node("Sub", ["half", "red"], ["below"]),
                node("Sqrt", ["below"], ["root"]),
                node("Mul", ["root", "zero"], ["nothing"]),
                node("Add", ["red", "nothing"], ["end"]),
            ]
        case "fails":  # looks up row 1 of a table that has row 0 alone
            return [
                node("ReduceMax", ["red"], ["most"], keepdims=0),
                node("Round", ["most"], ["rounded"]),
                node("Cast", ["rounded"], ["row"], to=TensorProto.INT64),
                node("Gather", ["one_row", "row"], ["nothing"]),
                node("Add", ["red", "nothing"], ["end"]),
            ]
        case "wild":
            return [node("Add", ["red", "red"], ["end"])]
        case _:
            return [node("Identity", ["red"], ["end"])]


MANIFEST = """
name = "redness"
version = "1.0"
licence = "Apache-2.0"
source = "made by the tests"
sees = "How red a picture is."

[weights]
file = "weights.onnx"
sha256 = "SHA256"

[input]
name = "pixels"
layout = "LAYOUT"
size = [HEIGHT, WIDTH]
resize = [HEIGHT, WIDTH]
colour = "COLOUR"
mean = [0.0, 0.0, 0.0]

[output]
name = "scores"
labels = ["other", "red"]

[categories.red-content]
label = "red"
threshold = 0.6
"""


def manifest_of(graph: Graph, weights: bytes) -> str:
    """Write the manifest of a graph; what its flaws are is not in it."""
    values = {
        "SHA256": hashlib.sha256(weights).hexdigest(),
        "LAYOUT": graph.layout,
        "HEIGHT": str(graph.size[0]),
        "WIDTH": str(graph.size[1]),
        "COLOUR": graph.colour,
    }
    text = MANIFEST
    for name, value in values.items():
        text = text.replace(name, value)
    return text


def write_pack(directory: Path, graph: Graph | None = None) -> Path:
    """Write a pack; give its folder."""
    made = graph or Graph()
    weights = graph_bytes(made)
    text = manifest_of(made, weights)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "weights.onnx").write_bytes(weights)
    (directory / "model.toml").write_text(text)
    return directory


def edit_manifest(pack: Path, old: str, new: str) -> None:
    """Replace text of a manifest; it must be there."""
    file = pack / "model.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def put_graph(pack: Path, graph: Graph) -> None:
    """Put another graph into a pack whose manifest then has its digest, and is as it was else."""
    file = pack / "weights.onnx"
    old, new = file.read_bytes(), graph_bytes(graph)
    file.write_bytes(new)
    edit_manifest(pack, hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())
