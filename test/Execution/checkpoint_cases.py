# ===- checkpoint_cases.py - Runs that stop and go on -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""A run that goes on from a checkpoint ends with the bits of one that did not stop; bad checkpoints are refused."""
import contextlib
import os
import random
import shutil
import signal
import subprocess
import time

import safetensors
from error_cases import expect_error
from harness import check, prepared, strategy_flags, without_times
from reference import Network

BATCH, ROWS = 8, 50  # six batches an epoch, so that the runs below cross epochs
KILLS = 50


@contextlib.contextmanager
def compiled(options, strategy="phantom", ranks=2, optimizer="sgd", *flags):
    """A scratch folder with `compiled`, and the flags to train it."""
    network = Network([64, 64, 32, 64], "gelu", True, ranks, 4, frozenset([2]) if ranks > 1 else frozenset())
    with prepared(options, network, "mse", batch=ROWS) as (scratch, *_):
        process = scratch.tool("phantom-run", "compile", "model.onnx", *strategy_flags(network, strategy), "--loss", "mse",
                               "--optimizer", optimizer, "--batch-size", BATCH, "--commands", "train", "-o", "compiled",
                               *flags)
        check(process.returncode == 0, process.stderr)
        yield scratch, ["train", "compiled", "--inputs", "x.npy", "--targets", "t.npy", "--learning-rate", "0.01", "--seed",
                        "3", "--quiet"]


def read(scratch, name):
    with open(scratch.path(name), "rb") as file:
        return file.read()


def checkpoints(scratch, folder="checkpoints"):
    return sorted(os.listdir(scratch.path(folder)))


def goes_on(strategy, ranks, optimizer, *schedule, compilation=()):
    """2k steps in one go, and in two runs, the second of which writes a checkpoint now and then."""

    def run(options):
        with compiled(options, strategy, ranks, optimizer, *compilation) as (scratch, train):
            scratch.run(*train, *schedule, "--steps", "20", "--log", "whole.jsonl", "--save", "whole.safetensors")
            kept = ["--checkpoint-dir", "checkpoints", "--checkpoint-every", "4", "--log", "parts.jsonl"]
            if schedule:  # the rate depends on the last step: the run is stopped, not given fewer steps
                scratch.run(*train, *schedule, "--steps", "20", *kept)
                for name in checkpoints(scratch)[1:]:
                    shutil.rmtree(scratch.path(f"checkpoints/{name}"))
            else:
                scratch.run(*train, "--steps", "10", *kept)
            scratch.run(*train, *schedule, "--steps", "20", *kept, "--resume", "--save", "parts.safetensors")
            check(read(scratch, "whole.safetensors") == read(scratch, "parts.safetensors"), "the parameters differ")
            logs = [without_times(scratch.log(f"{name}.jsonl")) for name in ("whole", "parts")]
            check(len(logs[0]) == 20 and logs[0] == logs[1], "the logs differ")
            check(checkpoints(scratch) == ["step-000000012", "step-000000016", "step-000000020"],
                  f"the folder has {checkpoints(scratch)}")

    return run


def refusals(options):
    """What a run cannot go on from is named, and nothing is changed."""
    with compiled(options) as (scratch, train):
        kept = ["--checkpoint-dir", "checkpoints"]
        expect_error(scratch, [*train, "--steps", "5", "--resume"], "--resume needs --checkpoint-dir")
        scratch.run(*train, "--steps", "5", *kept, "--resume")  # there is none yet: from the start
        more = [*train, "--steps", "9", *kept]
        expect_error(scratch, more, "has checkpoints, the newest of step 5", "--resume")
        expect_error(scratch, [*more, "--resume", "--seed", "4"], "--seed is 4", "was made with 3")
        expect_error(scratch, [*more, "--resume", "--learning-rate", "1"], "--learning-rate is 1", "0.01")
        expect_error(scratch, [*train, "--steps", "4", *kept, "--resume"], "of step 5", "behind the last one, 4")
        again = ["train", "model.onnx", *train[2:], "--loss", "mse", "--batch-size", BATCH, *kept, "--steps", "9", "--resume"]
        expect_error(scratch, [*again, "--ranks", "4", "--ghost-width", "4"], "ranks: 2", "this run 4", "--save model.onnx")
        expect_error(scratch, [*again, "--ranks", "2", "--ghost-width", "2"], "ghost width 4", "this run 2")
        expect_error(scratch, [*again, "--ranks", "2", "--strategy", "tensor"], "the strategy phantom", "tensor")
        check(checkpoints(scratch) == ["step-000000005"], f"the folder has {checkpoints(scratch)}")


def damage(options):
    """A file that is cut, changed or missing."""
    with compiled(options) as (scratch, train):
        scratch.run(*train, "--steps", "5", "--checkpoint-dir", "checkpoints")
        folder = "checkpoints/step-000000005"
        for name in sorted(os.listdir(scratch.path(folder))):
            content = read(scratch, f"{folder}/{name}")
            middle = len(content) // 2
            for bad in (content[:middle], content[:middle] + b"?" + content[middle + 1:], None):
                if bad is None:
                    os.remove(scratch.path(f"{folder}/{name}"))
                else:
                    with open(scratch.path(f"{folder}/{name}"), "wb") as file:
                        file.write(bad)
                expect_error(scratch, [*train, "--steps", "9", "--checkpoint-dir", "checkpoints", "--resume"], folder)
            with open(scratch.path(f"{folder}/{name}"), "wb") as file:
                file.write(content)
        scratch.run(*train, "--steps", "9", "--checkpoint-dir", "checkpoints", "--resume")


def kills(options):
    """SIGKILL at random moments, again and again: the run always goes on, and ends as one that was never killed."""
    with compiled(options) as (scratch, train):
        scratch.run(*train, "--steps", "2000", "--save", "whole.safetensors")
        tool = os.path.join(options.tools_dir, "phantom-run")
        command = [tool, *train, "--steps", "2000", "--checkpoint-dir", "checkpoints", "--checkpoint-every", "2",
                   "--resume", "--bind", "none"]
        chance = random.Random(7)
        reached = 0
        for kill in range(KILLS):
            process = subprocess.Popen(command, cwd=scratch.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(chance.uniform(0.05, 0.4))
            process.send_signal(signal.SIGKILL)
            error = process.communicate()[1].decode()
            check(process.returncode in (0, -signal.SIGKILL), f"after {kill} kills: {error}")
            there = [name for name in checkpoints(scratch) if name.count(".") == 0] if os.path.isdir(
                scratch.path("checkpoints")) else []
            newest = max((int(name[5:]) for name in there), default=0)
            check(newest >= reached, f"after {kill} kills: step {newest}, but step {reached} was there before")
            reached = newest
        check(reached > 0, "no checkpoint was ever written")
        scratch.run(*train, "--steps", "2000", "--checkpoint-dir", "checkpoints", "--resume", "--save", "killed.safetensors")
        check(read(scratch, "whole.safetensors") == read(scratch, "killed.safetensors"), "the parameters differ")
        check(len(checkpoints(scratch)) == 3, f"the folder has {checkpoints(scratch)}")


def stopped(options):
    """SIGINT writes a checkpoint, too."""
    with compiled(options) as (scratch, train):
        tool = os.path.join(options.tools_dir, "phantom-run")
        process = subprocess.Popen([tool, *train, "--bind", "none", "--steps", "1000000", "--checkpoint-dir", "checkpoints",
                                    "--log", "log"],
                                   cwd=scratch.folder, stdout=subprocess.DEVNULL)
        while not os.path.exists(scratch.path("log")) or os.path.getsize(scratch.path("log")) == 0:
            time.sleep(0.01)
            check(process.poll() is None, "the run has ended")
        process.send_signal(signal.SIGINT)
        check(process.wait(60) == 130, f"exit status {process.returncode}")
        [name] = checkpoints(scratch)
        steps = int(name[5:])
        check(steps == len(scratch.log("log")), f"{name}, but {len(scratch.log('log'))} lines in the log")
        tensors = safetensors.load(scratch.path(f"checkpoints/{name}/rank-1.safetensors"))
        check("fc1.local" in tensors or len(tensors) > 0, "the second rank's file is empty")


def cases(options):
    optimizers = ("sgd", "momentum", "adam", "adamw")
    for optimizer in optimizers:
        for strategy, ranks in (("phantom", 1), ("phantom", 4), ("tensor", 4)):
            yield f"checkpoint/{optimizer}-{strategy}-p{ranks}", goes_on(strategy, ranks, optimizer)
    for schedule in ("linear", "cosine", "wsd"):
        yield f"checkpoint/{schedule}", goes_on("phantom", 2, "adam", "--schedule", schedule, "--warmup", "0.1")
    for name, more in (("int8", []), ("int8-accumulated", ["--accumulate", "2"])):
        yield f"checkpoint/{name}", goes_on("phantom", 4, "adam", compilation=["--exchange-encoding", "int8", *more])
    yield "checkpoint/refusals", refusals
    yield "checkpoint/damage", damage
    yield "checkpoint/stopped", stopped
    if not options.sanitize:
        yield "checkpoint/kills", kills
