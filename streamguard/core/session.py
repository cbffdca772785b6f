"""Judges one session: samples and notes in, events out.

Rule: no I/O and no clock; the caller passes the time, commits the events and makes the evidence.
Every media second ends up screened or in a gap, every flag that opens closes.
"""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from streamguard.core.account import Account
from streamguard.core.announcing import Announcer
from streamguard.core.coverage import Gap, LossLedger
from streamguard.core.event_data import Evidence
from streamguard.core.events import Event
from streamguard.core.flags import FlagBook, SessionContext
from streamguard.core.judgement import EvidenceRequest, Judgement, first_request, requests_of
from streamguard.core.match import Matcher
from streamguard.core.model import Scores
from streamguard.core.news import Recheck
from streamguard.core.policy import Policy
from streamguard.core.recheck import Found
from streamguard.core.sampling import Sampling
from streamguard.core.scores import ScoreJudge
from streamguard.core.segments import SegmentOpened, segments_of
from streamguard.core.shadow import ShadowBook, once_each
from streamguard.core.track import Changes, Track
from streamguard.core.types import CloseReason, Codec, Detector, GapReason, Sample


class Session:
    """One publish of one stream, across reconnects."""

    def __init__(
        self,
        context: SessionContext,
        matcher: Matcher,
        policy: Policy,
        losses: LossLedger,
        mint: Callable[[], UUID],
        *,
        has_evidence: bool,
        make_judge: Callable[[], ScoreJudge] | None = None,
        before: Account | None = None,
    ) -> None:
        """Begin the account, or go on with one from `before`; `mint` gives fresh flag ids."""
        self.stream_id, self.session_id = context.stream_id, context.session_id
        """Catalogue id of the stream, and the id of this session of it."""
        self._context = context
        self._announcer = Announcer(context, policy.version)
        self._matcher = matcher
        self._losses = losses
        self._mint = mint
        self._make_judge = make_judge
        self._hashes = Track("hash", losses, mint)
        self._scoring: dict[int, tuple[Track, ScoreJudge]] = {}  # by epoch: answers come late
        self._ended_tracks: list[Track] = []
        self._flags = FlagBook(context, policy, has_evidence=has_evidence)
        self.ended_us = self._flags.ended_us
        self._has_evidence = has_evidence
        self._shadows = ShadowBook()
        self._newest: Sample | None = None  # without its views
        self._epoch = before.epoch if before else 0
        self._hashes.newest_us = before.newest_us if before else 0
        self._before = before or context.first_account(self._detectors)
        self._away_until_s = self._before.accounted_s
        self.is_new = before is None
        """Nothing of it was read yet, by anybody."""
        self._missing_us = self._n_samples = 0
        self.n_flags = 0
        """Flags that were opened in this process."""

    @property
    def epoch(self) -> int:
        """The epoch that is being judged."""
        return self._epoch

    @property
    def newest_us(self) -> int:
        """Media time of the newest packet that was judged or told of, microseconds."""
        return self._hashes.newest_us

    @property
    def watermark_us(self) -> int | None:
        """Media time up to which every detector has judged; None before the first packet."""
        marks_us = [self._hashes.watermark_us]
        if self._epoch in self._scoring:
            marks_us.append(self._scoring[self._epoch][0].watermark_us)
        return min((mark_us for mark_us in marks_us if mark_us is not None), default=None)

    @property
    def screened_us(self) -> int:
        """Media time that every detector has screened so far, microseconds."""
        return min(self._by_detector(lambda track: track.coverage.screened_us))

    @property
    def is_scoring(self) -> bool:
        """Say whether answers of the model are still to come."""
        return bool(self._scoring)

    def epoch_began(
        self, epoch: int, first_us: int, read_at_s: float, codec: Codec, sampling: Sampling
    ) -> list[Event]:
        """Take note of the first packet of a timeline, which in a new session reaches back."""
        # how much of what came before the first verdict reaches is not known yet
        since_s = min(self._away_until_s or read_at_s, read_at_s) if self.is_new else read_at_s
        since_us = first_us - int((read_at_s - since_s) * 1e6)
        if since_us < first_us:
            self._losses.note(epoch, since_us, GapReason.SOURCE_UNAVAILABLE)
        self._epoch, self.is_new = epoch, False
        self._hashes.begin(epoch, since_us, since_s)
        if self._make_judge:
            model = Track("classifier", LossLedger(upstream=self._losses), self._mint)
            model.begin(epoch, since_us, since_s)
            self._scoring[epoch] = (model, self._make_judge())
        return [self._announcer.started(epoch, first_us, read_at_s, codec, sampling)]

    def sampled(self, sample: Sample, now_s: float) -> Judgement:
        """Judge a sample by its hashes; samples come in the order of time within an epoch."""
        self._n_samples += 1
        self._newest = replace(sample, views=())
        self._hashes.was_read(sample.pts_us, sample.read_at_s)
        verdict = self._matcher.judge(sample)
        epoch, pts_us, found = sample.epoch, sample.pts_us, verdict.decisions
        if verdict.is_judged and sample.is_whole:
            changes = self._hashes.judged(epoch, pts_us, found, now_s)
        else:
            why = GapReason.LOW_QUALITY if sample.is_whole else GapReason.NO_KEYFRAME
            changes = self._hashes.not_judged(epoch, pts_us, why, now_s, found)
        return Judgement(
            events=self._tell(self._hashes, changes, now_s),
            requests=self._requests(changes),
            is_judged=verdict.is_judged,
            is_near_miss=verdict.is_near_miss,
            decisions=found,
            shadows=self._shadows.news(epoch, pts_us, verdict.shadows),
            n_vetoes=verdict.n_vetoes,
        )

    def was_all(self, epoch: int, last_us: int, now_s: float) -> Judgement:
        """Take note that a source has ended: where it was a single picture, that stays as it is."""
        sample = self._newest
        if sample is None or not self._hashes.is_single(epoch, last_us):
            return Judgement([], [], is_judged=False)
        verdict = self._matcher.judge_alone(sample)
        changes = self._hashes.found(verdict.decisions)
        return Judgement(
            events=self._tell(self._hashes, changes, now_s),
            requests=self._requests(changes),
            is_judged=True,
            decisions=verdict.decisions,
            shadows=self._shadows.news(epoch, sample.pts_us, verdict.shadows),
        )

    def recheck(self) -> Recheck | None:
        """Give what has come into the banks, to be held against what was screened before; once."""
        return self._matcher.recheck()

    def rechecked(
        self, found: Found, now_s: float, is_held: Callable[[int, int], bool]
    ) -> Judgement:
        """Take what the past showed: flags that open and are over.

        is_held: says of an epoch and a media time whether there is something to show of it.
        """
        events, requests = [], []
        for segment in segments_of(found.samples, self._mint):
            times_us = (segment.start_us, segment.end_us)
            shown_us = next((t for t in times_us if is_held(segment.epoch, t)), None)
            events += self._flags.recall(segment, now_s, is_held=shown_us is not None)
            if self._has_evidence and shown_us is not None:
                requests.append(first_request(segment, shown_us))
            self.n_flags += 1
        return Judgement(events, requests, is_judged=True, shadows=once_each(found.shadows))

    def scored(self, scores: Scores, now_s: float) -> Judgement:
        """Judge a sample by a model's scores; they may come after the timeline has ended."""
        if scores.epoch not in self._scoring:
            return Judgement([], [], is_judged=False)
        (track, judge), pts_us = self._scoring[scores.epoch], scores.pts_us
        track.was_read(pts_us, scores.read_at_s)
        found, weaknesses = judge.judge(scores), judge.weaknesses(scores)
        changes = track.judged(scores.epoch, pts_us, found, now_s, weaknesses)
        events, requests = self._tell(track, changes, now_s), self._requests(changes)
        return Judgement(events, requests, is_judged=True)

    def not_scored(self, epoch: int, pts_us: int, reason: GapReason, now_s: float) -> list[Event]:
        """Take note of a sample that the model did not score: it is not clean."""
        if epoch not in self._scoring:
            return []
        track = self._scoring[epoch][0]
        return self._tell(track, track.not_judged(epoch, pts_us, reason, now_s), now_s)

    def scoring_ended(
        self, epoch: int, last_us: int, why: CloseReason, now_s: float
    ) -> list[Event]:
        """Close the model's view of a timeline: all answers have come, or none will any more."""
        if epoch not in self._scoring:
            return []
        track, _ = self._scoring.pop(epoch)
        self._ended_tracks.append(track)
        return self._tell(track, track.epoch_ended(epoch, last_us, why), now_s)

    def scoring_given_up(self, now_s: float, why: CloseReason = "stream_ended") -> list[Event]:
        """Close what answers that are not waited for any more have left open."""
        events = []
        for epoch in tuple(self._scoring):
            track, _ = self._scoring[epoch]
            track.losses.note(epoch, track.newest_us, GapReason.MODEL_ERROR)
            events += self.scoring_ended(epoch, track.newest_us, why, now_s)
        return events

    def idle(self, horizon_us: int | None, now_s: float) -> list[Event]:
        """Let the clock act while no sample comes.

        horizon_us: media time before which no sample is outstanding; None where that is not known.
        """
        events = self._tell(self._hashes, self._hashes.idle(self._epoch, horizon_us, now_s), now_s)
        for epoch, (track, _) in self._scoring.items():
            events += self._tell(track, track.idle(epoch, None, now_s), now_s)
        return events

    def epoch_ended(self, epoch: int, last_us: int, why: CloseReason, now_s: float) -> list[Event]:
        """Close what cannot go on beyond a break of the timeline; the model has its own end."""
        self._hashes.newest_us = last_us
        if epoch in self._scoring:
            self._scoring[epoch][0].newest_us = last_us
        return self._tell(self._hashes, self._hashes.epoch_ended(epoch, last_us, why), now_s)

    def was_away(self, since_s: float, now_s: float, reason: GapReason) -> list[Event]:
        """Publish the stretch for which there was no connection: the publisher may have gone on."""
        self._away_until_s = now_s
        gap = Gap(self._epoch, self.newest_us, self.newest_us, reason)
        return [self._announcer.gap(who, gap, (since_s, now_s), now_s) for who in self._detectors]

    def was_cut_short(self, missing_us: int, now_s: float) -> list[Event]:
        """Publish the media that a file promised and does not hold."""
        self._missing_us += missing_us
        gap = Gap(self._epoch, self.newest_us, self.newest_us + missing_us, GapReason.TRUNCATED)
        return [self._announcer.gap(who, gap, (now_s, now_s), now_s) for who in self._detectors]

    def attach(self, flag_id: UUID, evidence: Evidence, now_s: float) -> list[Event]:
        """Tell of evidence that was stored, or could not be; more follows where it is growing."""
        return self._flags.attach(flag_id, evidence, now_s)

    def ended(self, reason: str, n_packets: int, n_dropped: int, now_s: float) -> list[Event]:
        """Close the account; the last event of the session."""
        account = self.account((self.newest_us, now_s), n_packets, n_dropped)
        return [self._announcer.ended(account, reason, now_s)]

    def account(self, newest: tuple[int, float], n_packets: int, n_dropped: int) -> Account:
        """Say how far this session has come.

        newest: media time of the newest packet, microseconds, and when it was read, seconds; a
            burst brings media whose time has not come yet.
        n_packets, n_dropped: of this process.
        """
        before, (newest_us, read_until_s) = self._before, newest
        gaps_us = self._by_detector(lambda track: track.coverage.gap_us)
        screened_us = self._by_detector(lambda one: one.screened_until(self._epoch, newest_us))
        tracks = [self._hashes, *(track for track, _ in self._scoring.values())]
        told_s = (track.accounted_s(newest_us) for track in tracks)
        accounted_s = max(self._away_until_s, min(read_until_s, *told_s))
        return replace(
            before,
            detectors=self._detectors,
            epoch=self._epoch,
            newest_us=newest_us,
            accounted_s=accounted_s,
            accounted_wall_s=self._context.wall_of(accounted_s),
            n_packets=before.n_packets + n_packets,
            n_samples=before.n_samples + self._n_samples,
            n_flags=before.n_flags + self.n_flags,
            n_dropped=before.n_dropped + n_dropped,
            screened_us=before.screened_us + min(screened_us),
            gap_us=before.gap_us + max(gaps_us) + self._missing_us,
        )

    def _tell(self, track: Track, changes: Changes, now_s: float) -> list[Event]:
        segments, gaps = changes
        told = [event for change in segments for event in self._flags.change(change, now_s)]
        tell = self._announcer.gap
        return told + [tell(track.detector, g, track.instants_s(g, now_s), now_s) for g in gaps]

    @property
    def _detectors(self) -> tuple[Detector, ...]:
        return ("hash", "classifier") if self._make_judge else ("hash",)

    def _by_detector(self, count: Callable[[Track], int]) -> list[int]:
        """Add up something over the timelines of each detector."""
        scoring = [*self._ended_tracks, *(track for track, _ in self._scoring.values())]
        tracks: dict[Detector, list[Track]] = {"hash": [self._hashes], "classifier": scoring}
        return [sum(map(count, tracks[who])) for who in self._detectors]

    def _requests(self, changes: Changes) -> list[EvidenceRequest]:
        self.n_flags += sum(isinstance(change, SegmentOpened) for change in changes[0])
        return list(requests_of(changes[0])) if self._has_evidence else []
