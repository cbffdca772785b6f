import hashlib
import re
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from streamguard.core.errors import ConfigError, StreamguardError
from streamguard.model_pack import (
    CategoryTable,
    InputTable,
    Manifest,
    OutputTable,
    WeightsTable,
    load_pack,
)
from tests.made_models import Graph, edit_manifest, graph_bytes, write_pack

OPENNSFW = Path(__file__).parent.parent / "models" / "opennsfw"


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "pack")


def problem(pack: Path) -> str:
    """Load a pack that is wrong; give the one line that says so."""
    with pytest.raises(StreamguardError) as caught:
        load_pack(pack)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_pack_is_read_with_all_that_its_manifest_says(tmp_path: Path) -> None:
    weights = graph_bytes(Graph(layout="NCHW", colour="BGR", size=(24, 32)))
    pack = write_pack(tmp_path, Graph(layout="NCHW", colour="BGR", size=(24, 32)))
    edit_manifest(pack, "resize = [24, 32]", "resize = [30, 40]\njpeg_quality = 75")
    edit_manifest(pack, "mean = [0.0, 0.0, 0.0]", "mean = [1.0, 2.0, 3.0]\nscale = [0.5, 0.25, 2]")

    loaded = load_pack(pack)

    spec, fed = loaded.spec, loaded.spec.input
    assert (spec.name, spec.version, spec.licence) == ("redness", "1.0", "Apache-2.0")
    assert (loaded.sees, spec.source) == ("How red a picture is.", "made by the tests")
    assert loaded.weights == weights
    assert spec.sha256 == hashlib.sha256(weights).hexdigest()
    assert (fed.name, fed.layout, fed.colour) == ("pixels", "NCHW", "BGR")
    assert (fed.height, fed.width, fed.resize_height, fed.resize_width) == (24, 32, 30, 40)
    assert (fed.mean, fed.scale, fed.jpeg_quality) == ((1, 2, 3), (0.5, 0.25, 2), 75)
    assert (spec.output, spec.labels) == ("scores", ("other", "red"))
    assert (spec.categories, spec.thresholds) == ({"red": "red-content"}, {"red-content": 0.6})


def test_what_a_manifest_may_leave_out_changes_no_number(pack: Path) -> None:
    fed = load_pack(pack).spec.input

    assert fed.scale == (1, 1, 1)
    assert fed.jpeg_quality is None


def test_weights_that_are_one_bit_off_are_refused(pack: Path) -> None:
    file = pack / "weights.onnx"
    damaged = bytearray(file.read_bytes())
    damaged[-1] ^= 1
    file.write_bytes(damaged)

    assert problem(pack) == (
        f"{file}: the weights are not those of {pack / 'model.toml'}: their SHA-256 differs"
    )


def test_weights_that_are_missing_are_named(pack: Path) -> None:
    file = pack / "weights.onnx"
    file.unlink()

    assert problem(pack) == f"{pack}: there are no weights at {file}: No such file or directory"


def test_weights_that_cannot_be_read_are_named(pack: Path) -> None:
    file = pack / "weights.onnx"
    file.unlink()
    file.mkdir()

    assert problem(pack) == f"{pack}: there are no weights at {file}: Is a directory"


@pytest.mark.parametrize("package", ["streamguard_no_such_package", "sys", "__main__"])
def test_what_is_no_installed_package_holds_no_weights(pack: Path, package: str) -> None:
    edit_manifest(pack, "[weights]", f'[weights]\npackage = "{package}"\ninstall = "some[extra]"')

    assert problem(pack) == f"{pack}: package {package} is missing: install some[extra]"


def test_without_a_word_on_installing_the_package_itself_is_named(pack: Path) -> None:
    edit_manifest(pack, "[weights]", '[weights]\npackage = "no_such_package"')

    assert problem(pack).endswith("package no_such_package is missing: install no_such_package")


def test_weights_are_found_in_a_package_without_importing_it(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "path" / "carries_weights"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (pack / "weights.onnx").rename(package / "weights.onnx")
    monkeypatch.syspath_prepend(package.parent)
    edit_manifest(pack, "[weights]", '[weights]\npackage = "carries_weights"')

    assert load_pack(pack).weights == (package / "weights.onnx").read_bytes()
    assert "carries_weights" not in sys.modules


def test_a_package_that_lacks_the_file_is_told_of(pack: Path) -> None:
    edit_manifest(pack, "[weights]", '[weights]\npackage = "streamguard"')

    assert "there are no weights at" in problem(pack)


def test_a_folder_without_a_manifest_is_no_pack(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.toml cannot be read: No such file"):
        load_pack(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('name = "redness"', 'nmae = "redness"', "name: Field required"),
        ("[weights]", "[weights]\nurl = 1", "weights.url: there is no such setting"),
        ('labels = ["other", "red"]', "", "output.labels: Field required"),
        ('labels = ["other", "red"]', "labels = []", "output.labels: Tuple should have at least 1"),
        ('["other", "red"]', '["red", "red"]', "output: two labels are the same"),
        ('["other", "red"]', '["other", "rad"]', "red-content names red, which is no label"),
        ("[categories.red-content]", "[categories.Red]", "categories.Red"),
        ("threshold = 0.6", "threshold = 0", "categories.red-content.threshold"),
        ("threshold = 0.6", "threshold = 1.01", "categories.red-content.threshold"),
        ("threshold = 0.6", "threshold = nan", "categories.red-content.threshold"),
        ('file = "weights.onnx"', 'file = "../weights.onnx"', "weights.file"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [0.0, nan, 0.0]", "input.mean.1"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [0, 0, 0]\nscale = [1, 0, 1]", "input.scale.1"),
        ("mean = [0.0, 0.0, 0.0]", "mean = [0, 0, 0]\nscale = [1, inf, 1]", "input.scale.1"),
        ("size = [32, 32]", "size = [33, 32]", "input.size is larger than input.resize"),
        ('layout = "NHWC"', 'layout = "CHW"', "input.layout"),
        ('colour = "RGB"', 'colour = "YUV"', "input.colour"),
        ('version = "1.0"', r'version = "1\n0"', "version"),
        ('sees = "How red a picture is."', 'sees = ""', "sees"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_in_one_line(
    pack: Path, old: str, new: str, what: str
) -> None:
    edit_manifest(pack, old, new)

    said = problem(pack)

    assert said.startswith(str(pack / "model.toml"))
    assert what in said


def test_the_line_of_an_unknown_key_is_told(pack: Path) -> None:
    edit_manifest(pack, "[input]", "[input]\nsharpen = 1")
    lines = (pack / "model.toml").read_text().splitlines()

    assert problem(pack) == (
        f"{pack / 'model.toml'}:{lines.index('sharpen = 1') + 1}: input.sharpen: "
        "there is no such setting; is it misspelt?"
    )


def test_a_label_means_one_category_only(pack: Path) -> None:
    """The second would never be scored, in silence."""
    file = pack / "model.toml"
    file.write_text(file.read_text() + '[categories.crimson]\nlabel = "red"\nthreshold = 0.9\n')

    assert "two categories name the label red" in problem(pack)


def test_a_manifest_without_categories_would_never_flag(pack: Path) -> None:
    file = pack / "model.toml"
    file.write_text(file.read_text().partition("[categories")[0] + "[categories]\n")

    assert "categories: Dictionary should have at least 1 item" in problem(pack)


def test_the_pack_that_ships_with_streamguard_loads() -> None:
    spec = load_pack(OPENNSFW).spec

    assert spec.categories == {"nsfw": "sexual-content"}
    assert spec.labels == ("sfw", "nsfw")


@pytest.mark.parametrize(
    "table", [Manifest, WeightsTable, InputTable, OutputTable, CategoryTable], ids=str
)
def test_the_page_on_packs_names_every_key(table: type[BaseModel]) -> None:
    page = (OPENNSFW.parent / "README.md").read_text()

    named = set(re.findall(r"[`\[](\w+)[.\]`]", page))

    assert set(table.model_fields) - {"categories"} <= named


def test_the_page_of_the_pack_that_ships_says_what_its_manifest_says() -> None:
    spec = load_pack(OPENNSFW).spec
    page = (OPENNSFW / "README.md").read_text()

    assert spec.sha256 in page
    assert f"`nsfw` from {spec.thresholds['sexual-content']}" in page
