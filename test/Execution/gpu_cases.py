# ===- gpu_cases.py - The same programs on GPUs, as their double plays them -=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""--device sim trains as --device cpu does, in whatever order its streams run; what it finds wrong is an error."""
import json
import os
import re

import numpy as np

import safetensors
from harness import EXAMPLES, Scratch, check, check_close, losses, prepared, steps, strategy_flags, train_flags
from reference import Network
from step_cases import BATCH, flags_of, network_of, save_dropping

EXAMPLE_FLAGS = {
    "digits": ["--inputs", "train_images.npy", "--targets", "train_labels.npy", "--loss", "cross-entropy", "--batch-size", "16"],
    "teacher": ["--inputs", "train_inputs.npy", "--targets", "train_targets.npy", "--loss", "mse", "--batch-size", "16"],
}
STRATEGIES = {"phantom": ["--ghost-width", "2"], "tensor": [], "megatron": []}


def example_flags(name, strategy, ranks):
    folder = os.path.join(EXAMPLES, name)
    flags = [os.path.join(folder, flag) if flag.endswith(".npy") else flag for flag in EXAMPLE_FLAGS[name]]
    ghosts = STRATEGIES[strategy] if ranks > 1 else []
    return [os.path.join(folder, f"{name}.onnx"), "--strategy", strategy, "--ranks", ranks, *ghosts, *flags, "--learning-rate",
            "0.01", "--seed", "5", "--quiet"]


def as_on_cpu(name, strategy, ranks, *more):
    """Losses of each step, and the parameters in the end."""

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags(name, strategy, ranks)
            for device, extra in (("cpu", []), ("sim", more)):
                scratch.run("train", *flags, "--steps", 8, "--optimizer", "momentum", "--device", device, *extra, "--log",
                            f"{device}.jsonl", "--save", f"{device}.safetensors")
            check_close("losses", losses(scratch.log("sim.jsonl")), losses(scratch.log("cpu.jsonl")))
            want, got = (safetensors.load(scratch.path(f"{device}.safetensors")) for device in ("cpu", "sim"))
            check(sorted(want) == sorted(got), "other parameters")
            for tensor, value in want.items():
                if not tensor.endswith(".velocity"):
                    check_close(tensor, got[tensor], value)

    return run


def network_as_on_cpu(activation, optimizer, loss):
    """Every activation, optimizer and loss; outputs, losses and gradients."""

    def run(options):
        network = Network([16, 32, 32, 16], activation, True, 2, 4, frozenset([2]))
        with prepared(options, network, loss) as (scratch, *_):
            flags = strategy_flags(network, "phantom")
            for device in ("cpu", "sim"):
                scratch.run("train", "model.onnx", *flags, *train_flags(8, loss, optimizer, 0.01, 10), "--device", device,
                            "--log", f"{device}.jsonl", "--dump-gradients", f"{device}.safetensors")
                scratch.run("infer", "model.onnx", *flags, "--batch-size", 8, "--device", device, "--inputs", "x.npy",
                            "--outputs", f"{device}.npy")
            check_close("losses", losses(scratch.log("sim.jsonl")), losses(scratch.log("cpu.jsonl")))
            want, got = (safetensors.load(scratch.path(f"{device}.safetensors")) for device in ("cpu", "sim"))
            for tensor, value in want.items():
                check_close(f"gradient of {tensor}", got[tensor], value)

    return run


def schedules(name):
    """Whatever order the streams run in, the bits are the same."""

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags(name, "phantom", 4)
            contents = set()
            for seed in range(200 if options.full else 8):
                scratch.run("train", *flags, "--steps", 3, "--device", "sim", "--sim-seed", seed, "--save", "p.safetensors")
                with open(scratch.path("p.safetensors"), "rb") as file:
                    contents.add(file.read())
            check(len(contents) == 1, f"{len(contents)} different results")

    return run


def step_as_on_cpu(strategy, parts):
    """Clipping, accumulation, groups, label smoothing and dropout."""

    def run(options):
        network = network_of(strategy, 4)
        with prepared(options, network, "cross-entropy", batch=BATCH) as (scratch, *_):
            save_dropping(scratch.path("model.onnx"), network,
                          network_of("tensor", 4).random_parameters(np.random.default_rng(1), np.float32))
            largest = 0.5 if strategy == "phantom" else 0.72
            flags = [*flags_of(network, strategy), "--clip-norm", largest, "--accumulate", parts, "--label-smoothing", 0.1,
                     "--weight-decays", "*=0.1,*.bias=0", "--learning-rate-factors", "fc2.*=0.5"]
            for device in ("cpu", "sim"):
                scratch.run("train", "model.onnx", *flags, *train_flags(BATCH, "cross-entropy", "momentum", 0.05, 10),
                            "--device", device, "--log", f"{device}.jsonl")
            cpu, sim = (steps(scratch.log(f"{device}.jsonl")) for device in ("cpu", "sim"))
            for value in ("loss", "grad_norm"):
                check_close(value, [record[value] for record in sim], [record[value] for record in cpu])
            norms = [record["grad_norm"] for record in cpu]
            check(min(norms) < largest < max(norms), f"norms from {min(norms)} to {max(norms)}: all on one side")

    return run


def measured_kernels(name, strategy, *more):
    """--autotune takes the kernels that the double says are the fastest, on all ranks, and in each run."""

    def run(options):
        with Scratch(options) as scratch:
            flags = [*example_flags(name, strategy, 4), "--steps", 8, "--device", "sim", *more]
            summaries, contents = [], []
            for i, tuned in enumerate(([], ["--autotune", "--remarks"], ["--autotune", "--sim-seed", 7])):
                process = scratch.run("train", *flags, *tuned, "--log", f"{i}.jsonl", "--summary", f"{i}.json", "--save",
                                      f"{i}.safetensors")
                remarks = [line for line in process.stderr.splitlines() if line.startswith("remark: GEMM ")]
                check(bool(remarks) == ("--remarks" in tuned), f"{len(remarks)} remarks about GEMMs")
                for line in remarks:
                    check("number 2 of 3 kernels is the fastest, with " in line and "2.00 times as fast as the first" in line, line)
                with open(scratch.path(f"{i}.json")) as file:
                    summaries.append(json.load(file)["gemm_kernels_hash"])
                with open(scratch.path(f"{i}.safetensors"), "rb") as file:
                    contents.append(file.read())
            first, tuned = (losses(scratch.log(f"{i}.jsonl")) for i in (0, 1))
            check_close("losses", tuned, first)
            check(summaries[0] != summaries[1] == summaries[2], f"hashes {summaries}")
            check(contents[0] != contents[1], "other kernels, and the same bits")
            check(contents[1] == contents[2], "the same kernels, and other bits")

    return run


def rows_ahead(strategy, parts, communicator):
    """Rows that are copied while the GPUs work are those of the next step, also behind checkpoints, evaluations and epochs."""

    def run(options):
        with Scratch(options) as scratch:
            flags = example_flags("digits", strategy, 4)
            flags[flags.index("--batch-size") + 1] = 256
            held_out = [os.path.join(EXAMPLES, "digits", file) for file in ("test_images.npy", "test_labels.npy")]
            flags += ["--accumulate", parts, "--steps", 15, "--eval-inputs", held_out[0], "--eval-targets", held_out[1], "--eval-every", 4,
                      "--checkpoint-every", 3, "--checkpoint-dir"]
            for device, more in (("cpu", []), ("sim", ["--communicator", communicator])):
                scratch.run("train", *flags, device, "--device", device, *more, "--log", f"{device}.jsonl")
            want, got = (scratch.log(f"{device}.jsonl") for device in ("cpu", "sim"))
            check_close("losses", losses(got), losses(want))

    return run


def gradient_epilogues(activation, strategy, shared=(), simulated=()):
    """GEMMs that multiply by slopes make the losses and parameters that kernels make."""

    def run(options):
        network = Network([32] * 4, activation, True, 4, 2, frozenset([1, 2, 3] if strategy == "phantom" else []))
        with prepared(options, network, "mse", batch=8) as (scratch, *_):
            flags = [*flags_of(network, strategy), *train_flags(8, "mse", "sgd", 0.01, 10), *shared]
            for name, device in (("cpu", []), ("sim", ["--gradient-epilogues", "--remarks", *simulated])):
                process = scratch.run("train", "model.onnx", *flags, "--device", name, *device, "--log", f"{name}.jsonl",
                                      "--save", f"{name}.safetensors")
            fused = re.findall(r"@train_step: fused (\d+) slopes and (\d+) bias gradients", process.stderr)
            check(len(fused) == 1 and int(fused[0][0]) and int(fused[0][1]), f"fused {fused} slopes and bias gradients")
            check_close("losses", losses(scratch.log("sim.jsonl")), losses(scratch.log("cpu.jsonl")))
            want, got = (safetensors.load(scratch.path(f"{name}.safetensors")) for name in ("cpu", "sim"))
            for tensor, value in want.items():
                check_close(tensor, got[tensor], value)

    return run


def cases(options):
    for activation in ("relu", "gelu_tanh"):
        for strategy in ("phantom", "megatron"):
            yield f"gpu/{activation}-{strategy}-gradient-epilogues", gradient_epilogues(activation, strategy)
    yield "gpu/relu-bf16-gradient-epilogues", gradient_epilogues("relu", "phantom", ["--precision", "bf16"])
    yield "gpu/gelu_tanh-loopback-gradient-epilogues", gradient_epilogues("gelu_tanh", "phantom", [], ["--communicator", "loopback"])
    for name in EXAMPLE_FLAGS:
        for strategy in ("phantom", "tensor"):
            yield f"gpu/{name}-{strategy}-autotune", measured_kernels(name, strategy)
    yield "gpu/digits-loopback-autotune", measured_kernels("digits", "phantom", "--communicator", "loopback")
    for strategy, parts, communicator in (("phantom", 1, "sim"), ("tensor", 2, "loopback")):
        yield f"gpu/rows-ahead-{strategy}-{parts}", rows_ahead(strategy, parts, communicator)
    for strategy in STRATEGIES:
        for parts in (1, 2):
            yield f"gpu/step-{strategy}-{parts}", step_as_on_cpu(strategy, parts)
    for name in EXAMPLE_FLAGS:
        for ranks in (1, 2, 4, 8):
            for strategy in STRATEGIES if ranks > 1 else ["phantom"]:
                yield f"gpu/{name}-{strategy}-p{ranks}", as_on_cpu(name, strategy, ranks)
        yield f"gpu/{name}-loopback", as_on_cpu(name, "phantom", 4, "--communicator", "loopback")
        yield f"gpu/{name}-schedules", schedules(name)
    optimizers = ["sgd", "momentum", "adam", "adamw"]
    for i, activation in enumerate(("relu", "gelu", "gelu_tanh", "silu", "tanh", "sigmoid")):
        yield f"gpu/{activation}-{optimizers[i % 4]}", network_as_on_cpu(activation, optimizers[i % 4], ("mse", "bce", "cross-entropy")[i % 3])
