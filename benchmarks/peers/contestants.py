# ===- contestants.py - Phantom and its peers, as processes -----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Who takes part, and how each is started and asked."""
import json
import os
import re
import subprocess
import tempfile

import numpy as np

import peer  # finds the next two
import models
import safetensors

HERE = os.path.dirname(os.path.abspath(__file__))
# (framework, program, mode) of each strategy.
PEERS = {
    "phantom": [("torch", "phantom_torch.py", "eager"), ("torch", "phantom_torch.py", "compile"),
                *(("jax", "phantom_jax.py", mode) for mode in ("jit", "jit-single", "scan", "scan-single"))],
    "tensor": [*(("torch", "tensor_torch.py", mode)
                 for mode in ("manual", "manual-compile", "dtensor", "dtensor-compile")),
               *(("jax", "phantom_jax.py", mode) for mode in ("jit", "jit-single", "scan", "scan-single"))],
    "dense": [("torch", "tensor_torch.py", mode) for mode in ("dense", "dense-compile")],
}
OURS = {"phantom": ("phantom",), "tensor": ("tensor", "megatron"), "dense": ("dense",)}
# Freed memory stays with the process: gradients of many megabytes would else be mapped anew in every step.
ENVIRONMENT = {"torch": {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(1 << 40),
                         "TORCHINDUCTOR_COMPILE_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}, "jax": {}}


class Failed(Exception):
    """A contestant that cannot do what it was asked; the message is its own."""


def error_line(text, code):
    """The first exception of what a process printed: those of its other ranks follow from it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    exceptions = [line for line in lines if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return (exceptions or lines[-1:] or [f"no message, exit code {code}"])[0]


class Peer:
    """A process of a peer: losses of a check, or a server of step times."""

    def __init__(self, python, options, framework, program, mode):
        self.framework, self.mode, self.name = framework, mode, f"{framework} {mode}"
        self.command = [python, os.path.join(HERE, program), "--mode", mode, *peer.net_flags(options)]
        self.environment = os.environ | ENVIRONMENT[framework]
        self.process = None

    def losses(self, folder):
        run = subprocess.run([*self.command, "--check", folder], stdin=subprocess.DEVNULL, capture_output=True,
                             text=True, env=self.environment)
        if run.returncode:
            raise Failed(error_line(run.stderr, run.returncode))
        return json.loads(run.stdout)

    def start(self):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([*self.command, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True, env=self.environment)
        self._read()

    def step_seconds(self, count):
        try:
            self.process.stdin.write(f"{count}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # reading says why
        return json.loads(self._read())

    def stop(self):
        if self.process:
            try:
                self.process.communicate(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.communicate()
            self.errors.close()
            self.process = None

    def _read(self):
        line = self.process.stdout.readline()
        if line:
            return line
        code = self.process.wait()
        self.errors.seek(0)
        raise Failed(error_line(self.errors.read(), code))


class Ours:
    """phantom-run with a strategy, in a folder with the model of `save_model`."""

    framework = "ours"

    def __init__(self, tools_dir, options, strategy, folder):
        self.mode, self.name, self.folder = strategy, f"ours {strategy}", folder
        flags = ["--strategy", strategy, "--ranks", options.ranks]
        if strategy == "phantom":
            flags += ["--ghost-width", options.ghost_width]
        elif strategy == "dense":
            flags = ["--ranks", 1, "--threads-per-rank", options.ranks]
        command = [os.path.join(tools_dir, "phantom-run"), "train", "model.onnx", *flags, "--inputs", "x.npy",
                   "--targets", "t.npy", "--loss", "mse", "--optimizer", "sgd", "--learning-rate",
                   options.learning_rate, "--batch-size", options.batch, "--log", "log.jsonl"]
        self.command = [str(word) for word in command]

    def start(self):
        pass

    def stop(self):
        pass

    def losses(self, folder):
        return [record["loss"] for record in self._train(peer.CHECK_STEPS, "from-file=parameters.safetensors")]

    def step_seconds(self, count):
        """The first steps of a run are left out: the peers' processes do not start anew."""
        return [record["step_seconds"] for record in self._train(count + 2, "random")][2:]

    def _train(self, count, init):
        run = subprocess.run([*self.command, "--init", init, "--steps", str(count)], cwd=self.folder,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if run.returncode:
            raise Failed(error_line(run.stderr, run.returncode))
        with open(os.path.join(self.folder, "log.jsonl")) as file:
            return [record for record in map(json.loads, file) if "step_seconds" in record]


def save_model(folder, options):
    """The dense model, first parameters, inputs and targets of the options."""
    options.check = None
    parameters, x, t = peer.start(options)
    net = peer.network(options)
    net.phantom = frozenset()
    dense = net.random_parameters(np.random.default_rng(1), np.float32)
    models.save_mlp(os.path.join(folder, "model.onnx"), net, dense)
    safetensors.save(os.path.join(folder, "parameters.safetensors"), parameters)
    np.save(os.path.join(folder, "x.npy"), x)
    np.save(os.path.join(folder, "t.npy"), t)
