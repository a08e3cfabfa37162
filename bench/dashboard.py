#!/usr/bin/env python3
"""The dashboard over ten million checks, and its event streams; see bench/README.md.

The store is that of `stores.py`, and `--dir` keeps it for both. Server times are what the server says
of itself (`Server-Timing`), from the first byte that is read to the answer that is ready to be sent.
"""
import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

import stores

LENS = """lens: lens_{number:02}
domain: faults
flags: [FAULT_LENS_V1_ENABLED]
roles: [crew]
tenants: [{tenant}]
users: {{hod: {{id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer, signs_as: manager}}}}
read_action: {{name: view_fault_detail, entity_id_key: fault_id, entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}}
"""
LENSES = 20
STREAMS = 200
SECONDS = 30


def tenant(number):
    return f"00000000-0000-4000-8000-{number:012x}"


def token(secret, of, user):
    part = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    claims = {"sub": str(uuid.UUID(int=user)), "role": "authenticated", "exp": int(time.time()) + 7200,
              "app_metadata": {"yacht_id": of}}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(claims)
    mac = hmac.new(secret.encode(), signed, hashlib.sha256).digest()
    return (signed + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def project(folder):
    (folder / "lenses").mkdir(parents=True)
    for number in range(1, LENSES + 1):
        text = LENS.format(number=number, tenant=tenant(1))
        (folder / f"lenses/lens_{number:02}.yml").write_text(text)
    subprocess.run([stores.LENSOPS, "--root", folder, "generate"], check=True, capture_output=True)


class Dashboard:
    """`lensops serve` on a free port."""

    def __init__(self, folder, env):
        command = [stores.LENSOPS, "--root", folder, "serve", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        self.host, self.port = re.search(r"http://([\d.]+):(\d+)/", line).groups()

    def memory_mb(self, field):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) / 1024

    def get(self, path, bearer=None, tag=None):
        """Milliseconds that the server says, bytes that came, and the body as it was sent."""
        head = [f"GET {path} HTTP/1.1", f"Host: {self.host}:{self.port}", "Accept-Encoding: gzip", "Connection: close"]
        head += [f"Authorization: Bearer {bearer}"] if bearer else []
        head += [f"If-None-Match: {tag}"] if tag else []
        with socket.create_connection((self.host, int(self.port))) as sock:
            sock.sendall("\r\n".join([*head, "", ""]).encode())
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
        text, body = answer.split(b"\r\n\r\n", 1)
        text = text.decode()
        status = int(text.split(" ")[1])
        if status not in (200, 304):
            raise SystemExit(f"{path}: {text}\n{body[:500]}")
        took = float(re.search(r"server-timing: app;dur=([\d.]+)", text).group(1))
        tag = re.search(r"etag: (\S+)", text)
        return took, len(answer), status, tag and tag.group(1)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def told(what, times):
    times.sort()
    rank = lambda share: times[max(0, -(-len(times) * share // 100) - 1)]
    print(f"  {what}: P50 {rank(50):.1f} ms, P95 {rank(95):.1f} ms, at most {times[-1]:.1f} ms (n={len(times)})", flush=True)


def transferred(dashboard, bearer):
    _, page, _, tag = dashboard.get("/", bearer)
    names = [f"/assets/{name}" for name in ("style.css", "live.js", "look.js", "icon-healthy.svg")]
    files = sum(dashboard.get(name)[1] for name in names)
    print(f"  transferred: page {page / 1000:.1f} kB, style, script and icon {files / 1000:.1f} kB, "
          f"together {(page + files) / 1000:.1f} kB, heads included", flush=True)


def paced(dashboard, people):
    """One look of each, some twenty a second: what the gate says is read behind a look."""
    times = []
    for bearer in people:
        times.append(dashboard.get("/", bearer)[0])
        time.sleep(0.04)
    return times


def looks(dashboard, people):
    told("first look of each user", paced(dashboard, people))
    # The first of them looked more than 0.7 s ago, so that rows are read again.
    told("looking again", paced(dashboard, people))
    told("within 0.7 s", [dashboard.get("/", people[-1])[0] for _ in range(100)])
    whole = [dashboard.get("/api/v1/lenses", token_of)[0] for token_of in people[:50]]
    told("the read API, the gate's week known", whole)


def streams(dashboard, secret, url):
    """One tenant, 200 users, a check a second: each check goes to all of them."""
    people = [token(secret, tenant(1), 10_000 + n) for n in range(STREAMS)]
    before = dashboard.memory_mb("VmRSS")
    seen, lock, ready, stop = [], threading.Lock(), threading.Semaphore(0), threading.Event()

    def listen(bearer):
        connection = http.client.HTTPConnection(dashboard.host, int(dashboard.port))
        connection.request("GET", "/events", headers={"Authorization": f"Bearer {bearer}"})
        answer = connection.getresponse()
        while not stop.is_set():
            line = answer.fp.readline()
            if not line:
                return
            if line.startswith(b"event: ready"):
                ready.release()
            if b"data: {\"lens\"" in line:
                with lock:
                    seen.append((time.time(), json.loads(line.split(b": ", 1)[1])["lens"]))

    for bearer in people:
        threading.Thread(target=listen, args=(bearer,), daemon=True).start()
    for _ in people:
        ready.acquire()
    # What the first look tells is not a check of ours.
    time.sleep(2)
    with lock:
        seen.clear()
    writer = subprocess.Popen(["psql", "-qAt", url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    recorded = []
    for second in range(SECONDS):
        begun, lens = time.time(), f"lens_{second % LENSES + 1:02}"
        writer.stdin.write("INSERT INTO pms_health_checks (yacht_id, lens_id, status, p95_latency_ms, sample_size) "
                           f"VALUES ('{tenant(1)}', '{lens}', 'healthy', 100, 21) RETURNING lens_id;\n")
        writer.stdin.flush()
        writer.stdout.readline()
        recorded.append((time.time(), lens))
        time.sleep(max(0, begun + 1 - time.time()))
    time.sleep(1)
    rss, peak = dashboard.memory_mb("VmRSS"), dashboard.memory_mb("VmHWM")
    stop.set()
    writer.stdin.close()
    writer.wait()
    with lock:
        late = [(at - max(when for when, of in recorded if of == lens and when <= at)) * 1000 for at, lens in seen]
    print(f"{STREAMS} event streams of one tenant, a check a second for {SECONDS} s: {len(late)} events sent\n"
          f"  resident {rss:.1f} MB (before them {before:.1f} MB, at most ever {peak:.1f} MB)", flush=True)
    told("from the check's commit to its event", late)


def journal(options):
    """A month of 20 lenses of one tenant in the journal, without a sign-in."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    env = {"PATH": os.environ["PATH"], "API_BASE_URL": "http://127.0.0.1:1"}
    try:
        project(folder)
        subprocess.run([stores.LENSOPS, "--root", folder, "status"], env=env, capture_output=True)
        database = sqlite3.connect(folder / ".lensops/journal.db")
        now = int(time.time() // 900) * 900
        notes = json.dumps({"samples_us": [100_000 + 977 * n for n in range(21)], "plan": "generated", "disabled": [],
                            "flags": {"FAULT_LENS_V1_ENABLED": True}, "endpoints": {name: {"n": 7, "p50_us": 100_007,
                            "p95_us": 200_007} for name in ("list endpoint", "suggestions endpoint", "read action")}})
        rows = ((str(uuid.UUID(int=((now - 900 * step) * 1000 << 80) | (8 << 76) | (2 << 62) | (step * 100 + lens))), tenant(1),
                 f"lens_{lens:02}", "healthy" if step % 50 else "degraded", 100 + step % 900, 0.0, 21,
                 time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - 900 * step)), notes)
                for step in range(2880) for lens in range(1, LENSES + 1))
        with database:
            database.executemany("INSERT INTO pms_health_checks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
        database.close()
        print(f"the journal: {2880 * LENSES} checks, a month of {LENSES} lenses of one tenant")
        first, again = [], []
        for start in range(20):
            dashboard = Dashboard(folder, env)
            first.append(dashboard.get("/")[0])
            time.sleep(0.8)
            again.append(dashboard.get("/")[0])
            if start == 0:
                transferred(dashboard, None)
            dashboard.stop()
        told("first look after a start", first)
        told("looking again", again)
    finally:
        shutil.rmtree(folder)


def database(options):
    with stores.filled(options) as url, contextlib.ExitStack() as stack:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
        stack.callback(shutil.rmtree, folder)
        project(folder)
        (folder / "lensops.yml").write_text("store: postgres\nworker: {tenants: registry}\n")
        secret = secrets.token_hex(32)
        env = {"PATH": os.environ["PATH"], "DATABASE_URL": url, "TENANT_SUPABASE_JWT_SECRET": secret,
               "API_BASE_URL": "http://127.0.0.1:1"}
        dashboard = Dashboard(folder, env)
        stack.callback(dashboard.stop)
        print(f"PostgreSQL: {options.rows} checks of {options.lenses} lenses of {options.tenants} tenants, as authenticated")
        # The server's own memory is warmed with other tenants than those that are measured.
        for number in range(options.tenants - 20, options.tenants):
            dashboard.get("/", token(secret, tenant(number), number))
        people = [token(secret, tenant(1 + n * 3), n) for n in range(min(200, options.tenants // 3 - 10))]
        transferred(dashboard, people[0])
        looks(dashboard, people)
        pages = lambda window: [dashboard.get(f"/lens/lens_07?window={window}", bearer)[0] for bearer in people[:50]]
        for window in ("24h", "7d"):
            told(f"a lens over {window}, first look, none of its hours rolled up", pages(window))
        streams(dashboard, secret, url)


def main():
    options = stores.options(argparse.ArgumentParser())
    if not stores.LENSOPS.exists():
        raise SystemExit(f"build first: cargo build --profile dist -p lensops ({stores.LENSOPS} is not there)")
    journal(options)
    database(options)


if __name__ == "__main__":
    main()
