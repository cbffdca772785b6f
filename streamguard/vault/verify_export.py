"""Checks an exported evidence; it is in each export, and needs nothing but Python's own library.

    python3 verify.py            in the directory to which the archive was unpacked

Rule: it trusts no word that it has not checked against a hash. What a hash cannot say, who wrote
it, the signatures say: README.txt tells how to check them.
"""

import base64
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOTHING_BEFORE = "0" * 64
ED25519 = bytes.fromhex("302a300506032b6570032100")
"""What stands before the key itself. Source: RFC 8410, 4 and 10.1."""

BEGIN, END = "-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----\n"
UNSIGNED = ("hash", "signature", "timestamp_token")
"""What is made of the rest, and so not signed with it."""

PLACED = (
    "number",
    "revision",
    "created_at",
    "prev_manifest_sha256",
    "key_id",
    "signature",
    "timestamp_token",
)
"""Fields of a manifest that a time stamp is not of: by them it has its place among the others."""


def canonical(value: Any) -> bytes:
    """Write JSON as it was hashed: RFC 8785, with keys of plain letters and whole numbers."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def problems_in(directory: Path) -> Iterator[str]:
    """Yield what is not as it was when it was exported."""
    expected = {directory / "custody.jsonl"}
    entries: list[Any] = []
    manifests: list[Any] = []
    yield from custody_problems(directory, entries, expected)
    yield from manifest_problems(directory, entries, manifests, expected)
    if len({each["evidence_id"] for each in (*entries, *manifests)}) != 1:
        yield "manifests and custody: not of one evidence"
    for before, after in zip(manifests, manifests[1:]):  # noqa: B905, RUF007  # Python 3.9
        if after["items"][: len(before["items"])] != before["items"]:
            yield f"manifest {after['number']}: lacks parts that were there before"
    if manifests:
        yield from part_problems(directory, manifests[-1], expected)
    for folder in ("manifests", "parts", "signed"):
        for path in sorted(set((directory / folder).glob("*")) - expected):
            yield f"{folder}/{path.name}: belongs to nothing"


def custody_problems(directory: Path, entries: list[Any], expected: set[Path]) -> Iterator[str]:
    """Read the custody of this evidence, and follow its chain."""
    lines = (directory / "custody.jsonl").read_bytes().split(b"\n")
    if lines.pop() != b"":
        yield "custody.jsonl: breaks off within an entry"
    before = NOTHING_BEFORE
    for line in lines:
        entry = json.loads(line)
        where = f"custody.jsonl, entry {entry['seq']}"
        yield from form_problems(where, entry, line)
        signed = canonical(without(entry, ("hash", "signature")))
        if hashlib.sha256(signed).hexdigest() != entry["hash"]:
            yield f"{where}: was changed"
        if entry["prev_of_evidence"] != before:
            yield f"{where}: something before it is missing, or was moved"
        before = entry["hash"]
        yield from signed_problems(directory, f"custody-{entry['seq']:08d}", entry, expected)
        entries.append(entry)


def manifest_problems(
    directory: Path, entries: list[Any], manifests: list[Any], expected: set[Path]
) -> Iterator[str]:
    """Read the manifests, and hold them against the custody."""
    paths = sorted((directory / "manifests").glob("*.json"))
    found = [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    collected = [each["detail"] for each in entries if each["action"] == "collect"]
    if found != [detail["manifest_sha256"] for detail in collected]:
        yield "manifests: not those that the custody names"
    for path in paths:
        expected.add(path)
        manifest = json.loads(path.read_bytes())
        yield from form_problems(path.name, manifest, path.read_bytes())
        yield from signed_problems(directory, path.stem, manifest, expected)
        yield from stamp_problems(directory, path.stem, manifest, expected)
        manifests.append(manifest)


def form_problems(where: str, value: Any, content: bytes) -> Iterator[str]:
    """Hold a value against the one form that it has."""
    if canonical(value) != content:
        yield f"{where}: not as it was written"


def signed_problems(directory: Path, name: str, value: Any, expected: set[Path]) -> Iterator[str]:
    """Look whether what lies in signed/ for openssl is of this value, and the key of its name."""
    signed, signature, pem = (
        directory / "signed" / each
        for each in (f"{name}.json", f"{name}.sig", f"{value['key_id']}.pem")
    )
    expected.update((signed, signature, pem))
    if signed.read_bytes() != canonical(without(value, UNSIGNED)):
        yield f"signed/{signed.name}: not what was signed"
    if signature.read_bytes().hex() != value["signature"]:
        yield f"signed/{signature.name}: another signature than its value has"
    if key_id(pem.read_bytes()) != value["key_id"]:
        yield f"signed/{pem.name}: another key than its name says"


def stamp_problems(directory: Path, name: str, manifest: Any, expected: set[Path]) -> Iterator[str]:
    """Look whether what lies in signed/ for `openssl ts` is of this manifest, and its stamp."""
    if "timestamp_token" not in manifest:
        return
    stamped, token = (directory / "signed" / f"{name}.{each}" for each in ("stamped", "tst"))
    expected.update((stamped, token))
    if stamped.read_bytes() != canonical(without(manifest, PLACED)):
        yield f"signed/{stamped.name}: not what was stamped"
    if token.read_bytes() != base64.b64decode(manifest["timestamp_token"], validate=True):
        yield f"signed/{token.name}: another time stamp than its manifest has"


def key_id(pem: bytes) -> str:
    """Name an Ed25519 public key: the last 32 bytes of what a PEM file holds."""
    text = pem.decode("ascii")
    der = base64.b64decode(text[len(BEGIN) : -len(END)], validate=True)
    if text != BEGIN + base64.b64encode(der).decode() + END or der[:-32] != ED25519:
        raise ValueError("no public key of Ed25519")
    return hashlib.sha256(b"streamguard key id" + der[-32:]).hexdigest()[:16]


def part_problems(directory: Path, manifest: Any, expected: set[Path]) -> Iterator[str]:
    """Hold each part against the newest manifest."""
    if merkle_root([item["sha256"] for item in manifest["items"]]) != manifest["merkle_root"]:
        yield f"manifest {manifest['number']}: another root than its parts"
    for item in manifest["items"]:
        parts = list((directory / "parts").glob(f"{item['number']:04d}-*"))
        if len(parts) != 1:
            yield f"part {item['number']}: is missing, or there twice"
            continue
        expected.add(parts[0])
        content = parts[0].read_bytes()
        if hashlib.sha256(content).hexdigest() != item["sha256"]:
            yield f"{parts[0].name}: not what was kept"
        if len(content) != item["size_bytes"]:
            yield f"{parts[0].name}: of another length"


def without(value: Any, left_out: tuple[str, ...]) -> Any:
    """Leave fields out."""
    return {name: value[name] for name in value if name not in left_out}


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
