#!/usr/bin/env python3
"""A worker over half an hour of faults: what every check, the alerts and the worker's memory come to.

One lens at `every: 1m` against the stand-in API behind a TLS proxy of this program. Faults come and go: 500s, resets,
hanging, refused connections, 429, slow handshakes, a connection closed after each answer. Each check's status must be
that of its phase, each outage one alert that fires and one that ends, and the resident memory at the end at most
2 MB above that of minute 5. `--every 10s` is the same in five minutes, for a try. Needs openssl."""
import argparse
import http.server
import json
import pathlib
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENS = """lens: faults
domain: faults
flags: [FAULT_LENS_V1_ENABLED]
roles: [crew]
every: {every}
slo: {{p95_ms: {{warn: 300, fail: 600}}}}
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
users: {{hod: {{id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer, signs_as: manager}}}}
read_action: {{name: view_fault_detail, entity_id_key: fault_id, entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}}
"""


def rule(act):
    return {"rules": [{"path": "/v1/actions/", "act": act}]}


# Name, checks, the API's faults, what the proxy does, the status that is right.
PHASES = [
    ("healthy", 3, {}, "", "healthy"),
    ("500s", 3, rule({"status": {"code": 500}}), "", "unhealthy"),
    ("healthy again", 2, {}, "", "healthy"),
    ("resets", 3, rule("reset"), "", "unhealthy"),
    ("healthy again", 2, {}, "", "healthy"),
    ("hanging", 3, {}, "hang", "unhealthy"),
    ("healthy again", 2, {}, "", "healthy"),
    ("refused", 2, {}, "refuse", "unhealthy"),
    ("healthy again", 2, {}, "", "healthy"),
    ("429", 2, rule({"status": {"code": 429}}), "", "degraded"),
    ("slow handshakes", 2, {}, "slow", "unhealthy"),
    ("closed after each answer", 2, {}, "close", "healthy"),
    ("healthy to the end", 2, {}, "", "healthy"),
]


class Proxy:
    """TLS before the stand-in API, with faults of its own."""

    def __init__(self, folder, port):
        self.api, self.mode, self.listener = port, "", None
        key, cert = folder / "key.pem", folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:FALSE"], check=True, capture_output=True)
        self.cert = cert
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.open = set()
        self.port = 0
        self.set("")

    def set(self, mode):
        self.mode = mode
        for kept in list(self.open):
            try:
                kept.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        if mode == "refuse":
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        elif self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
            self.port = self.listener.getsockname()[1]
            threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection, self.mode), daemon=True).start()

    def serve(self, connection, mode):
        try:
            if mode in ("slow", "hang"):
                time.sleep(0.7 if mode == "slow" else 120)
            client = self.context.wrap_socket(connection, server_side=True)
        except (OSError, ssl.SSLError):
            connection.close()
            return
        self.open.add(client)
        try:
            server = socket.create_connection(("127.0.0.1", self.api))
            threading.Thread(target=self.answers, args=(server, client, mode), daemon=True).start()
            while data := client.recv(65536):
                server.sendall(data)
        except OSError:
            pass
        finally:
            self.open.discard(client)

    def answers(self, server, client, mode):
        """Hands answers on; in the modes `slow` and `close` the first one ends the connection, unannounced."""
        try:
            buffer = b""
            while data := server.recv(65536):
                client.sendall(data)
                if mode in ("slow", "close"):
                    buffer += data
                    head, found, body = buffer.partition(b"\r\n\r\n")
                    length = re.search(rb"content-length: (\d+)", head, re.I)
                    if found and length and len(body) >= int(length.group(1)):
                        break
        except OSError:
            pass
        for end in (client, server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes the messages of alerts."""

    told = []

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.told.append((body["notice"], body["rule"], body["summary"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmRSS:\s+(\d+) kB", text, re.M).group(1)) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", default="1m")
    parser.add_argument("--binary", default=ROOT / "target/dist/lensops")
    args = parser.parse_args()
    number, unit = re.fullmatch(r"(\d+)([sm])", args.every).groups()
    every = int(number) * (60 if unit == "m" else 1)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    env = {"TENANT_SUPABASE_JWT_SECRET": secrets.token_hex(32)}
    sandbox = subprocess.Popen([args.binary, "sandbox", "--port", "0", "--control-port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    worker, wrong = None, []
    try:
        first = sandbox.stdout.readline()
        api = int(re.search(r":(\d+)", first).group(1))
        control = next(match.group(0) for line in iter(sandbox.stdout.readline, "") if (match := re.search(r"http://[\d.:]+", line)))
        proxy = Proxy(folder, api)
        env.update(API_BASE_URL=f"https://localhost:{proxy.port}", SSL_CERT_FILE=str(proxy.cert))
        receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        env.update(LENSOPS_WEBHOOK_URL=f"http://127.0.0.1:{receiver.server_port}", LENSOPS_WEBHOOK_SECRET=secrets.token_hex(16))
        (folder / "lenses").mkdir()
        (folder / "lenses/faults.yml").write_text(LENS.format(every=args.every))
        lensops = [args.binary, "--root", folder]
        subprocess.run([*lensops, "generate"], env=env, capture_output=True, check=True)
        worker = subprocess.Popen([*lensops, "worker"], env=env, stderr=subprocess.PIPE, text=True)
        lines = iter(worker.stderr.readline, "")
        began, early = time.monotonic(), None
        for name, checks, faults, mode, right in PHASES:
            request = urllib.request.Request(f"{control}/faults", data=json.dumps(faults).encode(), method="PUT")
            urllib.request.urlopen(request).read()
            proxy.set(mode)
            seen, why = [], []
            while len(seen) < checks:
                line = next(lines)
                why += [line.strip()] if "❌" in line or "⚠" in line else []
                if found := re.search(r"OVERALL: CANARY (\w+)", line):
                    seen.append(found.group(1).lower())
                    early = early or (resident(worker.pid) if time.monotonic() - began >= 5 * every else None)
            if any(status != right for status in seen):
                wrong.append(f"{name}: {', '.join(seen)}, right is {right}: {why[-3:]}")
            print(f"{time.monotonic() - began:6.0f} s  {name}: {', '.join(seen)} ({resident(worker.pid):.1f} MB)", flush=True)
        late = resident(worker.pid)
        report = subprocess.run([*lensops, "export"], env=env, capture_output=True, text=True, check=True).stdout
        worker.send_signal(signal.SIGTERM)
        worker.stderr.read()
        worker.wait()
        outages = sum(right == "unhealthy" for *_, right in PHASES)
        # A 5xx is told at its first check, and again when the same outage becomes critical.
        told = [notice for notice, rule, _ in Receiver.told if rule == "unhealthy"]
        fired, ended = told.count("firing"), told.count("resolved")
        if (fired, ended) != (outages, outages):
            wrong.append(f"{fired} alerts fired and {ended} ended, {outages} outages were there")
        if early is not None and late > early + 2:
            wrong.append(f"resident memory went from {early:.1f} to {late:.1f} MB")
        print(f"{len(report.splitlines())} checks, {fired} outages told and {ended} ended; resident {early:.1f} MB after 5 checks, {late:.1f} MB at the end")
        for line in wrong:
            print(f"WRONG: {line}")
        if wrong:
            print(*Receiver.told, sep="\n")
    finally:
        for process in (worker, sandbox):
            if process and process.poll() is None:
                process.kill()
        shutil.rmtree(folder)
    sys.exit(bool(wrong))


main()
