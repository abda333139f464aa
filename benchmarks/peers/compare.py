# ===- compare.py - Step times of Phantom and its peers ---------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by benchmarks/peers/compare, which documents the options."""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile

import contestants
import peer

FEWEST, MOST = 5, 2000  # steps of a contestant in a round
WIDTH_CLASSES = (("n <= 512", lambda n: n <= 512), ("512 < n < 2048", lambda n: 512 < n < 2048),
                 ("n >= 2048", lambda n: n >= 2048))


def measure(everyone, rounds, seconds):
    """({name: seconds of all its steps}, {name: why it has none}). The contestants take turns, so that a slow minute
    hits all of them; a turn takes about `seconds`."""
    times, failures = {c.name: [] for c in everyone}, {}

    def turn(contestant, count):
        try:
            return contestant.step_seconds(count)
        except contestants.Failed as error:
            failures[contestant.name] = str(error)
            return []

    try:
        for contestant in everyone:
            try:
                contestant.start()
            except contestants.Failed as error:
                failures[contestant.name] = str(error)
        taking_part = lambda: [c for c in everyone if c.name not in failures]
        warm = {c.name: turn(c, FEWEST) for c in taking_part()}
        for _ in range(rounds):
            for contestant in taking_part():
                typical = statistics.median(times[contestant.name] or warm[contestant.name])
                times[contestant.name] += turn(contestant, int(min(MOST, max(FEWEST, seconds / typical))))
    finally:
        for contestant in everyone:
            contestant.stop()
    return {name: values for name, values in times.items() if name not in failures}, failures


def measure_row(options, strategy, width, layers, batch, k):
    """One line of the table."""
    net = dict(strategy=strategy, width=width, layers=layers, batch=batch, ghost_width=k or 0)
    options = argparse.Namespace(**{**vars(options), **net})
    with tempfile.TemporaryDirectory(prefix="phantom-peers-") as folder:
        contestants.save_model(folder, options)
        everyone = [contestants.Ours(options.tools_dir, options, name, folder) for name in contestants.OURS[strategy]]
        everyone += [contestants.Peer(options.python, options, *entry) for entry in contestants.PEERS[strategy]]
        everyone = [c for c in everyone if c.framework == "ours" or any(text in c.name for text in options.contestants)]
        times, failures = measure(everyone, options.rounds, options.seconds)
    row = dict(strategy=strategy, n=width, L=layers, k=k, B=batch, failures=failures,
               step_seconds={name: statistics.median(values) for name, values in times.items()},
               steps={name: len(values) for name, values in times.items()})
    for framework in ("ours", "torch", "jax"):
        medians = {c.mode: row["step_seconds"][c.name] for c in everyone
                   if c.framework == framework and c.name in row["step_seconds"]}
        row[framework] = min(medians.items(), key=lambda item: item[1]) if medians else None
    return row


def ratios(row):
    """{framework: its time over ours}, without those that have none."""
    return {name: row[name][1] / row["ours"][1] for name in ("torch", "jax") if row["ours"] and row[name]}


def cell(row, framework):
    best = row[framework]
    if best is None:
        failed = any(name.startswith(framework) for name in row["failures"])
        return f"{'failed' if failed else '-':>10}  {'':<16}"
    return f"{1e3 * best[1]:>7.3f} ms  {best[0]:<16}"


def show(row, header):
    if header:
        print(f"{'n':>5} {'L':>2} {'k':>3} {'B':>4}  {'ours':<28}{'best torch':<28}{'best jax':<28}{'torch/ours':>10} "
              f"{'jax/ours':>8}")
    over = {name: f"{value:.2f}" for name, value in ratios(row).items()}
    print(f"{row['n']:>5} {row['L']:>2} {row['k'] or '-':>3} {row['B']:>4}  "
          f"{cell(row, 'ours')}{cell(row, 'torch')}{cell(row, 'jax')}{over.get('torch', '-'):>10} "
          f"{over.get('jax', '-'):>8}", flush=True)
    for name, why in row["failures"].items():
        print(f"      {name} failed: {why}", flush=True)


def show_means(rows):
    """Geometric means over the rows of a strategy and a class of widths. `best` has the faster peer of each row."""
    print(f"\ngeometric means\n{'':<26}{'torch/ours':>10} {'jax/ours':>8} {'best/ours':>9} {'least':>6}  rows")
    for strategy, (label, belongs) in itertools.product(contestants.PEERS, WIDTH_CLASSES):
        chosen = [ratios(row) for row in rows if row["strategy"] == strategy and belongs(row["n"])]
        best = [min(r.values()) for r in chosen if r]
        if not best:
            continue
        mean = lambda values: f"{statistics.geometric_mean(values):.2f}" if values else "-"
        of = lambda name: mean([r[name] for r in chosen if name in r])
        print(f"{strategy + ', ' + label:<26}{of('torch'):>10} {of('jax'):>8} {mean(best):>9} {min(best):>6.2f}  "
              f"{len(best)} of {len(chosen)}")


def versions(python):
    code = "import jax, torch; print(f'PyTorch {torch.__version__}, JAX {jax.__version__}')"
    run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    return run.stdout.strip() or sys.exit(f"compare: {python} has no PyTorch and JAX:\n{run.stderr}")


def parse():
    numbers = lambda text: [int(word) for word in text.split(",")]
    words = lambda text: text.split(",")
    parser = argparse.ArgumentParser()
    parser.add_argument("--tools-dir", required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--strategies", type=words, default=list(contestants.PEERS))
    parser.add_argument("--widths", type=numbers, default=[256, 512, 2048])
    parser.add_argument("--layers", type=numbers, default=[2, 8])
    parser.add_argument("--ghost-widths", type=numbers, default=[4, 32])
    parser.add_argument("--batches", type=numbers, default=[64, 256])
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--ends", type=int, default=0, help="width of the inputs and outputs (that of the layers)")
    parser.add_argument("--activation", choices=peer.ACTIVATIONS, default="relu")
    parser.add_argument("--contestants", type=words, default=[""], help="only peers whose names contain one of these")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one contestant in one round, about")
    parser.add_argument("--json", help="write the rows, with the medians of all contestants, to this file too")
    options = parser.parse_args()
    for strategy in options.strategies:
        if strategy not in contestants.PEERS:
            parser.error(f"--strategies takes {' and '.join(contestants.PEERS)}, not {strategy}")
    options.tools_dir, options.learning_rate = os.path.abspath(options.tools_dir), 0.001
    return options


def main():
    options, rows = parse(), []
    print(f"{versions(options.python)}; p = {options.ranks}, f32, {options.activation}, MSE, SGD; medians of "
          f"{options.rounds} rounds", flush=True)
    for strategy in options.strategies:
        print(f"\n{strategy}", flush=True)
        ghost_widths = options.ghost_widths if strategy == "phantom" else [None]
        grid = itertools.product(options.widths, options.layers, ghost_widths, options.batches)
        for at, (width, layers, k, batch) in enumerate(grid):
            rows.append(measure_row(options, strategy, width, layers, batch, k))
            show(rows[-1], header=at == 0)
    show_means(rows)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
