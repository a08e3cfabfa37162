#!/usr/bin/env python3
"""Time of `lensops generate` for 20 lenses, all files, per lens.

A run that writes nothing but one lens is taken off, so that start-up does not count as work
a lens; both figures are printed. CPU is user + system time of the process.
"""
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/dist/lensops"
RUNS = 7

LENS = """lens: {name}
domain: {name}
flags: [{upper}_V1_ENABLED, {upper}_SUGGESTIONS_ENABLED, {upper}_SIGNED_ACTIONS_ENABLED]
roles: [crew, chief_engineer, chief_officer, captain, manager]
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
users:
  hod: {{id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer, signs_as: manager}}
  crew: {{id: eb3fdfe4-81e3-53a5-b423-fd13884b12e8, role: crew}}
  captain: {{id: 7672d3d4-fe80-5fb8-80e2-58b12b95d5b6, role: captain}}
signed_action:
  name: sign_{name}
  entity_type: work_order
  entity_id_key: {name}_id
  signers: [captain, hod]
  entities: [a1bcc3d4-8832-5f43-b4d0-d845c74c9637]
read_action: {{name: view_{name}, entity_id_key: {name}_id, entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}}
"""


def generate(lenses):
    """Wall and CPU seconds of one run into a fresh folder, and how many files it wrote."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    try:
        (folder / "lenses").mkdir()
        for number in range(lenses):
            name = f"lens_{number}"
            (folder / "lenses" / f"{name}.yml").write_text(LENS.format(name=name, upper=name.upper()))
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        out = subprocess.run([BINARY, "--root", folder, "generate"], capture_output=True, text=True, check=True).stdout
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return wall, cpu, out.count("Created:")
    finally:
        shutil.rmtree(folder)


def main():
    if not BINARY.exists():
        raise SystemExit(f"build first: cargo build --profile dist ({BINARY} is not there)")
    one, twenty = [], []
    for _ in range(RUNS):
        one.append(generate(1))
        twenty.append(generate(20))
    files = twenty[0][2]
    print(f"{RUNS} runs, alternating 1 and 20 lenses; {files} files for 20 lenses; {os.cpu_count()} CPUs")
    for label, column in (("wall", 0), ("cpu", 1)):
        whole = [run[column] * 1000 / 20 for run in twenty]
        added = [(many[column] - few[column]) * 1000 / 19 for many, few in zip(twenty, one)]
        print(
            f"{label}: {statistics.median(whole):.2f} ms a lens with start-up (min {min(whole):.2f}, max {max(whole):.2f}), "
            f"{statistics.median(added):.2f} ms for each further lens"
        )


main()
