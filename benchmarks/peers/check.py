# ===- check.py - All contestants compute the same losses -------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: check.py --tools-dir DIR --python PYTHON [net options] [--frameworks torch,jax]

Trains ten steps from the same parameters with Phantom and with each peer, in PYTHON, and compares the losses with those
of the NumPy reference in f64: all differ by at most 1e-4 of the loss. The last line is "N passed, N failed".
"""
import argparse
import os
import sys
import tempfile

import numpy as np

import contestants
import peer
import reference

TOLERANCE = 1e-4


def expected_losses(options, folder):
    options.check = folder
    parameters, x, t = peer.start(options)
    parameters = {name: value.astype(np.float64) for name, value in parameters.items()}
    net, optimizer, losses = peer.network(options), reference.Optimizer("sgd", options.learning_rate), []
    for _ in range(peer.CHECK_STEPS):
        value, gradients = net.loss_and_gradients(parameters, x.astype(np.float64), t.astype(np.float64), "mse")
        losses.append(value)
        optimizer.update(parameters, gradients)
    return np.array(losses)


def failure(contestant, folder, expected):
    """Why a contestant does not pass, or None."""
    try:
        losses = np.array(contestant.losses(folder))
    except contestants.Failed as error:
        return str(error)
    if losses.shape != expected.shape:
        return f"{losses.size} losses"
    error = np.max(np.abs(losses - expected) / expected)
    return None if error <= TOLERANCE else f"losses differ by {error:.3g} of the loss: {losses}, expected {expected}"


def check(options, strategy):
    """Checks all contestants of a strategy; returns (passed, failed)."""
    options.strategy, passed, failed = strategy, 0, 0
    with tempfile.TemporaryDirectory(prefix="phantom-peers-") as folder:
        contestants.save_model(folder, options)
        expected = expected_losses(options, folder)
        if np.min(np.abs(np.diff(expected)) / expected[1:]) < 10 * TOLERANCE:
            sys.exit("check: the losses hardly change, so that they show nothing; take a higher --learning-rate")
        everyone = [contestants.Ours(options.tools_dir, options, name, folder) for name in contestants.OURS[strategy]]
        everyone += [contestants.Peer(options.python, options, *entry) for entry in contestants.PEERS[strategy]
                     if entry[0] in options.frameworks]
        for contestant in everyone:
            why = failure(contestant, folder, expected)
            passed, failed = passed + (why is None), failed + (why is not None)
            print(f"{'FAIL' if why else 'ok  '} {strategy}: {contestant.name}", flush=True)
            if why:
                print(f"  {why}", flush=True)
    return passed, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    peer.add_net_options(parser)
    parser.set_defaults(width=64, ghost_width=4, batch=16, learning_rate=0.2)
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--python", required=True, help="a Python that has the peers")
    parser.add_argument("--frameworks", default="torch,jax", help="peers to check")
    options = parser.parse_args()
    options.tools_dir, options.frameworks = os.path.abspath(options.tools_dir), options.frameworks.split(",")
    results = [check(options, strategy) for strategy in contestants.PEERS]
    passed, failed = (sum(numbers) for numbers in zip(*results))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
