# ===- step_time.py - Step times of the strategies, side by side ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/step_time, which documents the options."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper

RANKS, DEPTH = 2, 4
PEAK = 2e11  # flop/s of a rank: only to choose how many steps a round takes


def save_model(folder, width):
    """DEPTH square layers with relu between. The weights are a file of zeros without blocks on the disk: every
    contestant starts from random ones."""
    nodes, weights, value = [], [], "x"
    for i in range(1, DEPTH + 1):
        weight = TensorProto(name=f"fc{i}.weight", data_type=TensorProto.FLOAT, dims=[width, width],
                             data_location=TensorProto.EXTERNAL)
        for key, text in (("location", "weights.bin"), ("offset", "0"), ("length", str(4 * width * width))):
            weight.external_data.add(key=key, value=text)
        bias = helper.make_tensor(f"fc{i}.bias", TensorProto.FLOAT, [width], np.zeros(width, np.float32).tobytes(), raw=True)
        weights += [weight, bias]
        result = "y" if i == DEPTH else f"z{i}"
        nodes.append(helper.make_node("Gemm", [value, weight.name, bias.name], [result], name=f"/fc{i}/Gemm", transB=1))
        if i < DEPTH:
            nodes.append(helper.make_node("Relu", [result], [f"y{i}"], name=f"/act{i}/Relu"))
            value = f"y{i}"
    shaped = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(nodes, "square", [shaped("x")], [shaped("y")], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              os.path.join(folder, "model.onnx"))
    with open(os.path.join(folder, "weights.bin"), "wb") as file:
        file.truncate(4 * width * width)


def dense_gemms(batch, n_in, n_out, input_gradient):
    """(M, N, K, transA, transB) of one rank's part n_in -> n_out: forward, weight gradient, input gradient."""
    return [(batch, n_out, n_in, 0, 1), (n_out, n_in, batch, 1, 0)] + [(batch, n_in, n_out, 0, 0)] * input_gradient


def phantom_gemms(batch, m, k, input_gradient):
    """L, C and D forward; their gradients; the way back through each (a phantom layer's backward)."""
    gathered = RANKS * k
    ghosts = [(k, batch, m, 0, 1), (batch, m, gathered, 1, 0),  # compress, decompress
              (gathered, m, batch, 0, 0), (gathered, batch, m, 0, 1),  # gradient of D, back through D
              (k, m, batch, 0, 0)]  # gradient of C
    return dense_gemms(batch, m, m, input_gradient) + ghosts + [(batch, m, k, 1, 0)] * input_gradient


def gemms(strategy, batch, width, k):
    """One rank's step."""
    m = width // RANKS
    if strategy == "phantom":
        return [g for i in range(DEPTH) for g in phantom_gemms(batch, m, k, input_gradient=i > 0)]
    columns, rows = (batch, width, m), (batch, m, width)  # of a dense layer, and the partial products of one
    layers = [columns] * (DEPTH - 1) + [rows] if strategy == "tensor" else [columns, rows] * (DEPTH // 2)
    return [g for i, layer in enumerate(layers) for g in dense_gemms(*layer, input_gradient=i > 0)]


def flops(shapes):
    return sum(2 * m * n * k for m, n, k, _, _ in shapes)


def step_seconds(options, folder, strategy, batch, k, count):
    flags = []
    if strategy == "phantom":
        flags = ["--ghost-width", str(k), "--first-layer", "phantom", "--last-layer", "phantom"]
    command = [os.path.join(options.tools_dir, "phantom-run"), "train", "model.onnx", "--strategy", strategy, "--ranks",
               str(RANKS), *flags, "--init", "random", "--inputs", f"x{batch}.npy", "--targets", f"x{batch}.npy", "--loss",
               "mse", "--optimizer", "sgd", "--learning-rate", "0.001", "--batch-size", str(batch), "--steps",
               str(count + 2), "--log", "log.jsonl"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"step_time: {' '.join(command)} failed:\n{run.stderr}")
    with open(os.path.join(folder, "log.jsonl")) as file:
        records = [json.loads(line) for line in file]
    return [record["step_seconds"] for record in records if "step_seconds" in record][2:]


def bare_seconds(options, shapes):
    lines = "\n".join(" ".join(map(str, shape)) for shape in shapes)
    run = subprocess.run([os.path.join(options.tools_dir, "bare_gemm"), str(RANKS), str(options.seconds)], input=lines,
                         capture_output=True, text=True, check=True)
    return float(run.stdout)


def measure(options, folder, width, batch):
    """Rows of one width and batch. The contestants take turns, so that a slow minute hits all of them."""
    contestants = [("phantom", k) for k in options.ghost_widths] + [("tensor", None), ("megatron", None)]
    shapes = {c: gemms(c[0], batch, width, c[1]) for c in contestants}
    steps, bare = {c: [] for c in contestants}, {c: [] for c in contestants}
    for _ in range(options.rounds):
        for c in contestants:
            count = int(min(2000, max(4, options.seconds * PEAK / flops(shapes[c]))))
            steps[c] += step_seconds(options, folder, c[0], batch, c[1], count)
            bare[c].append(bare_seconds(options, shapes[c]))
    tensor = statistics.median(steps[("tensor", None)])
    rows = []
    for c in contestants:
        step, floor = statistics.median(steps[c]), statistics.median(bare[c])
        rows.append(dict(n=width, B=batch, strategy=c[0], k=c[1], step_seconds=step, bare_gemm_seconds=floor,
                         gemm_flops=flops(shapes[c]), steps=len(steps[c]), over_bare=step / floor,
                         tensor_over_this=tensor / step))
    return rows


def show(rows, header):
    if header:
        print(f"{'n':>5} {'B':>4}  {'strategy':<13} {'step':>10} {'bare GEMMs':>10}  {'step/bare':>9}  {'tensor/step':>11}")
    for row in rows:
        name = row["strategy"] if row["k"] is None else f"{row['strategy']} k={row['k']}"
        print(f"{row['n']:>5} {row['B']:>4}  {name:<13} {1e3 * row['step_seconds']:>7.3f} ms "
              f"{1e3 * row['bare_gemm_seconds']:>7.3f} ms  {row['over_bare']:>9.2f}  {row['tensor_over_this']:>11.2f}",
              flush=True)


def main():
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--widths", type=numbers, default=[512, 1024, 2048, 4096])
    parser.add_argument("--batches", type=numbers, default=[64, 256])
    parser.add_argument("--ghost-widths", type=numbers, default=[8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contestant in one round, about")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    options.tools_dir = os.path.abspath(options.tools_dir)
    rows = []
    for width in options.widths:
        with tempfile.TemporaryDirectory(prefix="phantom-bench-") as folder:
            save_model(folder, width)
            for batch in options.batches:
                x = np.random.default_rng(0).standard_normal((batch, width)).astype(np.float32)
                np.save(os.path.join(folder, f"x{batch}.npy"), x)
                new = measure(options, folder, width, batch)
                show(new, header=not rows)
                rows += new
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
