#!/usr/bin/env python3
"""500 lenses of three tenants at `every: 1m` whose API is down for five minutes, and a receiver that takes one message a
second and answers 429 with `Retry-After` beyond.

Somebody must know within 60 s of the first check that makes a rule fire, and within 60 s of the first healthy round,
and at most 20 messages may be sent. Needs nothing but Python 3 and target/dist/lensops; takes nine minutes."""
import argparse
import http.server
import json
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TENANTS = ["53fbdf09-b709-509d-aad0-3a6f50239a5d", "10000000-0000-4000-8000-000000000001", "10000000-0000-4000-8000-000000000002"]
PLAN = """monitor: lens_{n}
every: 1m
samples: 1
tenants: [{tenants}]
probes:
  - {{name: Read, timed: true, request: {{get: /lens/{n}}}}}
"""


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Receiver(Api):
    told, refused, last, lock = [], 0, 0.0, threading.Lock()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with Receiver.lock:
            now = time.monotonic()
            if now - Receiver.last < 1:
                Receiver.refused += 1
                self.send_response(429)
                self.send_header("Retry-After", "1")
            else:
                Receiver.last = now
                Receiver.told.append((now, json.loads(body)))
                self.send_response(204)
            self.send_header("Content-Length", "0")
            self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size, allow_reuse_address = True, 256, True

    def get_request(self):
        connection, address = super().get_request()
        self.open.add(connection)
        return connection, address

    def down(self):
        """Ends, and every connection that was kept with it."""
        self.shutdown()
        self.server_close()
        for connection in self.open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def start(self):
        self.open = set()
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lenses", type=int, default=500)
    parser.add_argument("--binary", default=ROOT / "target/dist/lensops")
    args = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    api, receiver = Server(("127.0.0.1", 0), Api).start(), Server(("127.0.0.1", 0), Receiver).start()
    port = api.server_port
    env = {"API_BASE_URL": f"http://127.0.0.1:{port}", "LENSOPS_WEBHOOK_URL": f"http://127.0.0.1:{receiver.server_port}",
           "LENSOPS_WEBHOOK_SECRET": secrets.token_hex(16)}
    plans = folder / "tools/ops/monitors"
    plans.mkdir(parents=True)
    for n in range(args.lenses):
        (plans / f"lens_{n}_health_worker.yml").write_text(PLAN.format(n=n, tenants=", ".join(TENANTS)))
    lensops = [args.binary, "--root", folder]
    worker = subprocess.Popen([*lensops, "worker"], env=env, stderr=subprocess.PIPE, text=True)
    verdicts = []

    def read():
        for line in worker.stderr:
            if found := re.search(r"OVERALL: CANARY (\w+)", line):
                verdicts.append((time.monotonic(), found.group(1)))

    threading.Thread(target=read, daemon=True).start()
    wrong, pairs = [], args.lenses * len(TENANTS)
    try:
        time.sleep(150)
        healthy = sum(word == "HEALTHY" for _, word in verdicts)
        if healthy < 2 * pairs - 100 or Receiver.told:
            wrong.append(f"before: {healthy} healthy checks, {len(Receiver.told)} messages")
        down = time.monotonic()
        api.down()
        time.sleep(300)
        back = time.monotonic()
        Server(("127.0.0.1", port), Api).start()
        time.sleep(150)
        listed = subprocess.run([*lensops, "alerts", "list", "--json"], env=env, capture_output=True, text=True).stdout
        still = len(json.loads(listed)["alerts"])
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait()
        shutil.rmtree(folder)
    # The rule `unhealthy` needs two checks in a row.
    bad = [at for at, word in verdicts if word == "UNHEALTHY"]
    first_round = sorted(at for at, word in verdicts if word == "HEALTHY" and at > back)[: pairs]
    fires, healed = bad[pairs] if len(bad) > pairs else bad[-1], first_round[-1]
    fired = [at for at, told in Receiver.told if told["notice"] == "firing"]
    ended = [at for at, told in Receiver.told if told["notice"] == "resolved"]
    print(f"{pairs} pairs: {len(verdicts)} checks, {len(bad)} unhealthy; {len(Receiver.told)} messages, {Receiver.refused} refused with 429")
    for at, told in Receiver.told:
        print(f"  {at - down:6.1f} s  {told['summary'][:140]}")
    if not fired or fired[0] > fires + 60:
        wrong.append("nobody knew within 60 s of the first rule that fired")
    if not ended or ended[0] > healed + 60:
        wrong.append("nobody knew of the end within 60 s of the first healthy round")
    if len(Receiver.told) > 20:
        wrong.append(f"{len(Receiver.told)} messages")
    if still:
        wrong.append(f"{still} alerts fire after the end")
    if fired:
        print(f"first told {fired[0] - bad[0]:.1f} s after the first unhealthy check; last end {ended[-1] - back:.1f} s after the API was back" if ended else "no end")
    for line in wrong:
        print(f"WRONG: {line}")
    sys.exit(bool(wrong))


main()
