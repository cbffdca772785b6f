"""Stores of evidence for tests."""

from pathlib import Path
from uuid import UUID

from streamguard.core.kept import HasRoom, Part, Subject
from streamguard.core.manifest import FOR_ALL, AccessPolicy
from streamguard.vault.checking import Checked, Problem, check
from streamguard.vault.collecting import Authority, Collector
from streamguard.vault.folder import Folder, Store
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.vault import Vault
from tests.clock import FakeClock

CLIP = bytes(range(256)) * 3
STILL = b"a still"
CONFIG_SHA256 = "c0" * 32


def evidence_id(number: int) -> str:
    return str(UUID(int=number))


def subject(number: int) -> Subject:
    return Subject(evidence_id(number), f"stream-{number}", str(UUID(int=1000 + number)))


def part(role: str = "clip", content: bytes = CLIP) -> Part:
    media_type = "video/mp4" if role == "clip" else "image/jpeg"
    return Part(role, media_type, 4000, 14_000, is_original=role == "clip", content=content)


def made_vault(
    directory: Path,
    clock: FakeClock | None = None,
    store: Store | None = None,
    policy: AccessPolicy = FOR_ALL,
    authority: Authority | None = None,
    has_room: HasRoom = lambda _: True,
) -> Vault:
    keys = Keys(KeyFiles.beside(directory))
    folder = Folder(directory, store, has_room)
    collector = Collector("studio", "0.1.0", CONFIG_SHA256, policy, authority=authority)
    return Vault(folder, keys, collector, clock or FakeClock())


def filled_vault(directory: Path, clock: FakeClock | None = None) -> Vault:
    """Make a vault of two pieces of evidence, one of which has grown."""
    vault = made_vault(directory, clock)
    vault.keep(subject(1), (part(), part("still", STILL)))
    vault.keep(subject(2), (part(content=b"other"),))
    vault.keep(subject(1), (part(content=CLIP[::-1]),))
    return vault


def problems(directory: Path, known_head: str | None = None) -> list[Problem]:
    """Look at a store as another process would."""
    return list(check(made_vault(directory), Checked(), known_head))
