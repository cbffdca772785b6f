"""Builds the images of docker/Dockerfile without a container engine, and tries them out.

The very instructions of the Dockerfile are followed: each stage is a directory, its RUN lines are
run by chroot in a Debian made by debootstrap. Then each image is started as its user, in a network
of its own, and its HEALTHCHECK run. Needs root, debootstrap and about two minutes:

    python3 docker/check.py

Rule: an instruction that is not known here is an error, so that nothing goes unchecked.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

CONTEXT = Path(__file__).parent.parent
SUITES = {"12": "bookworm", "13": "trixie"}
KEEP = CONTEXT / ".cache" / "debian"
"""Clean roots are kept here: they take most of the time."""

PASSED_ON = ("PIP_INDEX_URL", "PIP_DEFAULT_TIMEOUT", "http_proxy", "https_proxy", "no_proxy")
"""What this host knows about its network, and the build has to know, too."""

STARTS_WITHIN_S = 30.0
NAMESPACES = ("unshare", "--mount", "--pid", "--fork", "--kill-child")


@dataclass(frozen=True)
class Stage:
    """A stage as far as its instructions were followed."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "root"
    health: Sequence[str] = ()
    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """Yield each instruction of a Dockerfile, as (keyword, the rest in one line)."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        if line.strip():
            keyword, _, rest = line.strip().partition(" ")
            yield keyword.upper(), rest.strip()


def build(text: str, directory: Path) -> dict[str, Stage]:
    """Follow a Dockerfile; give its stages by name."""
    arguments: dict[str, str] = {}
    stages: dict[str, Stage] = {}
    name = ""
    for keyword, rest in instructions(text):
        say(f"{keyword} {rest[:90]}")
        if keyword == "ARG":
            key, _, value = rest.partition("=")
            arguments[key] = value
        elif keyword == "FROM":
            parent, name = re.fullmatch(r"(\S+) AS (\S+)", rest).groups()  # type: ignore[union-attr]  # a stage without a name is an error
            parent = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], parent)
            above = stages.get(parent) or Stage(clean_root(parent))
            copy(above.root, directory / name)
            stages[name] = replace(above, root=directory / name)
        else:
            stages[name] = follow(stages[name], keyword, rest, stages)
    return stages


def follow(stage: Stage, keyword: str, rest: str, stages: dict[str, Stage]) -> Stage:
    """Follow one instruction; give the stage as it is then."""
    changes: dict[str, Any] = {}
    match keyword:
        case "RUN":
            run(*isolated(stage, "sh", "-euc", rest))
        case "COPY":
            copy_in(stage, shlex.split(rest), stages)
        case "ENV":
            pairs = (word.partition("=") for word in shlex.split(rest))
            changes = {"env": stage.env | {key: value for key, _, value in pairs}}
        case "WORKDIR":
            (stage.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            changes = {"workdir": rest}
        case "USER":
            changes = {"user": rest}
        case "HEALTHCHECK":
            changes = {"health": json.loads(rest.partition(" CMD ")[2])}
        case "ENTRYPOINT" | "CMD":
            changes = {keyword.lower(): json.loads(rest)}
        case "EXPOSE" | "STOPSIGNAL" | "VOLUME":
            pass
        case _:
            raise SystemExit(f"docker/check.py does not know {keyword}: teach it")
    return replace(stage, **changes)


def clean_root(image: str) -> Path:
    """Give a Debian as new as debootstrap makes it, for an image as debian:12.11-slim."""
    suite = SUITES[re.fullmatch(r"debian:(\d+)\.\d+-slim", image)[1]]  # type: ignore[index]  # another image is an error
    root = KEEP / suite
    if not (root / "complete").exists():
        say(f"debootstrap {suite}")
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        run("debootstrap", "--variant=minbase", suite, str(root))
        sources = root / "etc" / "apt" / "sources.list"
        origin = sources.read_text().split()[1]
        with sources.open("a") as file:  # the image has these two as well
            file.write(f"deb {origin} {suite}-updates main\n")
            file.write(f"deb {origin}-security {suite}-security main\n")
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", root / "etc" / name)
        if "PIP_CERT" in os.environ:
            shutil.copy(os.environ["PIP_CERT"], root / "etc" / "host-certificates.pem")
        (root / "complete").touch()
    return root


def copy_in(stage: Stage, words: list[str], stages: dict[str, Stage]) -> None:
    """Follow a COPY: from the context, or from another stage."""
    options = [word for word in words if word.startswith("--")]
    *sources, target = words[len(options) :]
    origin = CONTEXT
    for option in options:
        origin = stages[option.removeprefix("--from=")].root
    place = stage.root / os.path.join(stage.workdir, target).lstrip("/")  # noqa: PTH118  # a path inside
    for source in sources:
        found = origin / source.lstrip("/")
        copy(found, place / found.name if target.endswith("/") and found.is_file() else place)


def copy(source: Path, target: Path) -> None:
    """Copy a file or what a directory holds, owners and modes included."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(exist_ok=True)
        run("cp", "-a", "--reflink=auto", f"{source}/.", str(target))
    else:
        run("cp", "-a", str(source), str(target))


def in_root(stage: Stage, *command: str) -> list[str]:
    """Give the command that runs another inside a stage: as its user, in its place."""
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}
    variables |= {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if (stage.root / "etc" / "host-certificates.pem").exists():
        variables["PIP_CERT"] = "/etc/host-certificates.pem"
    variables |= stage.env
    user = [] if stage.user == "root" else [f"--userspec={stage.user}"]
    return [
        *("chroot", *user, str(stage.root), "/usr/bin/env", "-i", "-C", str(stage.workdir)),
        *(f"{name}={value}" for name, value in variables.items()),
        *command,
    ]


def isolated(stage: Stage, *command: str) -> list[str]:
    """Give the command that runs another inside a stage, with processes of its own to see."""
    mount = f"mount -t proc proc {stage.root}/proc"
    return [*NAMESPACES, "sh", "-c", f"{mount} && exec {shlex.join(in_root(stage, *command))}"]


@contextmanager
def started(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """Start an image as an engine would, in a network of its own."""
    begin = f"ip link set lo up && mount -t proc proc {stage.root}/proc"
    command = shlex.join(in_root(stage, *stage.entrypoint, *stage.cmd))
    process = subprocess.Popen([*NAMESPACES, "--net", "sh", "-c", f"{begin} && exec {command}"])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def is_healthy(stage: Stage, process: subprocess.Popen[bytes]) -> bool:
    """Run the HEALTHCHECK beside an image that was started."""
    enter = ("nsenter", f"--target={process.pid}", "--net")
    done = subprocess.run(
        [*enter, *in_root(stage, *stage.health)], capture_output=True, check=False
    )
    return done.returncode == 0


def try_out(name: str, stage: Stage, number: signal.Signals) -> None:
    """Start an image, see it become healthy, and stop it as an engine would."""
    say(f"starting {name} as {stage.user}: {shlex.join([*stage.entrypoint, *stage.cmd])}")
    with started(stage) as process:
        by_s = time.monotonic() + STARTS_WITHIN_S
        while not is_healthy(stage, process):
            if time.monotonic() > by_s or process.poll() is not None:
                raise SystemExit(f"{name} did not become healthy within {STARTS_WITHIN_S:.0f} s")
            time.sleep(0.5)
        say(f"{name} is healthy")
        child = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0]
        os.kill(int(child), number)
        code = process.wait(STARTS_WITHIN_S)
        if code:
            raise SystemExit(f"{name} ended with {code} after {number.name}")
    say(f"{name} ended well after {number.name}")


def run(*command: str) -> None:
    """Run a command; its output is shown only if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write((done.stdout + done.stderr)[-4000:])
        raise SystemExit(f"docker/check.py: failed with {done.returncode}: {shlex.join(command)}")


def say(text: str) -> None:
    """Tell what is done, and when."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def main() -> None:
    """Build all stages, then try out the two images."""
    os.nice(19)  # whoever measures time beside it shall not notice
    text = (CONTEXT / "docker" / "Dockerfile").read_text()
    with tempfile.TemporaryDirectory(prefix="streamguard-images-", dir="/var/tmp") as directory:
        stages = build(text, Path(directory))
        image = stages["streamguard"]
        config = CONTEXT / "docker" / "streamguard.toml"
        copy(config, image.root / "etc" / "streamguard" / config.name)
        doctor = [*image.entrypoint, "doctor", "--model", "/usr/share/streamguard/models/opennsfw"]
        code = subprocess.run(isolated(image, *doctor), check=False).returncode
        if code:
            raise SystemExit(f"doctor ended with {code} inside the image")
        try_out("streamguard", image, signal.SIGTERM)
        try_out("ingest", stages["ingest"], signal.SIGQUIT)
    say("all well")


if __name__ == "__main__":
    main()
