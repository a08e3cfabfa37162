#!/usr/bin/env python3
"""A real Unleash, a small service that reads its flag there, and a real OFREP server: flags, proof, rollback, restore.

    scripts/real_flags.py [FOLDER]

FOLDER (a temporary one without it) keeps what is installed: unleash-server from npm, fast-feature-ofrep from PyPI. Needs
node, PostgreSQL and a built `lensops` (LENSOPS names another than target/debug/lensops). Ends with 1 where a step is not as
it should be.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import real_apis
from real_apis import call, free_port, postgres, step, wait_for

FLAG = "new-checkout"
PROJECT = "/api/admin/projects/default/features"

# The service asks Unleash as an SDK does: the client API, every quarter of a second.
OFREP = """
import json, os, urllib.request
from fastapi import FastAPI
from fast_feature.core import Flag, FlagRepository
from fast_feature.core.flag import FlagState
from fast_feature.ofrep import OfrepRouter

class OfUnleash(FlagRepository):
    async def get(self, key):
        asked = urllib.request.Request(os.environ["CLIENT_API"], headers={"Authorization": os.environ["CLIENT_TOKEN"]})
        found = [f for f in json.load(urllib.request.urlopen(asked))["features"] if f["name"] == key]
        state = lambda f: FlagState.ENABLED if f["enabled"] else FlagState.DISABLED
        return next((Flag(key, {"on": True, "off": False}, "on", state(f)) for f in found), None)
    async def list_all(self): return []
    async def create(self, flag): raise NotImplementedError
    async def update(self, flag): raise NotImplementedError
    async def delete(self, key): raise NotImplementedError

app = FastAPI()
app.include_router(OfrepRouter.build(OfUnleash()))
"""


class Unleash:
    """Unleash over a PostgreSQL of its own, with one flag that is on, and a token of each kind."""

    def __init__(self, tools, folder):
        if not (tools / "npm/node_modules/unleash-server").exists():
            (tools / "npm").mkdir(exist_ok=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "unleash-server"], cwd=tools / "npm", check=True)
        self.database, _, database_port = postgres(folder)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "HTTP_PORT": str(port), "HTTP_HOST": "127.0.0.1", "LOG_LEVEL": "fatal",
               "DATABASE_URL": f"postgres://postgres:unused@127.0.0.1:{database_port}/postgres", "DATABASE_SSL": "false",
               "CHECK_VERSION": "false", "SEND_TELEMETRY": "false"}
        self.server = subprocess.Popen(["node", "-e", "require('unleash-server').start()"], cwd=tools / "npm", env=env,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"{self.url}/health")
        _, headers, _ = call("POST", f"{self.url}/auth/simple/login", {"username": "admin", "password": "unleash4all"})
        self.cookie = headers["Set-Cookie"].split(";")[0]
        self.admin("POST", PROJECT, {"name": FLAG, "type": "release"})
        strategy = {"name": "flexibleRollout", "constraints": [], "parameters": {"rollout": "100", "stickiness": "default", "groupId": FLAG}}
        self.strategy = self.admin("POST", f"{PROJECT}/{FLAG}/environments/production/strategies", strategy)["id"]
        self.admin("POST", f"{PROJECT}/{FLAG}/environments/production/on")
        client = {"tokenName": "shop", "type": "client", "environment": "production", "projects": ["*"]}
        self.client_token = self.admin("POST", "/api/admin/api-tokens", client)["secret"]
        personal = {"description": "lensops", "expiresAt": "2099-01-01T00:00:00Z"}
        self.token = self.admin("POST", "/api/admin/user/tokens", personal)["secret"]

    def admin(self, method, path, body=None):
        _, _, answer = call(method, self.url + path, body, self.cookie)
        return json.loads(answer) if answer.strip() else None

    def stop(self):
        for child in (self.server, self.database):
            child.terminate()
            child.wait()


class Shop(http.server.BaseHTTPRequestHandler):
    """Orders while the flag is on, 404 while it is off."""

    protocol_version = "HTTP/1.1"
    is_on = False

    def do_GET(self):
        status, body = (200, b'{"orders": [7]}') if self.path == "/health" or Shop.is_on else (404, b'{"error": "not found"}')
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def poll(unleash):
    """What an SDK does: the flag's state, again and again."""
    while True:
        asked = urllib.request.Request(f"{unleash.url}/api/client/features", headers={"Authorization": unleash.client_token})
        try:
            with urllib.request.urlopen(asked, timeout=5) as answer:
                features = json.load(answer)["features"]
            Shop.is_on = any(feature["enabled"] for feature in features if feature["name"] == FLAG)
        except OSError:
            pass
        time.sleep(0.25)


def ofrep(tools, folder, unleash):
    venv, port = tools / "ofrep-venv", free_port()
    if not (venv / "bin/uvicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "fast-feature-ofrep", "uvicorn"], check=True)
    (folder / "flags_over_ofrep.py").write_text(OFREP)
    env = {"PATH": os.environ["PATH"], "CLIENT_API": f"{unleash.url}/api/client/features", "CLIENT_TOKEN": unleash.client_token}
    command = [venv / "bin/uvicorn", "--port", str(port), "--log-level", "critical", "flags_over_ofrep:app"]
    server = subprocess.Popen(command, cwd=folder, env=env)
    wait_for(f"http://127.0.0.1:{port}/openapi.json")
    return server, f"http://127.0.0.1:{port}"


def main():
    kept = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temporary:
        tools = pathlib.Path(kept[0] if kept else temporary).resolve()
        folder = pathlib.Path(temporary).resolve()
        unleash = Unleash(tools, folder)
        evaluation, evaluated_at = ofrep(tools, folder, unleash)
        try:
            shop = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop)
            threading.Thread(target=shop.serve_forever, daemon=True).start()
            threading.Thread(target=poll, args=(unleash,), daemon=True).start()
            story(folder, unleash, evaluated_at, f"http://127.0.0.1:{shop.server_address[1]}")
        finally:
            evaluation.terminate()
            evaluation.wait()
            unleash.stop()
    sys.exit(1 if real_apis.FAILED else 0)


def story(folder, unleash, evaluated_at, shop):
    project = folder / "project"
    seen = f"seen_by: {{ofrep: {{url: \"{evaluated_at}\"}}}}"
    flags = f"flags: {{provider: unleash, url: \"{unleash.url}\", token: {{env: REAL_UNLEASH_TOKEN}}, {seen}}}"
    real_apis.project(
        project,
        "orders",
        f"api_base_url: {shop}\n{flags}\n",
        f"""probes:
  - {{name: Flags, flags: [{FLAG}]}}
  - {{name: Orders, timed: true, request: {{get: /orders}}, expect: {{status: 200}}, disabled: {{status: 404}}}}
""",
        f"""requests:
  orders: {{get: /orders}}
scenarios:
  - {{name: orders are listed, send: orders, expect: {{status: 200}}}}
flag_proof:
  flag: {FLAG}
  off: {{send: orders, expect: {{status: 404}}}}
  on: {{send: orders, expect: {{status: 200}}}}
""",
        "targets:\n  - {name: orders, request: {get: /orders}, load: {burst: 20}, expect: {status: 200}}\n",
    )
    env = {"PATH": os.environ["PATH"], "REAL_UNLEASH_TOKEN": unleash.token}
    while not Shop.is_on:
        time.sleep(0.1)

    def seen_at_the_service(wanted):
        good = Shop.is_on == wanted
        print(f"{'✅' if good else '❌'} the service has it {'on' if wanted else 'off'}", flush=True)
        if not good:
            real_apis.FAILED.append("the service")

    step("read", "flags orders", 0, project, env, "evaluation: on")
    step("check", "check orders", 0, project, env)
    step("stress", "stress orders", 0, project, env)
    step("proof", "accept orders --flag-proof", 0, project, env)
    seen_at_the_service(True)
    step("rollback", "rollback orders --reason slow --by ada --wait 30s", 0, project, env, "the API answers 404")
    seen_at_the_service(False)
    step("read while off", "flags orders", 0, project, env, "evaluation: off")
    step("restore", "restore orders --reason mended --by ada --wait 30s", 0, project, env)
    seen_at_the_service(True)
    rollout = {"name": "flexibleRollout", "constraints": [], "parameters": {"rollout": "20", "stickiness": "default", "groupId": FLAG}}
    unleash.admin("PUT", f"{PROJECT}/{FLAG}/environments/production/strategies/{unleash.strategy}", rollout)
    step("read while partly", "flags orders", 0, project, env, "provider: partly")
    step("a wrong token", "flags orders", 3, project, env | {"REAL_UNLEASH_TOKEN": "user:made-up"}, "refuses REAL_UNLEASH_TOKEN")
    held = [path for path in project.rglob("*") if path.is_file() and unleash.token.encode() in path.read_bytes()]
    if held:
        real_apis.FAILED.append("a secret is left behind")
        print(f"❌ {held} hold the token")
    (project / "lensops.yml").write_text(f"api_base_url: {shop}\nflags: {{provider: ofrep, url: \"{evaluated_at}\"}}\n")
    step("OFREP alone", "flags orders", 0, project, env, "provider: on")
    step("OFREP switches nothing", "rollback orders --reason slow", 1, project, env, "only evaluates flags")


if __name__ == "__main__":
    main()
