"""Apache Kafka for tests and load tests, a process of its own on loopback.

Rule: a broker keeps its port and its data over `kill` and `start`; only `forget` loses them.
"""

import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.broker_process import BrokerMissing, wait_until_it_answers
from loadtest.certificates import Certificates, make_certificates
from loadtest.rtmp import HOST, free_ports

ROOT = Path(__file__).parent.parent
LIBS = ROOT / ".cache" / "kafka" / "libs"
"""Where `.ci/setup parts` puts Apache Kafka's jars."""

OLD_LIBS = LIBS.with_name("libs-3")
"""The same of the last release line that began with 3."""

USER, PASSWORD = "streamguard", "correct horse: battery"
"""Whom the listener with SASL lets in; what the user may do is up to access control lists."""

SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
"""By these, too, users may log in; there are none until a test makes one."""

_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required"
_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_JAVA = ("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class ApacheKafka:
    """Apache Kafka in KRaft mode, broker and controller in one; a context manager.

    One with a `leader` is a broker alone, the leader's controller is its own: together they are one
    cluster, and the leader starts first.

    bootstrap:      a listener that lets anybody do anything.
    sasl_bootstrap: one that lets USER in, who may do what access control lists say: nothing yet.
    tls_bootstrap:  the same, encrypted.
    mutual_bootstrap: the same again, where a certificate says who the client is.
    certificates:   what is needed for the last two; None where there is no openssl, and then
                    nobody listens there.
    """

    def __init__(
        self, directory: Path, libs: Path = LIBS, *, leader: Self | None = None, node: int = 1
    ) -> None:
        """Choose ports; nothing is started yet.

        Raises:
            BrokerMissing: there is no Java, or there are no jars.
        """
        if shutil.which("java") is None:
            raise BrokerMissing("no java here: install Debian's openjdk-17-jre-headless")
        if not list(libs.glob("kafka_*.jar")):
            raise BrokerMissing("no Apache Kafka here: install Debian's maven, run .ci/setup parts")
        self._libs = libs
        self._data = directory / "data"
        self._config = directory / "server.properties"
        self._log = directory / "broker.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._is_alone = leader is None
        plain, sasl, tls, mutual, controller = free_ports(5)
        self.controller: str = f"{HOST}:{controller}" if leader is None else leader.controller
        self.bootstrap, self.sasl_bootstrap = f"{HOST}:{plain}", f"{HOST}:{sasl}"
        self.tls_bootstrap, self.mutual_bootstrap = f"{HOST}:{tls}", f"{HOST}:{mutual}"
        self.certificates = make_certificates(directory, USER)
        listeners = {"PLAINTEXT": plain, "SASL_PLAINTEXT": sasl}
        settings = _settings(self._data)
        if self.certificates is not None:
            listeners |= {"SASL_SSL": tls, "SSL": mutual}
            settings |= _tls_settings(self.certificates)
        settings |= _listener_settings(listeners)
        settings |= self._roles(node, str(settings["listeners"]))
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not self._data.exists():
            kind = ("--standalone",) if self._is_alone else ()
            self._java("kafka.tools.StorageTool", "format", *kind, "-t", _CLUSTER, "-c")
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka"), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink
            )
        wait_until_it_answers(self.bootstrap, self._process, self._log)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def is_running(self) -> bool:
        """Say whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def freeze(self) -> None:
        """Let it keep its connections and answer nothing."""
        assert self._process is not None  # noqa: S101  # a mistake of the test
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None  # noqa: S101  # a mistake of the test
        self._process.send_signal(signal.SIGCONT)

    def forget(self) -> None:
        """Lose all data, as a broker without a volume does when it is started again."""
        self.kill()
        shutil.rmtree(self._data)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()

    def _roles(self, node: int, served: str) -> dict[str, object]:
        return {
            "process.roles": "broker,controller" if self._is_alone else "broker",
            "node.id": node,
            "controller.quorum.bootstrap.servers": self.controller,
            "listeners": f"{served},CONTROLLER://{self.controller}" if self._is_alone else served,
        }

    def _java(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), check=True, capture_output=True)

    def _command(self, *arguments: str) -> list[str]:
        return [*_JAVA, "-cp", f"{self._libs}/*", *arguments, str(self._config)]


def _listener_settings(listeners: dict[str, int]) -> dict[str, object]:
    served = ",".join(f"{protocol}://{HOST}:{port}" for protocol, port in listeners.items())
    settings: dict[str, object] = {
        "listeners": served,
        "advertised.listeners": served,
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{protocol}:{protocol}" for protocol in listeners)]
        ),
        "sasl.enabled.mechanisms": ",".join(["PLAIN", *SCRAM]),
    }
    for listener in ("sasl_plaintext", "sasl_ssl"):
        login = f"listener.name.{listener}.{{}}.sasl.jaas.config"
        settings[login.format("plain")] = f'{_PLAIN} user_{USER}="{PASSWORD}";'
        settings |= {login.format(mechanism.lower()): f"{_SCRAM};" for mechanism in SCRAM}
    return settings


def _tls_settings(certificates: Certificates) -> dict[str, object]:
    settings: dict[str, object] = {
        "listener.name.ssl.ssl.client.auth": "required",
        "listener.name.ssl.ssl.truststore.type": "PEM",
        "listener.name.ssl.ssl.truststore.location": certificates.authority,
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+)$/$1/",
    }
    for listener in ("ssl", "sasl_ssl"):
        settings[f"listener.name.{listener}.ssl.keystore.type"] = "PEM"
        settings[f"listener.name.{listener}.ssl.keystore.location"] = certificates.server
    return settings


def _settings(data: Path) -> dict[str, object]:
    return {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "broker.heartbeat.interval.ms": 300,
        "broker.session.timeout.ms": 1500,  # so long a killed broker's place stays taken
        "log.cleaner.enable": "false",
        "num.network.threads": 1,
        "num.io.threads": 2,
    }
