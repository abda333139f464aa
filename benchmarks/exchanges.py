# ===- exchanges.py - Exchanges beside their floor, MPI and gloo ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/exchanges, which documents the options."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def finish(process):
    """What the process printed; ends the benchmark if it failed."""
    out, err = process.communicate()
    if process.returncode:
        sys.exit(f"exchanges: {' '.join(process.args)} failed:\n{err}")
    return out


def start(command, **options):
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def turn_of_ours(options):
    return finish(start([os.path.join(options.tools_dir, "exchanges"), str(options.seconds)]))


def turn_of_mpi(options):
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return finish(start(["mpirun", "-np", "2", "--bind-to", "core", os.path.join(options.tools_dir, "exchanges_mpi"),
                         str(options.seconds)], env=environment))


def turn_of_gloo(options):
    with tempfile.TemporaryDirectory(prefix="phantom-exchanges-") as folder:
        ranks = [start([options.python, os.path.join(HERE, "exchanges_gloo.py"), str(rank),
                        os.path.join(folder, "store"), str(options.seconds)]) for rank in (0, 1)]
        return "".join([finish(rank) for rank in ranks])


def measure(options):
    """{(kind, bytes): {contestant: median over the turns}}."""
    turns = [turn_of_ours, turn_of_mpi] + ([turn_of_gloo] if options.python else [])
    times = {}
    for _ in range(options.rounds):
        for turn in turns:
            for line in turn(options).splitlines():
                contestant, kind, size, seconds = line.split()
                times.setdefault((kind, int(size)), {}).setdefault(contestant, []).append(float(seconds))
    return {key: {name: statistics.median(values) for name, values in row.items()} for key, row in times.items()}


def show(rows):
    print(f"{'exchange':<15} {'KiB':>5} {'floor':>11} {'ours':>11} {'mpi':>11} {'gloo':>11} {'ours/floor':>10} "
          f"{'mpi/ours':>8} {'gloo/ours':>9}")
    for (kind, size), row in rows.items():
        cell = lambda name: f"{1e6 * row[name]:8.2f} us" if name in row else "-"
        over = lambda name: f"{row[name] / row['ours']:.2f}" if name in row else "-"
        print(f"{kind:<15} {size // 1024:>5} {cell('floor'):>11} {cell('ours'):>11} {cell('mpi'):>11} "
              f"{cell('gloo'):>11} {row['ours'] / row['floor']:>10.2f} {over('mpi'):>8} {over('gloo'):>9}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--python", help="of a virtual environment with PyTorch; none: without gloo")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.2, help="of one contestant, kind and size in one round")
    parser.add_argument("--json", help="write the rows to this file too")
    options = parser.parse_args()
    rows = measure(options)
    show(rows)
    if options.json:
        with open(options.json, "w") as file:
            json.dump([dict(exchange=kind, bytes=size, seconds=row) for (kind, size), row in rows.items()], file,
                      indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
