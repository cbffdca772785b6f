"""What the console and the enforcer are entrusted with is in nothing that they say or show.

Rule: real processes, each of which meets what works and what fails; every secret is used.
"""

import base64
import json
import sqlite3
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.rtmp import rtmp_server
from tests.conftest import NginxRtmp
from tests.integration.test_enforce_rules import flagged
from tests.leaks import Visitor, World
from tests.made_keys import made_key
from tests.made_reviews import flag, flag_opened
from tests.processes import Running, environment, streamguard, until
from tests.review.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer
from tests.servers import refusing_port
from tests.test_cli_review import account
from tests.webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

SHOWN = {
    "console": "nobody_called",
    "enforcer": "enforce_stopped",
    "pages": "<h1",
    "API": "name or password is wrong",
    "metrics": "streamguard_enforce_open_actions",
    "audit": "case.decided",
    "events": "org.streamguard.action.verified.v1",
    "commands": "edge takes orders",
    "the console's file": "CREATE TABLE accounts",
}
"""Where it is looked, and a text by which one knows that there is something to read."""

FIXED = {
    "hook": "webhook-webhook-webhook-webhook-",
    "platform": "PLATFORM-TOKEN-OF-32-CHARACTERS",
    "log.db.token": "SUPERVISOR-TOKEN-OF-32-CHARACTER",
    "oidc": CLIENT_SECRET,
    "control": "CONTROL-PASSWORD",
    "login of the control": "operator:CONTROL-PASSWORD",
    "login at the provider": f"{CLIENT_ID}:{CLIENT_SECRET}",
    "the deployment's": "enforce-stage-enforce-stage",
    "in the webhooks' address": "key=hidden",
    "key of who is held": "sk_who-is-held",
    "key that nginx cannot move": "sk_who+cannot+be+moved",
    "password": "correct horse battery staple",
    "new password": "another horse, another staple",
    "password in the place of a name": "typed where the name goes",
}
"""What nobody may read, by the file that holds it or by what it is."""

FILES = ("hook", "platform", "log.db.token", "oidc", "control")
PATIENCE_S = 120.0
KEY = FIXED["key of who is held"]
CONFIGURATION = """
user = "operator"
password_file = "control"
[[servers]]
name = "away"
kind = "mediamtx"
api = "http://127.0.0.1:{nowhere}"
pull = "rtsp://127.0.0.1:{nowhere}"
[[controls]]
server = "away"
api = "http://127.0.0.1:{nowhere}"
user = "operator"
password_file = "control"
[decisions]
key_file = "decider.pem"
[review]
port = 0
metrics_port = 0
platform_token_file = "platform"
page_url = "{webhook}"
page_secret_file = "hook"
oidc_issuer = "{issuer}"
oidc_client_id = "{client_id}"
oidc_client_secret_file = "oidc"
public_url = "http://console.test"
"""


@pytest.fixture(scope="module")
def world(
    requires_nginx_rtmp: NginxRtmp,
    real_clips: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    """Have streams held by people who sign in in both ways, beside all that fails."""
    folder, world, nginx = tmp_path_factory.mktemp("world"), World(), requires_nginx_rtmp
    world.secrets |= FIXED
    (folder / "rtmp").mkdir()
    for name in FILES:
        (folder / name).write_text(FIXED[name])
    (folder / "hook").write_text(base64.b64encode(FIXED["hook"].encode()).decode())
    pem = made_key(folder, "decider").private.read_text()
    world.secrets["key that signs decisions"] = pem.splitlines()[1]
    with ExitStack() as stack:
        provider = stack.enter_context(OidcServer(time.time()))
        platform = stack.enter_context(receiving(FIXED["hook"].encode()))
        rtmp = stack.enter_context(rtmp_server(nginx.program, nginx.module, folder / "rtmp"))
        made = EnforceStage(folder, rtmp, form_of(platform, provider))
        stack.callback(made.close)
        for name in (KEY, FIXED["key that nginx cannot move"]):
            stack.enter_context(rtmp.publish(real_clips["bikes"], name))
            flagged(made, made.live(name), 8)
        made.log.append([flag_opened(flag(1, severity="P0"))])
        run_commands(made.config, world)
        platform.status = 422
        env = environment(STREAMGUARD_ADMIN__PORT=str(refusing_port()))
        console, enforcer = (
            stack.enter_context(Running(verb, "--config", made.config, cwd=folder, env=env))
            for verb in ("review", "enforce")
        )
        url, shown = addresses(console, enforcer)
        platform.status = 422
        env = environment(STREAMGUARD_ADMIN__PORT=str(refusing_port()))
        console.wait_for(console.log, event="nobody_called")
        platform.status = 204
        add_people(url, world)
        hold_and_restore(made, url, world)
        look_round(url, provider, world)
        world.said["metrics"] = "".join(httpx.get(one, timeout=30).text for one in shown)
        world.said["audit"] = streamguard("audit", "export", "--log", folder / "log.db").out
        assert (console.stop(), enforcer.stop()) == (0, 0)
        file = (folder / "log.db.review").read_bytes()
        world.said["the console's file"] = file.decode("latin-1")
        world.said["events"] = "".join(one.body for one in made.log.read(1))
    world.said["console"] = f"{console.out}{json.dumps(console.log)}"
    world.said["enforcer"] = f"{enforcer.out}{json.dumps(enforcer.log)}"
    return world


def form_of(platform: Receiver, provider: OidcServer) -> Form:
    """Say how both processes are configured."""
    more = CONFIGURATION.format(
        nowhere=refusing_port(),
        webhook=platform.url,
        issuer=provider.issuer,
        client_id=CLIENT_ID,
    )
    hook = f'webhook = "{platform.url}"\nwebhook_secret_file = "hook"'
    return Form(enforce=hook, more=more)


def run_commands(config: Path, world: World) -> None:
    """Make accounts, also in vain, and have the command line say what there is."""
    admin = ("add", "admin", "--role", "administrator")
    added = [account(config, *admin, password=FIXED["password"]) for _ in range(2)]
    added += [account(config, "add", "anna", "--role", "reviewer", "--no-password", password="")]
    assert [one.code for one in added] == [0, 2, 0]
    verbs = (("account", "list", "--config"), ("check-config",), ("doctor", "--config"))
    shown = [streamguard(*one, config, cwd=config.parent) for one in verbs]
    world.said["commands"] = "".join(one.out + one.err for one in (*added, *shown))


def add_people(url: str, world: World) -> None:
    """Have the administrator make the accounts of the others."""
    admin = Visitor(url, world)
    admin.signs_in("admin", FIXED["password"])
    for name, role in (("sena", "senior"), ("audrey", "auditor")):
        said = {"name": name, "role": role, "clearance": ["*"], "password": FIXED["password"]}
        assert admin("/api/v1/accounts", said).status_code == 201
    admin.close()


def addresses(console: Running, enforcer: Running) -> tuple[str, list[str]]:
    """Give where the console is, and what tells how both do."""
    at = console.wait_for(console.log, event="review_started")
    ports = (at["metrics_port"], enforcer.wait_for(enforcer.log, event="enforce_started")["port"])
    shown = [f"http://127.0.0.1:{port}/{name}" for port in ports for name in ("metrics", "readyz")]
    return f"http://127.0.0.1:{at['port']}", shown


def hold_and_restore(made: EnforceStage, url: str, world: World) -> None:
    """Hold all that waits, see where it is then, and restore it."""
    sena = Visitor(url, world)
    sena.signs_in("sena", FIXED["password"])
    said: dict[str, Any] = {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE"}
    said |= {"action": "hold", "scopes": ["live", "recording"]}
    decisions = []
    while (case := sena("/api/v1/claim", {}).json()["case"]) is not None:
        path = f"/api/v1/cases/{case['case_id']}"
        decisions.append(sena(f"{path}/decision", said | {"token": case["token"]}).json())
    tried = "SELECT path FROM actions WHERE n_attempts > 0 AND outcome IS NULL"
    until(lambda: bool(opened(made.folder, tried)), PATIENCE_S)
    until(lambda: "no_media" in str(made.told()), PATIENCE_S)
    holds = opened(made.folder, "SELECT path, name FROM holds")
    world.secrets |= {f"where {path} is held": str(name) for path, name in holds}
    world.kept = str(holds)
    for one in decisions:
        path = f"/cases/{one['case_id']}"
        sena(f"/api/v1{path}/restore", {"reason_code": "CONTEXT.GAMEPLAY"})
        sena(path)
        sena(f"/api/v1{path}")
    sena.close()


def opened(folder: Path, query: str) -> list[tuple[object, ...]]:
    """Read the enforcer's own file."""
    with closing(sqlite3.connect(f"file:{folder / 'log.db.enforce'}?mode=ro", uri=True)) as file:
        return file.execute(query).fetchall()


def look_round(url: str, provider: OidcServer, world: World) -> None:
    """Have everybody do what their role lets them, and be refused the rest."""
    api = [f"/api/v1/{one}" for one in ("me", "queue", "presence", "accounts", "audit", "appeals")]
    pages = ("/", "/exposure", "/team", "/incidents", "/accounts", "/banks", "/appeals", "/audit")
    change = {"current": FIXED["password"], "new": FIXED["new password"]}
    for name in ("sena", "audrey", "admin"):
        visitor = Visitor(url, world)
        visitor.signs_in(name, "a wrong password")
        visitor.signs_in(FIXED["password in the place of a name"], FIXED["password"])
        visitor.signs_in(name, FIXED["password"])
        for path in (*api, *pages, "/password", "/sign-in", "/nowhere", "/livez"):
            visitor(path)
        assert visitor("/api/v1/password", change).is_success
        visitor.close()
    anna = Visitor(url, world)
    appeal = {"decision_id": "no-decision", "statement": "it was a game"}
    for token in (FIXED["platform"], "a wrong token"):
        anna("/api/v1/appeals", appeal, authorization=f"Bearer {token}")
    for claims in ({"exp": 1}, {}):
        provider.claims = claims
        provider.now_s = int(time.time())  # what it says of somebody holds for a minute
        back = provider.visited(anna("/api/v1/oidc/start").headers["location"])
        arrived = anna(f"/api/v1/oidc/back?code={back['code']}&state={back['state']}")
    assert arrived.status_code == 200
    anna.close()


def test_secrets_are_found_where_they_are(world: World) -> None:
    text = " ".join(world.secrets.values())

    assert world.leaked(text) == world.leaked(text.upper()) == set(world.secrets)
    assert world.leaked(FIXED["control"].encode().hex()) == {"control"}
    login = base64.b64encode(FIXED["login of the control"].encode()).decode()
    assert "login of the control" in world.leaked(f"Basic {login}")
    assert {"key of who is held", f"where live/{KEY} is held"} <= world.leaked(world.kept)
    assert {name.split()[1] for name in world.secrets if name.startswith("cookie")} == {
        "streamguard",
        "streamguard-known",
        "streamguard-try",
    }


@pytest.mark.parametrize(("place", "shown"), SHOWN.items())
def test_no_secret_is_where_somebody_reads(world: World, place: str, shown: str) -> None:
    assert shown in world.said[place]
    assert world.leaked(world.said[place]) == set()
