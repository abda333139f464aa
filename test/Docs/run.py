# ===- run.py - Runs the commands of the documentation ---------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: run.py --tools-dir DIR [--jobs N] [--sanitize KIND] [--only TEXT]

Every ```sh block of the documents below is run by bash, in order, in a scratch copy of the folder that it is written for,
with the tools in PATH and `build` as the build folder; the lines of a ```text block after it must occur in what it prints,
in this order, where "…" stands for anything. Every relative link of every .md file must lead somewhere. The last line is "N passed, N failed".
"""
import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# document -> the folder its commands are run in; other blocks, as a quickstart's, are not run.
DOCUMENTS = {
    "docs/Tutorial.md": ".",
    "docs/Embedding.md": ".",
    "docs/Convert.md": "examples/digits",
    "docs/Precision.md": "examples/digits",
    "docs/Report.md": "examples/digits",
    "docs/onnx.md": "examples/digits",
    "examples/digits/README.md": "examples/digits",
    "examples/teacher/README.md": "examples/teacher",
}
COPIED = ("examples", "machines")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text):
    """(line, commands, expected output or None) of each ```sh block."""
    found = [(text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in FENCE.finditer(text)]
    for (line, language, body), following in zip(found, [*found[1:], (0, "", "")]):
        if language == "sh":
            yield line, body, following[2] if following[1] == "text" else None


def matches(expected, printed):
    tidy = lambda text: re.sub(r"\s+", " ", text).strip()
    parts = [re.escape(tidy(part)) for line in expected.strip().splitlines() for part in line.split("…")]
    return re.search(r".*?".join(parts), tidy(printed)) is not None


def run_blocks(document, folder, options):
    """Yields (name, failure or None); a failed block ends the document."""
    path = os.path.join(SOURCE, document)
    if not os.path.exists(path):
        return
    with open(path) as file:
        text = file.read()
    environment = {**os.environ, "PATH": os.path.abspath(options.tools_dir) + os.pathsep + os.environ["PATH"]}
    with tempfile.TemporaryDirectory(prefix="phantom-docs-") as scratch:
        for name in COPIED:
            if os.path.isdir(os.path.join(SOURCE, name)):
                shutil.copytree(os.path.join(SOURCE, name), os.path.join(scratch, name))
        os.symlink(os.path.dirname(os.path.abspath(options.tools_dir)), os.path.join(scratch, "build"))
        for line, commands, expected in blocks(text):
            run = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=os.path.join(scratch, folder),
                                 env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, errors="replace", timeout=600)
            failure = None
            if run.returncode:
                failure = f"exit {run.returncode}\n{run.stdout[-3000:]}"
            elif expected is not None and not matches(expected, run.stdout):
                failure = f"does not print what the document shows; printed:\n{run.stdout[-6000:]}"
            yield f"{document}:{line}", failure
            if failure:
                return


def markdown_files():
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = [f for f in folders if not f.startswith((".", "build", "venv"))]
        yield from (os.path.join(folder, name) for name in files if name.endswith(".md"))


def check_links():
    for path in sorted(markdown_files()):
        with open(path) as file:
            text = FENCE.sub("", file.read())
        broken = []
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            target = link.split("#")[0]
            if target and "://" not in link and not link.startswith("mailto:"):
                if not os.path.exists(os.path.join(os.path.dirname(path), target)):
                    broken.append(link)
        yield f"links of {os.path.relpath(path, SOURCE)}", f"lead nowhere: {broken}" if broken else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, help="accepted as every runner does; blocks run in order")
    parser.add_argument("--sanitize", default="", help="commands are skipped: they train for long")
    parser.add_argument("--only", default="", help="the documents whose name contains this")
    options = parser.parse_args()
    passed, failed, skipped = 0, 0, 0
    results = list(check_links())
    for document, folder in DOCUMENTS.items():
        if options.only not in document:
            continue
        if options.sanitize:
            skipped += 1
        else:
            results += run_blocks(document, folder, options)
    for name, failure in results:
        if failure is None:
            passed += 1
        else:
            failed += 1
            print(f"FAIL: {name}\n  {failure}", flush=True)
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
