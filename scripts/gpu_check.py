# ===- gpu_check.py - What a machine with GPUs makes of Phantom -------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by scripts/gpu-check, which documents the options."""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(SOURCE, "benchmarks"))

import numpy as np
import zero_model

TOLERANCE = 1e-5  # of the largest loss
STRATEGIES = ("phantom", "tensor", "megatron")
EXAMPLES = {"digits": ("train_images.npy", "train_labels.npy", "cross-entropy"),
            "teacher": ("train_inputs.npy", "train_targets.npy", "mse")}
LAYERS, IGNORED = 4, 3
KINDS = ("run", "gemm", "kernel", "exchange")  # categories of a trace


class Report:
    """A file that is there when the run has ended, whole; without a count of failures where it was stopped."""

    def __init__(self, path):
        self.path, self.lines, self.failures = path, [], 0

    def add(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def failed(self, text):
        self.failures += 1
        self.add(f"FAILED: {text}")

    def write(self):
        with open(self.path + ".tmp", "w") as file:
            file.write("\n".join(self.lines) + "\n")
        os.replace(self.path + ".tmp", self.path)


def output_of(*command):
    """What a command prints, or why it does not."""
    if not shutil.which(command[0]):
        return f"{command[0]}: not found"
    run = subprocess.run(command, capture_output=True, text=True)
    return (run.stdout if run.returncode == 0 else run.stderr).strip()


def machine(report):
    report.add("== Machine")
    report.add(output_of("uname", "-srm"))
    report.add(output_of("nvidia-smi", "--query-gpu=index,name,driver_version,memory.total,power.limit", "--format=csv"))
    report.add(output_of("git", "-C", SOURCE, "rev-parse", "HEAD"))
    report.add()


def unit_tests(report, options):
    report.add("== Unit tests")
    for name in ("PhantomCudaTests", "PhantomSimTests"):
        run = subprocess.run([os.path.join(options.tools_dir, name), "--gtest_brief=1"], capture_output=True, text=True)
        report.add(f"{name}: {run.stdout.strip().splitlines()[-1] if run.stdout.strip() else 'no output'}")
        if run.returncode:
            report.failed(f"{name}\n{run.stdout[-4000:]}{run.stderr[-2000:]}")
    report.add()


def train(options, folder, *flags):
    """The log of a run, whose summary is summary.json; raises RuntimeError with its error."""
    log = os.path.join(folder, "log.jsonl")
    run = subprocess.run([os.path.join(options.tools_dir, "phantom-run"), "train", *map(str, flags), "--quiet", "--log", log,
                          "--summary", "summary.json"], cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    with open(log) as file:
        return [json.loads(line) for line in file]


def device_flags(options, ranks):
    flags = ["--device", options.device]
    return flags + ["--communicator", "loopback"] if ranks > options.gpus else flags


def examples(report, options, folder):
    report.add(f"== The examples on GPUs and on the CPU: losses of 10 steps, {TOLERANCE} relative")
    for name, (inputs, targets, loss) in EXAMPLES.items():
        data = os.path.join(SOURCE, "examples", name)
        for ranks in options.ranks:
            for strategy in STRATEGIES if ranks > 1 else STRATEGIES[:1]:
                ghosts = ["--ghost-width", "2"] if strategy == "phantom" and ranks > 1 else []
                flags = [os.path.join(data, f"{name}.onnx"), "--strategy", strategy, "--ranks", ranks, *ghosts, "--inputs",
                         os.path.join(data, inputs), "--targets", os.path.join(data, targets), "--loss", loss,
                         "--batch-size", "32", "--steps", "10", "--learning-rate", "0.01"]
                what = f"{name}, {strategy}, {ranks} ranks"
                try:
                    want, got = ([record["loss"] for record in train(options, folder, *flags, *device)]
                                 for device in (["--bind", "none"], device_flags(options, ranks)))
                except RuntimeError as error:
                    report.failed(f"{what}: {error}")
                    continue
                apart = max(abs(a - b) for a, b in zip(want, got)) / max(map(abs, want))
                if apart <= TOLERANCE:
                    report.add(f"{what}: {apart:.1e} apart")
                else:
                    report.failed(f"{what}: {apart:.1e} apart")
    report.add()


def conformance(report, options):
    """The execution tests, on the GPUs. NCCL wants a GPU per rank: cases of more ranks are skipped there."""
    report.add("== Conformance suite: the execution tests that compare numbers with NumPy")
    communicators = ("nccl", "loopback") if options.gpus > 1 else ("loopback",)
    for communicator in communicators if options.device == "cuda" else ("sim", "loopback"):
        run = subprocess.run([sys.executable, os.path.join(SOURCE, "test", "Execution", "run.py"), "--tools-dir", options.tools_dir,
                              "--device", options.device, "--communicator", communicator, "--gpus", str(options.gpus), "--only",
                              options.only, "--every", str(options.every)], capture_output=True, text=True)
        report.add(f"{communicator}: {'; '.join(run.stdout.strip().splitlines()[-2:])}")
        if run.returncode:
            report.failed(f"conformance of {communicator}\n{run.stdout[-8000:]}{run.stderr[-2000:]}")
    report.add()


def traced_milliseconds(path):
    """{kind: milliseconds of a step} of rank 0: each command's median over the traced steps; "run": of all, as they overlap."""
    with open(path) as file:
        events = json.load(file)["traceEvents"]
    times = {}
    for event in events:
        if event["ph"] == "X" and event["pid"] == 0 and event["cat"] in KINDS:
            times.setdefault((event["cat"], event["args"].get("command")), []).append(event["dur"] * 1e-3)
    totals = dict.fromkeys(KINDS, 0.0)
    for (kind, _), values in times.items():
        totals[kind] += statistics.median(values)
    return totals


def row_of_steps(options, folder, flags):
    """The cells of a table's row, and why it has no energy."""
    records = train(options, folder, *flags, "--steps", options.steps + IGNORED)
    with open(os.path.join(folder, "summary.json")) as file:
        summary = json.load(file)
    train(options, folder, *flags, "--steps", "6", "--trace", "trace.json")
    traced = traced_milliseconds(os.path.join(folder, "trace.json"))
    joules = summary["energy_joules"]
    step = 1e3 * statistics.median(record["step_seconds"] for record in records[IGNORED:])
    cells = [f"{step:>9.3f}", *(f"{traced[kind]:>9.3f}" for kind in KINDS), f"{records[0]['comm_bytes'] / 1024:>11.0f}",
             f"{joules / len(records):>9.3g}" if joules is not None else f"{'-':>9}"]
    return " ".join(cells), summary.get("energy_reason")


def step_times(report, options, folder):
    report.add(f"== Steps: {LAYERS} square layers, relu, MSE, SGD, f32. Milliseconds: step: median of {options.steps}; the others in a "
               "traced run, in which commands are queued one by one: run: on the GPU; of it GEMMs, kernels, exchanges (waits for "
               "late ranks included). comm: KiB that a rank gets from its peers. energy: J of the GPUs per step, from the run's total")
    report.add(f"{'n':>6} {'B':>5} {'p':>3}  {'strategy':<9} {'step':>9} {'run':>9} {'GEMMs':>9} {'kernels':>9} {'exchanges':>9} {'comm':>11} "
               f"{'energy':>9}")
    for width in options.widths:
        zero_model.save_square(folder, width, LAYERS)
        for batch in options.batches:
            np.save(os.path.join(folder, "x.npy"), np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32))
            for ranks in options.ranks:
                for strategy in STRATEGIES if ranks > 1 else ("dense",):
                    phantom = ["--ghost-width", options.ghost_width, "--first-layer", "phantom", "--last-layer", "phantom"]
                    flags = ["model.onnx", "--strategy", "tensor" if strategy == "dense" else strategy, "--ranks", ranks,
                             *(phantom if strategy == "phantom" else []), "--init", "random", "--inputs", "x.npy", "--targets",
                             "x.npy", "--loss", "mse", "--batch-size", batch, "--learning-rate", "0.001", *options.train,
                             *device_flags(options, ranks)]
                    what = f"{width:>6} {batch:>5} {ranks:>3}  {strategy:<9}"
                    try:
                        cells, reason = row_of_steps(options, folder, flags)
                    except RuntimeError as error:
                        report.failed(f"{what}: {error}")
                        continue
                    report.add(f"{what} {cells}")
                    if reason:
                        report.add(f"       no energy: {reason}")
    report.add()


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--output", default="gpu-report.txt")
    parser.add_argument("--device", choices=("cuda", "sim"), default="cuda")
    parser.add_argument("--ranks", type=numbers)
    parser.add_argument("--widths", type=numbers, default=[1024, 4096, 8192])
    parser.add_argument("--batches", type=numbers, default=[256, 2048])
    parser.add_argument("--ghost-width", type=int, default=16)
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--only", default="", help="conformance cases whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="only every N-th of them")
    parser.add_argument("--train", type=str.split, default=[], help="more flags of the timed runs, as '--precision bf16'")
    options = parser.parse_args()
    options.tools_dir = os.path.abspath(options.tools_dir)
    listed = output_of("nvidia-smi", "--list-gpus") if options.device == "cuda" else "GPU 0\nGPU 1\nGPU 2\nGPU 3"
    options.gpus = sum(line.startswith("GPU ") for line in listed.splitlines())
    if options.gpus == 0:
        sys.exit(f"gpu-check: this machine has no GPU that nvidia-smi lists: {listed}")
    options.ranks = options.ranks or sorted({1, max(2, options.gpus)})
    report = Report(os.path.abspath(options.output))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("gpu-check: ended by SIGTERM"))
    try:
        machine(report)
        unit_tests(report, options)
        with tempfile.TemporaryDirectory(prefix="phantom-gpu-check-") as folder:
            examples(report, options, folder)
            conformance(report, options)
            step_times(report, options, folder)
        report.add(f"{report.failures} failures")
    finally:
        report.write()
        print(f"gpu-check: wrote {options.output}")
    return int(report.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
