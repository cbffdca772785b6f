"""`bank slates`: what a list holds by mistake, a negative bank keeps from being flagged."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from streamguard.adapters.pillow_slates import slates
from tests.media import filmed
from tests.processes import streamguard

pytestmark = pytest.mark.integration

FULL_RANGE = np.clip((np.arange(256) - 16) * 255 / 219, 0, 255).astype(np.uint8)


def flags(*arguments: str | Path) -> list[str]:
    done = streamguard("screen", *arguments)
    assert done.code == 0, done.err
    return [kind for kind in done.types if kind == "flag.opened"]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Film a test card for four seconds, with noise as a camera has it."""
    rng = np.random.default_rng(3)
    luma = FULL_RANGE[dict(slates())["SMPTE colour bars"][::2, ::2]]
    noise = rng.integers(-6, 7, (100, *luma.shape))
    pictures = [np.clip(luma + each, 0, 255).astype(np.uint8) for each in noise]
    film = tmp_path / "card.mp4"
    film.write_bytes(filmed(pictures, gop=25, crf=28))
    return film


def test_a_test_card_on_a_list_is_vetoed_by_the_slates(tmp_path: Path, card: Path) -> None:
    listed = tmp_path / "listed.png"
    Image.fromarray(FULL_RANGE[dict(slates())["SMPTE colour bars"]]).save(listed)
    known, harmless = tmp_path / "known", tmp_path / "harmless"
    assert streamguard("bank", "build", known, listed, "--policy", "TVEC-TEST").code == 0
    assert streamguard("bank", "slates", harmless).code == 0

    assert len(flags(card, "--bank", known)) == 1
    assert flags(card, "--bank", known, "--bank", harmless) == []
    assert flags(card, "--bank", harmless) == []


def test_slates_are_put_in_again_without_harm(tmp_path: Path) -> None:
    first = json.loads(streamguard("bank", "slates", tmp_path / "slates", "--json").out)
    again = json.loads(streamguard("bank", "slates", tmp_path / "slates", "--json").out)

    assert first["role"] == again["role"] == "negative"
    assert first["entries"] == again["entries"] >= 20


def test_a_bank_of_known_content_is_not_made_negative(tmp_path: Path, known_bank: Path) -> None:
    done = streamguard("bank", "slates", known_bank)

    assert done.code == 2
    assert "is a bank of known content: name another directory" in done.err
