import os
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.kernel_paths import CAN_COMPILE
from tests.processes import ROOT

PARTS = ("pyproject.toml", "README.md", "LICENSE", "streamguard")


def wheel_of(folder: Path, **environment: str) -> list[str]:
    """Build a wheel of the sources, from a copy that was never built; list what is in it."""
    source = folder / "source"
    source.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(ROOT / part, source / part, ignore=ignored)
        else:
            shutil.copy(ROOT / part, source / part)
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--no-index", "--wheel-dir", folder, source],
        env=os.environ | environment,
        check=True,
        capture_output=True,
    )
    (made,) = folder.glob("*.whl")
    with ZipFile(made) as wheel:
        return wheel.namelist()


@pytest.mark.integration
@pytest.mark.skipif(not CAN_COMPILE, reason="no C compiler or no Python headers")
def test_wheel_holds_the_compiled_kernels_and_not_their_sources(tmp_path: Path) -> None:
    names = [name for name in wheel_of(tmp_path) if name.startswith("streamguard/kernels/")]

    assert sum(name.endswith(".so") for name in names) == 1
    assert not [name for name in names if name.endswith((".c", ".h"))]
    assert "streamguard/kernels/_kernels.pyi" in names


@pytest.mark.integration
def test_package_is_built_without_a_compiler_all_the_same(tmp_path: Path) -> None:
    names = wheel_of(tmp_path, CC="/nonexistent/cc")

    assert not [name for name in names if name.endswith(".so")]
    assert "streamguard/kernels/compiled.py" in names
    assert "streamguard/contracts/asyncapi.yaml" in names
