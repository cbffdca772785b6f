"""Apache Kafka for tests and load tests, a process of its own on loopback.

Rule: a broker keeps its port and its data over `kill` and `start`; only `forget` loses them.
"""

import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.broker_process import HOST, BrokerMissing, free_ports, wait_until_it_answers

ROOT = Path(__file__).parent.parent
LIBS = ROOT / ".cache" / "kafka" / "libs"
"""Where `.ci/setup parts` puts Apache Kafka's jars."""

USER, PASSWORD = "streamguard", "correct horse: battery"
"""Whom the listener with SASL lets in; what the user may do is up to access control lists."""

_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_JAVA = ("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


class ApacheKafka:
    """Apache Kafka in KRaft mode, broker and controller in one; a context manager.

    bootstrap:      a listener that lets anybody do anything.
    sasl_bootstrap: one that lets USER in, who may do what access control lists say: nothing yet.
    tls_bootstrap:  the same, encrypted; None where there is no openssl to make a certificate.
    certificate:    what it is encrypted with.
    """

    def __init__(self, directory: Path, libs: Path = LIBS) -> None:
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
        plain, sasl, tls, controller = free_ports(4)
        self.bootstrap, self.sasl_bootstrap = f"{HOST}:{plain}", f"{HOST}:{sasl}"
        self.certificate = directory / "certificate.pem"
        has_tls = _make_certificate(self.certificate)
        self.tls_bootstrap = f"{HOST}:{tls}" if has_tls else None
        listeners = {"PLAINTEXT": plain, "SASL_PLAINTEXT": sasl}
        if has_tls:
            listeners["SASL_SSL"] = tls
        self._config.write_text(_properties(listeners, controller, self._data, self.certificate))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        if not self._data.exists():
            self._java("kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER, "-c")
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

    def _java(self, *arguments: str) -> None:
        subprocess.run(self._command(*arguments), check=True, capture_output=True)

    def _command(self, *arguments: str) -> list[str]:
        return [*_JAVA, "-cp", f"{self._libs}/*", *arguments, str(self._config)]


def _make_certificate(file: Path) -> bool:
    """Make a key and a certificate for loopback, signed by itself; say whether that can be done."""
    openssl = shutil.which("openssl")
    if openssl is None:
        return False
    key = file.with_name("key.pem")
    names = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=IP:{HOST}"]
    made = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    files = ["-keyout", str(key), "-out", str(file)]
    subprocess.run([openssl, *made, *files], check=True, capture_output=True)
    key.write_text(key.read_text() + file.read_text())
    return True


def _properties(listeners: dict[str, int], controller: int, data: Path, certificate: Path) -> str:
    jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    served = [f"{protocol}://{HOST}:{port}" for protocol, port in listeners.items()]
    login = f'{jaas} user_{USER}="{PASSWORD}";'
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
        "listeners": ",".join([*served, f"CONTROLLER://{HOST}:{controller}"]),
        "advertised.listeners": ",".join(served),
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": ",".join(
            ["CONTROLLER:PLAINTEXT", *(f"{protocol}:{protocol}" for protocol in listeners)]
        ),
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": login,
        "listener.name.sasl_ssl.plain.sasl.jaas.config": login,
        "listener.name.sasl_ssl.ssl.keystore.type": "PEM",
        "listener.name.sasl_ssl.ssl.keystore.location": certificate.with_name("key.pem"),
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
    return "".join(f"{name}={value}\n" for name, value in settings.items())
