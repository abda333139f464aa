# ===- compiled_cases.py - Models compiled ahead of time -----------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""A compiled folder does what the model itself does, to the last bit, and says so where it cannot."""
import contextlib
import json
import os
import re

from error_cases import expect_error
from harness import check, losses, prepared, strategy_flags, train_flags, without_times
from reference import Network

BATCH, ROWS = 16, 50


def same_bytes(scratch, *names):
    contents = []
    for name in names:
        with open(scratch.path(name), "rb") as file:
            contents.append(file.read())
    check(len(contents[0]) > 0 and contents[0] == contents[1], f"{names[0]} and {names[1]} differ")


def text(scratch, name):
    with open(scratch.path(name), "rb") as file:
        return file.read()


def same_bits(strategy, ranks, loss, optimizer, extra=()):
    """train, eval and infer of the model and of the folder; all files they write, and what they print."""

    def run(options):
        network = Network([64, 64, 32, 64], "gelu", True, ranks, 4, frozenset([2]))
        with prepared(options, network, loss, batch=ROWS) as (scratch, *_):
            compiling = [*strategy_flags(network, strategy), "--loss", loss, "--batch-size", BATCH, *extra]
            process = scratch.tool("phantom-run", "compile", "model.onnx", *compiling, "--optimizer", optimizer,
                                   "-o", "compiled")
            check(process.returncode == 0 and not process.stdout, process.stderr)
            files = sorted(os.listdir(scratch.path("compiled")))
            check(files == ["kernels.o", "model.mlir", "plan.json", "program.json"], f"the folder has {files}")
            printed = []
            for model, flags, name in (("model.onnx", compiling, "a"), ("compiled", [], "b")):
                training = train_flags(BATCH, loss, optimizer, 0.01)
                if model == "compiled":  # what is in the plan may be left out
                    training = [flag for pair in zip(training[::2], training[1::2])
                                if pair[0] not in ("--loss", "--optimizer", "--batch-size") for flag in pair]
                files = ["--inputs", "x.npy", "--targets", "t.npy"]
                scratch.run("train", model, *flags, *training, "--seed", 3, "--log", f"{name}.jsonl",
                            "--eval-inputs", "x.npy", "--eval-targets", "t.npy", "--dump-gradients",
                            f"{name}.gradients", "--save", f"{name}.safetensors", "--summary", f"{name}.json")
                start = ["--init", f"from-file={name}.safetensors"]
                printed.append(scratch.run("eval", model, *flags, *files, *start).stdout)
                scratch.run("infer", model, *[f for f in flags if f not in ("--loss", loss)], *start, "--inputs",
                            "x.npy", "--outputs", f"{name}.npy")
            for suffix in ("gradients", "safetensors", "npy"):
                same_bytes(scratch, f"a.{suffix}", f"b.{suffix}")
            logs = [without_times(scratch.log(f"{name}.jsonl")) for name in "ab"]
            check(logs[0] == logs[1] and len(losses(logs[0])) == 20, "the logs differ")
            check(printed[0] == printed[1] and "loss" in printed[0], f"eval printed {printed}")

    return run


@contextlib.contextmanager
def compiled(options, *flags):
    """A scratch folder with `compiled`, a network on two ranks."""
    network = Network([64] * 4, "relu", True, 2, 4, frozenset([2]))
    with prepared(options, network) as (scratch, *_):
        process = scratch.tool("phantom-run", "compile", "model.onnx", *strategy_flags(network, "phantom"), "--loss",
                               "mse", "--batch-size", 8, *flags, "-o", "compiled")
        check(process.returncode == 0, process.stderr)
        yield scratch


def same_export(form):
    """--save F.onnx from the folder, also from elsewhere."""

    def run(options):
        with compiled(options) as scratch:
            training = ["--inputs", "x.npy", "--targets", "t.npy", "--steps", "3", "--quiet", f"--{form}", "--save"]
            flags = ["--ranks", "2", "--ghost-width", "4", "--loss", "mse", "--batch-size", "8"]
            scratch.run("train", "model.onnx", *flags, *training, "a.onnx")
            os.mkdir(scratch.path("elsewhere"))
            os.rename(scratch.path("compiled"), scratch.path("elsewhere/moved"))
            scratch.run("train", "elsewhere/moved", *training, "b.onnx")
            same_bytes(scratch, "a.onnx", "b.onnx")

    return run


def contradictions(options):
    """Each flag that was decided at compile time, with another value: flag and both values are named."""
    with compiled(options, "--momentum", "0.5", "--frozen", "fc1*") as scratch:
        train = ["train", "compiled", "--inputs", "x.npy", "--targets", "t.npy", "--steps", "1", "--bind", "none"]
        for flag, given, was in (("ranks", "4", "2"), ("ghost-width", "3", "4"), ("strategy", "tensor", "phantom"),
                                 ("batch-size", "4", "8"), ("loss", "bce", "mse"), ("optimizer", "adam", "sgd"),
                                 ("momentum", "0.9", "0.5"), ("frozen", "fc2*", "fc1*"),
                                 ("init", "random", "from-dense"), ("gemm", "reference", "auto"),
                                 ("first-layer", "phantom", "dense")):
            expect_error(scratch, [*train, f"--{flag}", given], f"--{flag} {given}: 'compiled' was compiled with "
                         f"--{flag} {was}")
        expect_error(scratch, [*train, "--trainable", "fc*"], "--trainable fc*: 'compiled' was compiled without")
        expect_error(scratch, [*train, "--disable-pass", "plan-memory,elide-copies"], "--disable-pass elide-copies,plan-memory: "
                     "'compiled' was compiled without --disable-pass")
        expect_error(scratch, [*train, "--no-fusion"], "--no-fusion: 'compiled' was compiled without it")
        expect_error(scratch, [*train, "--remarks", "--strict"], "--remarks had no effect")
        # The same values, however they are written, are none.
        scratch.run(*train, "--ranks", "2", "--momentum", ".5", "--batch-size", "08", "--quiet")


def only_inference(options):
    with compiled(options, "--commands", "infer") as scratch:
        scratch.run("infer", "compiled", "--inputs", "x.npy", "--outputs", "y.npy")
        data = ["--inputs", "x.npy", "--targets", "t.npy"]
        expect_error(scratch, ["eval", "compiled", *data], "without the command eval", "--commands eval")
        expect_error(scratch, ["train", "compiled", *data, "--steps", "1"], "without the command train")


def measured_kernels(options):
    """The choices of --autotune stay in the plan: one hash and the same bits in each run of the folder."""
    with compiled(options, "--autotune") as scratch:
        path, good = scratch.path("compiled/plan.json"), text(scratch, "compiled/plan.json")
        measured = json.loads(good)["gemm_kernels"]["measured"]
        check(len(measured) > 5, f"the plan has {measured}")
        train = ["train", "compiled", "--inputs", "x.npy", "--targets", "t.npy", "--steps", "5", "--quiet"]
        summaries = []
        for name in "ab":
            scratch.run(*train, "--save", f"{name}.safetensors", "--summary", f"{name}.json")
            summaries.append(json.loads(text(scratch, f"{name}.json"))["gemm_kernels_hash"])
        same_bytes(scratch, "a.safetensors", "b.safetensors")
        check(summaries[0] == summaries[1], f"the hashes are {summaries}")
        # The plan, and not the table, decides.
        others = {shape: "onednn" if kernel != "onednn" else "onednn-sgemm" for shape, kernel in measured.items()}
        plan = json.loads(good)
        plan["gemm_kernels"]["measured"] = others
        with open(path, "w") as file:
            json.dump(plan, file)
        scratch.run(*train, "--summary", "c.json")
        check(json.loads(text(scratch, "c.json"))["gemm_kernels_hash"] != summaries[0], "the plan is not used")
        shape = next(iter(measured))
        for entry, message in (({shape: "mkl"}, "expected the name of a GEMM kernel"),
                               ({shape + "x": "onednn"}, "GEMM shape")):
            plan["gemm_kernels"]["measured"] = entry
            with open(path, "w") as file:
                json.dump(plan, file)
            expect_error(scratch, train, "plan.json", message)
    with compiled(options) as scratch:
        expect_error(scratch, ["eval", "compiled", "--inputs", "x.npy", "--targets", "t.npy", "--autotune"],
                     "--autotune: 'compiled' was compiled without it")


def damage(options):
    with compiled(options) as scratch:
        infer = ["infer", "compiled", "--inputs", "x.npy", "--outputs", "y.npy", "--bind", "none"]
        for name in ("plan.json", "program.json", "kernels.o", "model.mlir"):
            path, good = scratch.path(f"compiled/{name}"), text(scratch, f"compiled/{name}")
            for bad in (b"", good[:-20], good.replace(b"phantom", b"fantome"), good[:100] + b"\xff" + good[101:]):
                if bad != good:
                    with open(path, "wb") as file:
                        file.write(bad)
                    expect_error(scratch, infer, name)
            os.remove(path)
            expect_error(scratch, infer, name)
            with open(path, "wb") as file:
                file.write(good)
        plan = text(scratch, "compiled/plan.json")
        with open(scratch.path("compiled/plan.json"), "wb") as file:
            file.write(re.sub(rb'"phantom_version": "[^"]*"', b'"phantom_version": "0.0.1"', plan))
        expect_error(scratch, infer, "version 0.0.1", "compile the model again")


def sources_stay(options):
    """The folder refers to the model's weights: it may be moved; the weights may not change."""
    with compiled(options) as scratch:
        os.mkdir(scratch.path("elsewhere"))
        os.rename(scratch.path("compiled"), scratch.path("elsewhere/moved"))
        infer = ["infer", "elsewhere/moved", "--inputs", "x.npy", "--bind", "none", "--outputs"]
        scratch.run(*infer[:-1], "--outputs", "y.npy")
        model = bytearray(text(scratch, "model.onnx"))
        model[len(model) // 2] ^= 1
        with open(scratch.path("model.onnx"), "wb") as file:
            file.write(model)
        expect_error(scratch, [*infer, "z.npy"], "model.onnx", "was changed after the program was compiled")
        os.remove(scratch.path("model.onnx"))
        expect_error(scratch, [*infer, "z.npy"], "model.onnx")
        # Parameters of a file need no model.
        scratch.run(*infer[:-1], "--outputs", "z.npy", "--init", "from-file=parameters.safetensors")


def bad_commands(options):
    with compiled(options) as scratch:
        compiling = ["compile", "model.onnx", "--ranks", "2"]
        expect_error(scratch, compiling, "-o is missing")
        expect_error(scratch, [*compiling, "-o", "x.npy"], "'x.npy' is there already, and is no compiled program")
        expect_error(scratch, [*compiling, "-o", "."], "is no compiled program")
        expect_error(scratch, [*compiling, "-o", "no/where"], "cannot write 'no/where'")
        expect_error(scratch, [*compiling, "-o", "new", "--commands", "serve"], "--commands serve", "train, eval")
        expect_error(scratch, [*compiling, "-o", "new", "--init", "from-file=p.safetensors"], "--init", "run")
        expect_error(scratch, [*compiling, "-o", "new", "--inputs", "x.npy"], "inputs")
        expect_error(scratch, ["compile", "compiled", "-o", "new"], "compiled", "folder")
        expect_error(scratch, ["compile", "absent.onnx", "-o", "compiled"], "absent.onnx")
        scratch.run("infer", "compiled", "--inputs", "x.npy", "--outputs", "y.npy")


def cases(options):
    yield "compiled/phantom-p2", same_bits("phantom", 2, "mse", "adam")
    yield "compiled/phantom-p4-random", same_bits("phantom", 4, "cross-entropy", "momentum", ["--init", "random"])
    yield "compiled/tensor-p2", same_bits("tensor", 2, "bce", "adamw")
    yield "compiled/megatron-p2", same_bits("megatron", 2, "mse", "sgd", ["--no-fusion", "--no-overlap"])
    yield "compiled/disabled-p2", same_bits("tensor", 2, "mse", "sgd", ["--disable-pass", "plan-memory,elide-copies"])
    yield "compiled/f64-p2", same_bits("phantom", 2, "mse", "sgd", ["--gemm", "reference", "--precision", "f64"])
    yield "compiled/int8-p4", same_bits("phantom", 4, "mse", "adam", ["--exchange-encoding", "int8", "--precision", "bf16"])
    yield "compiled/save-dense", same_export("dense")
    yield "compiled/save-factored", same_export("factored")
    yield "compiled/gemm-openblas", same_bits("phantom", 2, "mse", "sgd", ["--gemm", "openblas"])
    yield "compiled/autotune", measured_kernels
    yield "compiled/contradictions", contradictions
    yield "compiled/only-inference", only_inference
    yield "compiled/damage", damage
    yield "compiled/sources", sources_stay
    yield "compiled/bad-commands", bad_commands
