"""Reads the configuration: a TOML file, then STREAMGUARD_* variables over it.

Rule: this is the only reader of the environment and of configuration files. An unknown key, section
or variable is an error: a promise that is misspelt must not be silently broken.
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Self, get_origin

from pydantic import (
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from streamguard.core.errors import ConfigError
from streamguard.sections.admin_section import AdminSection
from streamguard.sections.decisions_section import DecisionsSection
from streamguard.sections.enforce_section import ControlSection, EnforceSection, HoldRuleSection
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.sections.exchange_section import (
    ExchangeName,
    ExchangeSection,
    variable_of,
    written_credential,
)
from streamguard.sections.ingest_section import ServerSection
from streamguard.sections.kafka_section import KafkaSection
from streamguard.sections.limits_section import LimitsSection
from streamguard.sections.review_section import ReviewSection
from streamguard.sections.section import Section
from streamguard.sections.small_sections import (
    BankSection,
    Deployment,
    HttpSection,
    HygieneSection,
    LogSection,
    ModelSection,
    PolicySection,
    SourceSection,
)
from streamguard.sections.stream_section import StreamSection
from streamguard.sections.webhook_section import WebhookSection
from streamguard.sections.worker_section import WorkerSection
from streamguard.toml_file import line_of, problem_in, read_toml

PREFIX = "STREAMGUARD_"
NESTED = "__"
TEST_PREFIX = "STREAMGUARD_TEST_"  # read by the tests only

ANY_EXCHANGE = "*"
_EXCHANGE = re.compile(f"^({PREFIX}EXCHANGE{NESTED})[A-Z0-9]+(?:_[A-Z0-9]+)*({NESTED}.*)")
"""A variable that sets one setting of one exchange, whose name it holds."""


class Settings(BaseSettings):
    """The whole configuration; parts get their own section, none sees it all."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    deployment: Deployment = Deployment()
    streams: tuple[StreamSection, ...] = ()
    """The streams that `run` screens."""
    servers: tuple[ServerSection, ...] = ()
    """Ingest servers whose streams `run` finds and screens."""
    source: SourceSection = SourceSection()
    limits: LimitsSection = LimitsSection()
    bank: BankSection = BankSection()
    hygiene: HygieneSection = HygieneSection()
    policy: PolicySection = PolicySection()
    log: LogSection = LogSection()
    kafka: KafkaSection = KafkaSection()
    webhook: WebhookSection = WebhookSection()
    decisions: DecisionsSection = DecisionsSection()
    enforce: EnforceSection = EnforceSection()
    controls: tuple[ControlSection, ...] = ()
    """How `enforce` acts on the servers."""
    hold_rules: tuple[HoldRuleSection, ...] = ()
    """What is held before anybody has looked."""
    model: ModelSection = ModelSection()
    evidence: EvidenceSection = EvidenceSection()
    http: HttpSection = HttpSection()
    admin: AdminSection = AdminSection()
    worker: WorkerSection = WorkerSection()
    review: ReviewSection = ReviewSection()
    exchange: dict[ExchangeName, ExchangeSection] = {}
    """The exchanges whose hash lists `bank sync` follows."""

    @property
    def looks_for_nothing(self) -> bool:
        """Say whether there is neither a bank nor a model to hold a stream against."""
        return not self.bank.paths and self.model.pack is None

    @field_validator("streams")
    @classmethod
    def _ids_are_unique(cls, streams: tuple[StreamSection, ...]) -> tuple[StreamSection, ...]:
        ids = [stream.id for stream in streams]
        twice = sorted({stream_id for stream_id in ids if ids.count(stream_id) > 1})
        if twice:
            raise ValueError(f"two streams have the id {twice[0]!r}")
        return streams

    @field_validator("servers")
    @classmethod
    def _names_are_unique(cls, servers: tuple[ServerSection, ...]) -> tuple[ServerSection, ...]:
        names = [server.name for server in servers]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two servers have the name {twice[0]!r}")
        return servers

    @model_validator(mode="after")
    def _streams_name_banks(self) -> Self:
        known = {path.resolve().name for path in self.bank.paths}
        if len(known) < len(self.bank.paths):
            raise ValueError("two banks have the same name: rename one of their directories")
        named = [(f"stream {stream.id!r}", stream.banks) for stream in self.streams]
        named += [(f"server {server.name!r}", server.banks) for server in self.servers]
        for who, banks in named:
            unknown = sorted(set(banks or ()) - known)
            if unknown:
                raise ValueError(f"{who} names the bank {unknown[0]!r}: there is none")
            if banks == () and self.model.pack is None:
                raise ValueError(f"{who} is held against nothing: name a bank, or leave banks out")
        return self

    @model_validator(mode="after")
    def _controls_and_rules_are_named(self) -> Self:
        servers = {server.name for server in self.servers}
        for control in self.controls:
            if control.server not in servers:
                raise ValueError(f"controls names the server {control.server!r}: there is none")
        if len({control.server for control in self.controls}) < len(self.controls):
            raise ValueError("two controls act on the same server")
        if len({rule.name for rule in self.hold_rules}) < len(self.hold_rules):
            raise ValueError("two hold_rules have the same name")
        return self

    @model_validator(mode="after")
    def _decisions_of_others_are_signed(self) -> Self:
        takes = self.enforce.kafka or "streamguard.decisions.v1" in self.kafka.take
        if self.kafka.bootstrap_servers and takes and not self.decisions.trusted_keys:
            where = "[enforce] kafka" if self.enforce.kafka else "[kafka] take"
            raise ValueError(
                f"{where} needs [decisions] trusted_keys: unsigned, whoever may write there could"
                " cut or restore anybody"
            )
        return self

    @classmethod
    def settings_customise_sources(  # the library calls it with all of them
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose values come by the constructor."""
        return env_settings, init_settings


def load_settings(file: Path | None) -> Settings:
    """Read a configuration file, if any, and the environment over it.

    Raises:
        ConfigError: one line that names the file or variable, the field, and what is wrong.
    """
    values = read_toml(file) if file else {}
    _refuse_written_credential(file, values)
    variables = _variables()
    try:
        return Settings(**values)
    except ValidationError as error:
        loc = [str(part) for part in error.errors(include_url=False)[0]["loc"]]
        names = (PREFIX + NESTED.join(loc[:depth]).upper() for depth in (3, 2, 1))
        variable = next((variables[name] for name in names if name in variables), None)
        problem = problem_in(None if variable else file, error)
        raise ConfigError(f"variable {variable}: {problem}" if variable else problem) from None


def _refuse_written_credential(file: Path | None, values: dict[str, Any]) -> None:
    """Refuse credentials that stand in a file which is copied, diffed and shown around."""
    written = written_credential(values)
    if file is None or written is None:
        return
    exchange, name = written
    where = f"{file}:{line_of(file, ('exchange', *written))}: exchange.{exchange}.{name}"
    raise ConfigError(
        f"{where}: a credential comes by the variable {variable_of(exchange, name)}, or by"
        f" {name}_file"
    )


def shown(settings: Settings) -> dict[str, Any]:
    """Give the effective settings as plain values, secrets masked."""
    return settings.model_dump(mode="json")


def _variables() -> dict[str, str]:
    """Give each variable of ours as it is spelt, by its name in capitals.

    Pydantic would pass over a misspelt one; a promise must not be silently broken.
    """
    takes_json = _takes_json()
    found: dict[str, str] = {}
    for name, value in os.environ.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper.startswith(TEST_PREFIX):
            continue
        known_as = _EXCHANGE.sub(rf"\1{ANY_EXCHANGE}\2", upper)
        if known_as not in takes_json:
            raise ConfigError(f"variable {name}: there is no such setting; is it misspelt?")
        if takes_json[known_as] and not _is_json(value):
            raise ConfigError(f"variable {name}: a list or a section is given as JSON")
        found[upper] = name
    return found


def _takes_json() -> dict[str, bool]:
    """Give every variable that sets something: true for lists and whole sections."""
    known: dict[str, bool] = {}
    for name, field in Settings.model_fields.items():
        known[f"{PREFIX}{name}".upper()] = True
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            for inner, value in section.model_fields.items():
                known[f"{PREFIX}{name}{NESTED}{inner}".upper()] = _is_collection(value)
    for inner, value in ExchangeSection.model_fields.items():
        name = f"{PREFIX}exchange{NESTED}{ANY_EXCHANGE}{NESTED}{inner}"
        known[name.upper()] = _is_collection(value)
    return known


def _is_collection(field: FieldInfo) -> bool:
    return get_origin(field.annotation) in (tuple, dict)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
