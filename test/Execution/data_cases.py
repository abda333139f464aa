# ===- data_cases.py - Types and files of training data -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Data of other types, and in several files, trains bit for bit like one f32 file with the converted values."""
import numpy as np

from error_cases import expect_error
from harness import check, losses, prepared, strategy_flags, without_times
from models import Graph
from reference import Network

ROWS, BATCH, STEPS = 50, 8, 20  # six batches an epoch: the runs cross epochs, whose orders are over all rows
NETWORK = Network([64, 64, 32, 16], "gelu", True, 2, 4, frozenset([2]))
FACTOR = 0.00392156863


def command(loss, inputs, targets, *more):
    return ["train", "model.onnx", *strategy_flags(NETWORK, "phantom"), "--loss", loss, "--batch-size", BATCH, "--steps", STEPS,
            "--learning-rate", "0.05", "--seed", "3", "--quiet", "--inputs", inputs, "--targets", targets,
            "--eval-inputs", inputs, "--eval-targets", targets, *more]


def trained(scratch, *arguments):
    """What a run comes to: its log but for times, its parameters, and the line about held-out data."""
    process = scratch.run(*command(*arguments), "--log", "log.jsonl", "--save", "trained.safetensors")
    with open(scratch.path("trained.safetensors"), "rb") as file:
        evaluation = [line for line in process.stdout.splitlines() if line.startswith("evaluation:")]
        check(len(evaluation) == 1, f"the output is {process.stdout}")
        return without_times(scratch.log()), file.read(), evaluation


def check_same(scratch, loss, plain, other):
    """The arguments of two runs, which must have the same bits."""
    expected, actual = trained(scratch, loss, *plain), trained(scratch, loss, *other)
    check(len(losses(expected[0])) == STEPS and len(set(losses(expected[0]))) == STEPS, "the losses do not change")
    for what, one, two in zip(("logs", "parameters", "evaluations"), expected, actual):
        check(one == two, f"the {what} differ")


def half(options):
    with prepared(options, NETWORK, batch=ROWS) as (scratch, _, x, t):
        scratch.save("half.npy", x.astype(np.float16))
        scratch.save("plain.npy", x.astype(np.float16).astype(np.float32))
        check_same(scratch, "mse", ("plain.npy", "t.npy"), ("half.npy", "t.npy"))


def scaled(dtype, low, high, more=()):
    """Integers times a factor, in f32."""

    def run(options):
        with prepared(options, NETWORK, batch=ROWS) as (scratch, *_):
            values = np.random.default_rng(5).integers(low, high + 1, (ROWS, 64)).astype(dtype)
            scratch.save("integers.npy", values)
            scratch.save("plain.npy", values.astype(np.float32) * np.float32(FACTOR))
            for scale in (f"{FACTOR}", f"x={FACTOR}"):
                check_same(scratch, "mse", ("plain.npy", "t.npy", *more),
                           ("integers.npy", "t.npy", "--input-scale", scale, *more))

    return run


def class_types(options):
    """Class numbers of every width."""
    with prepared(options, NETWORK, "cross-entropy", batch=ROWS) as (scratch, _, x, t):
        expected = trained(scratch, "cross-entropy", "x.npy", "t.npy")
        for dtype in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"):
            scratch.save("other.npy", t.astype(dtype))
            check(trained(scratch, "cross-entropy", "x.npy", "other.npy") == expected, f"{dtype} trains another way")
        scratch.save("other.npy", np.where(np.arange(ROWS) == 9, np.uint64(2**64 - 1), t.astype(np.uint64)))
        expect_error(scratch, [*command("cross-entropy", "x.npy", "other.npy"), "--bind", "none"], "other.npy", "row 9",
                     "16 classes")


def several_files(loss):
    """Files of unequal numbers of rows, cut elsewhere in the targets: batches and epochs go across them."""

    def run(options):
        with prepared(options, NETWORK, loss, batch=ROWS) as (scratch, _, x, t):
            for name, array, cuts in (("x", x, [13, 14, 30]), ("t", t, [40])):
                for i, part in enumerate(np.split(array, cuts)):
                    scratch.save(f"{name}{i}.npy", part)
            for inputs in ("x0.npy,x1.npy,x2.npy,x3.npy", "x=x0.npy,x=x1.npy,x=x2.npy,x=x3.npy"):
                check_same(scratch, loss, ("x.npy", "t.npy"), (inputs, "t0.npy,t1.npy"))
            scratch.run("infer", "model.onnx", "--inputs", "x.npy", "--outputs", "y.npy", "--batch-size", BATCH)
            scratch.run("infer", "model.onnx", "--inputs", inputs, "--outputs", "z.npy", "--batch-size", BATCH)
            check(np.array_equal(np.load(scratch.path("y.npy")), np.load(scratch.path("z.npy"))), "the outputs differ")

    return run


def several_inputs(options):
    """Two inputs, one of bytes in two files, one of f32 in three."""
    with prepared(options, NETWORK, batch=ROWS) as (scratch, _, x, t):
        rng = np.random.default_rng(6)
        graph = Graph()
        weights = [graph.tensor(f"fc{i}.weight", rng.standard_normal((16, 64), np.float32)) for i in (1, 2)]
        halves = [graph.add("Gemm", name, weight, transB=1) for name, weight in zip("ab", weights)]
        graph.add("Add", *halves, result="y")
        graph.save(scratch.path("model.onnx"), {"a": ["batch", 64], "b": ["batch", 64]}, {"y": ["batch", 16]})
        pixels = rng.integers(0, 256, (ROWS, 64)).astype(np.uint8)
        scratch.save("a.npy", pixels.astype(np.float32) * np.float32(0.25))
        for i, part in enumerate(np.split(pixels, [7])):
            scratch.save(f"a{i}.npy", part)
        for i, part in enumerate(np.split(x, [20, 40])):
            scratch.save(f"b{i}.npy", part)
        mixed = "b=b0.npy,a=a0.npy,b=b1.npy,a=a1.npy,b=b2.npy"
        outputs = []
        for inputs, scale in (("a=a.npy,b=x.npy", []), (mixed, ["--input-scale", "a=0.25"])):
            scratch.run("train", "model.onnx", "--inputs", inputs, *scale, "--targets", "t.npy", "--loss", "mse",
                        "--batch-size", BATCH, "--steps", STEPS, "--learning-rate", "1e-5", "--log", "log.jsonl")
            outputs.append(losses(scratch.log()))
        check(len(outputs[0]) == STEPS and outputs[0] == outputs[1], "the losses differ")
        refused = lambda inputs, *words, more=(): expect_error(
            scratch, ["train", "model.onnx", "--inputs", inputs, "--targets", "t.npy", "--loss", "mse", "--batch-size", BATCH,
                      "--steps", STEPS, *more], *words)
        refused("a=a.npy,x.npy", "'b'")
        refused(mixed, "a0.npy", "u8", "--input-scale")
        refused(mixed, "name", "'a', 'b'", more=["--input-scale", "0.25"])
        refused(mixed, "'c'", "'a', 'b'", more=["--input-scale", "c=0.25"])
        refused(mixed, "twice", "'a'", more=["--input-scale", "a=0.25,a=0.5"])
        refused(mixed, "b0.npy", "f32", "leave it out", more=["--input-scale", "a=0.25,b=0.5"])


def refusals(options):
    """Each names the file."""
    with prepared(options, NETWORK, batch=ROWS) as (scratch, _, x, t):
        refused = lambda inputs, targets, *words, more=(): expect_error(scratch, command("mse", inputs, targets, *more), *words)
        scratch.save("bytes.npy", np.zeros((ROWS, 64), np.uint8))
        refused("bytes.npy", "t.npy", "bytes.npy", "u8", "--input-scale")
        for scale in ("fast", "0", "-1", "nan", "1e-60", "1e60", "x="):
            refused("bytes.npy", "t.npy", "--input-scale", "number", more=["--input-scale", scale])
        scratch.save("none.npy", np.zeros((0, 64), np.float32))
        refused("x.npy,none.npy", "t.npy", "none.npy", "no rows")
        scratch.save("square.npy", x.reshape(ROWS, 8, 8))
        refused("x.npy,square.npy", "t.npy,t.npy", "square.npy", "8x8", "x.npy", "rows of one shape")
        scratch.save("narrow.npy", x[:, :63])
        refused("x.npy,narrow.npy", "t.npy,t.npy", "narrow.npy", "63")
        scratch.save("half.npy", x.astype(np.float16))
        refused("x.npy,half.npy", "t.npy,t.npy", "half.npy", "f16", "one type")
        scratch.save("more.npy", x[:7])
        refused("x.npy,more.npy", "t.npy", "has 50 rows", "x.npy' with 1 more file has 57")
        refused("more.npy", "t.npy", "t.npy' has 50 rows", "more.npy' has 7")
        refused("x=x.npy,more.npy", "t.npy", "more.npy", "not used")
        refused("x.npy,absent.npy", "t.npy", "absent.npy")
        with open(scratch.path("x.npy"), "rb") as file:
            content = file.read()
        for name, length in (("short.npy", len(content) - 1), ("empty.npy", 0), ("header.npy", 40)):
            with open(scratch.path(name), "wb") as file:
                file.write(content[:length])
            refused(f"x.npy,{name}", "t.npy,t.npy", name)
        # Held-out data is checked before the first step, too.
        held_out = ["train", "model.onnx", "--inputs", "x.npy", "--targets", "t.npy", "--loss", "mse", "--steps", "2"]
        expect_error(scratch, [*held_out, "--eval-inputs", "bytes.npy", "--eval-targets", "t.npy"], "bytes.npy", "--input-scale")


def cases(options):
    yield "data/f16", half
    yield "data/u8", scaled(np.uint8, 0, 255)
    yield "data/i16", scaled(np.int16, -(2**15), 2**15 - 1, ("--learning-rate", "1e-6"))
    yield "data/u8-f64", scaled(np.uint8, 0, 255, ("--precision", "f64", "--gemm", "reference"))
    yield "data/class-types", class_types
    yield "data/several-files", several_files("mse")
    yield "data/several-files-classes", several_files("cross-entropy")
    yield "data/several-inputs", several_inputs
    yield "data/refusals", refusals
