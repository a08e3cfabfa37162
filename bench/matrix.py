#!/usr/bin/env python3
"""The role matrix, 76 actions × 14 roles with transcripts, beside hurl on the same cases.

Both send the same requests to the same stand-in API, one after the other; hurl writes its JSON
report with transcripts, lensops its evidence bundle (signed). The runs alternate; the wall time of
each process is taken. hurl is installed for this alone: `cargo install hurl --locked`. Where the
folder of temporary files is on ext4, the run that comes first after some quiet is the one to trust:
creating the many files of hurl's report is slower for a while after those of another run were deleted.
"""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target/dist/lensops"
DATA = ROOT / "crates/sandbox/data"
RUNS = 5


def token(secret, user, issuer):
    now = int(time.time())
    encode = lambda value: base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    claims = {"aud": "authenticated", "exp": now + 7200, "iat": now, "iss": f"{issuer}/auth/v1", "sub": user, "role": "authenticated"}
    body = encode({"alg": "HS256", "typ": "JWT"}) + b"." + encode(claims)
    signature = base64.urlsafe_b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).rstrip(b"=")
    return (body + b"." + signature).decode()


def hurl_file(registry, users, tenant, secret, url):
    """The same cells: let in is no 401, 403 or 5xx; denied is 403."""
    entries = []
    for action in registry["actions"]:
        for role in registry["roles"]:
            user = next(user for user in users.values() if user["role"] == role)
            signs = user.get("signs_as", role)
            payload = {"yacht_id": tenant}
            let_in = role in action["allowed_roles"]
            if action["variant"] == "SIGNED":
                let_in = let_in and signs in action["signer_roles"]
                payload["signature"] = {"signed_at": "2026-01-28T15:00:00Z", "user_id": user["id"], "role_at_signing": signs,
                                        "signature_type": "pin_totp", "signature_hash": secrets.token_hex(32)}
            if let_in and action["variant"] != "READ":
                continue
            body = json.dumps({"action": action["action_id"], "context": {"yacht_id": tenant}, "payload": payload})
            asserts = "status < 500\nstatus != 401\nstatus != 403" if let_in else "status == 403"
            entries.append(
                f"POST {url}/v1/actions/execute\nAuthorization: Bearer {token(secret, user['id'], url)}\n"
                f"Content-Type: application/json\n{body}\nHTTP *\n[Asserts]\n{asserts}\n"
            )
    return entries


def main():
    hurl = sys.argv[1] if len(sys.argv) > 1 else shutil.which("hurl")
    if not BINARY.exists() or not hurl:
        raise SystemExit(f"build first (cargo build --profile dist), and install hurl or name it: {BINARY}, {hurl}")
    registry = json.loads((DATA / "actions.json").read_text())
    data = json.loads((DATA / "lenses.json").read_text())
    folder = pathlib.Path(tempfile.mkdtemp(prefix="lensops-bench-"))
    secret = secrets.token_hex(32)
    env = {**os.environ, "TENANT_SUPABASE_JWT_SECRET": secret, "LENSOPS_EVIDENCE_KEY": secrets.token_hex(32)}
    sandbox = subprocess.Popen([BINARY, "sandbox", "--port", "0", "--control-port", "0"], env=env, stdout=subprocess.PIPE, text=True)
    try:
        url = sandbox.stdout.readline().split()[1]
        env["API_BASE_URL"] = url
        shutil.copy(DATA / "actions.json", folder)
        tenant = data["tenants"]["north"]
        (folder / "lensops.yml").write_text(f"registry: actions.json\ntenants: [{tenant}]\nusers: {json.dumps(data['users'])}\n")
        subprocess.run([BINARY, "--root", folder, "generate", "--lens-id", "faults", "--domain", "faults", "--roles", "crew",
                        "--read-action", "view_fault_detail", "--entity-id-key", "fault_id"], env=env, check=True, capture_output=True)
        entries = hurl_file(registry, data["users"], tenant, secret, url)
        (folder / "cells.hurl").write_text("\n".join(entries))
        ours, theirs = [], []
        for number in range(RUNS):
            begun = time.perf_counter()
            out = subprocess.run([BINARY, "--root", folder, "matrix", "--json"], env=env, check=True, capture_output=True, text=True).stdout
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            subprocess.run([hurl, "--jobs", "1", "--no-output", "--report-json", folder / f"report-{number}", folder / "cells.hurl"],
                           env=env, check=True, capture_output=True)
            theirs.append(time.perf_counter() - begun)
        cases = json.loads(out)["cases"]
        sent = sum(1 for case in cases if case.get("transcripts"))
        ratios = [a / b for a, b in zip(ours, theirs)]
        print(f"{len(cases)} cells, {sent} sent by lensops, {len(entries)} by hurl; {RUNS} alternating runs; {os.cpu_count()} CPUs")
        for name, times in (("lensops, evidence written and signed", ours), ("hurl, JSON report", theirs)):
            print(f"{name}: {statistics.median(times):.3f} s (min {min(times):.3f}, max {max(times):.3f})")
        print(f"ratio of wall times: {statistics.median(ratios):.3f} (min {min(ratios):.3f}, max {max(ratios):.3f})")
    finally:
        sandbox.terminate()
        shutil.rmtree(folder)


main()
