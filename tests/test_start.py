import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from streamguard.cli import _FAMILIES, _parser
from streamguard.cli_parser import verb_of
from streamguard.exchange import lists
from streamguard.verbs.exchange_cli import FORMATS

NOT_FOR_SCREENING = (
    *("aiokafka", "apsw", "cryptography", "httpx", "m3u8", "obstore", "onnxruntime"),
    *("msgspec", "prometheus_client", "streamguard.exchange.", "streamguard.model_pack"),
)
"""What takes long to import, and screening a file by hashes never uses."""


def verbs_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """List what does each verb, down to the last."""
    if verb := parser.get_default("verb"):
        yield verb
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from verbs_of(inner)


@pytest.mark.parametrize("name", sorted(set(verbs_of(_parser()))))
def test_every_verb_is_there(name: str) -> None:
    assert callable(verb_of(argparse.Namespace(verb=name)))


@pytest.mark.parametrize("verb", sorted(_FAMILIES))
def test_a_verb_is_read_alike_whether_or_not_the_others_are_there(verb: str) -> None:
    def told(parser: argparse.ArgumentParser) -> str:
        [verbs] = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        return str(verbs.choices[verb].format_help())

    assert told(_parser([verb, "--help"])) == told(_parser())


def test_formats_on_the_command_line_are_those_that_can_be_read() -> None:
    assert sorted(lists.FORMATS) == list(FORMATS)


def test_screening_waits_for_no_import_that_it_does_not_need() -> None:
    script = "import sys, streamguard.__main__, streamguard.verbs.screen_verb; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    imported = done.stdout.decode().split()
    assert [name for name in imported if name.startswith(NOT_FOR_SCREENING)] == []


def test_garbage_is_looked_for_again_once_all_is_imported() -> None:
    script = (
        "import gc, sys, streamguard.__main__ as main; sys.argv = ['', 'hash', '']\n"
        "main.main = lambda argv, on_imported: on_imported() or 5\n"
        "main.os._exit = lambda code: print(gc.isenabled(), gc.get_freeze_count() > 10_000, code)\n"
        "main.run()"
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    assert done.stdout.decode().split() == ["True", "True", "5"]
