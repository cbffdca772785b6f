"""What `bank sync` does: builds the client of an exchange, and lets a bank follow it.

Rule: a signal ends a sync after the page that is being taken; what was committed stays.
"""

import argparse
import asyncio
import random
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import assert_never

from streamguard import process
from streamguard.adapters.bank_live import open_bank
from streamguard.adapters.bank_lock import BankBusy
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.errors import ConfigError, ExchangeUnavailable, StreamguardError
from streamguard.exchange import techagainstterrorism, threatexchange
from streamguard.exchange.account import Account
from streamguard.exchange.page import Exchange, Policies
from streamguard.exchange.row import Terms
from streamguard.exchange.sync import is_made_otherwise, state_of, sync
from streamguard.exchange.web import Patience, Web
from streamguard.sections.exchange_section import ExchangeSection
from streamguard.settings import load_settings
from streamguard.verbs.exchange_verbs import bring_up, records_of, tell

BUSY_PAUSE_S = 60.0
"""When to try again where another import or sync holds the bank; a first sync takes minutes."""


def sync_bank(arguments: argparse.Namespace) -> int:
    """Bring a bank up to an exchange, once or again and again."""
    name: str = arguments.exchange
    section = load_settings(arguments.config).exchange.get(name)
    if section is None:
        raise ConfigError(f"there is no [exchange.{name}] in the configuration")
    if section.bank.resolve() != arguments.directory.resolve():
        raise ConfigError(f"exchange.{name}.bank is another directory than {arguments.directory}")

    async def watched(stop: asyncio.Event) -> int:
        stopped = threading.Event()
        work = asyncio.create_task(asyncio.to_thread(_work, section, arguments, stopped))
        signalled = asyncio.create_task(stop.wait())
        await asyncio.wait({work, signalled}, return_when=asyncio.FIRST_COMPLETED)
        stopped.set()
        signalled.cancel()
        try:
            return await work
        except ExchangeUnavailable:
            if not stop.is_set():
                raise
            return 0

    return process.run_until_signal(watched)


@contextmanager
def client_of(name: str, section: ExchangeSection, stopped: threading.Event) -> Iterator[Exchange]:
    """Build the client of an exchange.

    Raises:
        ConfigError: a credential or setting of it is missing.
    """
    policies = Policies(section.policy, section.policies)
    clock = SystemClock()
    patience = Patience(stopped.wait, random.random, clock.monotonic, _now)
    bases = {
        "techagainstterrorism": techagainstterrorism.BASE,
        "threatexchange": threatexchange.BASE,
    }
    web = Web(name, section.url or bases[section.kind], patience)
    try:
        if section.kind == "techagainstterrorism":
            username = section.needed("username", name)
            login = techagainstterrorism.Login(username, section.credential("password", name))
            yield techagainstterrorism.TechAgainstTerrorism(web, login, policies)
        elif section.kind == "threatexchange":
            group = section.needed("privacy_group", name)
            member = threatexchange.Member(group, section.credential("access_token", name))
            yield threatexchange.ThreatExchange(web, member, policies)
        else:
            assert_never(section.kind)
    finally:
        web.close()


def _work(section: ExchangeSection, arguments: argparse.Namespace, stopped: threading.Event) -> int:
    """Sync once, or at each interval until stopped; then what may pass is only told."""
    while True:
        pause_s = section.interval_s
        try:
            _once(section, arguments, stopped)
        except StreamguardError as error:
            is_busy = isinstance(error, BankBusy)
            if not (arguments.follow and (is_busy or error.retriable)):
                raise
            print(f"streamguard: {error}", file=sys.stderr)
            pause_s = min(pause_s, BUSY_PAUSE_S) if is_busy else pause_s
        if not arguments.follow or stopped.wait(pause_s):
            return 0


def _once(
    section: ExchangeSection, arguments: argparse.Namespace, stopped: threading.Event
) -> None:
    directory: Path = arguments.directory
    terms = Terms(
        now=_now(),
        negatives=tuple(open_bank(path) for path in section.negatives),
        may_shrink=arguments.allow_shrink or arguments.dry_run,
        settings=section.digest(),
    )

    def on_page(account: Account) -> bool:
        print(f"{arguments.exchange}: {account.n_waiting} records", file=sys.stderr)
        return not stopped.is_set()

    with (
        client_of(arguments.exchange, section, stopped) as exchange,
        records_of(directory, is_rehearsal=arguments.dry_run) as records,
    ):
        n_entries = 0
        if is_made_otherwise(state_of(records, exchange.source), terms):
            said = "its settings have changed since the last sync: its whole list is fetched anew"
            print(f"{arguments.exchange}: {said}", file=sys.stderr)
        try:
            account = sync(records, exchange, terms, refetch=arguments.refetch, on_page=on_page)
        finally:
            if not arguments.dry_run:
                n_entries = bring_up(directory, records)
    tell(account, n_entries, arguments)


def _now() -> datetime:
    return datetime.fromtimestamp(SystemClock().wall(), UTC)
