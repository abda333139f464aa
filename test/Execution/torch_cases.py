# ===- torch_cases.py - Loss curves beside PyTorch ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""200 steps from one initial state, on shuffled batches of several epochs. Only with run.py --with-torch."""
import atexit
import itertools
import json
import os
import queue
import subprocess
import tempfile

import numpy as np

import philox
from harness import check, check_close, losses, prepared, steps, train_flags
from step_cases import flags_of, network_of

ORACLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_oracle.py")
STEPS, ROWS, BATCH, SEED = 200, 96, 32, 3
RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 0.003, "adamw": 0.003}
SCHEDULES = {"constant": 0.0, "linear": 0.1, "cosine": 0.05, "wsd": 0.1}  # with these warm-ups
TOLERANCE = 1e-4


class Oracle:
    """A process of PyTorch, which answers one job after the other."""

    def __init__(self, python):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([python, ORACLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, text=True)
        atexit.register(self.process.communicate)

    def answer(self, job):
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended, and so has no answer
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        self.errors.seek(0)
        return {"error": self.errors.read()}


IDLE = queue.SimpleQueue()  # oracles that no case is asking now


def ask_oracle(python, job):
    """PyTorch takes longer to start than a case, so that cases that run one after the other ask one process."""
    try:
        oracle = IDLE.get_nowait()
    except queue.Empty:
        oracle = Oracle(python)
    answer = oracle.answer(job)
    if "error" in answer:
        oracle.process.kill()
    check("error" not in answer, f"the oracle failed: {answer.get('error', '')[-2000:]}")
    IDLE.put(oracle)
    return answer


def orders():
    batches = ROWS // BATCH
    epochs = [philox.permutation(ROWS, SEED, epoch) for epoch in range(-(-STEPS // batches))]
    return np.concatenate([rows[:batches * BATCH].reshape(batches, BATCH) for rows in epochs])[:STEPS]


def curve(strategy, ranks, loss, kind, schedule, clipped, parts, smoothing=0.0):
    """`clipped`: by the median of the norms without clipping, so that some steps are, and others not."""
    decay = 0.0 if kind == "sgd" else 0.01

    def run(options):
        network = network_of(strategy, ranks)
        with prepared(options, network, loss, batch=ROWS) as (scratch, parameters, x, t):
            np.savez(scratch.path("parameters.npz"), **parameters)
            np.savez(scratch.path("data.npz"), x=x, t=t, order=orders())
            flags = [*flags_of(network, strategy), "--accumulate", parts, "--schedule", schedule, "--warmup",
                     SCHEDULES[schedule], "--weight-decay", decay, "--seed", SEED, "--label-smoothing", smoothing,
                     *train_flags(BATCH, loss, kind, RATES[kind], STEPS)]
            clip = 0
            if clipped:
                scratch.run("train", "model.onnx", *flags)
                clip = float(f"{np.median([record['grad_norm'] for record in steps(scratch.log())]):.3g}")
            job = {"parameters": scratch.path("parameters.npz"), "data": scratch.path("data.npz"), "loss": loss,
                   "optimizer": kind, "learning_rate": RATES[kind], "weight_decay": decay, "schedule": schedule,
                   "warmup": SCHEDULES[schedule], "clip_norm": clip, "accumulate": parts, "label_smoothing": smoothing,
                   "steps": STEPS}
            scratch.run("train", "model.onnx", *flags, "--clip-norm", clip)
            expected, log = ask_oracle(options.torch, job), steps(scratch.log())
            check_close("losses", losses(log), expected["losses"], TOLERANCE)
            check_close("norms", [record["grad_norm"] for record in log], expected["norms"], TOLERANCE)
            if clip:
                norms = expected["norms"]
                check(min(norms) < clip < max(norms), f"norms from {min(norms)} to {max(norms)}: all on one side")

    return run


def cases(options):
    if not options.torch:
        return
    for kind, schedule, clipped, parts in itertools.product(RATES, SCHEDULES, (False, True), (1, 4)):
        name = f"{kind}-{schedule}{'-clipped' if clipped else ''}{'-accumulated' if parts > 1 else ''}"
        yield f"torch/phantom-p4-{name}", curve("phantom", 4, "mse", kind, schedule, clipped, parts)
    for strategy, ranks, kind in itertools.product(("tensor", "megatron"), (1, 2, 4), RATES):
        yield f"torch/{strategy}-p{ranks}-{kind}", curve(strategy, ranks, "cross-entropy", kind, "cosine", False, 2)
        yield (f"torch/{strategy}-p{ranks}-{kind}-smoothed",
               curve(strategy, ranks, "cross-entropy", kind, "constant", False, 1, 0.1))
