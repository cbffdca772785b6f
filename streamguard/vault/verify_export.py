"""Checks an exported evidence; it is in each export, and needs nothing but Python's own library.

    python3 verify.py            in the directory to which the archive was unpacked

Rule: it trusts no word that it has not checked against a hash. What a hash cannot say, who wrote
it, the signatures say: README.txt tells how to check them.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTHING_BEFORE = "0" * 64


def canonical(value: Any) -> bytes:
    """Write JSON as it was hashed: RFC 8785, with keys of plain letters and whole numbers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def problems_in(directory: Path) -> Iterator[str]:
    """Yield what is not as it was when it was exported."""
    manifests = sorted((directory / "manifests").glob("*.json"))
    collected: list[str] = []
    yield from custody_problems(directory / "custody.jsonl", collected)
    found = [hashlib.sha256(path.read_bytes()).hexdigest() for path in manifests]
    if found != collected:
        yield "manifests: not those that the custody names"
    if not manifests:
        return
    manifest = json.loads(manifests[-1].read_bytes())
    if merkle_root([item["sha256"] for item in manifest["items"]]) != manifest["merkle_root"]:
        yield f"{manifests[-1].name}: another root than its parts"
    for item in manifest["items"]:
        parts = list((directory / "parts").glob(f"{item['number']:04d}-*"))
        if len(parts) != 1:
            yield f"part {item['number']}: is missing"
            continue
        content = parts[0].read_bytes()
        if hashlib.sha256(content).hexdigest() != item["sha256"]:
            yield f"{parts[0].name}: not what was kept"
        if len(content) != item["size_bytes"]:
            yield f"{parts[0].name}: of another length"


def custody_problems(file: Path, collected: list[str]) -> Iterator[str]:
    """Follow the chain of this evidence; leave the hashes of its manifests in `collected`."""
    before = NOTHING_BEFORE
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        entry = json.loads(line)
        if canonical(entry) != line:
            yield f"custody.jsonl, line {number}: not as it was written"
        body = {name: entry[name] for name in entry if name not in ("hash", "signature")}
        if hashlib.sha256(canonical(body)).hexdigest() != entry["hash"]:
            yield f"custody.jsonl, line {number}: was changed"
        if entry["prev_of_evidence"] != before:
            yield f"custody.jsonl, line {number}: something before it is missing, or was moved"
        if entry["action"] == "collect":
            collected.append(entry["detail"]["manifest_sha256"])
        before = entry["hash"]


def merkle_root(hashes: list[str]) -> str:
    """Fold the hashes of the parts into one, as RFC 6962 does."""

    def folded(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return leaves[0]
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + folded(leaves[:split]) + folded(leaves[split:])).digest()

    if not hashes:
        return hashlib.sha256(b"").hexdigest()
    leaves = [hashlib.sha256(b"\x00" + bytes.fromhex(each)).digest() for each in hashes]
    return folded(leaves).hex()


def main() -> int:
    """Check the directory in which this file lies; 0 where all is as it was exported."""
    try:
        problems = list(problems_in(Path(__file__).parent))
    except (OSError, ValueError, KeyError, TypeError) as error:
        problems = [f"cannot be read: {error!r}"]
    for problem in problems:
        print(problem)
    print("DAMAGED" if problems else "ok: every hash is right; README.txt: how to check signatures")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
