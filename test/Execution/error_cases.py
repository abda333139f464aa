# ===- error_cases.py - Bad input: one clear error, exit 1 --------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Each case starts from a correct command line and spoils one thing. The tool must exit with 1, print one error that
names the thing, and leave no file behind."""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper

from harness import Skip, check, prepared
from models import Graph
from reference import Network

NETWORK = Network([64] * 4, "relu", True, 4, 4, frozenset([2]))


def _command(**changes):
    """The flags of a correct training run; a change to None leaves a flag out."""
    flags = {"strategy": "phantom", "ranks": 4, "ghost-width": 4, "inputs": "x.npy", "targets": "t.npy", "loss": "mse",
             "optimizer": "sgd", "learning-rate": 0.01, "batch-size": 8, "steps": 3, "log": "log.jsonl",
             "save": None, **{key.replace("_", "-"): value for key, value in changes.items()}}
    return [f"--{key}={value}" for key, value in flags.items() if value is not None]


def expect_error(scratch, arguments, *words, keeps=(), tool="phantom-run", environment=None):
    """`words`: what the message must say (case does not matter); `keeps`: files that may be new."""
    before = set(os.listdir(scratch.folder))
    process = scratch.tool(tool, *arguments, environment=environment)
    errors = [line for line in process.stderr.splitlines() if "error:" in line]
    shown = f"exit {process.returncode}, stderr:\n{process.stderr[-2000:]}"
    check(process.returncode == 1, f"expected exit 1: {shown}")
    check(len(errors) == 1, f"expected one error: {shown}")
    for word in words:
        check(str(word).lower() in process.stderr.lower(), f"the message does not say '{word}': {shown}")
    new = set(os.listdir(scratch.folder)) - before - set(keeps)
    check(not new, f"left behind: {sorted(new)}")


def bad_flags(words, model="model.onnx", keeps=(), **changes):

    def run(options):
        with prepared(options, NETWORK) as (scratch, *_):
            expect_error(scratch, ["train", model, *_command(**changes)], *words, keeps=keeps)

    return run


def bad_data(words, loss="mse", x=None, t=None):
    """Replaces the inputs or the targets."""

    def run(options):
        with prepared(options, NETWORK, loss) as (scratch, *_):
            for name, value in (("x.npy", x), ("t.npy", t)):
                if isinstance(value, bytes):
                    with open(scratch.path(name), "wb") as file:
                        file.write(value)
                elif value is not None:
                    scratch.save(name, value)
            expect_error(scratch, ["train", "model.onnx", *_command(loss=loss)], *words)

    return run


def bad_bytes(make):
    """The model file is make(bytes of the correct one)."""

    def run(options):
        with prepared(options, NETWORK) as (scratch, *_):
            with open(scratch.path("model.onnx"), "rb") as file:
                raw = file.read()
            with open(scratch.path("model.onnx"), "wb") as file:
                file.write(make(raw))
            expect_error(scratch, ["train", "model.onnx", *_command()], "model.onnx")
            expect_error(scratch, ["--import-onnx", "model.onnx", "-o", "out.mlir"], "model.onnx", tool="phantom-translate")

    return run


def random_bytes(seed):
    return lambda _: np.random.default_rng(seed).bytes(4096)


def unsupported_nodes(options):
    """All of them in one error."""
    with prepared(options, NETWORK) as (scratch, *_):
        graph = Graph()
        value = graph.add("Gemm", "x", graph.tensor("fc1.weight", np.zeros((64, 64), np.float32)), transB=1)
        value = graph.add("Hardmax", value, name="/odd/Hardmax")
        value = graph.add("LpNormalization", value, name="/odder/LpNormalization")
        graph.add("Gemm", value, graph.tensor("fc2.weight", np.zeros((64, 64), np.float32)), transB=1, result="y")
        graph.save(scratch.path("odd.onnx"), {"x": ["batch", 64]}, {"y": ["batch", 64]})
        expect_error(scratch, ["train", "odd.onnx", *_command()], "Hardmax", "LpNormalization", "/odd/Hardmax")


def external_data(location):

    def run(options):
        with prepared(options, NETWORK) as (scratch, *_):
            os.mkdir(scratch.path("inside"))
            with open(scratch.path("weights.bin"), "wb") as file:
                file.write(bytes(64 * 64 * 4))
            weight = TensorProto(name="fc1.weight", data_type=TensorProto.FLOAT, dims=[64, 64],
                                 data_location=TensorProto.EXTERNAL)
            for key, value in (("location", location.format(folder=scratch.folder)), ("length", str(64 * 64 * 4))):
                weight.external_data.add(key=key, value=value)
            shaped = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 64])
            node = helper.make_node("Gemm", ["x", "fc1.weight"], ["y"], name="/fc1/Gemm", transB=1)
            graph = helper.make_graph([node], "graph", [shaped("x")], [shaped("y")], [weight])
            onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
                      scratch.path("inside/model.onnx"))
            expect_error(scratch, ["train", "inside/model.onnx", *_command(ranks=1)], "fc1.weight")

    return run


def not_a_number(options):
    with prepared(options, NETWORK) as (scratch, *_):
        flags = _command(learning_rate="1e30", steps=50)
        expect_error(scratch, ["train", "model.onnx", *flags], "step", "nan", keeps=["log.jsonl"])


def nan_gradients(options):
    """The root of the square of zero is finite, and so is the loss, but its slope is no number."""
    with prepared(options, NETWORK) as (scratch, *_):
        graph, rng = Graph(), np.random.default_rng(0)
        weights = [graph.tensor(f"fc{i}.weight", rng.standard_normal((64, 64)).astype(np.float32)) for i in (1, 2)]
        hidden = graph.add("Gemm", "x", weights[0], transB=1)
        hidden = graph.add("Sqrt", graph.add("Mul", hidden, hidden))
        graph.add("Gemm", hidden, weights[1], transB=1, result="y")
        x = np.load(scratch.path("x.npy"))
        x[5] = 0
        scratch.save("x.npy", x)
        graph.save(scratch.path("root.onnx"), {"x": ["batch", 64]}, {"y": ["batch", 64]})
        expect_error(scratch, ["train", "root.onnx", *_command(ghost_width=None, save="trained.safetensors")],
                     "step 1: gradients are NaN", keeps=["log.jsonl"])


def nan_in_data(options):
    """Its row's outputs are NaN, whatever the activations of the library make of it."""
    with prepared(options, NETWORK) as (scratch, *_):
        x = np.load(scratch.path("x.npy"))
        x[5, 3] = np.nan
        scratch.save("x.npy", x)
        strategy = ["--strategy=phantom", "--ranks=4", "--ghost-width=4", "--batch-size=8"]
        expect_error(scratch, ["train", "model.onnx", *_command()], "step 1:", "nan", keeps=["log.jsonl"])
        expect_error(scratch, ["eval", "model.onnx", *strategy, "--inputs=x.npy", "--targets=t.npy", "--loss=mse"],
                     "the loss on", "nan")
        scratch.run("infer", "model.onnx", *strategy, "--inputs=x.npy", "--outputs=y.npy")
        isnan = np.isnan(np.load(scratch.path("y.npy")))
        check(isnan[5].all() and not np.delete(isnan, 5, axis=0).any(), "NaN is not where the input has it")


def infer_unwritable(options):
    with prepared(options, NETWORK) as (scratch, *_):
        expect_error(scratch, ["infer", "model.onnx", "--strategy=phantom", "--ranks=2", "--ghost-width=4",
                               "--inputs=x.npy", "--outputs=nowhere/y.npy", "--batch-size=8"], "nowhere")


def too_many_threads(options):
    """More ranks than the address space has stacks for."""
    if options.sanitize:
        raise Skip("sanitizers need more address space than the limit")
    with prepared(options, NETWORK) as (scratch, *_):
        limited = ["--as=4000000000", "--stack=8388608", os.path.join(options.tools_dir, "phantom-run")]
        expect_error(scratch, [*limited, "train", "model.onnx", *_command(ranks=1024, ghost_width=None, select="nothing")],
                     "cannot start a thread for each of 1024 ranks", tool="/usr/bin/prlimit")


def no_gpu(options):
    """On a machine without a GPU, or one that hides them."""
    with prepared(options, NETWORK) as (scratch, *_):
        expect_error(scratch, ["train", "model.onnx", *_command(device="cuda", save="trained.safetensors")],
                     "use --device cpu", environment={"CUDA_VISIBLE_DEVICES": ""})


def cases(options):
    ones = lambda *shape, dtype=np.float32: np.ones(shape, dtype)
    listed = {
        "indivisible-width": bad_flags(["64", "3"], ranks=3),
        "indivisible-width-tensor": bad_flags(["64", "3"], strategy="tensor", ranks=3, ghost_width=None),
        "zero-ranks": bad_flags(["ranks"], ranks=0),
        "negative-ranks": bad_flags(["ranks"], ranks=-2),
        "too-many-ranks": bad_flags(["ranks"], ranks=100000),
        "large-ghost-width": bad_flags(["17", "16"], ghost_width=17),
        "negative-ghost-width": bad_flags(["ghost"], ghost_width=-1),
        "no-number": bad_flags(["steps"], steps="many"),
        "unknown-strategy": bad_flags(["diagonal", "phantom"], strategy="diagonal"),
        "unknown-loss": bad_flags(["hinge"], loss="hinge"),
        "unknown-optimizer": bad_flags(["lion"], optimizer="lion"),
        "unknown-pass": bad_flags(["disable-pass", "'fuse-all'", "fuse-epilogues", "plan-memory"],
                                  disable_pass="elide-copies,fuse-all"),
        "no-pass": bad_flags(["disable-pass", "names no pass", "fuse-epilogues"], disable_pass=","),
        "unknown-flag": bad_flags(["ghosts"], ghosts=4),
        "no-batch": bad_flags(["batch"], batch_size=0),
        "batch-larger-than-data": bad_flags(["batch", "8", "9"], batch_size=9),
        "missing-model": bad_flags(["absent.onnx"], model="absent.onnx"),
        "missing-inputs": bad_flags(["absent.npy"], inputs="absent.npy"),
        "missing-targets": bad_flags(["absent.npy"], targets="absent.npy"),
        "missing-weights": bad_flags(["absent.safetensors"], init="from-file=absent.safetensors"),
        "nothing-to-train": bad_flags(["model.onnx", "no parameter that is trained", "--frozen"], frozen="*"),
        "no-inputs-flag": bad_flags(["inputs"], inputs=None),
        "folder-as-model": bad_flags(["model"], model="."),
        "unwritable-log": bad_flags(["nowhere"], log="nowhere/log.jsonl"),
        "unwritable-gradients": bad_flags(["nowhere"], dump_gradients="nowhere/g.safetensors"),
        "unwritable-summary": bad_flags(["nowhere"], summary="nowhere/summary.json"),
        "unwritable-trace": bad_flags(["nowhere"], trace="nowhere/trace.json"),
        "unwritable-checkpoints": bad_flags(["log.txt"], checkpoint_dir="log.txt/checkpoints", log="log.txt", keeps=["log.txt"]),
        "unwritable-outputs": infer_unwritable,
        "unwritable-model": bad_flags(["nowhere"], save="nowhere/trained.onnx"),
        "one-file-for-two": bad_flags(["--log log.jsonl", "--summary names the same file"], summary="./log.jsonl"),
        "log-over-data": bad_flags(["--log x.npy", "the run reads this file"], log="x.npy"),
        "log-over-model": bad_flags(["--log model.onnx", "the run reads this file"], log="model.onnx"),
        "data-width": bad_data(["x.npy", "64"], x=ones(8, 63)),
        "data-rank": bad_data(["x.npy"], x=ones(8)),
        "data-type": bad_data(["x.npy"], x=ones(8, 64, dtype=np.complex64)),
        "data-rows": bad_data(["8", "7"], t=ones(7, 64)),
        "data-empty": bad_data(["x.npy"], x=ones(0, 64), t=ones(0, 64)),
        "data-truncated": bad_data(["x.npy"], x=b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "),
        "data-no-npy": bad_data(["x.npy"], x=b"PK\x03\x04 a zip file"),
        "data-fortran": bad_data(["x.npy", "fortran"], x=np.asfortranarray(ones(8, 64))),
        "target-shape": bad_data(["t.npy", "64"], t=ones(8, 3)),
        "target-type": bad_data(["t.npy"], "cross-entropy", t=ones(8, 64)),
        "target-too-large": bad_data(["t.npy", "64"], "cross-entropy", t=np.full(8, 64)),
        "target-negative": bad_data(["t.npy", "-1"], "cross-entropy", t=np.full(8, -1)),
        "nan-loss": not_a_number,
        "nan-gradients": nan_gradients,
        "nan-in-data": nan_in_data,
        "too-many-threads": too_many_threads,
        "unsupported-nodes": unsupported_nodes,
        "external-data-parent": external_data("../weights.bin"),
        "external-data-absolute": external_data("{folder}/weights.bin"),
        "external-data-missing": external_data("absent.bin"),
        "onnx-empty": bad_bytes(lambda raw: b""),
        "onnx-text": bad_bytes(lambda raw: b"version https://git-lfs.github.com/spec/v1\n"),
        "device-cuda": no_gpu,
        "device-unknown": bad_flags(["tpu", "cpu, cuda, sim"], device="tpu"),
        "device-cuda-gemm": bad_flags(["gemm", "only for --device cpu"], device="cuda", gemm="onednn"),
        "gradient-epilogues-cpu": bad_flags(["gradient-epilogues", "only for GPUs"], gradient_epilogues=True),
        "communicator-nccl": bad_flags(["not with --device cpu", "threads"], communicator="nccl"),
        "communicator-threads": bad_flags(["not with --device cuda", "nccl or loopback"], device="cuda",
                                          communicator="threads"),
        "communicator-mpi": bad_flags(["not in this version"], communicator="mpi"),
        "precision-unknown": bad_flags(["--precision fp8", "f32, bf16, f64"], precision="fp8"),
        "encoding-unknown": bad_flags(["--exchange-encoding int4", "f32, bf16, int8"], exchange_encoding="int4"),
        "encoding-f64": bad_flags(["--exchange-encoding int8", "not with --precision f64"], exchange_encoding="int8",
                                  precision="f64", gemm="reference"),
        "data-parallel": bad_flags(["not in this version"], data_parallel=2),
    }
    for name, run in listed.items():
        yield f"error/{name}", run
    for length in (1, 100, 5000):
        yield f"error/onnx-truncated-{length}", bad_bytes(lambda raw, n=length: raw[:-n])
    for seed in range(3):
        yield f"error/onnx-random-{seed}", bad_bytes(random_bytes(seed))
