#!/usr/bin/env python3
"""Reads and writes of a PostgreSQL store with ten million checks; see bench/README.md.

Starts a PostgreSQL of its own (Debian's `postgresql`), migrates it with lensops, fills it, and runs the
`bench_stores` example against it. `--dir` keeps the server's files, so that a second run skips the filling.
"""
import argparse
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
LENSOPS = ROOT / "target/dist/lensops"
EXAMPLE = ROOT / "target/dist/examples/bench_stores"

# One row in time order across all tenants and lenses, as workers write them; the notes are as wide as real ones.
FILL = """
SET synchronous_commit = off;
INSERT INTO yacht_registry (id) SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid
    FROM generate_series(1, {tenants}) AS n ON CONFLICT DO NOTHING;
CREATE TEMP TABLE pairs AS
    SELECT row_number() OVER () AS k, r.id AS yacht_id, 'lens_' || lpad(l::text, 2, '0') AS lens_id
    FROM yacht_registry r, generate_series(1, {lenses}) AS l;
CREATE TEMP TABLE bodies AS
    SELECT n, jsonb_build_object(
        'samples_us', (SELECT jsonb_agg((50000 + random() * 900000)::int + (g + n) * 0)
            FROM generate_series(1, 21) AS g),
        'endpoints', (SELECT jsonb_object_agg(name, jsonb_build_object('n', 7, 'p50_us', (random() * 1e6)::int,
            'p95_us', (random() * 1e6)::int, 'failed', 0, 'retries', 0))
            FROM unnest(ARRAY['list endpoint', 'suggestions endpoint', 'read action']) AS name),
        'flags', jsonb_build_object('FAULT_LENS_V1_ENABLED', true, 'FAULT_LENS_SUGGESTIONS_ENABLED', true,
            'FAULT_LENS_SIGNED_ACTIONS_ENABLED', true),
        'slo', jsonb_build_object('p95_ms', (random() * 1e3)::int, 'window', '1h', 'samples', 84),
        'plan', 'generated', 'disabled', '[]'::jsonb) AS notes
    FROM generate_series(0, 999) AS n;
ANALYZE pairs; ANALYZE bodies;
"""
STEP = """
INSERT INTO pms_health_checks
SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '8'
        || substr(md5(p.k::text || at::text), 2, 19))::uuid,
       p.yacht_id, p.lens_id,
       CASE WHEN h < 970 THEN 'healthy' WHEN h < 995 THEN 'degraded' ELSE 'unhealthy' END,
       100 + h, 0, 21, at, b.notes
FROM generate_series({first}, {last}) AS step
CROSS JOIN LATERAL (SELECT date_trunc('hour', now()) - interval '15 minutes' * ({steps} - step) AS at) AS t
CROSS JOIN pairs p
CROSS JOIN LATERAL (SELECT ((p.k * 7919 + step * 104729) % 1000)::int AS h) AS x
JOIN bodies b ON b.n = h;
"""
OLD_INDEXES = """
CREATE INDEX old_lens ON pms_health_checks (yacht_id, lens_id);
CREATE INDEX old_observed ON pms_health_checks (observed_at DESC);
CREATE INDEX old_status ON pms_health_checks (status, observed_at DESC);
"""


def options(arguments):
    """What every program over a filled PostgreSQL takes."""
    arguments.add_argument("--rows", type=int, default=10_000_000)
    arguments.add_argument("--tenants", type=int, default=700)
    arguments.add_argument("--lenses", type=int, default=20)
    arguments.add_argument("--dir", type=pathlib.Path, help="keep the server's files here")
    arguments.add_argument("--port", type=int, default=54998)
    return arguments.parse_args()


def start(options, folder, data):
    """A PostgreSQL of our own over `data`, made where it is not there, and whether it was."""
    binaries = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        raise SystemExit("install Debian's postgresql first")
    prefix = []
    if os.getuid() == 0:
        shutil.chown(folder, "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    fresh = not data.exists()
    tool = lambda name: str(binaries[-1].parent / name)
    if fresh:
        subprocess.run([*prefix, tool("initdb"), "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8",
                        "--locale=C"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    server = subprocess.Popen(
        [*prefix, tool("postgres"), "-D", data, "-c", f"port={options.port}", "-c", "listen_addresses=127.0.0.1",
         "-c", "unix_socket_directories=", "-c", "shared_buffers=1GB", "-c", "max_wal_size=16GB", "-c", "work_mem=64MB",
         "-c", "maintenance_work_mem=1GB", "-c", "checkpoint_timeout=30min"],
        cwd=folder, stderr=(folder / "log").open("w"))
    while subprocess.run([tool("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(options.port)]).returncode:
        time.sleep(0.1)
    return server, fresh


def fill(options, folder, url):
    """Fills the database at `url` with checks, newest last."""
    psql = lambda sql: subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", url], input=sql, text=True, check=True)
    begun = time.time()
    subprocess.run([LENSOPS, "migrate", "--database-url", url], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    steps = -(-options.rows // (options.tenants * options.lenses))
    parts = [STEP.format(first=n, last=min(n + 9, steps), steps=steps) for n in range(1, steps + 1, 10)]
    psql("DROP INDEX IF EXISTS lensops_checks_by_lens; TRUNCATE pms_health_checks CASCADE;"
         + FILL.format(tenants=options.tenants, lenses=options.lenses) + "\n".join(parts))
    print(f"filled in {time.time() - begun:.0f} s", flush=True)
    # The migration makes its own indexes again, over all rows at once.
    subprocess.run([LENSOPS, "migrate", "--database-url", url], check=True, cwd=folder, stdout=subprocess.DEVNULL)
    psql(OLD_INDEXES)
    psql("VACUUM (ANALYZE) pms_health_checks")
    (folder / "filled").write_text(f"{options.rows}\n")
    print(f"filled and indexed in {time.time() - begun:.0f} s", flush=True)


@contextlib.contextmanager
def filled(options):
    """The address of a PostgreSQL with so many checks. Its files stay where `--dir` is given."""
    folder = options.dir or pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    folder.mkdir(exist_ok=True)
    server, fresh = start(options, folder, folder / "data")
    url = f"postgres://postgres@127.0.0.1:{options.port}/postgres"
    try:
        if fresh or not (folder / "filled").exists():
            fill(options, folder, url)
        yield url
    finally:
        server.terminate()
        server.wait()
        if not options.dir:
            shutil.rmtree(folder)


def main():
    chosen = options(argparse.ArgumentParser())
    for binary in (LENSOPS, EXAMPLE):
        if not binary.exists():
            raise SystemExit(f"build first: cargo build --profile dist -p lensops --bins --examples ({binary} is not there)")
    with filled(chosen) as url:
        subprocess.run([EXAMPLE], check=True, env={**os.environ, "DATABASE_URL": url})


if __name__ == "__main__":
    main()
