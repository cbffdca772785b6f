"""Puts on record which streams are not screened, and why.

Rule: each is told once in the life of a process, and again where its reason changes.
"""

from collections.abc import Mapping

from streamguard.adapters.system_clock import SystemClock
from streamguard.core.coverage_data import StreamExcludedData
from streamguard.core.events import stream_excluded_event
from streamguard.core.ports import Exporter
from streamguard.crew_parts import source_of
from streamguard.runtime.writer import LogWriter
from streamguard.settings import Settings


class ExclusionRecord:
    """What the log was told of streams that are not screened."""

    def __init__(self, settings: Settings, writer: LogWriter, meter: Exporter) -> None:
        self._source = source_of(settings)
        self._writer = writer
        self._clock = SystemClock()
        self._told: dict[str, str] = {}
        self._configured = {
            stream.id: stream.not_screened
            for stream in settings.streams
            if stream.not_screened is not None
        }
        self._n_excluded = len(self._configured)
        meter.watch("streams_excluded", "Streams not to be screened.", lambda: self._n_excluded)

    async def note(self, found: Mapping[str, str]) -> None:
        """Take what was found and is not screened, by stream, and why; tell what is new."""
        excluded = {**found, **self._configured}
        self._n_excluded = len(excluded)
        for stream_id, reason in excluded.items():
            if self._told.get(stream_id) != reason:
                data = StreamExcludedData(stream_id=stream_id, reason=reason)
                event = stream_excluded_event(self._source, data, recorded_s=self._clock.wall())
                await self._writer.put([event], self._clock.monotonic())
        self._told = excluded
