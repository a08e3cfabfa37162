#!/usr/bin/env python3
"""The stress engine beside wrk, oha, hey and ab, against nginx on loopback.

Needs Debian's nginx and wrk, and target/dist/lensops; of oha (crates.io), hey and ab (Debian's
hey and apache2-utils) those that are on the PATH run too, and those that are not are named. Each
round runs every tool once, so that the noise of the machine meets all alike; figures are medians
with their extremes. Client CPU is user + sys of the process; the bar is the ratio to wrk.
"""
import json, os, re, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:18080"
LENSOPS = ROOT / "target/dist/lensops"


def measured(command, cwd, more_env=None):
    """Output, CPU seconds and largest resident size (kB) of a command."""
    reading, writing = os.pipe()
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=cwd, stdout=writing, stderr=subprocess.DEVNULL,
                               env={"API_BASE_URL": URL, "PATH": os.environ["PATH"], **(more_env or {})})
    os.close(writing)
    with os.fdopen(reading) as pipe:
        out = pipe.read()
    _, status, usage = os.wait4(process.pid, 0)
    return out, usage.ru_utime + usage.ru_stime, usage.ru_maxrss, time.monotonic() - started


def plan(folder, load):
    path = Path(folder) / "plan.yml"
    path.write_text("stress: bench\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n"
                    "targets: [{name: nginx, request: {get: /}, load: %s}]\n" % load)
    return path


def lensops(folder, connections, seconds, load=None):
    path = plan(folder, load or "{closed: {connections: %d, for: %ds}}" % (connections, seconds))
    out, cpu, rss, _ = measured([LENSOPS, "stress", "--plan", path, "--json", "--threads", "1"], folder)
    target = json.loads(out)["targets"][0]
    return target["completed"], target["completed"] / (target["elapsed_us"] / 1e6), cpu, rss


def wrk(folder, connections, seconds):
    out, cpu, rss, _ = measured(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", URL + "/"], folder)
    count, took = re.search(r"(\d+) requests in ([\d.]+)s", out).groups()
    return int(count), int(count) / float(took), cpu, rss


def ab(folder, connections, seconds):
    out, cpu, rss, _ = measured(["ab", "-k", "-q", f"-c{connections}", f"-t{seconds}", "-n100000000", URL + "/"], folder)
    count = int(re.search(r"Complete requests:\s+(\d+)", out).group(1))
    took = float(re.search(r"Time taken for tests:\s+([\d.]+)", out).group(1))
    return count, count / took, cpu, rss


def oha(folder, connections, seconds):
    # One thread, as everywhere; without -w it drops what is under way at the end.
    out, cpu, rss, took = measured(["oha", "--no-tui", "--output-format", "json", "-w", f"-c{connections}", f"-z{seconds}s", URL + "/"],
                                   folder, {"TOKIO_WORKER_THREADS": "1"})
    result = json.loads(out)
    count = sum(result["statusCodeDistribution"].values())
    return count, count / result["summary"]["total"], cpu, rss


def hey(folder, connections, seconds):
    out, cpu, rss, _ = measured(["hey", "-cpus", "1", "-c", str(connections), "-z", f"{seconds}s", URL + "/"], folder)
    count = sum(map(int, re.findall(r"\[\d+\]\s+(\d+) responses", out)))
    return count, float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)), cpu, rss


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def compare(folder, connections, seconds, rounds):
    tools = {"lensops": lensops, "wrk": wrk}
    for name, tool in {"ab": ab, "oha": oha, "hey": hey}.items():
        if shutil.which(name):
            tools[name] = tool
        else:
            print(f"{name} is not on the PATH: not compared")
    rows = {name: [] for name in tools}
    for _ in range(rounds):
        for name, tool in tools.items():
            rows[name].append(tool(folder, connections, seconds))
    print(f"\n{connections} connections, {seconds} s, {rounds} alternating runs")
    print("| tool | client CPU µs/request | requests/s | RSS MB | CPU ratio to wrk | rate ratio to wrk |")
    print("| --- | --- | --- | --- | --- | --- |")
    base = [(row[2] / row[0], row[1]) for row in rows["wrk"]]
    for name, runs in rows.items():
        cpu = [row[2] / row[0] * 1e6 for row in runs]
        ratio = [row[2] / row[0] / against[0] for row, against in zip(runs, base)]
        rate = [row[1] / against[1] for row, against in zip(runs, base)]
        print(f"| {name} | {spread(cpu, 2)} | {spread([row[1] for row in runs], 0)} | "
              f"{max(row[3] for row in runs) / 1024:.1f} | {spread(ratio, 2)} | {spread(rate, 2)} |")


def main():
    seconds, rounds = int(os.environ.get("BENCH_SECONDS", "5")), int(os.environ.get("BENCH_ROUNDS", "5"))
    server = subprocess.Popen(["nginx", "-c", str(ROOT / "bench/load/nginx.conf"), "-g", "pid /tmp/lensops-bench-nginx.pid;"],
                              stderr=subprocess.DEVNULL)
    try:
        time.sleep(1)
        with tempfile.TemporaryDirectory() as folder:
            for connections in (50, 200):
                compare(folder, connections, seconds, rounds)
            if "--ten-million" in sys.argv:
                count, rate, cpu, rss = lensops(folder, 50, 0, "{closed: {connections: 50, count: 10000000}}")
                print(f"\n{count} requests: {rate:.0f}/s, {cpu / count * 1e6:.2f} µs/request, RSS {rss / 1024:.1f} MB")
    finally:
        server.terminate()
        server.wait()


main()
