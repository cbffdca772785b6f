import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from streamguard.contracts.descriptions import describe
from streamguard.core.errors import ConfigError
from streamguard.core.sampling import Sampling
from streamguard.sections.section import Section
from streamguard.settings import Settings, load_settings, shown

STREAM = '[[streams]]\nid = "studio"\nurl = "rtmp://ALICE:PASS@host/live/KEY"\n'
SECRETS = ("ALICE", "PASS", "KEY")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().startswith("STREAMGUARD_"):
            monkeypatch.delenv(name)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def problem_of(file: Path | None) -> str:
    """Load a configuration that is wrong; give the one line that says why."""
    with pytest.raises(ConfigError) as caught:
        load_settings(file)
    problem = str(caught.value)
    assert "\n" not in problem
    assert not any(secret in problem for secret in SECRETS)
    return problem


def test_without_a_file_all_is_as_by_default() -> None:
    settings = load_settings(None)

    assert settings.streams == ()
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 9108)
    assert settings.evidence.directory is None


def test_a_stream_names_its_banks_and_its_policy(file: Path) -> None:
    file.write_text(
        '[bank]\npaths = ["a/known", "b/slates"]\n'
        f'{STREAM}banks = ["known"]\npolicy_file = "studio.toml"\n'
    )

    (stream,) = load_settings(file).streams

    assert (stream.banks, stream.policy_file) == (("known",), Path("studio.toml"))


def test_a_stream_cannot_name_a_bank_that_there_is_not(file: Path) -> None:
    file.write_text(f'[bank]\npaths = ["a/known"]\n{STREAM}banks = ["slates"]\n')

    assert "stream 'studio' names the bank 'slates': there is none" in problem_of(file)


def test_a_stream_is_held_against_something(file: Path) -> None:
    file.write_text(f'[bank]\npaths = ["a/known"]\n{STREAM}banks = []\n')
    alone = problem_of(file)
    file.write_text(f'[model]\npack = "x"\n{STREAM}banks = []\n')

    assert "stream 'studio' is held against nothing: name a bank" in alone
    assert load_settings(file).streams[0].banks == ()


def test_two_banks_cannot_have_the_same_name(file: Path) -> None:
    file.write_text('[bank]\npaths = ["a/known", "b/known"]\n')

    assert "two banks have the same name" in problem_of(file)


def test_a_stream_that_is_not_screened_needs_a_reason_and_no_url(file: Path) -> None:
    file.write_text('[[streams]]\nid = "card"\nnot_screened = "a test card of our own"\n')

    (stream,) = load_settings(file).streams

    assert stream.not_screened == "a test card of our own"
    file.write_text('[[streams]]\nid = "card"\nnot_screened = ""\n')
    assert "not_screened" in problem_of(file)


def test_the_file_wins_over_the_default_and_the_environment_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text('[http]\nport = 1\nhost = "::1"\n')
    monkeypatch.setenv("STREAMGUARD_HTTP__PORT", "2")

    settings = load_settings(file)

    assert (settings.http.host, settings.http.port) == ("::1", 2)


def test_lists_and_sections_come_from_the_environment_as_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STREAMGUARD_BANK__PATHS", '["a", "b"]')
    monkeypatch.setenv("STREAMGUARD_STREAMS", '[{"id": "x", "url": "http://host/KEY"}]')
    monkeypatch.setenv("STREAMGUARD_WORKER", '{"decode_threads": 3}')
    monkeypatch.setenv("streamguard_log__file", "elsewhere.db")

    settings = load_settings(None)

    assert settings.bank.paths == (Path("a"), Path("b"))
    assert [stream.location.url for stream in settings.streams] == ["http://host/KEY"]
    assert (settings.worker.decode_threads, settings.log.file) == (3, Path("elsewhere.db"))


def test_hosts_of_hls_playlists_are_names_with_or_without_a_port(file: Path) -> None:
    file.write_text('[source]\nhls_hosts = ["cdn.example", "10.0.0.7:8080"]')

    assert load_settings(file).source.hls_hosts == ("cdn.example", "10.0.0.7:8080")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            '[deployment]\ntitle = "x"',
            "2: deployment.title: there is no such setting",
        ),
        ('[deploymen]\nname = "x"', "1: deploymen: there is no such setting; is it misspelt?"),
        ("[a.b]\nc = 1", "1: a: there is no such setting; is it misspelt?"),
        ('[http]\n\n# why\nport = "x"', "4: http.port: Input should be a valid integer"),
        ("[http]\nport = 65536", "2: http.port: Input should be less than or equal to 65535"),
        (
            "[source]\nopen_timeout_s = 0",
            "2: source.open_timeout_s: Input should be greater",
        ),
        ('[source]\nhls_hosts = ["http://a"]', "2: source.hls_hosts.0: String should match"),
        ('[source]\nhls_hosts = ["*"]', "2: source.hls_hosts.0: String should match"),
        ('[source]\nhls_hosts = "cdn.example"', "2: source.hls_hosts: a list is needed"),
        ('[bank]\npaths = "bank"', "2: bank.paths: a list is needed"),
        (STREAM.replace("[[", "[").replace("]]", "]"), "1: streams: a list is needed"),
        (STREAM + 'sampling = "much"', "4: streams.0.sampling: Input should be 'auto'"),
        (STREAM + STREAM, "1: streams: two streams have the id 'studio'"),
        (STREAM + STREAM.replace("studio", "x\\ny"), "5: streams.1.id: "),
        (STREAM + STREAM.replace("studio", ""), "5: streams.1.id: "),
        (STREAM + STREAM.replace("rtmp:", "ftp:"), "4: streams.1: cannot screen ftp:// sources"),
        (STREAM.replace("host", ""), "1: streams.0: the rtmp source names no host"),
        (
            STREAM.replace("host", "host:99999"),
            "1: streams.0: the rtmp source has a",
        ),
        (STREAM + 'url_file = "KEY"', "1: streams.0: give either url or url_file"),
        ('[[streams]]\nid = "a"', "1: streams.0: give either url or url_file"),
        ('[[streams]]\nid = "a"\nurl_file = "KEY"', "1: streams.0: the url_file cannot be read"),
        ('[[streams]]\nid = "a"\nurl = "KEY.mp4"', "1: streams.0: a file is screened by"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_with_its_line(
    text: str, problem: str, file: Path
) -> None:
    file.write_text(text)

    assert problem_of(file).startswith(f"{file}:{problem}")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("STREAMGUARD_HTTP__PRT", "1", "there is no such setting; is it misspelt?"),
        ("STREAMGUARD_HTP__PORT", "1", "there is no such setting; is it misspelt?"),
        ("STREAMGUARD_HTTP__PORT__X", "1", "there is no such setting; is it misspelt?"),
        ("STREAMGUARD_HTTP_PORT", "1", "there is no such setting; is it misspelt?"),
        ("streamguard_htp__port", "1", "there is no such setting; is it misspelt?"),
        ("STREAMGUARD_HTTP__PORT", "KEY", "http.port: Input should be a valid integer"),
        ("streamguard_http__port", "KEY", "http.port: Input should be a valid integer"),
        ("STREAMGUARD_HTTP__PORT", "65536", "http.port: Input should be less than or equal"),
        ("STREAMGUARD_HTTP", '{"port": "KEY"}', "http.port: Input should be a valid integer"),
        ("STREAMGUARD_HTTP", "KEY", "a list or a section is given as JSON"),
        ("STREAMGUARD_BANK__PATHS", "KEY", "a list or a section is given as JSON"),
        ("STREAMGUARD_STREAMS", "rtmp://host/KEY", "a list or a section is given as JSON"),
        ("STREAMGUARD_STREAMS", '[{"id": "a", "url": "ftp://KEY"}]', "streams.0: cannot screen"),
        ("STREAMGUARD_STREAMS", '[{"id": "a", "x": 2}]', "streams.0.x: there is no such"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    name: str, value: str, problem: str, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("[http]\nport = 1\n")
    monkeypatch.setenv(name, value)

    assert problem_of(file).startswith(f"variable {name}: {problem}")


def test_a_variable_of_the_tests_is_no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMGUARD_TEST_KAFKA", "x")

    load_settings(None)


def test_a_url_may_lie_in_a_file_of_its_own(file: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("rtmp://host/live/KEY\n")
    file.write_text(f'[[streams]]\nid = "a"\nurl_file = "{tmp_path / "secret"}"\n')

    (stream,) = load_settings(file).streams

    assert stream.location.url == "rtmp://host/live/KEY"
    assert stream.sampling is Sampling.AUTO


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"clip.mp4\n", b"ftp://host/KEY\n"])
def test_a_file_with_no_url_that_can_be_screened_is_refused(
    content: bytes, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(content)
    file.write_text(f'[[streams]]\nid = "a"\nurl_file = "{tmp_path / "secret"}"\n')

    assert problem_of(file).startswith(f"{file}:1: streams.0: ")


def test_secrets_are_masked_in_what_is_shown_and_in_every_representation(file: Path) -> None:
    file.write_text(STREAM)

    settings = load_settings(file)

    assert shown(settings)["streams"][0]["url"] == "**********"
    for text in (json.dumps(shown(settings)), repr(settings), repr(settings.streams[0].location)):
        assert not any(secret in text for secret in SECRETS)


def test_settings_cannot_be_changed_once_read() -> None:
    settings = load_settings(None)

    with pytest.raises(ValueError, match="frozen"):
        settings.http.port = 1  # type: ignore[misc]  # that is the test


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_field_says_what_it_means(name: str) -> None:
    describe(Section)
    describe(Settings)
    field = Settings.model_fields[name]
    section = field.annotation
    if isinstance(section, type) and issubclass(section, BaseModel):
        assert section.__doc__
        assert all(inner.description for inner in section.model_fields.values())
    else:
        assert field.description


@given(st.text("abc", min_size=1), st.integers() | st.text("xyz"))
def test_a_section_that_is_not_known_is_never_passed_over(name: str, value: int | str) -> None:
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})  # type: ignore[arg-type]  # that is the test
