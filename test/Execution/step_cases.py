# ===- step_cases.py - What a training step does beside its gradients -----=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Clipping, accumulation, groups of parameters, label smoothing and dropout, against NumPy in f64."""
import fnmatch

import numpy as np

import models
import philox
import reference
import safetensors
from harness import (Scratch, check, check_close, double, losses, prepared, steps, strategy_flags, train_flags)
from reference import ACTIVATIONS, Network

STEPS, BATCH = 20, 16
RATES = {"sgd": 0.1, "momentum": 0.02, "adam": 0.01, "adamw": 0.01}


def network_of(strategy, ranks, widths=(32, 32, 32, 32), kind=Network):
    phantom = frozenset([1, 2, 3]) if strategy == "phantom" and ranks > 1 else frozenset()
    return kind(list(widths), "tanh", True, ranks, 2, phantom)


def flags_of(network, strategy):
    flags = strategy_flags(network, strategy) + ["--init", "from-file=parameters.safetensors"]
    return flags + (["--first-layer", "phantom", "--last-layer", "phantom"] if strategy == "phantom" else [])


def norm_of(gradients):
    return np.sqrt(sum(np.sum(value**2) for value in gradients.values()))


def clipped(gradients, largest):
    """As torch.nn.utils.clip_grad_norm_ has it."""
    factor = min(1, largest / (norm_of(gradients) + 1e-6))
    return {name: factor * value for name, value in gradients.items()}


def train_reference(gradients_of, parameters, update):
    """(losses, norms) of STEPS steps; `gradients_of(parameters, step)` gives loss and gradients."""
    values, norms = [], []
    for step in range(STEPS):
        value, gradients = gradients_of(parameters, step)
        values.append(value)
        norms.append(norm_of(gradients))
        update(parameters, gradients)
    return values, norms


def check_log(scratch, values, norms, tolerance):
    log = steps(scratch.log())
    check_close("losses", losses(log), values, tolerance)
    check_close("norms", [record["grad_norm"] for record in log], norms, tolerance)


def clipping(kind, strategy, ranks, parts):
    """Some steps are clipped, and others not."""

    def run(options):
        network = network_of(strategy, ranks)
        with prepared(options, network, "cross-entropy", batch=BATCH) as (scratch, parameters, x, t):
            optimizer, x = reference.Optimizer(kind, RATES[kind], weight_decay=0), x.astype(np.float64)
            gradients_of = lambda values, _: network.loss_and_gradients(values, x, t, "cross-entropy")
            _, norms = train_reference(gradients_of, double(parameters),
                                       reference.Optimizer(kind, RATES[kind], weight_decay=0).update)
            largest = float(f"{np.median(norms):.3g}")
            expected = train_reference(gradients_of, double(parameters), lambda values, gradients: optimizer.update(
                values, clipped(gradients, largest)))
            check(min(expected[1]) < largest < max(expected[1]), f"norms {expected[1]} are all on one side")
            scratch.run("train", "model.onnx", *flags_of(network, strategy), "--clip-norm", largest, "--accumulate",
                        parts, *train_flags(BATCH, "cross-entropy", kind, RATES[kind], STEPS))
            check_log(scratch, *expected, 2e-5 if "adam" in kind else 1e-5)

    return run


def accumulation(strategy, ranks, parts):
    """As one large batch, to rounding, also of the saved parameters; the summary counts whole steps."""

    def run(options):
        network = network_of(strategy, ranks)
        with prepared(options, network, "mse", batch=BATCH) as (scratch, parameters, x, t):
            optimizer, x = reference.Optimizer("momentum", 0.05), x.astype(np.float64)
            values = double(parameters)
            expected = train_reference(lambda now, _: network.loss_and_gradients(now, x, t, "mse"), values,
                                       optimizer.update)
            scratch.run("train", "model.onnx", *flags_of(network, strategy), "--accumulate", parts, "--save",
                        "trained.safetensors", *train_flags(BATCH, "mse", "momentum", 0.05, STEPS))
            check_log(scratch, *expected, 1e-5)
            trained = scratch.as_stored(safetensors.load(scratch.path("trained.safetensors")))
            for name, value in values.items():
                check_close(name, trained[name], value)
            sums = [name for name in trained if name.endswith(".gradient_sum")]
            check(sums and not any(trained[name].any() for name in sums), f"sums are not cleared: {sums}")

    return run


def groups(kind, strategy, ranks):
    """The last glob that matches counts."""
    decays = {"*": 0.1, "*.bias": 0.0}
    factors = {"*.compressor": 0.5, "*.decompressor": 2.0, "fc2.*": 0.25, "fc3.weight": 0.0}

    def of(name, globs, otherwise):
        for glob, value in globs.items():
            otherwise = value if fnmatch.fnmatchcase(name, glob) else otherwise
        return otherwise

    def run(options):
        network = network_of(strategy, ranks)
        with prepared(options, network, "mse", batch=BATCH) as (scratch, parameters, x, t):
            x, values = x.astype(np.float64), double(parameters)
            used = {glob: f for glob, f in factors.items() if any(fnmatch.fnmatchcase(name, glob) for name in values)}
            optimizers = {name: reference.Optimizer(kind, RATES[kind] * of(name, used, 1),
                                                    weight_decay=of(name, decays, 0)) for name in values}

            def update(now, gradients):
                for name, one in optimizers.items():
                    gradient = gradients[name]
                    if kind != "adamw":
                        gradient = gradient + one.weight_decay * now[name]
                    one.update(now, {name: gradient})

            expected = train_reference(lambda now, _: network.loss_and_gradients(now, x, t, "mse"), values, update)
            listed = lambda globs: ",".join(f"{glob}={value}" for glob, value in globs.items())
            scratch.run("train", "model.onnx", *flags_of(network, strategy), "--weight-decays", listed(decays),
                        "--learning-rate-factors", listed(used), *train_flags(BATCH, "mse", kind, RATES[kind], STEPS))
            check_log(scratch, *expected, 2e-5 if "adam" in kind else 1e-5)

    return run


def smoothed(outputs, targets, smoothing):
    """Loss and gradient of cross-entropy with label smoothing."""
    classes = outputs.shape[1]
    wanted = np.full(outputs.shape, smoothing / classes)
    wanted[np.arange(len(outputs)), targets] += 1 - smoothing
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -np.mean(np.sum(wanted * logarithms, axis=1)), (np.exp(logarithms) - wanted) / len(outputs)


def label_smoothing(strategy, ranks):
    """Evaluation is without it."""

    def run(options):
        network = network_of(strategy, ranks)
        with prepared(options, network, "cross-entropy", batch=BATCH) as (scratch, parameters, x, t):
            x, values, optimizer = x.astype(np.float64), double(parameters), reference.Optimizer("sgd", 0.1)

            def gradients_of(now, _):
                outputs, saved = network.forward(now, x)
                value, cotangent = smoothed(outputs, t, 0.1)
                return value, network.backward(now, saved, cotangent)

            expected = train_reference(gradients_of, values, optimizer.update)
            process = scratch.run("train", "model.onnx", *flags_of(network, strategy), "--label-smoothing", 0.1,
                                  "--eval-inputs", "x.npy", "--eval-targets", "t.npy",
                                  *train_flags(BATCH, "cross-entropy", "sgd", 0.1, STEPS))
            check_log(scratch, *expected, 1e-5)
            plain = network.loss_and_gradients(values, x, t, "cross-entropy")[0]
            check(f"loss {plain:.6f}" in process.stdout, f"{process.stdout}, expected the loss {plain:.6f}")

    return run


RATIO = 0.3


class DroppingNetwork(Network):
    """Dropout after every activation. `step` counts from 1, over the parts of steps."""
    seed, step, first_row, rows = 0, 1, 0, BATCH

    def forward(self, parameters, x):
        saved, y = [], x
        for i in range(1, self.depth + 1):
            z, ghosts = self._linear(parameters, i, y)
            saved.append((y, ghosts, z))
            y = z if i == self.depth else ACTIVATIONS[self.activation][0](z) * self.mask(i, z.shape)
        return y, saved

    def mask(self, layer, shape):
        return philox.dropout_factors(shape, RATIO, self.seed, self.step, site=layer - 1)

    def backward(self, parameters, saved, cotangent):
        gradients = {}
        for i in range(self.depth, 0, -1):
            y, ghosts, z = saved[i - 1]
            if i < self.depth:
                cotangent = cotangent * self.mask(i, z.shape) * ACTIVATIONS[self.activation][1](z)
            cotangent = self._linear_backward(parameters, gradients, i, y, ghosts, cotangent)
        return gradients


def save_dropping(path, network, parameters):
    graph, value = models.Graph(), "x"
    ratio, training = graph.constant(RATIO), graph.constant(True, bool)
    for i in range(1, network.depth + 1):
        last = i == network.depth
        weight, bias = (graph.tensor(f"fc{i}.{kind}", parameters[f"fc{i}.{kind}"]) for kind in ("weight", "bias"))
        value = graph.add("Gemm", value, weight, bias, result="y" if last else None, transB=1)
        if not last:
            value = graph.add("Dropout", graph.add("Tanh", value), ratio, training)
    graph.save(path, {"x": ["batch", network.widths[0]]}, {"y": ["batch", network.widths[-1]]})


def dropout(strategy, ranks, parts, seed, extra=()):
    """The same elements are dropped for any strategy and number of ranks."""

    def run(options):
        plain = network_of(strategy, ranks)
        network = DroppingNetwork(plain.widths, plain.activation, True, ranks, 2, plain.phantom)
        network.seed = seed
        with prepared(options, plain, "mse", batch=BATCH) as (scratch, parameters, x, t):
            dense = network_of("tensor", ranks)
            save_dropping(scratch.path("model.onnx"), dense,
                          dense.random_parameters(np.random.default_rng(1), np.float32))
            x, values, optimizer = x.astype(np.float64), double(parameters), reference.Optimizer("sgd", 0.1)
            rows = BATCH // parts

            def gradients_of(now, step):
                total, sums = 0, {}
                for part in range(parts):
                    network.step = step * parts + part + 1
                    chosen = slice(part * rows, (part + 1) * rows)
                    value, gradients = network.loss_and_gradients(now, x[order[chosen]], t[order[chosen]], "mse")
                    total += value / parts
                    for name, gradient in gradients.items():
                        sums[name] = sums.get(name, 0) + gradient / parts
                return total, sums

            # The rows of a step are shuffled; one epoch is one step.
            orders = [philox.permutation(BATCH, seed, step) for step in range(STEPS)]
            order = None

            def in_order(now, step):
                nonlocal order
                order = orders[step]
                return gradients_of(now, step)

            expected = train_reference(in_order, values, optimizer.update)
            scratch.run("train", "model.onnx", *flags_of(network, strategy), "--seed", seed, "--accumulate", parts,
                        *extra, *train_flags(BATCH, "mse", "sgd", 0.1, STEPS))
            check_log(scratch, *expected, 1e-5)
            scratch.run("infer", "model.onnx", *flags_of(network, strategy), "--inputs", "x.npy", "--outputs", "y.npy",
                        "--batch-size", BATCH)
            check_close("outputs", np.load(scratch.path("y.npy")), plain.forward(double(parameters), x)[0])

    return run


def accumulated_shift(options):
    """A shift of the output has the loss's own gradient, which parts of one row do not even sum up."""
    rng = np.random.default_rng(5)
    with Scratch(options) as scratch:
        graph = models.Graph()
        graph.add("Add", "x", graph.tensor("shift", np.zeros((1, 8), np.float32)), result="y")
        graph.save(scratch.path("model.onnx"), {"x": ["batch", 8]}, {"y": ["batch", 8]})
        x, t = (rng.standard_normal((4, 8)).astype(np.float32) for _ in range(2))
        scratch.save("x.npy", x)
        scratch.save("t.npy", t)
        gradient = 2 * (x.astype(np.float64) - t).mean(axis=0) / 8
        for parts in (1, 2, 4):
            scratch.run("train", "model.onnx", "--accumulate", parts, *train_flags(4, "mse", "sgd", 0.1, 1), "--save",
                        "trained.safetensors")
            check_close(f"the norm in {parts} parts", scratch.log()[0]["grad_norm"], np.linalg.norm(gradient))
            check_close(f"the shift in {parts} parts", safetensors.load(scratch.path("trained.safetensors"))["shift"][0],
                        -0.1 * gradient)


def refusals(options):
    """What cannot be meant is refused, in one line."""
    network = network_of("tensor", 2)
    with prepared(options, network, "mse", batch=BATCH) as (scratch, _, x, t):
        flags = [*strategy_flags(network, "tensor"), *train_flags(BATCH, "mse", count=1)]
        for more, message in ((["--accumulate", 3], "16 rows cannot be divided into 3 equal parts"),
                              (["--accumulate", 0], "must be at least 1"),
                              (["--clip-norm", -1], "must be at least 0"),
                              (["--clip-norm", "nan"], "not a number"),
                              (["--label-smoothing", 0.1], "and the loss cross-entropy"),
                              (["--weight-decays", "*.bias"], "'*.bias' is not GLOB=F"),
                              (["--weight-decays", "*=x"], "'*=x' is not GLOB=F"),
                              (["--learning-rate-factors", "[=1"], "is no glob"),
                              (["--learning-rate-factors", "none=1", "--strict"], "matches no trained parameter"),
                              (["--accumulate", 2, "--dump-gradients", "g.safetensors"], "leave --accumulate out")):
            process = scratch.tool("phantom-run", "train", "model.onnx", *flags, *more)
            check(process.returncode == 1 and message in process.stderr,
                  f"{more}: exit {process.returncode}, {process.stderr}")
            check(len(process.stderr.splitlines()) == 1, f"{more}: {process.stderr}")


STRATEGIES = (("phantom", 1), ("phantom", 2), ("phantom", 4), ("tensor", 2), ("tensor", 4), ("megatron", 4))


def cases(options):
    yield "accumulation/shift", accumulated_shift
    for strategy, ranks in STRATEGIES:
        name = f"{strategy}-p{ranks}"
        for kind in RATES if strategy == "phantom" else ("sgd", "adamw"):
            yield f"clipping/{kind}-{name}", clipping(kind, strategy, ranks, 1)
            yield f"groups/{kind}-{name}", groups(kind, strategy, ranks)
        yield f"clipping/accumulated-{name}", clipping("momentum", strategy, ranks, 2)
        for parts in (2, 4):
            yield f"accumulation/{parts}-{name}", accumulation(strategy, ranks, parts)
        yield f"label-smoothing/{name}", label_smoothing(strategy, ranks)
        yield f"dropout/{name}", dropout(strategy, ranks, 1, 7)
        yield f"dropout/accumulated-{name}", dropout(strategy, ranks, 4, 0)
    yield "clipping/f64-phantom-p4", clipping_f64
    yield "step/refusals", refusals


def clipping_f64(options):
    """All in f64, the norm too."""
    network = network_of("phantom", 4)
    with prepared(options, network, "mse", batch=BATCH) as (scratch, parameters, x, t):
        x, optimizer = x.astype(np.float64), reference.Optimizer("sgd", 0.1)
        expected = train_reference(lambda now, _: network.loss_and_gradients(now, x, t, "mse"), double(parameters),
                                   lambda now, gradients: optimizer.update(now, clipped(gradients, 0.5)))
        scratch.run("train", "model.onnx", *flags_of(network, "phantom"), "--clip-norm", 0.5, "--gemm", "reference",
                    "--precision", "f64", *train_flags(BATCH, "mse", "sgd", 0.1, STEPS))
        check_log(scratch, *expected, 1e-10)
