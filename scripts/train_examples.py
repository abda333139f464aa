# ===- train_examples.py - Train the examples and print one table ----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Called by scripts/quickstart; Python's standard library only."""
import argparse
import json
import os
import subprocess
import sys

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "examples")
RANKS = 4

TASKS = {
    "digits": dict(model="digits.onnx", inputs="images", targets="labels", loss="cross-entropy",
                   optimizer="adamw", learning_rate=0.002, weight_decay=1, schedule="cosine", warmup=0.1, steps=600),
    "teacher": dict(model="teacher.onnx", inputs="inputs", targets="targets", loss="mse",
                    optimizer="adam", learning_rate=0.005, weight_decay=0, schedule="wsd", warmup=0.05, steps=4000),
}
# (task, strategy, ghost width)
RUNS = [
    ("digits", "phantom", 4),
    ("digits", "tensor", None),
    ("teacher", "phantom", 8),
    ("teacher", "phantom", 0),
    ("teacher", "tensor", None),
]


def command(phantom_run, name, strategy, ghost_width, output):
    task, folder = TASKS[name], os.path.join(EXAMPLES, name)
    data = lambda part, kind: os.path.join(folder, f"{part}_{task[kind]}.npy")
    arguments = [
        phantom_run, "train", os.path.join(folder, task["model"]), "--strategy", strategy, "--ranks", str(RANKS),
        "--inputs", data("train", "inputs"), "--targets", data("train", "targets"),
        "--eval-inputs", data("test", "inputs"), "--eval-targets", data("test", "targets"),
        "--loss", task["loss"], "--optimizer", task["optimizer"], "--learning-rate", str(task["learning_rate"]),
        "--weight-decay", str(task["weight_decay"]), "--schedule", task["schedule"], "--warmup", str(task["warmup"]),
        "--batch-size", "64", "--steps", str(task["steps"]), "--seed", "0",
        "--log", output + ".jsonl", "--summary", output + ".json",
    ]
    return arguments + (["--ghost-width", str(ghost_width)] if ghost_width is not None else [])


def scaled(value, unit):
    """A number with three digits and an SI prefix."""
    if value is None:
        return "-"
    for factor, prefix in ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ")):
        if abs(value) >= factor:
            break
    return f"{value / factor:.3g} {prefix}{unit}" if value else f"0 {unit}"


def row(name, strategy, ghost_width, summary):
    label = strategy if ghost_width is None else f"{strategy} k={ghost_width}"
    accuracy = summary.get("eval_accuracy")
    return [
        name, f"{label} p={RANKS}", f"{summary['parameters']:,}",
        scaled(summary["formula_flops_per_step"], "flop"), scaled(summary["comm_bytes_per_step"], "B"),
        scaled(summary["step_seconds_median"], "s"), scaled(summary["model_energy_joules"], "J"),
        f"{summary['eval_loss']:.3g}", "-" if accuracy is None else f"{100 * accuracy:.1f} %",
    ]


def print_table(rows):
    header = ["task", "strategy", "parameters", "flops/step", "bytes/step", "step time", "modelled energy",
              "test loss", "accuracy"]
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    show = lambda line: "  ".join(f"{cell:<{w}}" if i < 2 else f"{cell:>{w}}"
                                  for i, (cell, w) in enumerate(zip(line, widths)))
    print("\n" + show(header))
    print("  ".join("-" * w for w in widths))
    for line in rows:
        print(show(line))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--phantom-run", required=True)
    parser.add_argument("--output-dir", required=True)
    options = parser.parse_args()
    os.makedirs(options.output_dir, exist_ok=True)
    rows = []
    for name, strategy, ghost_width in RUNS:
        suffix = "" if ghost_width is None else f"-k{ghost_width}"
        output = os.path.join(options.output_dir, f"{name}-{strategy}{suffix}")
        arguments = command(options.phantom_run, name, strategy, ghost_width, output)
        print(f"\n{name}, {strategy}{suffix.replace('-k', ' k=')}, {RANKS} ranks", flush=True)
        if subprocess.call(arguments) != 0:
            print(f"quickstart: this command failed:\n  {' '.join(arguments)}", file=sys.stderr)
            return 1
        with open(output + ".json") as file:
            rows.append(row(name, strategy, ghost_width, json.load(file)))
    print_table(rows)
    print("\nflops/step: formula, GEMMs of one rank. bytes/step: counted where one rank reads its peers. Energy: modelled from\n"
          "machines/generic.json, not measured. Test loss and accuracy: on held-out data. All ranks share this machine's\n"
          f"cores, so step times do not show a speed-up. Logs: {options.output_dir}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
