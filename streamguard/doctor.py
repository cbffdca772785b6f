"""Looks at all that streamguard stands on: is it there, and is it fast enough.

Rule: one line a check, and one failure hides no other: each is looked at on its own.
"""

import argparse
import json
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from streamguard.adapters import disk_probe, host_probe, library_probe
from streamguard.adapters.bank_live import open_bank
from streamguard.admin.token import read_token
from streamguard.app import open_model
from streamguard.checks.control_check import checked_controls, checked_credentials
from streamguard.checks.decision_check import checked_decisions
from streamguard.checks.evidence_check import checked_evidence
from streamguard.checks.sending_check import checked_login, checked_page, checked_webhook
from streamguard.checks.server_check import checked_servers
from streamguard.core.check import Check, State, exit_code_of, fail_by, ok, warn
from streamguard.core.errors import ConfigError, StreamguardError
from streamguard.parts.crew_parts import crew_of
from streamguard.policy_file import load_policy
from streamguard.sandbox import MAX_DESCRIPTORS
from streamguard.sections.kafka_section import KafkaSection
from streamguard.sections.small_sections import ModelSection
from streamguard.settings import Settings, load_settings

N_RUNS = 5
SLOW_MODEL_S = 0.25
"""A model that takes longer for one picture breaks the promise by itself."""


def doctor(arguments: argparse.Namespace) -> int:
    """Check what streamguard stands on; tell what to do about each failure."""
    checks: list[Check] = []
    for check in examine(arguments.config, arguments.model or ()):
        checks.append(check)
        if not arguments.json:
            print(line_of(check), flush=True)
    if arguments.json:
        print(json.dumps({"checks": [asdict(check) for check in checks]}, ensure_ascii=False))
    return exit_code_of(checks)


def line_of(check: Check) -> str:
    """Show a check as one line."""
    remedy = f" → {check.remedy}" if check.remedy else ""
    return f"{check.state:<4}  {check.name:<10}  {check.what}{remedy}"


def examine(config: Path | None, models: Sequence[Path]) -> Iterator[Check]:
    """Yield check after check.

    config: settings to check by; without them, or where they are wrong, the defaults.
    models: packs to time; without any, the one that the settings name.
    """
    yield library_probe.protocols()
    yield library_probe.codecs()
    yield library_probe.srt()
    yield library_probe.sqlite()
    yield library_probe.compiled()
    yield host_probe.clock()
    try:
        settings = load_settings(config)
    except ConfigError as error:
        yield fail_by("settings", error, "correct it; what follows goes by the defaults")
        settings = Settings.model_construct()
    else:
        yield ok("settings", f"{config or 'defaults'}: {_size(settings)}")
    yield from _named(settings)
    n_streams = len(settings.streams)
    for check, n_published in checked_servers(settings.servers):
        yield check
        n_streams += n_published
    yield from checked_credentials(settings)
    yield from checked_controls(settings)
    yield from checked_decisions(settings)
    yield from _machine(settings, n_streams)
    packs = models or ((settings.model.pack,) if settings.model.pack else ())
    yield from (model(pack, settings.model) for pack in packs)
    yield from checked_webhook(settings.webhook)
    yield from checked_page(settings.review)
    yield from checked_login(settings.kafka)
    if settings.kafka.bootstrap_servers:
        yield broker(settings.kafka)


def _size(settings: Settings) -> str:
    return f"{len(settings.streams)} streams, {len(settings.servers)} ingest servers"


def _named(settings: Settings) -> Iterator[Check]:
    """Look at the files that the settings name."""
    try:
        load_policy(settings.policy.file)
    except StreamguardError as error:
        yield fail_by("policy", error, "correct the file that [policy] names")
    if settings.admin.token_file:
        try:
            read_token(settings.admin.token_file)
        except ConfigError as error:
            yield fail_by("token", error, "put it there, or let `run` make one of its own")
    if settings.looks_for_nothing and (settings.streams or settings.servers):
        what = "none, and no model: streams count as screened, held against nothing"
        yield warn("bank", what, "make one by `streamguard bank build`; name it in [bank] paths")
    for directory in settings.bank.paths:
        try:
            n_hashes = open_bank(directory).n_hashes
        except StreamguardError as error:
            yield fail_by("bank", error, "build it anew, or take it out of [bank] paths")
        else:
            yield ok("bank", f"{directory}: {n_hashes} hashes")


def _machine(settings: Settings, n_streams: int) -> Iterator[Check]:
    """Look at the machine as the settings mean to use it."""
    n_workers, threads_each = crew_of(settings.worker)
    yield disk_probe.disk("log", settings.log.file.parent)
    if settings.evidence.directory:
        yield disk_probe.disk("evidence", settings.evidence.directory)
        yield from checked_evidence(settings.evidence, settings.deployment.name)
    yield host_probe.port(settings.http.host, settings.http.port)
    yield host_probe.port(settings.admin.host, settings.admin.port, host_probe.ADMIN)
    if not host_probe.is_loopback(settings.admin.host):
        what = f"{settings.admin.host} can be reached from elsewhere, and speaks in clear"
        yield warn("token", what, "set [admin] host to 127.0.0.1, and put TLS in front")
    yield host_probe.open_files(-(-n_streams // n_workers), MAX_DESCRIPTORS)
    yield host_probe.cores(n_workers, threads_each, n_streams)
    yield host_probe.memory(n_workers, settings.worker.max_rss_mb)


def model(directory: Path, section: ModelSection) -> Check:
    """Load a model pack, and time it on this machine."""
    try:
        classifier = open_model(directory, section)
        picture = classifier.prepare(np.full((360, 640, 3), 128, np.uint8))
        times_s: list[float] = []
        for _ in range(N_RUNS):
            start_s = time.perf_counter()
            classifier.run([picture])
            times_s.append(time.perf_counter() - start_s)
    except StreamguardError as error:
        return fail_by("model", error, "install or unpack it anew, or leave it out")
    seconds = statistics.median(times_s)
    spec = classifier.spec
    what = f"{spec.name} {spec.version}: {seconds * 1000:.1f} ms a picture, {classifier.provider}"
    if seconds > SLOW_MODEL_S:
        return warn("model", what, "use a smaller model, or a GPU: its flags will be late")
    return ok("model", what)


def broker(section: KafkaSection) -> Check:
    """Ask Kafka for the topics; nothing is made."""
    try:
        from streamguard.parts import kafka_parts  # noqa: PLC0415  # needs the extra `kafka`

        lacks = kafka_parts.make_topics(section, dry_run=True)
        odd = [name for name, ones in kafka_parts.topic_differences(section).items() if ones]
    except StreamguardError as error:
        return fail_by("kafka", error, "`run` screens meanwhile, and delivers when they answer")
    what = f"{section.bootstrap_servers} answers"
    if missing := [name for name, is_missing in lacks.items() if is_missing]:
        remedy = "run `streamguard topics create`, or let `run` make them"
        return Check("kafka", State.WARN, f"{what}, without {', '.join(missing)}", remedy)
    if odd:
        remedy = "`streamguard topics create --check` names each difference"
        return Check("kafka", State.WARN, f"{what}, {', '.join(odd)} not as configured", remedy)
    return ok("kafka", f"{what}, all topics are there")
