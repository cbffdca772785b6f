"""Evidence as reviewers see it, and what seeing it costs them.

Rule: evidence is shown to whoever has its case in hand, and to nobody else; each look is on record
in its custody and in the audit before anything is shown. What somebody was exposed to is for that
person alone.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from streamguard.core.audit import Deed
from streamguard.core.decision_data import Exposure
from streamguard.core.errors import (
    CaseTaken,
    ConfigError,
    DecisionRefused,
    NoSuchCase,
    StreamguardError,
)
from streamguard.core.event_data import utc_seconds
from streamguard.core.manifest import Item, Manifest
from streamguard.core.people import Person
from streamguard.review.budgets import note_strain
from streamguard.review.desk import Desk
from streamguard.review.folding import FLAGS_OF_CASE
from streamguard.review.leases import require
from streamguard.vault.live_clip import LiveClip
from streamguard.vault.vault import Vault

DAY_S = 86_400.0

MAX_CLIP_BYTES = 16 << 20
"""So much of a clip is shown at once: half a minute of 4 Mbit/s, of which six seconds are looked
at; its files are there one by one as well."""

_SUMS = """
SELECT total(stills), total(clip_ms), total(unblurred_ms), total(audio_ms) FROM exposure
WHERE account_id = ? AND at_s > ?
"""


_FLAGS = f"SELECT flag_id FROM {FLAGS_OF_CASE} ORDER BY flag_id"  # noqa: S608  # text of ours
_IS_OF = "SELECT 1 FROM appeals WHERE appeal_id = ? AND case_id = ?"


@dataclass(frozen=True, slots=True)
class Held:
    """A case in somebody's hands, as they say.

    appeal_id: the appeal that is in hand, of a case that is decided.
    """

    person: Person
    case_id: str
    token: int
    appeal_id: str | None = None

    @property
    def thing_id(self) -> str:
        """Give what the lease is of."""
        return self.appeal_id or self.case_id


class Looks:
    """What may be looked at."""

    def __init__(self, desk: Desk, vault: Vault | None) -> None:
        """vault: None where no evidence is kept."""
        self._desk = desk
        self.vault = vault

    def get_ready(self) -> None:
        """Read all of the custody, before a look waits for that; what is wrong with it a look says.

        It takes 3 s for 100,000 entries.
        """
        with suppress(StreamguardError):
            if self.vault is not None:
                self.vault.standings_now(())

    def items(self, held: Held) -> list[tuple[str, Item]]:
        """Give the parts of evidence of a case, each with its flag; nothing is shown yet.

        Raises:
            CaseTaken: the case is not in these hands.
        """
        self._require(held)
        if self.vault is None:
            return []
        found = []
        for flag_id, kept in self.vault.standings_now(self._flags(held.case_id)).items():
            if kept.state == "kept":
                found += [(flag_id, item) for item in self.vault.manifest_of(kept).items]
        return found

    def open(self, held: Held, flag_id: str, number: int) -> tuple[str, bytes]:
        """Show a part of the evidence; give its media type and its bytes.

        Raises:
            CaseTaken: the case is not in these hands.
            NoSuchCase: it has no such evidence.
            DecisionRefused: it was collected for other roles.
            EvidenceDamaged, EvidenceUnavailable: it cannot be shown.
        """
        with self._on_record(held, flag_id, str(number)):
            vault, manifest = self._allowed(held, flag_id)
            item = next((one for one in manifest.items if one.number == number), None)
            if item is None:
                raise NoSuchCase("the case has no such evidence")
            actor, purpose = held.person.account_id, f"case {held.case_id}"
            content = vault.read(flag_id, number, "view", actor=actor, purpose=purpose)
        return item.media_type, content

    def clip(self, held: Held, flag_id: str) -> tuple[int, bytes]:
        """Show the clip of a flag as far as it has come; give the media time at which it begins.

        Raises:
            CaseTaken: the case is not in these hands.
            NoSuchCase: there is no clip of such a flag yet.
            DecisionRefused: it was collected for other roles.
            EvidenceDamaged, EvidenceUnavailable: it cannot be shown.
        """
        with self._on_record(held, flag_id, "clip"):
            vault, _ = self._allowed(held, flag_id)
            actor, purpose = held.person.account_id, f"case {held.case_id}"
            clip = LiveClip(vault, flag_id, actor=actor, purpose=purpose)
            content = b""
            with closing(clip):
                while len(content) < MAX_CLIP_BYTES and (more := clip.read()):
                    content += more
            if not content:
                raise NoSuchCase("the clip has not begun yet")
        return clip.start_ms or 0, content

    def expose(self, held: Held, exposure: Exposure) -> None:
        """Note what somebody has seen and heard of a case; what is older than a day is forgotten.

        It may come after the decision, which nothing delays.

        Raises:
            CaseTaken: the case is not in these hands, and was not within a day.
        """
        try:
            self._require(held)
        except CaseTaken:
            if not self._was_held(held):
                raise
        what = (exposure.stills_viewed, exposure.clip_ms, exposure.unblurred_ms, exposure.audio_ms)
        account_id, now_s = held.person.account_id, self._desk.wall()
        severity = self._desk.case(held.person, held.case_id).severity
        with self._desk.file.transaction() as connection:
            values = (account_id, held.case_id, now_s, *what)
            connection.execute("DELETE FROM exposure WHERE at_s <= ?", (now_s - DAY_S,))
            connection.execute("INSERT INTO exposure VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            note_strain(connection, account_id, now_s, exposure, severity)

    def exposure_today(self, person: Person) -> Exposure:
        """Give what somebody was exposed to within a day: to that person alone."""
        since_s = self._desk.wall() - DAY_S
        [sums] = self._desk.file.rows(_SUMS, (person.account_id, since_s))
        stills, clip_ms, unblurred_ms, audio_ms = (int(one) for one in sums)
        return Exposure(
            stills_viewed=stills, clip_ms=clip_ms, unblurred_ms=unblurred_ms, audio_ms=audio_ms
        )

    def _allowed(self, held: Held, flag_id: str) -> tuple[Vault, Manifest]:
        """Give where the evidence of a flag is, to whoever may look at it."""
        self._require(held)
        vault = self.vault
        if vault is None or flag_id not in self._flags(held.case_id):
            raise NoSuchCase("the case has no such evidence")
        try:
            manifest = vault.manifest_of(vault.standing_now(flag_id))
        except ConfigError:
            raise NoSuchCase("the case has no such evidence") from None
        _require_role(held.person, manifest)
        return vault, manifest

    @contextmanager
    def _on_record(self, held: Held, flag_id: str, part: str) -> Iterator[None]:
        """Put a look on record once all is there to be shown, and before it is; or its refusal."""
        is_of_case = flag_id in self._flags(held.case_id)
        about = f"{flag_id}/{part}" if is_of_case else None
        case_id = held.case_id if is_of_case else None
        deed = Deed(held.person.account_id, "evidence.viewed", case_id, about=about)
        try:
            yield
        except StreamguardError as error:
            refusal = replace(deed, details={"why": str(error)}, is_refused=True)
            self._desk.trail.note(refusal)
            raise
        self._desk.trail.note(deed)
        self._seen(held)

    def _flags(self, case_id: str) -> list[str]:
        rows: list[Any] = self._desk.file.rows(_FLAGS, (case_id,))
        return [flag_id for (flag_id,) in rows]

    def _require(self, held: Held) -> None:
        with self._desk.file.transaction() as connection:
            now_s = self._desk.wall()
            require(connection, held.thing_id, held.person.account_id, held.token, now_s)
        self._desk.case(held.person, held.case_id)
        if held.appeal_id and not self._desk.file.rows(_IS_OF, (held.appeal_id, held.case_id)):
            raise NoSuchCase("the appeal is of another case")

    def _was_held(self, held: Held) -> bool:
        """Say whether a case was put into these hands within a day: so the audit has it.

        The token of a lease is the place of the claim there.
        """
        claim = self._desk.trail.at(held.token)
        if claim is None or self._desk.wall() - utc_seconds(claim.at) > DAY_S:
            return False
        if claim.action not in {"case.claimed", "case.handed_off", "appeal.claimed"}:
            return False
        is_handed = claim.action == "case.handed_off"
        holder, appeal_id = (claim.about, None) if is_handed else (claim.actor, claim.about)
        said = holder, claim.case_id, appeal_id
        return said == (held.person.account_id, held.case_id, held.appeal_id)

    def _seen(self, held: Held) -> None:
        """Note when evidence was first shown."""
        with self._desk.file.transaction() as connection:
            now_s = self._desk.wall()
            lease = require(connection, held.thing_id, held.person.account_id, held.token, now_s)
            self._desk.view(connection, lease)


def _require_role(person: Person, manifest: Manifest) -> None:
    """Keep to what was laid down when the evidence was collected."""
    policy = manifest.access_policy
    if policy and policy.roles and person.role not in policy.roles:
        raise DecisionRefused("this evidence is not for this role")
