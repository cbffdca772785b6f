"""Follows the event log on behalf of evidence: what a flag came to, and what people decided.

Rule: evidence says by itself what it is evidence of, long after the log forgot: the last event of a
flag is a part of it. A decision says how long it is kept, and an appeal holds it. What comes twice
changes nothing. Evidence that is damaged is put aside, told once, and keeps no other waiting.
"""

from collections.abc import Callable, Sequence

import structlog

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.told import event_of
from streamguard.core.appeal_data import AppealReceivedData, AppealResolvedData
from streamguard.core.custody import Detail, EvidenceClass, Standing
from streamguard.core.decision_data import DecisionData
from streamguard.core.errors import EvidenceDamaged, EvidenceUnavailable
from streamguard.core.event_data import FlagData, utc_seconds
from streamguard.core.events import Topic
from streamguard.core.kept import Part, Subject
from streamguard.core.manifest import Manifest, StreamContext
from streamguard.core.ports import Clock
from streamguard.core.record import Record
from streamguard.vault.custody_file import CUSTODY
from streamguard.vault.recording import adopt
from streamguard.vault.vault import Vault

GROUP = "evidence"
"""Our place in the log, as a consumer's."""

FLAG = "flag"
"""Role of the part that holds a flag's last event."""

AS_LOGGED = "event as the log had it"
BATCH = 500
NOTE_EVERY_S = 3600.0
"""How often the place is noted where nothing came: who is silent for a day is dropped."""

ADOPT_EVERY_S = 60.0
"""How often a clip that found no room is tried: its worker, if it lives, does so before."""

CLASS_OF: dict[str, EvidenceClass] = {
    "confirmed": "confirmed",
    "not_tvec_other_policy": "confirmed",  # a breach as well
    "rejected": "rejected",
    "undone": "unreviewed",
}
"""What an outcome makes of evidence; the others decide nothing yet."""

IncidentOf = Callable[[FlagData], str]

log = structlog.get_logger()


class Follower:
    """One reader of the log; one thread at a time."""

    def __init__(
        self,
        vault: Vault,
        event_log: SqliteLog,
        clock: Clock,
        damaged: set[str],
        incident_of: IncidentOf,
    ) -> None:
        """Go on where it was left, or begin with what the log still holds.

        damaged: the ids of evidence that was put aside; added to.
        incident_of: names the incident that a flag belongs to; "" where none is known.
        """
        self._incident_of = incident_of
        self._vault = vault
        self._log = event_log
        self._clock = clock
        self._damaged = damaged
        self._offset = event_log.position(GROUP) or 1
        self._noted_s = clock.monotonic() - NOTE_EVERY_S
        self._clips: set[str] = set()  # of flags that ended, and that found no room
        self._clips_s = clock.monotonic()

    def step(self) -> bool:
        """Take what came; say whether there may be more at once.

        Raises:
            EvidenceDamaged, EvidenceUnavailable: nothing can be kept now; it is tried again.
            LogUnavailable: the log cannot be read.
        """
        end = self._log.end_offset()
        records, is_all = self._next()
        if self._clips and self._clock.monotonic() - self._clips_s >= ADOPT_EVERY_S:
            for evidence_id in sorted(self._clips):
                self._adopt(evidence_id)
        for record in records:
            self._take(record)
            self._offset = record.offset + 1
        self._offset = max(self._offset, end) if is_all else self._offset
        if records or self._clock.monotonic() - self._noted_s >= NOTE_EVERY_S:
            self._log.commit(GROUP, self._offset, self._clock.wall())
            self._noted_s = self._clock.monotonic()
        return not is_all

    def _next(self) -> tuple[list[Record], bool]:
        """Read flags and decisions in their order; say whether that was all."""
        found = [
            self._log.read(self._offset, topic, BATCH) for topic in (Topic.FLAGS, Topic.DECISIONS)
        ]
        full = [records[-1].offset for records in found if len(records) == BATCH]
        merged = sorted((each for records in found for each in records), key=lambda it: it.offset)
        return [each for each in merged if not full or each.offset <= min(full)], not full

    def _take(self, record: Record) -> None:
        if not (self._vault.folder.root / CUSTODY).exists():
            return  # nothing was ever kept
        event = event_of(record)
        data = event.data if event else None
        match data:
            case FlagData(state="closed"):
                self._keep(data, record.body)
            case DecisionData():
                self._classify(data)
                self._preserve(data)
            case AppealReceivedData():
                self._object(data)
            case AppealResolvedData():
                self._release(data)

    def _keep(self, flag: FlagData, body: str) -> None:
        """Make the last event of a flag a part of its evidence."""
        standing = self._standings([flag.flag_id])
        if not standing:
            return
        manifest = self._manifest_of(standing[0])
        if manifest is None or any(item.role == FLAG for item in manifest.items):
            return
        stream = flag.stream
        context = StreamContext(stream.protocol, stream.epoch, stream.publish or "")
        subject = Subject(
            flag.flag_id,
            stream.stream_id,
            stream.session_id,
            context,
            incident_id=self._incident_of(flag),
        )
        if (manifest.stream_id, manifest.session_id) != (subject.stream_id, subject.session_id):
            log.error("flag_of_another_stream", evidence_id=flag.flag_id)
            return
        self._adopt(flag.flag_id)
        span = (flag.window.start_pts_ms, flag.window.end_pts_ms)
        part = Part(
            FLAG,
            "application/json",
            *span,
            is_original=False,
            content=body.encode(),
            transform=AS_LOGGED,
            ingest_ms=round(utc_seconds(flag.window.start_time) * 1000),
        )
        self._vault.keep(subject, (part,))

    def _adopt(self, evidence_id: str) -> None:
        """Make parts of what a full disk kept from it; where it does still, later: none waits."""
        self._clips_s = self._clock.monotonic()
        try:
            adopt(self._vault, evidence_id)
        except EvidenceUnavailable as error:
            if evidence_id not in self._clips:
                log.warning("evidence_waits", evidence_id=evidence_id, problem=str(error))
            self._clips.add(evidence_id)
        else:
            self._clips.discard(evidence_id)

    def _manifest_of(self, standing: Standing) -> Manifest | None:
        """Give the manifest of an evidence that can be added to; None puts it aside."""
        evidence_id = standing.evidence_id
        try:
            manifest = self._vault.manifest_of(standing)
            self._vault.data_key(evidence_id)
        except (EvidenceDamaged, EvidenceUnavailable) as error:
            is_kept = bool(self._standings([evidence_id]))  # else it was erased meanwhile
            if is_kept and evidence_id not in self._damaged:
                self._damaged.add(evidence_id)
                log.error("evidence_damaged", evidence_id=evidence_id, problem=str(error))  # noqa: TRY400  # expected: the message says it all
            return None
        return manifest

    def _classify(self, decision: DecisionData) -> None:
        """Put a decision on record with each evidence that was on the table."""
        named = CLASS_OF.get(decision.outcome)
        detail: Detail = {
            "class": str(named),
            "decision_id": decision.decision_id,
            "case_id": decision.case_id,
        }
        for standing in self._standings(decision.flag_ids) if named else ():
            if standing.decision_id != decision.decision_id:
                self._vault.note(
                    standing.evidence_id,
                    "classify",
                    detail,
                    actor=decision.actor,
                    purpose=decision.reason_code,
                )
            self._restate(standing, decision.case_id, str(named))

    def _preserve(self, decision: DecisionData) -> None:
        """Hold what a decision says to preserve: no later one ends that, but who releases it."""
        if decision.preserve:
            told = (decision.actor, decision.reason_code)
            kept = self._standings(decision.flag_ids)
            self._hold(kept, f"case {decision.case_id}", "decision", told)

    def _restate(self, standing: Standing, case_id: str, named: str) -> None:
        """Have a manifest say which case decided, and how long the evidence is kept now."""
        manifest = self._manifest_of(standing)
        if manifest is None:
            return
        kept_as = manifest.retention.retention_class if manifest.retention else ""
        if (manifest.case_id, kept_as) != (case_id, named):
            ids = (manifest.evidence_id, manifest.stream_id, manifest.session_id)
            self._vault.collect(Subject(*ids, case_id=case_id), ())

    def _object(self, appeal: AppealReceivedData) -> None:
        """Keep what was decided on for as long as somebody objects to that."""
        told = (self._vault.actor, "an appeal was handed in")
        kept = [one for one in self._standings() if one.case_id == appeal.case_id]
        self._hold(kept, f"appeal {appeal.appeal_id}", "appeal", told)

    def _hold(self, kept: list[Standing], ref: str, authority: str, told: tuple[str, str]) -> None:
        """Hold what is not held for this yet; told: who does, and why."""
        detail: Detail = {"ref": ref, "authority": authority, "until": ""}
        actor, purpose = told
        for standing in kept:
            if not any(hold.ref == ref for hold in standing.holds):
                self._vault.note(standing.evidence_id, "hold", detail, actor=actor, purpose=purpose)

    def _release(self, appeal: AppealResolvedData) -> None:
        ref = f"appeal {appeal.appeal_id}"
        for standing in self._standings():
            if any(hold.ref == ref for hold in standing.holds):
                self._vault.note(
                    standing.evidence_id,
                    "release",
                    {"ref": ref},
                    actor=self._vault.actor,
                    purpose="the appeal was resolved",
                )

    def _standings(self, evidence_ids: Sequence[str] | None = None) -> list[Standing]:
        """Say how it is with those that are kept; None asks for all."""
        with self._vault.changing() as chain:
            known = chain.ledger.evidence
            asked = known if evidence_ids is None else evidence_ids
            found = [known[each] for each in asked if each in known]
        return [each for each in found if each.state == "kept"]
