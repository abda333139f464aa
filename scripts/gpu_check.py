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


class Report:
    """A file that is there when the run has ended, whole."""

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
    """The log of a run; raises RuntimeError with its error."""
    log = os.path.join(folder, "log.jsonl")
    run = subprocess.run([os.path.join(options.tools_dir, "phantom-run"), "train", *map(str, flags), "--quiet", "--log", log],
                         cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(run.stderr.strip())
    with open(log) as file:
        return [json.loads(line) for line in file]


def device_flags(options, ranks):
    flags = ["--device", options.device]
    return flags + ["--communicator", "loopback"] if ranks > options.gpus else flags


def conformance(report, options, folder):
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


def exchange_seconds(path):
    """{name: median seconds} of the exchanges in a trace."""
    with open(path) as file:
        events = json.load(file)
    events = events["traceEvents"] if isinstance(events, dict) else events
    times = {}
    for event in events:
        if event.get("ph") == "X" and event.get("cat") == "exchange":
            times.setdefault(event["name"], []).append(event["dur"] * 1e-6)
    return {name: statistics.median(values) for name, values in times.items()}


def step_times(report, options, folder):
    report.add(f"== Step times: {LAYERS} square layers, relu, MSE, SGD, f32; medians of {options.steps} steps; exchanges: their "
               "medians in a traced run, summed")
    report.add(f"{'n':>6} {'B':>5} {'p':>3}  {'strategy':<9} {'step':>12} {'exchanges':>12} {'comm/rank':>11} {'energy/step':>12}")
    for width in options.widths:
        zero_model.save_square(folder, width, LAYERS)
        for batch in options.batches:
            np.save(os.path.join(folder, "x.npy"), np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32))
            for ranks in (p for p in options.ranks if p > 1):
                for strategy in STRATEGIES:
                    phantom = ["--ghost-width", options.ghost_width, "--first-layer", "phantom", "--last-layer", "phantom"]
                    flags = ["model.onnx", "--strategy", strategy, "--ranks", ranks, *(phantom if strategy == "phantom" else []),
                             "--init", "random", "--inputs", "x.npy", "--targets", "x.npy", "--loss", "mse", "--batch-size",
                             batch, "--learning-rate", "0.001", *device_flags(options, ranks)]
                    try:
                        records = train(options, folder, *flags, "--steps", options.steps + IGNORED)[IGNORED:]
                        train(options, folder, *flags, "--steps", "6", "--trace", "trace.json")
                    except RuntimeError as error:
                        report.failed(f"n={width} B={batch} p={ranks} {strategy}: {error}")
                        continue
                    joules = [record["energy_joules"] for record in records]
                    energy = f"{sum(joules) / len(joules):.3g} J" if None not in joules else "-"
                    exchanges = sum(exchange_seconds(os.path.join(folder, "trace.json")).values())
                    report.add(f"{width:>6} {batch:>5} {ranks:>3}  {strategy:<9} "
                               f"{1e3 * statistics.median(r['step_seconds'] for r in records):>9.3f} ms "
                               f"{1e3 * exchanges:>9.3f} ms {records[0]['comm_bytes'] / 1024:>7.0f} KiB {energy:>12}")
                    if None in joules and strategy == STRATEGIES[0]:
                        report.add(f"       no energy: {records[0].get('energy_reason')}")
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
    options = parser.parse_args()
    options.tools_dir = os.path.abspath(options.tools_dir)
    listed = output_of("nvidia-smi", "--list-gpus") if options.device == "cuda" else "GPU 0\nGPU 1\nGPU 2\nGPU 3"
    options.gpus = sum(line.startswith("GPU ") for line in listed.splitlines())
    if options.gpus == 0:
        sys.exit(f"gpu-check: this machine has no GPU that nvidia-smi lists: {listed}")
    options.ranks = options.ranks or sorted({1, max(2, options.gpus)})
    report = Report(os.path.abspath(options.output))
    machine(report)
    unit_tests(report, options)
    with tempfile.TemporaryDirectory(prefix="phantom-gpu-check-") as folder:
        conformance(report, options, folder)
        step_times(report, options, folder)
    report.add(f"{report.failures} failures")
    report.write()
    print(f"gpu-check: wrote {options.output}")
    return int(report.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
