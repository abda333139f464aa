# ===- phantom_jax.py - Phantom and tensor parallel nets in JAX ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Phantom layers, or layers divided by columns and by rows in turn, with shard_map over CPU devices.

Gradients are JAX's own. Mode jit trains one step per call, scan several; the parameters are donated. XLA shares the
cores of all ranks between its devices; in the modes with -single each device computes with one thread.
"""
import os
import sys

import numpy as np

import peer

MODES = ("jit", "jit-single", "scan", "scan-single")
AXIS = "ranks"
STEPS_PER_CALL = 5  # of scan; divides the steps of a check


def prepare(options):
    """What must be set before JAX starts."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:options.ranks])
    flags = [os.environ.get("XLA_FLAGS", ""), f"--xla_force_host_platform_device_count={options.ranks}"]
    if options.mode.endswith("-single"):
        flags.append("--xla_cpu_multi_thread_eigen=false")
    os.environ["XLA_FLAGS"], os.environ["JAX_PLATFORMS"] = " ".join(flags).strip(), "cpu"


def column_layer(parameters, name, ranks):
    """Each rank's rows of W, and how the tensors are divided."""
    weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
    return {"weight": (weight, (AXIS, None)), "bias": (bias, (AXIS,))}


def row_layer(parameters, name, ranks):
    """Each rank's columns of W."""
    return {"weight": (parameters[f"{name}.weight"], (None, AXIS)), "bias": (parameters[f"{name}.bias"], ())}


def phantom_layer(parameters, name, ranks):
    """A rank has the decompressors of the other ranks only, beginning with the rank after it."""
    local, compressor = parameters[f"{name}.local"], parameters[f"{name}.compressor"]
    decompressor = parameters[f"{name}.decompressor"]
    k, m = decompressor.shape[2:]
    others = np.stack([decompressor[rank, (rank + 1 + np.arange(ranks - 1)) % ranks] for rank in range(ranks)])
    return {"local": (local.reshape(-1, local.shape[2]), (AXIS, None)),
            "compressor": (compressor.reshape(-1, compressor.shape[2]), (AXIS, None)),
            "decompressor": (others.reshape(ranks * (ranks - 1) * k, m), (AXIS, None)),
            "bias": (parameters[f"{name}.bias"], (AXIS,))}


def layers(options, parameters):
    """Per layer: tensors by name, with how they are divided."""
    depth, result = options.layers + 2, []
    for i in range(1, depth + 1):
        if options.strategy == "phantom":
            kind = column_layer if i == 1 else row_layer if i == depth else phantom_layer
        else:
            kind = column_layer if i % 2 else row_layer
        result.append(kind(parameters, f"fc{i}", options.ranks))
    return result


def apply_layer(layer, x, columns, ranks):
    """z of one rank; `columns`: a dense layer that is divided by columns."""
    import jax
    import jax.numpy as jnp
    if "local" in layer:
        ghosts = jax.lax.all_gather(layer["compressor"] @ x.T, AXIS, axis=0, tiled=True)
        k, rank = len(layer["compressor"]), jax.lax.axis_index(AXIS)
        others = jax.lax.dynamic_slice_in_dim(jnp.concatenate((ghosts, ghosts)), (rank + 1) * k, (ranks - 1) * k)
        return x @ layer["local"].T + others.T @ layer["decompressor"] + layer["bias"]
    z = x @ layer["weight"].T
    return z + layer["bias"] if columns else jax.lax.psum(z, AXIS) + layer["bias"]


def make_train(options, specs, mesh, count):
    """A jitted function (parameters, x, t) -> (parameters, losses of `count` steps), with donated parameters."""
    import jax
    import jax.numpy as jnp
    from jax.sharding import PartitionSpec
    activation = {"relu": jax.nn.relu, "tanh": jnp.tanh}[options.activation]
    columns = [spec.get("weight") == PartitionSpec(AXIS, None) for spec in specs]

    def loss(parameters, x, t):
        for i, layer in enumerate(parameters):
            x = apply_layer(layer, x, columns[i], options.ranks)
            x = activation(x) if i + 1 < len(parameters) else x
        return jnp.mean((x - t)**2)

    def step(parameters, x, t):
        value, gradients = jax.value_and_grad(loss)(parameters, x, t)
        update = lambda parameter, gradient: parameter - options.learning_rate * gradient
        return jax.tree.map(update, parameters, gradients), value

    def train(parameters, x, t):
        if count == 1:
            return step(parameters, x, t)
        return jax.lax.scan(lambda carry, _: step(carry, x, t), parameters, length=count)

    whole = PartitionSpec()
    divided = jax.shard_map(train, mesh=mesh, in_specs=(specs, whole, whole), out_specs=(specs, whole))
    return jax.jit(divided, donate_argnums=0)


def make_step(options):
    """(step, steps per call): `step()` starts a call, and returns a function that waits for it and has the losses."""
    import jax
    from jax.sharding import NamedSharding, PartitionSpec
    mesh = jax.make_mesh((options.ranks,), (AXIS,))
    put = lambda value, spec: jax.device_put(value, NamedSharding(mesh, spec))
    parameters, x, t = peer.start(options)
    described = layers(options, parameters)
    specs = [{name: PartitionSpec(*spec) for name, (_, spec) in layer.items()} for layer in described]
    values = [{name: put(value, specs[i][name]) for name, (value, _) in layer.items()}
              for i, layer in enumerate(described)]
    count = STEPS_PER_CALL if options.mode.startswith("scan") else 1
    train = make_train(options, specs, mesh, count)
    x, t = put(x, PartitionSpec()), put(t, PartitionSpec())

    def step():
        nonlocal values
        values, losses = train(values, x, t)
        return lambda: np.atleast_1d(losses.block_until_ready())

    return step, count


def main():
    options = peer.parse(__doc__, MODES, ("phantom", "tensor"))
    prepare(options)
    step, per_call = make_step(options)
    if options.check:
        peer.reply(np.concatenate([step()() for _ in range(peer.CHECK_STEPS // per_call)]))
        return
    for count in peer.requests():
        seconds = peer.step_seconds(step, -(-count // per_call))
        peer.reply(np.repeat(np.array(seconds) / per_call, per_call))


if __name__ == "__main__":
    sys.exit(main())
