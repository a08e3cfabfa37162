#!/usr/bin/env python3
"""Resident memory of `lensops worker` with 20 lenses, idle after its first round of checks."""
import pathlib
import re
import secrets
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/dist/lensops"
LENSES = 20

LENS = """lens: {name}
domain: faults
flags: [FAULT_LENS_V1_ENABLED]
roles: [crew]
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
users: {{hod: {{id: 11c093fe-0652-50b4-bb47-559c1c185f8a, role: chief_engineer, signs_as: manager}}}}
read_action: {{name: view_fault_detail, entity_id_key: fault_id, entity: a1bcc3d4-8832-5f43-b4d0-d845c74c9637}}
"""


def status(pid, field):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.M).group(1)) / 1024


def main():
    if not BINARY.exists():
        raise SystemExit(f"build first: cargo build --profile dist ({BINARY} is not there)")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    env = {"TENANT_SUPABASE_JWT_SECRET": secrets.token_hex(32)}
    sandbox = subprocess.Popen([BINARY, "sandbox", "--port", "0", "--control-port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        env["API_BASE_URL"] = sandbox.stdout.readline().split()[1]
        (folder / "lenses").mkdir()
        for number in range(LENSES):
            (folder / "lenses" / f"lens_{number}.yml").write_text(LENS.format(name=f"lens_{number}"))
        subprocess.run([BINARY, "--root", folder, "generate"], env=env, capture_output=True, check=True)
        worker = subprocess.Popen([BINARY, "--root", folder, "worker"], env=env, stderr=subprocess.PIPE, text=True)
        asleep = 0
        for line in worker.stderr:
            asleep += "Sleeping for" in line
            if asleep == LENSES:
                break
        print(f"{LENSES} lenses, one check each done: resident {status(worker.pid, 'VmRSS'):.1f} MB, at most {status(worker.pid, 'VmHWM'):.1f} MB")
        worker.send_signal(signal.SIGTERM)
        worker.stderr.read()
        print(f"exit code {worker.wait()}")
    finally:
        sandbox.terminate()
        shutil.rmtree(folder)


main()
