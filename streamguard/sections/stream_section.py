"""What the configuration says of one stream: where it is, and what it is held against.

Rule: a stream that is not screened is named all the same, with the reason: silence is no record.
"""

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from streamguard.core.coverage_data import MAX_BANKS
from streamguard.core.errors import ConfigError
from streamguard.core.event_values import Name
from streamguard.core.location import Location, parse_location
from streamguard.core.sampling import Sampling
from streamguard.sections.section import Section


class StreamSection(Section):
    """One stream to screen; give `url` or `url_file`."""

    id: Name
    """Catalogue id: what events, logs and evidence call this stream."""
    url: SecretStr | None = None
    """Where to pull it: rtmp(s), rtsp(s), srt, http(s) with HLS, TS or FLV; it may hold a key."""
    url_file: Path | None = None
    """A file that holds the URL, for where secrets are mounted as files."""
    sampling: Sampling = Sampling.AUTO
    """auto: keyframes, dense where they are rare or something came close; keyframes; dense."""
    banks: Annotated[tuple[Name, ...], Field(max_length=MAX_BANKS)] | None = None
    """Names of the banks that it is held against, as their directories are called; else all."""
    policy_file: Path | None = None
    """What counts on this stream; else the file of [policy]."""
    not_screened: Name | None = None
    """Why this stream is not to be screened; it is then on record, and no URL is needed."""

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if self.not_screened is not None:
            return self
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give either url or url_file")
        if not self.location.is_live:
            raise ValueError("a file is screened by `streamguard screen`, not by `run`")
        return self

    @property
    def location(self) -> Location:
        """Where to pull the stream.

        Raises:
            ValueError: the URL file cannot be read, or the URL cannot be screened.
        """
        if self.url is not None:
            text = self.url.get_secret_value()
        else:
            assert self.url_file is not None  # noqa: S101  # validated
            try:
                text = self.url_file.read_text().strip()
            except (OSError, UnicodeDecodeError):
                raise ValueError("the url_file cannot be read") from None
        try:
            return parse_location(text)
        except ConfigError as error:
            raise ValueError(str(error)) from None
