# ===- inference.py - Inference beside onnxruntime --------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/inference, which documents the options."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
RANKS, DEPTH = 2, 4
TOLERANCE = 1e-5  # of the largest output: ours, dense, against onnxruntime


def save_model(folder, width):
    """DEPTH square layers with relu between."""
    rng = np.random.default_rng(0)
    nodes, weights, value = [], [], "x"
    for i in range(1, DEPTH + 1):
        w = (rng.standard_normal((width, width)) * np.sqrt(2 / width)).astype(np.float32)
        b = (rng.standard_normal(width) * 0.1).astype(np.float32)
        weights += [numpy_helper.from_array(w, f"fc{i}.weight"), numpy_helper.from_array(b, f"fc{i}.bias")]
        result = "y" if i == DEPTH else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, f"fc{i}.weight", f"fc{i}.bias"], [result], name=f"/fc{i}/Gemm",
                                      transB=1))
        if i < DEPTH:
            nodes.append(helper.make_node("Relu", [result], [f"y{i}"], name=f"/act{i}/Relu"))
            value = f"y{i}"
    shaped = lambda name: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(nodes, "square", [shaped("x")], [shaped("y")], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              os.path.join(folder, "model.onnx"))


class Contestant:
    """A process that measures for some seconds whenever it is asked."""

    def __init__(self, name, folder, command, flops_ratio=1.0, dense=True):
        self.name, self.flops_ratio, self.dense, self.times = name, flops_ratio, dense, []
        self.outputs = os.path.join(folder, f"{name}.bin".replace(" ", "-"))
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*command, os.path.join(folder, "x.bin"), self.outputs], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors)
        self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            sys.exit(f"inference: {self.name} failed:\n{self.errors.read()}")
        return line

    def turn(self, seconds):
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        self.times.append(float(self._read()))

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


def ours(options, folder, name, ranks, threads, batch, flags, **more):
    """A compiled model in a process."""
    compiled = os.path.join(folder, name.replace(" ", "-"))
    command = [os.path.join(options.tools_dir, "phantom-run"), "compile", os.path.join(folder, "model.onnx"), "--ranks",
               str(ranks), "--batch-size", str(batch), "--commands", "infer", "-o", compiled, *flags]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"inference: {' '.join(command)} failed:\n{run.stderr}")
    return Contestant(name, folder, [os.path.join(options.tools_dir, "infer_loop"), compiled, str(threads)], **more)


def phantom_flops_ratio(width, k):
    """Executed flops of all ranks over those of the dense model."""
    m = width // RANKS
    return RANKS * (m * m + k * m + RANKS * k * m) / width**2


def contestants(options, folder, width, batch):
    peer = [options.python, os.path.join(HERE, "inference_onnxruntime.py"), os.path.join(folder, "model.onnx"),
            str(RANKS)]
    everyone = [Contestant("onnxruntime", folder, peer), ours(options, folder, "ours p=1", 1, RANKS, batch, [])]
    for strategy in ("tensor", "megatron"):
        everyone.append(ours(options, folder, f"ours p=2 {strategy}", RANKS, 1, batch, ["--strategy", strategy]))
    for k in options.ghost_widths:
        flags = ["--ghost-width", str(k), "--init", "random", "--first-layer", "phantom", "--last-layer", "phantom"]
        everyone.append(ours(options, folder, f"phantom k={k}", RANKS, 1, batch, flags, dense=False,
                             flops_ratio=phantom_flops_ratio(width, k)))
    return everyone


def check(everyone):
    """All dense contestants compute the same."""
    want = np.fromfile(everyone[0].outputs, np.float32)
    for one in everyone[1:]:
        got = np.fromfile(one.outputs, np.float32)
        if one.dense and not np.abs(got - want).max() <= TOLERANCE * np.abs(want).max():
            sys.exit(f"inference: {one.name} computes something else than onnxruntime")


def measure(options, width, batch):
    """Rows of one width and batch. The contestants take turns, so that a slow minute hits all of them."""
    with tempfile.TemporaryDirectory(prefix="phantom-inference-") as folder:
        save_model(folder, width)
        x = np.random.default_rng(1).standard_normal((batch, width)).astype(np.float32)
        x.tofile(os.path.join(folder, "x.bin"))
        everyone = contestants(options, folder, width, batch)
        check(everyone)
        for _ in range(options.rounds):
            for one in everyone:
                one.turn(options.seconds)
        for one in everyone:
            one.stop()
    medians = [statistics.median(one.times) for one in everyone]
    return [dict(n=width, B=batch, contestant=one.name, seconds=seconds, samples_per_second=batch / seconds,
                 onnxruntime_over_ours=medians[0] / seconds, flops_ratio=one.flops_ratio)
            for one, seconds in zip(everyone, medians)]


def show(rows, header):
    if header:
        print(f"{'n':>5} {'B':>5}  {'contestant':<18} {'latency':>11} {'samples/s':>11} {'ort/this':>8} {'flops':>6}")
    for row in rows:
        print(f"{row['n']:>5} {row['B']:>5}  {row['contestant']:<18} {1e3 * row['seconds']:>8.3f} ms "
              f"{row['samples_per_second']:>11.0f} {row['onnxruntime_over_ours']:>8.2f} {row['flops_ratio']:>6.2f}",
              flush=True)


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--python", required=True, help="of a virtual environment with onnxruntime")
    parser.add_argument("--widths", type=numbers, default=[512, 1024, 2048])
    parser.add_argument("--batches", type=numbers, default=[1, 64, 1024])
    parser.add_argument("--ghost-widths", type=numbers, default=[8, 32])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contestant in one round, about")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    rows = []
    for width in options.widths:
        for batch in options.batches:
            new = measure(options, width, batch)
            show(new, header=not rows)
            rows += new
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
