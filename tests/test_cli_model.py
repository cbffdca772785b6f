"""What the command line says of model packs, good and bad."""

import json
from pathlib import Path
from typing import Any

import pytest
from onnx import TensorProto

from streamguard.cli import main
from tests.made_models import Graph, edit_manifest, put_graph, write_pack
from tests.processes import streamguard

ROOT = Path(__file__).parent.parent
CPU = "CPUExecutionProvider"

Said = tuple[int, str, str]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; give exit code, standard output and standard error."""

    def run(*arguments: str | Path) -> Said:
        code = main([*map(str, arguments)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_pack(tmp_path / "models" / "redness")


def test_list_tells_what_each_pack_sees(say: Any, pack: Path) -> None:
    code, out, err = say("model", "list", pack.parent)

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "redness 1.0  ok",
        f"  folder      {pack}",
        "  sees        How red a picture is.",
        "  licence     Apache-2.0",
        "  categories  red-content from 0.6",
    ]


def test_list_shows_packs_that_cannot_be_used_with_the_reason(say: Any, pack: Path) -> None:
    damaged = write_pack(pack.parent / "damaged")
    (damaged / "weights.onnx").write_bytes(b"others")
    (pack.parent / "no pack").mkdir()

    code, out, _ = say("model", "list", pack.parent, "--json")

    assert code == 0
    assert json.loads(out) == {
        "models": [
            {
                "directory": str(damaged),
                "state": f"{damaged / 'weights.onnx'}: the weights are not those of "
                f"{damaged / 'model.toml'}: their SHA-256 differs",
                "name": None,
                "version": None,
                "sees": None,
                "licence": None,
                "categories": {},
            },
            {
                "directory": str(pack),
                "state": "ok",
                "name": "redness",
                "version": "1.0",
                "sees": "How red a picture is.",
                "licence": "Apache-2.0",
                "categories": {"red-content": 0.6},
            },
        ]
    }


def test_a_pack_that_cannot_be_used_takes_one_line_of_the_list(say: Any, tmp_path: Path) -> None:
    pack = write_pack(tmp_path / "broken")
    edit_manifest(pack, "[input]", "[inputs]")

    _, out, _ = say("model", "list", tmp_path)

    (line,) = out.splitlines()
    assert line.startswith(f"{pack}  {pack / 'model.toml'}")


def test_list_looks_into_models_unless_told_otherwise(
    say: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    code, out, _ = say("model", "list", "--json")

    packs = json.loads(out)["models"]
    assert code == 0
    assert [(pack["name"], pack["state"]) for pack in packs] == [("opennsfw", "ok")]


def test_an_empty_folder_is_said_to_be_one(say: Any, tmp_path: Path) -> None:
    assert say("model", "list", tmp_path) == (0, f"{tmp_path} holds no model packs\n", "")
    assert say("model", "list", tmp_path, "--json") == (0, '{"models": []}\n', "")


def test_a_folder_that_is_not_there_is_an_error(say: Any, tmp_path: Path) -> None:
    code, out, err = say("model", "list", tmp_path / "none")

    assert (code, out) == (2, "")
    assert err == (
        f"streamguard: {tmp_path / 'none'} is no folder: name the one that holds the model packs\n"
    )


def test_verify_runs_a_pack_and_says_on_what(say: Any, pack: Path) -> None:
    code, out, err = say("model", "verify", pack)

    first, second = out.splitlines()
    assert (code, err) == (0, "")
    assert first == f"{pack}: ok: redness 1.0"
    assert second.startswith(f"runs on {CPU}, ")
    assert second.endswith(" ms a picture; grey scores red-content 0.0")


def test_verify_gives_the_same_as_json(say: Any, pack: Path) -> None:
    code, out, _ = say("model", "verify", pack, "--json")

    verdict = json.loads(out)
    assert code == 0
    assert 0 < verdict.pop("run_ms") < 1000
    assert verdict == {
        "directory": str(pack),
        "problems": [],
        "name": "redness",
        "version": "1.0",
        "provider": CPU,
        "scores": {"red-content": 0.0},
    }


def test_the_pack_that_ships_with_streamguard_is_sound(say: Any) -> None:
    code, out, _ = say("model", "verify", ROOT / "models" / "opennsfw", "--json")

    verdict = json.loads(out)
    assert (code, verdict["problems"], verdict["provider"]) == (0, [], CPU)
    assert 0 < verdict["scores"]["sexual-content"] < 0.5


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (Graph(size=(32, 40)), "input is (32, 40, 3), the manifest says (32, 32, 3)"),
        (Graph(input_type=TensorProto.UINT8), "input is tensor(uint8), not tensor(float)"),
        (Graph(n_outputs=3), "output is (3,), the manifest says (2,)"),
        (Graph(output_name="probs"), "outputs ['probs'], not 'pixels' and 'scores'"),
        (Graph(lift=float("nan")), "gave numbers that are no scores"),
        (Graph(extra_input="scale"), "inputs ['pixels', 'scale']"),
    ],
)
def test_a_graph_that_is_not_what_its_manifest_says_is_one_line(
    say: Any, pack: Path, graph: Graph, problem: str
) -> None:
    put_graph(pack, graph)

    code, out, err = say("model", "verify", pack)

    assert (code, err, out.count("\n")) == (2, "", 1)
    assert out.startswith("model redness: ")
    assert problem in out


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("[input]", "[input]\nsharpen = 1", "input.sharpen: there is no such setting"),
        ('labels = ["other", "red"]', "", "output.labels: Field required"),
        ('file = "weights.onnx"', 'file = "none.onnx"', "there are no weights at"),
        ("[weights]", '[weights]\npackage = "not_there"', "package not_there is missing: install"),
        ('sha256 = "', 'sha256 = "0', "weights.sha256"),
        ("[weights]", "[weights", "is not valid TOML"),
    ],
)
def test_a_manifest_that_is_wrong_is_one_line(
    say: Any, pack: Path, old: str, new: str, problem: str
) -> None:
    edit_manifest(pack, old, new)

    code, out, err = say("model", "verify", pack)

    assert (code, err, out.count("\n")) == (2, "", 1)
    assert problem in out


def test_problems_are_told_as_json_as_well(say: Any, tmp_path: Path) -> None:
    code, out, _ = say("model", "verify", tmp_path / "none", "--json")

    verdict = json.loads(out)
    assert code == 2
    assert len(verdict["problems"]) == 1
    assert verdict["name"] is None


@pytest.mark.integration
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ('providers = ["cuda"]', "model redness: none of cuda is available here: allow cpu"),
        (
            'providers = ["tpu"]',
            "config.toml:3: model.providers.0: Input should be 'cuda' or 'cpu'",
        ),
        ("providers = []", "config.toml:3: model.providers: Tuple should have at least 1 item"),
    ],
)
def test_providers_that_cannot_be_had_end_the_command(
    pack: Path, tmp_path: Path, settings: str, problem: str
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[model]\npack = "{pack}"\n{settings}\n')

    done = streamguard("screen", "clip.mp4", "--config", config)

    assert (done.code, done.out) == (2, "")
    assert problem in done.problem


@pytest.mark.integration
def test_a_damaged_pack_ends_the_command_before_anything_is_screened(pack: Path) -> None:
    (pack / "weights.onnx").write_bytes(b"others")

    done = streamguard("screen", "clip.mp4", "--model", pack)

    assert (done.code, done.out) == (2, "")
    assert done.problem.endswith("their SHA-256 differs")


@pytest.mark.integration
def test_check_config_looks_into_the_pack_as_well(pack: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[model]\npack = "{pack}"\n')
    sound = streamguard("check-config", config)
    (pack / "weights.onnx").write_bytes(b"others")

    damaged = streamguard("check-config", config)

    assert sound.code == 0
    assert damaged.code == 2
    assert damaged.problem.endswith("their SHA-256 differs")
