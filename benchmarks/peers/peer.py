# ===- peer.py - What the peers share --------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""The net, its first values, and how a peer is asked for losses (`--check`) or for step times (`--serve`).

The net has `layers` hidden layers of `width` neurons after the first one, fc2, …; fc1 and the last layer are dense:

    x [batch, ends] -> fc1 -> fc2 -> … -> fcN [batch, ends]

In a peer of the phantom strategy fc2, … are phantom layers. Parameters have the names and shapes of Phantom's files.
"""
import argparse
import json
import os
import sys
import time

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "test", "Execution"))

import reference
import safetensors

ACTIVATIONS = ("relu", "tanh")
CHECK_STEPS = 10


def add_net_options(parser):
    """The options that say what is computed, but for the strategy; `net_flags` is the way back."""
    parser.add_argument("--width", type=int, default=512, help="neurons of a layer")
    parser.add_argument("--layers", type=int, default=2, help="layers between the first one and the last")
    parser.add_argument("--ghost-width", type=int, default=8)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--ends", type=int, default=0, help="width of the inputs and outputs (that of the layers)")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--activation", choices=ACTIVATIONS, default="relu")
    parser.add_argument("--learning-rate", type=float, default=0.001)


def net_flags(options):
    names = ("strategy", "width", "layers", "ghost_width", "batch", "ends", "ranks", "activation", "learning_rate")
    return [text for name in names for text in ("--" + name.replace("_", "-"), str(getattr(options, name)))]


def network(options):
    """The reference.Network of the options; an error for what a peer cannot compute."""
    for name, value in (("width", options.width), ("ends", options.ends)):
        if value % options.ranks:
            raise SystemExit(f"--{name} {value} is not divisible by --ranks {options.ranks}")
    if options.strategy == "phantom" and (options.ranks < 2 or options.ghost_width < 1):
        raise SystemExit("phantom layers need --ranks of at least 2 and --ghost-width of at least 1")
    if options.strategy == "tensor" and options.layers % 2:
        raise SystemExit(f"--layers {options.layers} is odd: dense layers are divided in pairs")
    ends = options.ends or options.width
    phantom = range(2, options.layers + 2) if options.strategy == "phantom" else ()
    return reference.Network([ends] + [options.width] * (options.layers + 1) + [ends], options.activation,
                             ranks=options.ranks, ghost_width=options.ghost_width, phantom=frozenset(phantom))


def start(options):
    """(parameters, x, t) of the folder to check, or random ones."""
    if options.check:
        load = lambda name: np.load(os.path.join(options.check, name))
        return safetensors.load(os.path.join(options.check, "parameters.safetensors")), load("x.npy"), load("t.npy")
    rng, net = np.random.default_rng(0), network(options)
    data = lambda: rng.standard_normal((options.batch, net.widths[0])).astype(np.float32)
    return net.random_parameters(rng, np.float32), data(), data()


def parse(description, modes, strategies):
    """Options of a peer that can work in these modes; the first ones are the defaults."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_net_options(parser)
    parser.add_argument("--strategy", choices=strategies, default=strategies[0])
    parser.add_argument("--mode", choices=modes, default=modes[0])
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", metavar="FOLDER",
                        help=f"train {CHECK_STEPS} steps on this folder's parameters.safetensors, x.npy and t.npy, "
                        "and print the losses")
    action.add_argument("--serve", action="store_true",
                        help="print 'ready'; for each line with a number of steps, print their seconds")
    options = parser.parse_args()
    network(options)
    return options


def step_seconds(step, count):
    """Seconds of each of `count` steps. A step starts before the result of the last one is waited for, as in a training
    loop that looks at the loss one step late; `step()` returns a function that waits."""
    wait = step()
    times = [time.perf_counter()]
    for _ in range(count):
        following = step()
        wait()
        wait = following
        times.append(time.perf_counter())
    wait()
    return list(np.diff(times))


def requests(stream=sys.stdin):
    """The numbers of steps that are asked for, one per line."""
    print("ready", flush=True)
    for line in stream:
        yield int(line)


def reply(numbers):
    print(json.dumps([float(number) for number in numbers]), flush=True)
