# ===- harness.py - Run phantom-run and compare -------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile

import numpy as np

import conformance
import models
import reference
import safetensors

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "examples")
TOLERANCE = 1e-5  # max |a - b| <= TOLERANCE * max |reference|, per tensor
TIMES = ("samples_per_second", "step_seconds", "comm_seconds", "comm_skew_seconds", "energy_joules", "energy_reason",
         "model_energy_joules")


class Failure(Exception):
    """A test that did not hold; the message says what."""


class Skip(Exception):
    """A test that cannot run here; the message says why."""


@dataclasses.dataclass
class Options:
    tools_dir: str
    sanitize: str = ""
    full: bool = False
    onnxruntime: str = ""  # a Python that has it
    torch: str = ""  # likewise
    device: str = "cpu"
    communicator: str = "threads"
    gpus: int = 0  # of this machine; a rank takes one, but for loopback


def check(condition, message):
    if not condition:
        raise Failure(message)


def check_close(what, actual, expected, tolerance=TOLERANCE):
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    check(actual.shape == expected.shape, f"{what}: shape {actual.shape}, expected {expected.shape}")
    if not expected.size:
        return
    error, scale = np.max(np.abs(actual - expected)), np.max(np.abs(expected))
    check(error <= tolerance * scale, f"{what}: max error {error:.3g}, reference up to {scale:.3g}")


class Scratch:
    """A temporary folder, and the tools run in it; `matmul`: its model has MatMul nodes, not Gemm."""

    def __init__(self, options, matmul=False):
        self.options, self.matmul = options, matmul
        self.folder = tempfile.mkdtemp(prefix="phantom-test-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def as_stored(self, tensors):
        """Dense weights of MatMul nodes are [n_in, n_out], in files too; this goes either way."""
        turned = lambda name: self.matmul and name.endswith(".weight")
        return {name: value.T if turned(name) else value for name, value in tensors.items()}

    def path(self, name):
        return os.path.join(self.folder, name)

    def save(self, name, value):
        np.save(self.path(name), value)
        return self.path(name)

    def tool(self, name, *arguments, timeout=None, environment=None):
        """Runs a tool, with some variables more in its environment; returns the finished process."""
        command = [os.path.join(self.options.tools_dir, name), *map(str, arguments)]
        timeout = timeout or (600 if self.options.sanitize else 120)
        try:
            return subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=timeout, env={**os.environ, **(environment or {})})
        except subprocess.TimeoutExpired:
            raise Failure(f"no end after {timeout} s: {' '.join(command)}")

    def run(self, *arguments):
        """phantom-run, which must succeed, on the device of the tests. Several run at once, so they are not bound to cores."""
        if self.options.device != "cpu":
            arguments, reason = conformance.on_device(self.options, arguments)
            if reason:
                raise Skip(reason)
        process = self.tool("phantom-run", *arguments, "--bind", "none")
        check(process.returncode == 0, f"phantom-run {' '.join(map(str, arguments))}\n  exit {process.returncode}: "
              f"{process.stderr.strip()[-2000:]}")
        return process

    def log(self, name="log.jsonl"):
        with open(self.path(name)) as file:
            return [json.loads(line) for line in file]


def steps(log):
    """The step records of a log; others have no loss and step."""
    return [record for record in log if "step" in record and "loss" in record]


def losses(log):
    return [record["loss"] for record in steps(log)]


def without_times(log):
    return [{key: value for key, value in record.items() if key not in TIMES} for record in log]


def data(rng, network, batch, loss):
    """Inputs and targets; one batch is the whole set, so that its order does not matter."""
    x = rng.standard_normal((batch, network.widths[0])).astype(np.float32)
    if loss == "cross-entropy":
        return x, rng.integers(0, network.widths[-1], batch)
    if loss == "bce":
        return x, rng.integers(0, 2, (batch, network.widths[-1])).astype(np.float32)
    return x, rng.standard_normal((batch, network.widths[-1])).astype(np.float32)


def strategy_flags(network, strategy):
    flags = ["--strategy", strategy, "--ranks", network.ranks]
    return flags + (["--ghost-width", network.ghost_width] if strategy == "phantom" else [])


@contextlib.contextmanager
def prepared(options, network, loss="mse", batch=8, seed=0, matmul=False):
    """A scratch folder with model.onnx, parameters.safetensors, x.npy, t.npy; yields (scratch, parameters, x, t)."""
    rng = np.random.default_rng(seed)
    dense = dataclasses.replace(network, phantom=frozenset())
    parameters = network.random_parameters(rng, np.float32)
    x, t = data(rng, network, batch, loss)
    with Scratch(options, matmul) as scratch:
        models.save_mlp(scratch.path("model.onnx"), dense, dense.random_parameters(rng, np.float32), matmul)
        safetensors.save(scratch.path("parameters.safetensors"), scratch.as_stored(parameters))
        scratch.save("x.npy", x)
        scratch.save("t.npy", t)
        yield scratch, parameters, x, t


def double(tensors):
    return {name: value.astype(np.float64) for name, value in tensors.items()}


def train_flags(batch, loss, optimizer="sgd", learning_rate=0.05, count=20):
    return ["--inputs", "x.npy", "--targets", "t.npy", "--loss", loss, "--optimizer", optimizer, "--learning-rate",
            learning_rate, "--batch-size", batch, "--steps", count, "--log", "log.jsonl"]


def reference_losses(network, parameters, x, t, loss, optimizer, count=20):
    """Losses of `count` steps; updates `parameters`."""
    result = []
    for _ in range(count):
        value, gradients = network.loss_and_gradients(parameters, x, t, loss)
        result.append(value)
        optimizer.update(parameters, gradients)
    return result


def check_training(scratch, network, parameters, x, t, loss, flags, learning_rate=0.05):
    """Outputs, the gradients at the first values and 20 SGD losses against the reference."""
    batch, x = len(x), x.astype(np.float64)
    parameters = double(parameters)
    scratch.run("infer", "model.onnx", *flags, "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", batch)
    check_close("outputs", np.load(scratch.path("y.npy")), network.forward(parameters, x)[0])
    scratch.run("train", "model.onnx", *flags, *train_flags(batch, loss, learning_rate=learning_rate),
                "--dump-gradients", "g.safetensors")
    actual = scratch.as_stored(safetensors.load(scratch.path("g.safetensors")))
    expected = network.loss_and_gradients(parameters, x, t, loss)[1]
    check(sorted(actual) == sorted(expected), f"gradients of {sorted(actual)}, expected {sorted(expected)}")
    for name, value in expected.items():
        check_close(f"gradient of {name}", actual[name], value)
    expected = reference_losses(network, parameters, x, t, loss, reference.Optimizer("sgd", learning_rate))
    check_close("losses", losses(scratch.log()), expected)
