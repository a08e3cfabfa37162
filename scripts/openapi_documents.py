#!/usr/bin/env python3
"""Public OpenAPI documents become lens files that parse and generate; no operation is lost without a comment.

    scripts/openapi_documents.py [FOLDER]

FOLDER (a temporary one without it) keeps the packages, from npm: the APIs of GitHub and Directus, Scalar's Galaxy,
and ReadMe's collection of documents that are hard to read. Needs npm and a built `lensops` (LENSOPS names another than
target/debug/lensops). Ends with 1 where a document is not as it should be.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = pathlib.Path(os.environ.get("LENSOPS", ROOT / "target/debug/lensops"))
PACKAGES = ["@directus/specs@15.2.0", "@octokit/openapi@23.0.2", "@readme/oas-examples@8.2.2", "@scalar/galaxy@0.2.20"]
METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"]


def documents(folder):
    """Every document of OpenAPI 3 in the packages; JSON of Swagger 2 and of other kinds is left out."""
    for package in PACKAGES:
        name = package.lstrip("@").replace("/", "-").rsplit("@", 1)
        archive = folder / f"{name[0]}-{name[1]}.tgz"
        if not archive.exists():
            subprocess.run(["npm", "pack", "--silent", package], cwd=folder, check=True, capture_output=True)
        unpacked = folder / name[0]
        if not unpacked.exists():
            with tarfile.open(archive) as tar:
                tar.extractall(unpacked, filter="data")
        for path in sorted(unpacked.rglob("*")):
            if path.suffix in (".json", ".yaml") and ".deref" not in path.name and path.stat().st_size > 1000:
                head = path.read_text(errors="replace")[:400]
                if re.search(r'"?openapi"?: ?["\']?3\.[01]', head):
                    yield path


def operations(path):
    """How many operations a JSON document has, references of whole paths not counted; None for YAML."""
    if path.suffix != ".json":
        return None
    root = json.loads(path.read_text())
    items = [item for item in root.get("paths", {}).values() if isinstance(item, dict) and "$ref" not in item]
    return sum(method in item for item in items for method in METHODS)


def run(folder, *command):
    began = time.monotonic()
    ran = subprocess.run([BINARY, *command], cwd=folder, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    return ran, time.monotonic() - began


def main():
    kept, failed, good = sys.argv[1:], [], 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(kept[0] if kept else temporary).resolve()
        for path in documents(folder):
            name, size = path.relative_to(folder), path.stat().st_size
            with tempfile.TemporaryDirectory() as project:
                ran, took = run(project, "new", "some", "--openapi", path)
                told = (ran.stdout + ran.stderr).strip().splitlines()
                if size > 32 * 1024 * 1024:
                    is_good, what = ran.returncode == 2 and len(told) == 1, f"refused: {told[0] if told else 'nothing said'}"
                elif ran.returncode:
                    # A document of webhooks alone has nothing to ask.
                    webhooks = "it has no `paths`" in " ".join(told) and len(told) == 1
                    is_good, what = webhooks, "; ".join(told)
                else:
                    text = (pathlib.Path(project) / "lenses/some.yml").read_text()
                    endpoints = len(re.findall(r"^  - \{", text, re.M))
                    comments = len(text.split("# Left out", 1)[1].strip().splitlines()) - 1 if "# Left out" in text else 0
                    of_document = operations(path)
                    counted = of_document is None or endpoints + comments >= of_document
                    what = f"{endpoints} endpoints, {comments} comments"
                    generated = run(project, "generate")[0] if endpoints else None
                    again = run(project, "generate", "--check")[0] if endpoints else None
                    is_good = counted and all(ran is None or ran.returncode == 0 for ran in (generated, again))
                    if generated and generated.returncode:
                        what += f"; generate: {generated.stderr.strip()}"
                    if not counted:
                        what += f" of {of_document} operations"
                print(f"{'✅' if is_good else '❌'} {name} ({size / 1024:.0f} kB): {what}, {took:.2f} s", flush=True)
                good += is_good
                if not is_good:
                    failed.append(str(name))
    print(f"{good} documents as they should be; not: {', '.join(failed) or 'none'}")
    sys.exit(1 if failed else 0)


main()
