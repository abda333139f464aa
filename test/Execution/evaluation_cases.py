# ===- evaluation_cases.py - Held-out data while training -----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Evaluations while training say what an evaluation of the saved parameters says, and change nothing else."""
import json

import numpy as np

from checkpoint_cases import checkpoints, read
from error_cases import expect_error
from harness import check, prepared, strategy_flags, without_times
from reference import Network

ROWS, BATCH, HELD_OUT = 50, 8, 21  # the last batch of the held-out rows has five
NETWORK = Network([64, 64, 32, 16], "gelu", True, 2, 4, frozenset([2]))
EVALUATED = ["--eval-inputs", "xe.npy", "--eval-targets", "te.npy", "--eval-every", "4"]


def held_out(scratch, loss):
    rng = np.random.default_rng(11)
    scratch.save("xe.npy", rng.standard_normal((HELD_OUT, 64), np.float32))
    classes = loss == "cross-entropy"
    scratch.save("te.npy", rng.integers(0, 16, HELD_OUT) if classes else rng.standard_normal((HELD_OUT, 16), np.float32))


def command(strategy, loss, *more):
    return ["train", "model.onnx", *strategy_flags(NETWORK, strategy), "--loss", loss, "--batch-size", BATCH, "--optimizer", "adam",
            "--learning-rate", "0.003", "--seed", "3", "--quiet", "--inputs", "x.npy", "--targets", "t.npy", *more]


def evaluations(log):
    return {record["step"]: (record["eval_loss"], record.get("eval_accuracy")) for record in log if "eval_loss" in record}


def without_evaluations(log):
    return [{key: value for key, value in record.items() if not key.startswith("eval_")} for record in without_times(log)]


def summary(scratch, name="s.json"):
    with open(scratch.path(name)) as file:
        return json.load(file)


def changes_nothing(strategy, loss, *device):
    """The same bits with evaluations as without, and the numbers that `eval` has for the same parameters."""

    def run(options):
        with prepared(options, NETWORK, loss, batch=ROWS) as (scratch, *_):
            held_out(scratch, loss)
            train = command(strategy, loss, "--steps", "10", *device)
            scratch.run(*train, "--log", "plain.jsonl", "--save", "plain.safetensors")
            scratch.run(*train, *EVALUATED, "--log", "log.jsonl", "--save", "trained.safetensors", "--summary", "s.json")
            check(read(scratch, "plain.safetensors") == read(scratch, "trained.safetensors"), "the parameters differ")
            plain, log = scratch.log("plain.jsonl"), scratch.log()
            check(len(log) == 10 and without_times(plain) == without_evaluations(log), "the logs differ")
            found = evaluations(log)
            check(list(found) == [4, 8], f"evaluated after steps {list(found)}")
            check(all((accuracy is not None) == (loss == "cross-entropy") for _, accuracy in found.values()), f"{found}")
            for step, expected in found.items():
                one = command(strategy, loss, "--steps", step, *device, *EVALUATED[:4])
                scratch.run(*one, "--save", "part.safetensors", "--summary", "part.json")
                part = summary(scratch, "part.json")
                check((part["eval_loss"], part.get("eval_accuracy")) == expected, f"after {step} steps: {part}, not {expected}")
            whole = summary(scratch)
            check(whole["evaluations"] == 2 and whole["eval_rows"] == HELD_OUT, f"{whole}")
            check(whole["eval_loss"] != found[8][0], "the last evaluation is not of the last step")

    return run


def goes_on(options):
    """Evaluations and checkpoints at other steps, and a run in two parts: the log of one run."""
    with prepared(options, NETWORK, batch=ROWS) as (scratch, *_):
        held_out(scratch, "mse")
        train = command("phantom", "mse", *EVALUATED)
        scratch.run(*train, "--steps", "20", "--log", "whole.jsonl", "--save", "whole.safetensors")
        kept = ["--checkpoint-dir", "checkpoints", "--checkpoint-every", "3", "--log", "parts.jsonl"]
        scratch.run(*train, "--steps", "10", *kept)
        check(checkpoints(scratch) == ["step-000000006", "step-000000009", "step-000000010"], f"{checkpoints(scratch)}")
        scratch.run(*train, "--steps", "20", *kept, "--resume", "--save", "parts.safetensors", "--summary", "s.json")
        check(read(scratch, "whole.safetensors") == read(scratch, "parts.safetensors"), "the parameters differ")
        logs = [without_times(scratch.log(f"{name}.jsonl")) for name in ("whole", "parts")]
        check(list(evaluations(logs[0])) == [4, 8, 12, 16, 20], f"evaluated after {list(evaluations(logs[0]))}")
        check(logs[0] == logs[1], "the logs differ")
        check(summary(scratch)["evaluations"] == 5, f"{summary(scratch)}")


def target(options):
    """The run ends at the first evaluation that reaches the target, and says what that took; also one that went on."""
    with prepared(options, NETWORK, batch=ROWS) as (scratch, *_):
        held_out(scratch, "mse")
        train = command("phantom", "mse", *EVALUATED)
        scratch.run(*train, "--steps", "20", "--log", "whole.jsonl")
        whole = scratch.log("whole.jsonl")
        found = evaluations(whole)
        goal = sorted(loss for loss, _ in found.values())[2]
        first = next(step for step, (loss, _) in found.items() if loss <= goal)
        names = [f"{what}_to_target_eval_loss" for what in ("steps", "seconds", "comm_bytes", "model_energy_joules")]
        scratch.run(*train, "--steps", "20", "--log", "log.jsonl", "--target-eval-loss", repr(goal), "--summary", "s.json")
        check(without_times(scratch.log()) == without_times(whole)[:first], "the log is not the beginning of the whole one")
        reached = summary(scratch)
        check(reached["stop_reason"] == "target-eval-loss" and reached["steps"] == first, f"{reached}")
        check(reached["target_eval_loss"] == goal and reached["eval_loss"] <= goal, f"{reached}")
        expected = [first, reached["seconds"], sum(record["comm_bytes"] for record in whole[:first]),
                    reached["model_energy_joules"]]
        actual = [reached[name] for name in names]
        check(actual[0] == expected[0] and actual[2:] == expected[2:] and 0 < actual[1] <= expected[1], f"{actual}, not {expected}")
        check(abs(actual[3] - first * whole[0]["model_energy_joules"]) <= 1e-12 * actual[3], f"{actual[3]} J")
        # Stopped before, and gone on; and once more, from where it has stopped.
        kept = ["--checkpoint-dir", "checkpoints", "--target-eval-loss", repr(goal), "--summary", "parts.json"]
        scratch.run(*train, "--steps", first - 1, *kept)
        for _ in range(2):
            scratch.run(*train, "--steps", "20", *kept, "--resume")
            parts = summary(scratch, "parts.json")
            check(parts["stop_reason"] == "target-eval-loss", f"{parts}")
            check([parts[name] for name in names[::2]] == actual[::2], f"{parts}")
        # A target that is out of reach is a result, too.
        process = scratch.run(*train, "--steps", "8", "--target-eval-loss", "0", "--summary", "s.json")
        missed = summary(scratch)
        check(missed["stop_reason"] == "completed" and missed["steps"] == 8, f"{missed}")
        check(all(name in missed and missed[name] is None for name in (*names, "energy_joules_to_target_eval_loss")), f"{missed}")
        check("not reached" in process.stdout, process.stdout)


def refusals(options):
    with prepared(options, NETWORK, batch=ROWS) as (scratch, *_):
        held_out(scratch, "mse")
        train = command("phantom", "mse", "--steps", "5")
        expect_error(scratch, [*train, "--eval-every", "2"], "--eval-every", "--eval-inputs")
        expect_error(scratch, [*train, *EVALUATED[:4], "--target-eval-loss", "0.5"], "--target-eval-loss", "--eval-every")
        for every in ("0", "-1", "often"):
            expect_error(scratch, [*train, *EVALUATED[:4], "--eval-every", every], "--eval-every", every)
        expect_error(scratch, [*train, *EVALUATED, "--target-eval-loss", "low"], "--target-eval-loss", "not a number")
        scratch.save("xe.npy", np.zeros((HELD_OUT, 63), np.float32))
        expect_error(scratch, [*train, *EVALUATED, "--log", "log.jsonl"], "xe.npy", "63")
        scratch.save("xe.npy", np.full((HELD_OUT, 64), np.nan, np.float32))
        expect_error(scratch, [*train, *EVALUATED], "step 4", "held-out", "nan")


def cases(options):
    yield "evaluation/phantom", changes_nothing("phantom", "mse")
    yield "evaluation/tensor-classes", changes_nothing("tensor", "cross-entropy")
    yield "evaluation/sim", changes_nothing("phantom", "mse", "--device", "sim")
    yield "evaluation/goes-on", goes_on
    yield "evaluation/target", target
    yield "evaluation/refusals", refusals
