"""What `doctor` and `check-config` say of how events leave this machine."""

import base64
from pathlib import Path

import pytest

from streamguard.__main__ import main
from streamguard.checks.sending_check import checked_login, checked_page, checked_webhook
from streamguard.core.check import State
from streamguard.sections.kafka_section import KafkaSection
from streamguard.sections.review_section import ReviewSection
from streamguard.sections.webhook_section import WebhookSection

SECRET = base64.b64encode(bytes(range(32))).decode()
LOGIN = {"sasl_username": "u", "sasl_password": "hidden", "bootstrap_servers": "kafka:9092"}


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o600)
    return file


def states(section: WebhookSection) -> list[tuple[State, str]]:
    return [(check.state, check.what) for check in checked_webhook(section)]


def check_config(folder: Path, lines: str) -> int:
    file = folder / "config.toml"
    file.write_text(f'[log]\nfile = "{folder / "log.db"}"\n{lines}\n')
    return main(["check-config", str(file)])


def test_where_there_is_no_webhook_nothing_is_said() -> None:
    assert states(WebhookSection()) == []


def test_a_secret_that_can_be_used_is_found(secret: Path) -> None:
    section = WebhookSection(url="https://example.org/hidden", secret_file=secret)

    [(state, what)] = states(section)

    assert (state, str(secret) in what, "hidden" in what) == (State.OK, True, False)


def test_a_secret_that_others_can_read_is_warned_of(secret: Path) -> None:
    secret.chmod(0o640)

    [(state, what)] = states(WebhookSection(url="https://example.org", secret_file=secret))

    assert (state, "others of this machine" in what) == (State.WARN, True)


def test_flags_that_anybody_can_read_are_warned_of(secret: Path) -> None:
    url = "http://example.org/hidden"

    [(state, what)] = states(WebhookSection(url=url, plain_http=True, secret_file=secret))

    assert (state, "unencrypted" in what, "hidden" in what) == (State.WARN, True, False)


@pytest.mark.parametrize(("text", "problem"), [(None, "cannot be read"), ("c2hvcnQ=", "24 to 64")])
def test_a_secret_that_cannot_be_used_fails_the_doctor_and_the_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str | None, problem: str
) -> None:
    file = tmp_path / "secret"
    if text:
        file.write_text(text)

    [(state, what)] = states(WebhookSection(url="https://example.org", secret_file=file))
    code = check_config(tmp_path, f'[webhook]\nurl = "https://example.org"\nsecret_file = "{file}"')

    assert (state, problem in what) == (State.FAIL, True)
    assert (code, problem in capsys.readouterr().err) == (2, True)


@pytest.mark.parametrize(
    ("protocol", "mechanism", "is_shown"),
    [
        ("SASL_PLAINTEXT", "PLAIN", True),
        ("SASL_PLAINTEXT", "SCRAM-SHA-512", False),
        ("SASL_SSL", "PLAIN", False),
        ("PLAINTEXT", "PLAIN", False),
    ],
)
def test_a_password_that_anybody_can_read_is_warned_of(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    protocol: str,
    mechanism: str,
    *,
    is_shown: bool,
) -> None:
    settings = {**LOGIN, "security_protocol": protocol, "sasl_mechanism": mechanism}
    lines = "".join(f'{name} = "{value}"\n' for name, value in settings.items())

    said = [check.state for check in checked_login(KafkaSection.model_validate(settings))]
    code = check_config(tmp_path, f"[kafka]\n{lines}")

    assert said == ([State.WARN] if is_shown else [])
    told = capsys.readouterr()
    assert (code, "SASL_SSL, or use SCRAM" in told.err) == (0, is_shown)
    assert "hidden" not in told.err + told.out


def test_a_login_at_no_broker_is_none() -> None:
    section = KafkaSection.model_validate(
        {**LOGIN, "bootstrap_servers": "", "security_protocol": "SASL_PLAINTEXT"}
    )

    assert list(checked_login(section)) == []


def test_the_secret_by_which_somebody_is_called_is_looked_at(secret: Path) -> None:
    def found(file: Path) -> list[tuple[State, str]]:
        section = ReviewSection(page_url="https://example.org/hidden", page_secret_file=file)
        return [(one.state, one.what) for one in checked_page(section)]

    [(fine, what)] = found(secret)
    [(missing, _)] = found(secret.with_name("none"))
    secret.chmod(0o644)
    [(open_to_all, _)] = found(secret)

    assert (fine, missing, open_to_all) == (State.OK, State.FAIL, State.WARN)
    assert "hidden" not in what
    assert list(checked_page(ReviewSection())) == []
