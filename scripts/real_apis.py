#!/usr/bin/env python3
"""Hand-written plans against real systems: httpbin, and Unleash and Directus over PostgreSQL.

    scripts/real_apis.py [FOLDER]

FOLDER (a temporary one without it) keeps what is installed: httpbin from PyPI, unleash-server and directus from npm. Needs
python3 with venv, node with npm, and PostgreSQL's initdb and postgres. For each system: check, accept (sign in,
call, a role that is denied, a row that is created and proven in the database), stress, a worker for three
checks, gate, evidence verify. Prints a line a step with its time and ends with 1 where one is not as expected.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("LENSOPS", ROOT / "target/debug/lensops"))
FAILED = []


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(method, url, body=None, cookie=None):
    headers = {"Content-Type": "application/json"} | ({"Cookie": cookie} if cookie else {})
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.status, dict(answer.headers), answer.read()


def wait_for(url, patience=120):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            return call("GET", url)
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


def step(name, command, code, folder, env, told=None):
    began = time.monotonic()
    run = subprocess.run([BINARY, *command.split()], cwd=folder, env=env, capture_output=True, text=True, check=False)
    good = run.returncode == code and (told is None or told in run.stdout + run.stderr)
    print(f"{'✅' if good else '❌'} {name}: lensops {command} → {run.returncode} in {time.monotonic() - began:.2f} s", flush=True)
    if not good:
        FAILED.append(name)
        print(run.stdout[-3000:], run.stderr[-3000:], sep="\n")
    return run


def worker(name, folder, env):
    began, checks = time.monotonic(), 0
    child = subprocess.Popen([BINARY, "worker"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = []
    for line in child.stdout:
        lines.append(line)
        checks += "OVERALL: CANARY HEALTHY" in line
        if checks == 3 or "CANARY UNHEALTHY" in line or time.monotonic() - began > 60:
            break
    child.terminate()
    child.stdout.read()
    code = child.wait(timeout=20)
    good = checks == 3 and code == 0
    print(f"{'✅' if good else '❌'} {name}: worker, {checks} healthy checks in {time.monotonic() - began:.2f} s", flush=True)
    if not good:
        FAILED.append(f"{name}: worker")
        print("".join(lines[-30:]))


def story(name, folder, env):
    """Everything that is done with one system."""
    step(f"{name}: check", f"check {name}", 0, folder, env)
    step(f"{name}: accept", f"accept {name}", 0, folder, env)
    step(f"{name}: stress", f"stress {name}", 0, folder, env)
    worker(name, folder, env)
    step(f"{name}: gate", f"gate {name}", 3, folder, env, "not enough data")
    for run in sorted((folder / "verification_handoff/runs").iterdir()):
        step(f"{name}: evidence", f"evidence verify {run}", 0, folder, env)
    # No secret is left behind.
    secrets = [value for key, value in env.items() if key.startswith("REAL_")]
    for path in (path for path in folder.rglob("*") if path.is_file()):
        held = [secret for secret in secrets if secret.encode() in path.read_bytes()]
        if held:
            FAILED.append(f"{name}: {path} holds a secret")
            print(f"❌ {path} holds a secret")


def project(folder, name, lensops, monitor, accept, stress):
    for path, text in {
        "lensops.yml": lensops,
        f"tools/ops/monitors/{name}_health_worker.yml": f"monitor: {name}\nevery: 2s\nsamples: 7\ntenants: [acme]\n{monitor}",
        f"tests/ci/{name}_signed_flow_acceptance.yml": f"acceptance: {name}\ntenants: [acme]\ndialects: {{documented: {{paths: {{}}}}}}\n{accept}",
        f"tests/stress/{name}_actions_endpoints.yml": f"stress: {name}\ntenants: [acme]\n{stress}",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def httpbin(tools, folder):
    venv, port = tools / "venv", free_port()
    if not (venv / "bin/gunicorn").exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "--quiet", "httpbin", "gunicorn"], check=True)
    server = subprocess.Popen(
        [venv / "bin/gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "16", "--log-level", "critical", "httpbin:app"]
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/get")
        project(
            folder,
            "httpbin",
            f"""api_base_url: http://127.0.0.1:{port}
auth:
  key: {{header: X-Api-Key, value: {{env: REAL_KEY}}}}
  token: {{bearer: {{env: REAL_TOKEN}}}}
  basic: {{basic: {{user: probe, password: {{env: REAL_PASSWORD}}}}}}
  session: {{login: {{get: "/cookies/set?sid=$password"}}, cookies: true}}
users:
  key: {{role: viewer, auth: key}}
  token: {{role: viewer, auth: token}}
  basic: {{role: viewer, auth: basic}}
  session: {{role: viewer, auth: session, password: {{env: REAL_PASSWORD}}}}
defaults: {{headers: {{X-Tenant: $tenant}}}}
""",
            """env: {password: {from: REAL_PASSWORD, secret: true}}
probes:
  - {name: Key, timed: true, as: key, request: {get: /headers}, expect: {status: 200, is: {"$.headers['X-Tenant']": acme}}}
  - {name: Token, timed: true, as: token, request: {get: /bearer}, expect: {status: 200}}
  - {name: Basic, timed: true, as: basic, request: {get: /basic-auth/probe/$password}, expect: {status: 200}}
  - {name: Session, timed: true, as: session, request: {get: /cookies}, expect: {status: 200, is: {$.cookies.sid: $password}}}
""",
            """env: {password: {from: REAL_PASSWORD, secret: true}}
requests:
  bearer: {get: /bearer}
  basic: {get: /basic-auth/probe/$password}
  cookies: {get: /cookies}
  upload: {post: /post, multipart: {title: "of $tenant", doc: {file: a.csv, content: "id;$random_id", type: text/csv}}}
  head: {head: /get}
  options: {options: /anything}
  anything: {put: "/anything/$counter", json: {at: $now}}
scenarios:
  - {name: token, as: token, send: bearer}
  - {name: nobody is denied, send: bearer, expect: {status: 401}}
  - {name: basic, as: basic, send: basic}
  - {name: nobody is denied by basic, send: basic, expect: {status: 401}}
  - {name: session, as: session, send: cookies, expect: {status: 200, is: {$.cookies.sid: $password}}}
  - {name: upload, as: key, send: upload, expect: {status: 200, is: {$.form.title: of acme}, matches: {$.files.doc: "^id;[0-9a-f-]{36}$"}}}
  - {name: head, send: head, expect: {status: 200}}
  - {name: options, send: options, expect: {status: 200}}
  - {name: part, send: anything, expect: {status: 200}, capture: {n: {from: $.url, matches: "anything/([0-9]+)"}}, told: "n=$n"}
""",
            """targets:
  - {name: key, as: key, request: {get: /headers}, load: {burst: 50}, expect: {status: 200}}
  - {name: session, as: session, request: {get: /cookies}, load: {closed: {connections: 4, for: 2s}}, expect: {status: 200}}
""",
        )
        env = {"PATH": os.environ["PATH"], "REAL_KEY": "made-up-key-of-httpbin", "REAL_TOKEN": "made-up-token-of-httpbin",
               "REAL_PASSWORD": "made-up-password-of-httpbin"}
        story("httpbin", folder, env)
    finally:
        server.terminate()
        server.wait()


def postgres(folder):
    """A server of its own; PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    binary = (found[-1] if found else pathlib.Path(shutil.which("postgres")).parent)
    data, port = folder / "pg", free_port()
    data.mkdir()
    if user:
        for parent in (folder, folder.parent):
            os.chmod(parent, 0o711)
        shutil.chown(data, "postgres")
    subprocess.run([*user, binary / "initdb", "-D", data, "-U", "postgres", "-A", "trust"], check=True, capture_output=True)
    server = subprocess.Popen(
        [*user, binary / "postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    url = f"postgres://postgres@127.0.0.1:{port}/postgres"
    for _ in range(100):
        if subprocess.run([*user, binary / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True, check=False).returncode == 0:
            return server, url, port
        time.sleep(0.1)
    raise SystemExit("PostgreSQL does not start")


def unleash(tools, folder):
    if not (tools / "npm/node_modules/unleash-server").exists():
        (tools / "npm").mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "unleash-server"], cwd=tools / "npm", check=True)
    database, url, port_pg = postgres(folder)
    port, server = free_port(), None
    base = f"http://127.0.0.1:{port}"
    try:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "DATABASE_HOST": "127.0.0.1", "DATABASE_PORT": str(port_pg), "DATABASE_NAME": "postgres",
               "DATABASE_USERNAME": "postgres", "DATABASE_PASSWORD": "unused", "DATABASE_SSL": "false", "HTTP_PORT": str(port), "HTTP_HOST": "127.0.0.1",
               "CHECK_VERSION": "false", "SEND_TELEMETRY": "false", "LOG_LEVEL": "fatal"}
        server = subprocess.Popen(["node", "-e", "require('unleash-server').start()"], cwd=tools / "npm", env=env,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"{base}/health")
        _, headers, _ = call("POST", f"{base}/auth/simple/login", {"username": "admin", "password": "unleash4all"})
        cookie = headers["Set-Cookie"].split(";")[0]
        viewer = {"username": "viewer", "email": "viewer@example.com", "name": "Viewer", "rootRole": 3, "password": "Made-up-viewer-1!", "sendEmail": False}
        call("POST", f"{base}/api/admin/user-admin", viewer, cookie)
        project(
            folder / "project",
            "unleash",
            f"""api_base_url: {base}
auth:
  session: {{login: {{post: /auth/simple/login, json: {{username: $name, password: $password}}}}, cookies: true}}
users:
  admin: {{role: admin, auth: session, name: admin, password: {{env: REAL_ADMIN_PASSWORD}}}}
  viewer: {{role: viewer, auth: session, name: viewer, password: {{env: REAL_VIEWER_PASSWORD}}}}
""",
            """probes:
  - {name: Health, request: {get: /health}, expect: {status: 200, is: {$.health: GOOD}}}
  - {name: Features, timed: true, as: viewer, request: {get: /api/admin/projects/default/features}, expect: {status: 200, json: true}}
  - {name: User, timed: true, as: admin, request: {get: /api/admin/user}, expect: {status: 200, is: {$.user.username: admin}}}
  - {name: Projects, timed: true, as: admin, request: {get: /api/admin/projects}, expect: {status: 200, json: true}}
""",
            """requests:
  create: {post: /api/admin/projects/default/features, json: {name: "probe-$random_id", type: release}}
  read: {get: /api/admin/projects/default/features/$feature}
  remove: {delete: /api/admin/projects/default/features/$feature}
  list: {get: /api/admin/projects/default/features}
scenarios:
  - name: an admin creates a feature, and the database has it
    steps:
      - {as: admin, send: create, expect: {status: 201}, capture: {feature: $.name}}
      - {as: viewer, send: read, expect: {status: 200, is: {$.name: $feature}}, until: {every: 200ms, for: 10s}}
    then:
      - {sql: "SELECT name FROM features WHERE name = $feature", expect: {rows: 1}}
  - {name: a viewer is denied, as: viewer, send: create, expect: {status: 403}}
  - {name: nobody is denied, send: list, expect: {status: 401}}
  - name: what is created is removed
    steps:
      - {as: admin, send: create, expect: {status: 201}, capture: {feature: $.name}}
      - {as: admin, send: remove, expect: {status: 202}}
""",
            """targets:
  - {name: features, as: viewer, request: {get: /api/admin/projects/default/features}, load: {burst: 50}, expect: {status: 200}}
""",
        )
        env = {"PATH": os.environ["PATH"], "REAL_ADMIN_PASSWORD": "unleash4all", "REAL_VIEWER_PASSWORD": viewer["password"], "STAGING_DB_URL": url}
        story("unleash", folder / "project", env)
    finally:
        for child in (server, database):
            if child:
                child.terminate()
                child.wait()


def directus(tools, folder):
    home = tools / "directus"
    if not (home / "node_modules/directus").exists():
        home.mkdir(exist_ok=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "directus"], cwd=home, check=True)
    database, url, port_pg = postgres(folder)
    port, server = free_port(), None
    base = f"http://127.0.0.1:{port}"
    admin, viewer = ("admin@example.com", "made-up-admin-password"), ("viewer@example.com", "made-up-viewer-password")
    try:
        env = {"PATH": os.environ["PATH"], "HOME": str(folder), "DB_CLIENT": "pg", "DB_CONNECTION_STRING": url, "SECRET": "made-up-secret-of-directus-0123456789",
               "ADMIN_EMAIL": admin[0], "ADMIN_PASSWORD": admin[1], "HOST": "127.0.0.1", "PORT": str(port), "TELEMETRY": "false", "LOG_LEVEL": "silent",
               "STORAGE_LOCATIONS": "local", "STORAGE_LOCAL_ROOT": str(folder / "uploads"), "ACCESS_TOKEN_TTL": "90s"}
        directus = [home / "node_modules/.bin/directus"]
        subprocess.run([*directus, "bootstrap"], cwd=folder, env=env, check=True, capture_output=True)
        server = subprocess.Popen([*directus, "start"], cwd=folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"{base}/server/ping")
        _, _, answer = call("POST", f"{base}/auth/login", {"email": admin[0], "password": admin[1]})
        token = json.loads(answer)["data"]["access_token"]

        def as_admin(path, body):
            data, headers = json.dumps(body).encode(), {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            with urllib.request.urlopen(urllib.request.Request(base + path, data=data, method="POST", headers=headers), timeout=30) as done:
                return json.loads(done.read() or b"{}").get("data")

        key = {"field": "id", "type": "integer", "schema": {"is_primary_key": True, "has_auto_increment": True}}
        as_admin("/collections", {"collection": "orders", "schema": {}, "meta": {}, "fields": [key, {"field": "reference", "type": "string", "schema": {}}]})
        role = as_admin("/roles", {"name": "Viewer"})
        as_admin("/users", {"email": viewer[0], "password": viewer[1], "role": role["id"]})
        project(
            folder / "project",
            "directus",
            f"""api_base_url: {base}
auth:
  token: {{login: {{post: /auth/login, json: {{email: $email, password: $password}}}}, bearer: $.data.access_token}}
users:
  admin: {{role: admin, auth: token, email: {admin[0]}, password: {{env: REAL_ADMIN_PASSWORD}}}}
  viewer: {{role: viewer, auth: token, email: {viewer[0]}, password: {{env: REAL_VIEWER_PASSWORD}}}}
""",
            """probes:
  - {name: Ping, request: {get: /server/ping}, expect: {status: 200}}
  - {name: Orders, timed: true, as: admin, request: {get: /items/orders?limit=2}, expect: {status: 200, json: true}}
  - {name: Me, timed: true, as: viewer, request: {get: /users/me}, expect: {status: 200, json: true}}
  - {name: Collections, timed: true, as: admin, request: {get: /collections/orders}, expect: {status: 200, json: true}}
""",
            """requests:
  create: {post: /items/orders, json: {reference: "probe-$random_id"}}
  read: {get: /items/orders/$order}
  remove: {delete: /items/orders/$order}
scenarios:
  - name: an admin creates an order, and the database has it
    steps:
      - {as: admin, send: create, expect: {status: 200}, capture: {order: $.data.id}}
      - {as: admin, send: read, expect: {status: 200, is: {$.data.id: $order}}}
    then:
      - {sql: "SELECT id FROM orders WHERE id = $order", expect: {rows: 1}}
  - {name: a viewer is denied, as: viewer, send: create, expect: {status: 403}}
  - {name: nobody is denied, send: create, expect: {status: [401, 403]}}
  - name: what is created is removed
    steps:
      - {as: admin, send: create, expect: {status: 200}, capture: {order: $.data.id}}
      - {as: admin, send: remove, expect: {status: 204}}
""",
            """targets:
  - {name: orders, as: admin, request: {get: /items/orders?limit=2}, load: {burst: 40}, expect: {status: 200}}
""",
        )
        env = {"PATH": os.environ["PATH"], "REAL_ADMIN_PASSWORD": admin[1], "REAL_VIEWER_PASSWORD": viewer[1], "STAGING_DB_URL": url}
        story("directus", folder / "project", env)
    finally:
        for child in (server, database):
            if child:
                child.terminate()
                child.wait()


def main():
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        tools = pathlib.Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else temporary / "tools"
        tools.mkdir(exist_ok=True)
        for name, run in [("httpbin", httpbin), ("unleash", unleash), ("directus", directus)]:
            folder = temporary / name
            folder.mkdir()
            run(tools, folder)
    print("❌ " + "; ".join(FAILED) if FAILED else "✅ all as expected")
    sys.exit(1 if FAILED else 0)


if __name__ == "__main__":
    main()
