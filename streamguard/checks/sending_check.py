"""Looks at how events leave this machine: the login at Kafka, the secret of the webhook.

Rule: nobody is asked; what is found is told without repeating a secret or a URL.
"""

from collections.abc import Iterator
from pathlib import Path

from streamguard.core.check import Check, State, fail_by, ok, warn
from streamguard.core.errors import ConfigError
from streamguard.core.web_address import require_address
from streamguard.sections.kafka_section import KafkaSection
from streamguard.sections.review_section import ReviewSection
from streamguard.sections.webhook_section import WebhookSection


def checked_login(section: KafkaSection) -> Iterator[Check]:
    """Warn of a password that goes over the network as it is."""
    if section.bootstrap_servers and section.shows_password:
        what = "PLAIN by SASL_PLAINTEXT shows Kafka's password to whoever is on the way"
        yield warn("password", what, "set [kafka] security_protocol to SASL_SSL, or use SCRAM")


def checked_webhook(section: WebhookSection) -> Iterator[Check]:
    """Read the secret of the webhook; nothing is sent."""
    if not section.url:
        return
    found = _checked_secret("webhook", section.secret_file or Path(), "`forward` signs by it")
    if found.state is State.OK and _is_overheard(section.url):
        what = "plain_http lets flags go unencrypted to somewhere else"
        yield warn("webhook", what, "give [webhook] url by https")
    else:
        yield found


def checked_page(section: ReviewSection) -> Iterator[Check]:
    """Read the secret by which somebody is called for an urgent case; nobody is."""
    if section.page_url:
        signs = "`review` signs calls by it; `review --test-page` makes one"
        yield _checked_secret("page", section.page_secret_file or Path(), signs)


def _checked_secret(name: str, file: Path, signs: str) -> Check:
    from streamguard.adapters.webhook import read_secret  # noqa: PLC0415  # only who has one

    try:
        read_secret(file, "the webhook")
    except ConfigError as error:
        return fail_by(name, error, "make one: `openssl rand -base64 32`")
    if file.stat().st_mode & 0o077:
        what = f"{file}: others of this machine can read it"
        return warn(name, what, "make it readable for its owner alone (chmod 600)")
    return ok(name, f"{file}: a secret; {signs}")


def _is_overheard(url: str) -> bool:
    try:
        require_address("url", url)
    except ValueError:
        return True
    return False
