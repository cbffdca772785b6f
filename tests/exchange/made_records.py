"""Records that tests make: by hand, and by hypothesis."""

import string
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from streamguard.exchange.record import MAX_OFFSET_MS, Labels, Opinion, Record, make_record

POLICY = "TVEC-TEST"


def pdq(number: int) -> str:
    """Give a PDQ hash that passes every check: 128 ones, another one for each number below 256."""
    halves = f"{number:02x}" * 16
    return halves + "".join(f"{15 - int(digit, 16):x}" for digit in halves)


def record(record_id: str = "1", number: int = 1, **fields: Any) -> Record:
    """Make a record of source `list`; `number` chooses its hash."""
    values = {"source": "list", "policy": POLICY, "hash": pdq(number), "record_id": record_id}
    return make_record({**values, **fields})


def frame(video_id: str, t_offset_ms: int, number: int, **fields: Any) -> Record:
    """Make a frame of a video."""
    more = {"video_id": video_id, "t_offset_ms": t_offset_ms, "hash_type": "vpdq-frame"}
    return record(f"{video_id}#{t_offset_ms}", number, **more, **fields)


def gone(record_id: str = "1", **fields: Any) -> Record:
    """Make a tombstone."""
    return make_record({"source": "list", "record_id": record_id, "deleted": True, **fields})


ODD = ["a b", " a", '"', "'", ",", '",', "=1+1", "#", "\\", "null", "true", "0"]
"""What formats have tripped over."""

texts = st.sampled_from(ODD) | st.text(
    st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=6
)
standings = st.sampled_from(["pos", "seed", "neg"])
tags = st.lists(texts, max_size=2).map(tuple)
instants = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(9999, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
)
opinions = st.builds(Opinion, standing=standings, owner=texts, descriptor_id=texts, tags=tags)
hashes = st.binary(min_size=32, max_size=32).map(bytes.hex)

_needed = {
    "record_id": texts,
    "source": st.text(string.ascii_letters + string.digits, min_size=1, max_size=4),
}
_more = {
    "hash_type": st.sampled_from(["pdq", "vpdq-frame", "md5", "sha256", "video-md5"]),
    "policy": st.just(POLICY),
    "quality": st.integers(0, 100),
    "variant": st.integers(0, 255),
    "labels": st.builds(Labels, ideology=texts, producer=texts),
    "tags": tags,
    "opinion": standings,
    "opinions": st.tuples(opinions),
    "added_at": instants,
    "updated_at": instants,
    "expires_at": instants,
    "max_distance": st.integers(0, 31),
}
_whole = st.fixed_dictionaries({"hash": hashes})
_tombstone = st.fixed_dictionaries({"deleted": st.sampled_from([True])}, optional={"hash": hashes})
_of_video = st.fixed_dictionaries({"video_id": texts, "t_offset_ms": st.integers(0, MAX_OFFSET_MS)})

records = st.builds(
    lambda *parts: Record(**{name: value for part in parts for name, value in part.items()}),
    st.fixed_dictionaries(_needed, optional=_more),
    _whole | _tombstone,
    st.just({}) | _of_video,
)
"""Any record that can be."""
