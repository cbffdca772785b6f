"""Keeps evidence: encrypted, on record, and such that a change cannot go unnoticed.

Rule: parts are on disk before their manifest, the manifest before its entry in the custody, and the
entry before anybody hears of it. Whoever reads a part is in the custody first.
"""

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamguard.adapters.failpoint import reach
from streamguard.core.custody import (
    STORE,
    Action,
    Detail,
    Entry,
    Ledger,
    Standing,
    read_entry,
)
from streamguard.core.errors import ConfigError, EvidenceDamaged, EvidenceUnavailable
from streamguard.core.event_data import Artifact
from streamguard.core.kept import Kept, Part, Subject
from streamguard.core.manifest import (
    AccessPolicy,
    Item,
    Manifest,
    read_struct,
)
from streamguard.core.ports import Clock
from streamguard.vault.collecting import (
    Authority,
    Collector,
    Making,
    make_manifest,
    make_stamped,
    require_same,
    store_parts,
)
from streamguard.vault.custody_file import Chain, CustodyFile
from streamguard.vault.durable import write_whole
from streamguard.vault.folder import KEY, Folder, read_file
from streamguard.vault.keys import Keys
from streamguard.vault.sealing import opened

MAX_ROOT_URI = 900
"""Longest URI of the directory: an event holds 1,024 characters for each of its files."""


class Vault:
    """One store of evidence; its methods may be called in any thread."""

    def __init__(self, folder: Folder, keys: Keys, collector: Collector, clock: Clock) -> None:
        """Look whether the directory will do; nothing is written before there is evidence.

        Raises:
            EvidenceUnavailable: it is open to others, or no event can name it.
        """
        self.folder = folder
        self.keys = keys
        self.clock = clock
        self._collector = collector
        self._lock = threading.Lock()
        self.custody = CustodyFile(self.folder.root, keys, clock)
        if len(self.folder.root.as_uri()) > MAX_ROOT_URI:
            raise EvidenceUnavailable("the evidence directory has too long a path for an event")
        self.folder.refuse_open()

    @property
    def policy(self) -> AccessPolicy:
        """Give who may see what is collected now."""
        return self._collector.policy

    @property
    def actor(self) -> str:
        """Name the program where nobody told it what to do."""
        return f"streamguard {self._collector.deployment}"

    def prepare(self) -> None:
        """Make the directory, before there is anything to keep: later nobody would be told.

        Raises:
            EvidenceUnavailable: it cannot be made.
        """
        self.folder.prepare()

    def keep(self, subject: Subject, parts: Sequence[Part]) -> tuple[Artifact, ...]:
        """Store parts of an evidence, as `collect` does; give where they are."""
        return self.collect(subject, parts).parts

    def collect(self, subject: Subject, parts: Sequence[Part]) -> Kept:
        """Store parts of an evidence beside those that it has; all of them, or none.

        Raises:
            EvidenceUnavailable: they cannot be stored, or it is of another stream or session.
        """
        with self._collecting() as chain:
            if subject.evidence_id == STORE:
                raise EvidenceUnavailable("this is no id of an evidence")
            standing = chain.ledger.evidence.get(subject.evidence_id)
            if standing and standing.state != "kept":
                raise EvidenceUnavailable("this evidence was erased: nothing is added to it")
            before = self.manifest_of(standing) if standing else None
            if before:
                require_same(before, subject)
            items = store_parts(self.folder, self.keys, subject, parts, before)
            making = Making(self._collector, self.keys, self.clock.wall())
            manifest = make_manifest(making, chain.ledger, subject, before, items)
            purpose = "a case was decided" if subject.case_id else "a flag was opened"
            self._put(chain, manifest, items, purpose)
        kept = tuple(
            Artifact(
                uri=self.folder.uri(subject.evidence_id, item.name),
                sha256=item.sha256,
                size_bytes=item.size_bytes,
            )
            for item in items
        )
        path, size = self._path(manifest), len(manifest.content)
        named = Artifact(uri=path.as_uri(), sha256=manifest.sha256, size_bytes=size)
        return Kept(kept, named)

    @property
    def authority(self) -> Authority | None:
        """Give who is asked for time stamps."""
        return self._collector.authority

    def stamp(self, before: Manifest, token: str) -> bool:
        """Put a time stamp to the newest manifest of an evidence; False where it is not any more.

        Raises:
            EvidenceUnavailable: it cannot be stored.
        """
        with self._collecting() as chain:
            standing = chain.ledger.evidence.get(before.evidence_id)
            if (
                standing is None
                or standing.state != "kept"
                or standing.manifest_sha256 != before.sha256
            ):
                return False
            making = Making(self._collector, self.keys, self.clock.wall())
            manifest = make_stamped(making, chain.ledger, before, token)
            self._put(chain, manifest, (), "a time stamp was given")
        return True

    def _put(self, chain: Chain, manifest: Manifest, items: Sequence[Item], purpose: str) -> None:
        """Write a manifest, and what was collected with it on record."""
        write_whole(self._path(manifest), manifest.content)
        reach("evidence_manifest_written")
        detail: Detail = {
            "manifest_sha256": manifest.sha256,
            "sha256": tuple(item.sha256 for item in items),
        }
        chain.append(manifest.evidence_id, "collect", detail, actor=self.actor, purpose=purpose)
        reach("evidence_collected")

    def _path(self, manifest: Manifest) -> Path:
        return self.folder.manifest(manifest.number, manifest.evidence_id)

    def note(
        self, evidence_id: str, action: Action, detail: Detail, *, actor: str, purpose: str
    ) -> Entry:
        """Put on record what is done with an evidence; it is on disk when this returns.

        Raises:
            EvidenceUnavailable: there is no such evidence, or the custody cannot be written.
        """
        with self.changing() as chain:
            if evidence_id != STORE and evidence_id not in chain.ledger.evidence:
                raise ConfigError(f"there is no evidence {evidence_id}: see `evidence list`")
            return chain.append(evidence_id, action, detail, actor=actor, purpose=purpose)

    def read(
        self, evidence_id: str, number: int, action: Action, *, actor: str, purpose: str
    ) -> bytes:
        """Give a part to somebody, who is put on record before.

        Raises:
            ConfigError: there is no such evidence or part.
            EvidenceDamaged: it is not what was kept.
            EvidenceUnavailable: it cannot be read.
        """
        manifest = self.manifest_of(self.standing_now(evidence_id))
        item = next((each for each in manifest.items if each.number == number), None)
        if item is None:
            raise ConfigError(f"evidence {evidence_id} has no part {number}: see `evidence show`")
        detail: Detail = {"items": (str(number),), "sha256": item.sha256}
        self.note(evidence_id, action, detail, actor=actor, purpose=purpose)
        return self.content_of(evidence_id, item, self.data_key(evidence_id))

    def standing(self, evidence_id: str) -> Standing:
        """Say how it is with an evidence; raises ConfigError where there is none of this id."""
        standing = self.ledger().evidence.get(evidence_id)
        if standing is None:
            raise ConfigError(f"there is no evidence {evidence_id}: see `evidence list`")
        return standing

    def standing_now(self, evidence_id: str) -> Standing:
        """Say how it is with an evidence, without reading the custody from its beginning.

        Raises:
            ConfigError: there is none of this id.
            EvidenceUnavailable: the custody cannot be read.
        """
        standing = self.standings_now((evidence_id,)).get(evidence_id)
        if standing is None:
            raise ConfigError(f"there is no evidence {evidence_id}: see `evidence list`")
        return standing

    def standings_now(self, evidence_ids: Sequence[str]) -> dict[str, Standing]:
        """Say the same of several at once; those that there are not are left out."""
        if not self.keys.are_there:  # there was never any: nothing is made by asking
            return {}
        with self.changing() as chain:
            known = chain.ledger.evidence
            return {each: known[each] for each in evidence_ids if each in known}

    def ledger(self) -> Ledger:
        """Give what the custody amounts to now.

        Raises:
            EvidenceDamaged: it is not what was written.
        """
        ledger = Ledger()
        for entry in self.entries():
            ledger.take(entry)
        return ledger

    def entries(self) -> list[Entry]:
        """Read the custody; what is wrong with it is for `ledger` and `check` to find.

        Raises:
            EvidenceDamaged: a line is no entry.
        """
        with self.custody.reading() as (lines, _):
            return [read_entry(line) for line in lines.split(b"\n")[:-1]]

    def manifest_of(self, standing: Standing) -> Manifest:
        """Read the newest manifest of an evidence.

        Raises:
            EvidenceDamaged: it is not what was written.
            EvidenceUnavailable: it cannot be read.
        """
        path = self.folder.manifest(standing.manifest_number, standing.evidence_id)
        content = read_file(path)
        if hashlib.sha256(content).hexdigest() != standing.manifest_sha256:
            raise EvidenceDamaged("manifest is not the one that the custody names")
        return read_struct(content, Manifest)

    def data_key(self, evidence_id: str) -> bytes:
        """Give the data key of an evidence; raises as `content_of` does."""
        return self.keys.unwrap(evidence_id, self.folder.get(evidence_id, KEY))

    def content_of(self, evidence_id: str, item: Item, data_key: bytes) -> bytes:
        """Read a part and look whether it is what was kept; for those who are on record.

        Raises:
            EvidenceDamaged: it is not.
            EvidenceUnavailable: it cannot be read.
        """
        stored = self.folder.get(evidence_id, item.name)
        if hashlib.sha256(stored).hexdigest() != item.sealed_sha256:
            raise EvidenceDamaged("is not what was stored")
        content = opened(data_key, evidence_id, item.number, stored)
        if hashlib.sha256(content).hexdigest() != item.sha256 or len(content) != item.size_bytes:
            raise EvidenceDamaged("is not what was kept")
        return content

    @contextmanager
    def _collecting(self) -> Iterator[Chain]:
        """Hold the chain; whatever is wrong with the store, the flag stands without evidence."""
        try:
            with self.changing() as chain:
                yield chain
        except (ConfigError, EvidenceDamaged) as error:
            raise EvidenceUnavailable(str(error)) from None

    @contextmanager
    def changing(self) -> Iterator[Chain]:
        """Hold the chain; a disk that is full or gone is no fault of ours."""
        try:
            with self._lock, self.custody.writing() as chain:
                if not chain.ledger.n_entries:
                    self.keys.make_missing()
                yield chain
        except OSError as error:
            raise EvidenceUnavailable(f"evidence cannot be stored: {error.strerror}") from None
