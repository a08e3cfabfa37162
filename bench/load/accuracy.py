#!/usr/bin/env python3
"""What the stress engine measures beside what the server did, by the server's own clock.

1. Open load at 100, 1,000 and 10,000 requests a second against a server that stalls for 200 ms
   every 2 s: percentiles from the intended start, beside the exact ones of the answers given. The
   closed model beside it shows what a load that waits for the server does not see.
2. 500 preconnected requests at once against a server that sleeps 20 ms before each answer.

Server and load have a processor each: on loopback Linux likes to wake the server on the processor of
whoever writes to it, where it waits until all is written, and its clock does not see that wait.

Needs target/dist/lensops and target/dist/examples/bench_timetable.
"""
import json, math, os, statistics, subprocess, sys, tempfile, time, urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
URL = "http://127.0.0.1:18081"
FIGURES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
FIRST = 100_000_000_000


def on(processor):
    """Keeps a process on one processor, where there are two."""
    count = os.cpu_count() or 1
    return lambda: hasattr(os, "sched_setaffinity") and count > 1 and os.sched_setaffinity(0, {processor})


def at(values, q):
    return sorted(values)[max(math.ceil(q * len(values) - 1e-9), 1) - 1]


def log():
    text = urllib.request.urlopen(URL + "/log").read().decode()
    return [tuple(map(int, line.split())) for line in text.splitlines()]


def stress(folder, path, load):
    plan = Path(folder) / "plan.yml"
    plan.write_text("stress: bench\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n"
                    "targets: [{name: t, request: {get: '%s?n=$counter'}, load: %s}]\n" % (path, load))
    out = subprocess.run([ROOT / "target/dist/lensops", "stress", "--plan", plan, "--json", "--threads", "1"],
                         cwd=folder, env={"API_BASE_URL": URL}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, preexec_fn=on(1))
    result = json.loads(out.stdout)
    return result, result["targets"][0]


def show(name, told, exact):
    cells, within = [], True
    for figure, q in FIGURES.items():
        got, real = told[figure], exact(q)
        off = abs(got - real)
        within &= off <= max(0.02 * real, 1000)
        cells.append(f"{got / 1000:.1f} / {real / 1000:.1f}")
    print(f"| {name} | {' | '.join(cells)} | {'yes' if within else 'NO'} |", flush=True)


def open_loads(folder):
    print("| load | P50 | P90 | P95 | P99 | P99.9 | within 2 % or 1 ms |\n| --- | --- | --- | --- | --- | --- | --- |")
    # The P99.9 needs 20,000 requests; at 100 a second the P99 has to do.
    for rate, seconds, connections in ((100, 20, 100), (1000, 20, 500), (10000, 10, 3000)):
        log()
        result, target = stress(folder, "/stall", "{open: {rate: %d, for: %ds, connections: %d}}" % (rate, seconds, connections))
        rows = log()
        due = [(number - FIRST) * 1e6 / rate for number, _, _ in rows]
        start = min(received - when for when, (_, received, _) in zip(due, rows))
        latencies = [answered - (start + when) for when, (_, _, answered) in zip(due, rows)]
        show(f"open {rate}/s, n={target['n']}, {result['verdict']}, late {target['late']}", target["latency_us"], lambda q: at(latencies, q))
        print(f"| … service time alone | {' | '.join('%.1f' % (target['service_us'][f] / 1000) for f in FIGURES)} | |")
    _, target = stress(folder, "/stall", "{closed: {connections: 10, for: 10s}}")
    log()
    print(f"| closed, 10 connections, n={target['n']} | {' | '.join('%.1f' % (target['latency_us'][f] / 1000) for f in FIGURES)} | it does not see the stalls |")


def bursts(folder):
    ratios = []
    for _ in range(5):
        log()
        _, target = stress(folder, "/sleep", "{burst: 500}")
        server = [answered - received for _, received, answered in log()]
        ratios.append(target["latency_us"]["p95"] / at(server, 0.95))
    print(f"\n500 at once at 20 ms: P95 beside the server's own clock: median {statistics.median(ratios):.2f} "
          f"({min(ratios):.2f}–{max(ratios):.2f})")


def main():
    server = subprocess.Popen([ROOT / "target/dist/examples/bench_timetable"], preexec_fn=on(0))
    try:
        time.sleep(0.5)
        with tempfile.TemporaryDirectory() as folder:
            open_loads(folder)
            bursts(folder)
    finally:
        server.terminate()


main()
