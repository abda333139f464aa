# ===- run.py - Installs, and builds programs against what was installed ---=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: run.py --tools-dir DIR [--jobs N] [--sanitize KIND]

Installs the build folder that DIR is in to a temporary prefix, moves that, and uses it as another project would. The
last line is "N passed, N failed".
"""
import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(SOURCE, "examples")
TOOLS = ("phantom-opt", "phantom-translate", "phantom-run", "phantom-lsp-server")


class Failure(Exception):
    """A test that did not hold; the message says what."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def run(*command, folder=None):
    process = subprocess.run([str(part) for part in command], cwd=folder, stdin=subprocess.DEVNULL, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=1200)
    shown = f"{' '.join(map(str, command))}: exit {process.returncode}\n{process.stdout[-4000:]}"
    check(process.returncode == 0, shown)
    return process.stdout


class Installed:
    """A prefix at another place than the one that it was installed to."""

    def __init__(self, build, scratch):
        self.scratch = scratch
        run("cmake", "--install", build, "--prefix", os.path.join(scratch, "first"))
        self.prefix = os.path.join(scratch, "moved")
        os.rename(os.path.join(scratch, "first"), self.prefix)
        self.build_folder = build

    def tool(self, name):
        return os.path.join(self.prefix, "bin", name)

    def project(self, source, *flags):
        """Builds a project outside this one; returns its build folder."""
        build = os.path.join(self.scratch, "build-" + os.path.basename(source))
        run("cmake", "-G", "Ninja", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", *flags)
        run("cmake", "--build", build)
        return build


def tools_run(installed):
    for name in TOOLS:
        run(installed.tool(name), "--help")


def nothing_refers_to_the_build(installed):
    """Packages that name the folders they were built in break elsewhere."""
    package = os.path.join(installed.prefix, "lib", "cmake", "Phantom")
    if not os.path.isdir(package):  # Debian's multiarch folders
        (package,) = [folder for folder, _, files in os.walk(installed.prefix) if "PhantomConfig.cmake" in files]
    for name in os.listdir(package):
        with open(os.path.join(package, name)) as file:
            text = file.read()
        for path in (installed.build_folder, SOURCE, os.path.join(installed.scratch, "first")):
            check(path not in text, f"{name} names {path}")


def embedding(installed):
    """The example infers what phantom-run infers, with the first values and with trained ones."""
    build = installed.project(os.path.join(EXAMPLES, "embed"))
    digits, run_tool = os.path.join(EXAMPLES, "digits"), installed.tool("phantom-run")
    path = lambda name: os.path.join(installed.scratch, name)
    data = lambda name: os.path.join(digits, name + ".npy")
    model = os.path.join(digits, "digits.onnx")
    run(run_tool, "compile", model, "--ranks", 2, "--ghost-width", 4, "-o", path("digits"))
    run(run_tool, "train", path("digits"), "--inputs", data("train_images"), "--targets", data("train_labels"),
        "--steps", 5, "--bind", "none", "--quiet", "--save", path("trained.safetensors"))
    np.load(data("test_images")).astype("<f4").tofile(path("images.f32"))
    for parameters in ([], [path("trained.safetensors")]):
        start = ["--init", f"from-file={parameters[0]}"] if parameters else []
        run(run_tool, "infer", path("digits"), *start, "--inputs", data("test_images"), "--outputs", path("y.npy"),
            "--bind", "none")
        printed = run(os.path.join(build, "embed"), path("digits"), path("images.f32"), path("y.f32"), *parameters)
        check(printed == "360 rows of 'logits' on 2 ranks\n", f"embed printed: {printed}")
        with open(path("y.f32"), "rb") as file:
            check(file.read() == np.load(path("y.npy")).tobytes(), f"embed and phantom-run infer differ {parameters}")


def runtime_needs_no_mlir(installed):
    """No header of MLIR is read, and its library is not linked."""
    run("cmake", "--build", os.path.join(installed.scratch, "build-embed"), "--clean-first")
    linked = run("ldd", os.path.join(installed.scratch, "build-embed", "embed"))
    check("libLLVM" in linked and "libMLIR" not in linked, linked)


def compiler_libraries(installed):
    build = installed.project(os.path.join(HERE, "compiler"))
    printed = run(os.path.join(build, "partition"), os.path.join(EXAMPLES, "digits", "digits.onnx"))
    for part in ('"phantom" = 2', "phantom.compress", "phantom.all_gather", "tensor<4x"):
        check(part in printed, f"'{part}' is not in:\n{printed[:2000]}")


def unknown_components_are_refused(installed):
    source = os.path.join(installed.scratch, "unknown")
    os.mkdir(source)
    with open(os.path.join(source, "CMakeLists.txt"), "w") as file:
        file.write("cmake_minimum_required(VERSION 3.25)\nproject(unknown LANGUAGES CXX)\n"
                   "find_package(Phantom REQUIRED COMPONENTS gpu)\n")
    try:
        installed.project(source)
    except Failure as failure:
        check("Phantom has no component 'gpu'" in str(failure), str(failure))
    else:
        raise Failure("a component that does not exist was found")


TESTS = (tools_run, nothing_refers_to_the_build, embedding, runtime_needs_no_mlir, compiler_libraries,
         unknown_components_are_refused)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--jobs", type=int, help="accepted as every runner does; tests run in order")
    parser.add_argument("--sanitize", default="", help="no programs are built: they would need the sanitizer, too")
    options = parser.parse_args()
    tests = TESTS[:2] if options.sanitize else TESTS
    failed, skipped = 0, len(TESTS) - len(tests)
    with tempfile.TemporaryDirectory(prefix="phantom-install-") as scratch:
        installed = Installed(os.path.dirname(os.path.abspath(options.tools_dir)), scratch)
        for test in tests:
            try:
                test(installed)
            except (Failure, subprocess.SubprocessError, OSError) as failure:
                failed += 1
                print(f"FAIL: {test.__name__}\n  {failure}", flush=True)
    print(f"{len(tests) - failed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
