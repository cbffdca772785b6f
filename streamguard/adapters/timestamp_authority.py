"""Has a time-stamping authority say that something was there by now (RFC 3161), by HTTP.

Rule: only a hash leaves this machine. A token is taken when it is of what was asked for, and leads
to a root that the operator named; errors name no address.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from pathlib import Path

import httpx
from cryptography.x509 import Certificate, load_pem_x509_certificates
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from streamguard.adapters.der import sequence_of, with_sorted_certificates
from streamguard.core.errors import ConfigError, EvidenceUnavailable

TIMEOUT_S = 10.0
"""Authorities answer within a second; nobody but the thread that asks waits for it."""

MAX_ANSWER_BYTES = 64 * 1024
"""A token with its certificates has 2 to 8 KB."""

HEADERS = {"Content-Type": "application/timestamp-query"}
GRANTED = bytes.fromhex("3003020100")
"""The status that stands before a token in an answer, DER. Source: RFC 3161, 2.4.2."""


class TimestampAuthority:
    """One authority; its methods may be called in any thread."""

    def __init__(self, url: str, roots_file: Path) -> None:
        """Read whom to trust; nobody is asked yet.

        Raises:
            ConfigError: the file holds no certificate.
        """
        self._url = url
        try:
            self._roots = load_pem_x509_certificates(roots_file.read_bytes())
        except (OSError, ValueError):
            raise ConfigError(
                f"{roots_file}: no certificate of a time-stamping authority's root, PEM"
            ) from None

    def stamp(self, content: bytes) -> str:
        """Have it said that this is there by now; the token, base64 of DER.

        Raises:
            EvidenceUnavailable: it does not answer, refuses, or answers something else.
        """
        asked = TimestampRequestBuilder().data(content).hash_algorithm(HashAlgorithm.SHA256).build()
        try:
            answer = with_sorted_certificates(self._answer(asked.as_bytes()))
            response = decode_timestamp_response(answer)
            if response.tst_info.nonce != asked.nonce:
                raise EvidenceUnavailable("the time-stamping authority answers another question")
            token = base64.b64encode(response.time_stamp_token()).decode()
        except ValueError:
            raise EvidenceUnavailable("the time-stamping authority gives no time stamp") from None
        if problem := self.problem_with(token, content):
            raise EvidenceUnavailable(f"the time-stamping authority: its time stamp {problem}")
        return token

    def problem_with(self, token: str, content: bytes) -> str | None:
        """Say what is wrong with a token of this content; None where nothing is."""
        return problem_with(token, content, self._roots)

    def _answer(self, asked: bytes) -> bytes:
        """Ask, in one request; raises EvidenceUnavailable."""
        answer = b""
        try:
            with (
                httpx.Client(timeout=TIMEOUT_S, trust_env=False) as client,
                client.stream("POST", self._url, content=asked, headers=HEADERS) as response,
            ):
                response.raise_for_status()
                for some in response.iter_bytes():
                    answer += some
                    if len(answer) > MAX_ANSWER_BYTES:
                        raise EvidenceUnavailable("the time-stamping authority answers too much")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise EvidenceUnavailable(
                f"the time-stamping authority does not answer ({type(error).__name__})"
            ) from None
        return answer


def problem_with(token: str, content: bytes, roots: Sequence[Certificate]) -> str | None:
    """Say what is wrong with a token of this content; without roots, whose it is is not asked.

    A certificate that has expired since counts: the token says when it was made.
    """
    digest = hashlib.sha256(content).digest()
    try:
        response = _response(base64.b64decode(token, validate=True))
        if response.tst_info.message_imprint.message != digest:
            return "is of something else"
        if roots:
            # the certificates that a token brings stay untrusted: none is named as intermediate
            VerifierBuilder(roots=[*roots]).build().verify(response, digest)
    except (VerificationError, binascii.Error, ValueError):
        return "is not one of an authority that is trusted"
    return None


def _response(token: bytes) -> TimeStampResponse:
    """Read a token, which is an answer without its status."""
    return decode_timestamp_response(sequence_of(GRANTED + token))
