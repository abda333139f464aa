# ===- report_cases.py - Pages that compare runs --------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""phantom-run report: its numbers are those of the logs, and its pages are whole in themselves."""
import contextlib
import json
import math
import os

from error_cases import expect_error
from harness import Scratch, check, check_close, prepared, strategy_flags, train_flags
from reference import Network
from report_page import read_page

STEPS = 30
EVIL = "<script>alert('x')</script>&\"quoted\""


def report(scratch, *arguments):
    process = scratch.tool("phantom-run", "report", *arguments, "-o", "report.html")
    check(process.returncode == 0, f"report {arguments}: {process.stderr}")
    return process


def record(step, **fields):
    return {"step": step, "loss": 4 / step, "grad_norm": 1.5, "learning_rate": 0.1, "samples_per_second": 640,
            "step_seconds": 0.1, "comm_bytes": 1000, "comm_seconds": 0.02, "energy_joules": 3, "model_energy_joules": 2,
            **fields}


def write_log(scratch, name, records, end=""):
    with open(scratch.path(name), "w") as file:
        file.write("".join(json.dumps(record) + "\n" for record in records) + end)


def read_json(scratch, name):
    with open(scratch.path(name)) as file:
        return json.load(file)


@contextlib.contextmanager
def two_runs(options):
    """Two short runs; yields the scratch folder and their logs by name."""
    network = Network([64, 64, 64], "gelu", True, 2, 4, frozenset([1]))
    with prepared(options, network) as (scratch, *_):
        for strategy in ("phantom", "tensor"):
            scratch.run("train", "model.onnx", *strategy_flags(network, strategy), *train_flags(8, "mse", count=STEPS),
                        "--quiet", "--summary", f"{strategy}.json", "--eval-inputs", "x.npy", "--eval-targets", "t.npy")
            os.rename(scratch.path("log.jsonl"), scratch.path(f"{strategy}.jsonl"))
        yield scratch, {name: scratch.log(f"{name}.jsonl") for name in ("phantom", "tensor")}


def total(log, key):
    return math.fsum(step[key] for step in log)


def expected_loss(log, eval_loss):
    losses = [step["loss"] for step in log]
    return {"steps": len(log), "first loss": losses[0], "final loss": losses[-1], "best loss": min(losses),
            "at step": losses.index(min(losses)) + 1, "final held-out loss": eval_loss, "best held-out loss": None}


def expected_cost(log):
    later = sorted(step["step_seconds"] for step in log[1:])
    seconds = total(log, "step_seconds")
    samples = math.fsum(step["samples_per_second"] * step["step_seconds"] for step in log)
    return {"time in steps": seconds, "median step": later[len(later) // 2], "samples/s": samples / seconds,
            "bytes/step, per rank": total(log, "comm_bytes") / len(log), "bytes, per rank": total(log, "comm_bytes"),
            "modelled energy": total(log, "model_energy_joules"), "measured energy": None,
            "share of waits": total(log, "comm_seconds") / seconds}


def expected_target(log, target):
    reached = next((index + 1 for index, step in enumerate(log) if step["loss"] <= target), None)
    log = log[:reached]
    return reached and {"steps": reached, "time in steps": total(log, "step_seconds"),
                        "bytes, per rank": total(log, "comm_bytes"),
                        "modelled energy": total(log, "model_energy_joules"), "measured energy": None}


def compare(table, run, expected):
    for column, value in expected.items():
        cell = table[run][column]
        if value is None:
            check(cell["content"] == "not measured" and cell["value"] is None, f"{run}, {column}: {cell}")
        else:
            check_close(f"{run}, {column}", cell["value"], value, tolerance=1e-12)


def numbers(options):
    """The tables' numbers are those of the logs and the summary."""
    with two_runs(options) as (scratch, logs):
        target = sorted(step["loss"] for step in logs["phantom"])[STEPS // 2]
        report(scratch, "phantom.jsonl", f"{EVIL}=tensor.jsonl", "--target-loss", target, "--summary-of",
               "phantom=phantom.json")
        page = read_page(scratch)
        summary = read_json(scratch, "phantom.json")
        check(EVIL in page.text, "the run's name is not on the page")
        caption = next(caption for caption in page.tables if caption.startswith("Cost of a training loss of"))
        for run, log, eval_loss in (("phantom", logs["phantom"], summary["eval_loss"]), (EVIL, logs["tensor"], None)):
            compare(page.table("Loss"), run, expected_loss(log, eval_loss))
            compare(page.table("Cost"), run, expected_cost(log))
            expected = expected_target(log, target)
            if expected:
                compare(page.table(caption), run, expected)
            else:
                check(page.table(caption)[run]["steps"]["content"] == "not reached", f"{run}: {target}")
            check_close("the line of losses", page.values("Training loss by step", run), [step["loss"] for step in log],
                        tolerance=1e-3)  # a line is drawn to a hundredth of a pixel
        check(expected_target(logs["phantom"], target), "no run reaches the target: a weak test")
        compare(page.table("Cost"), "phantom", {"median step": summary["step_seconds_median"]})
        runs = page.table("Runs")
        compare(runs, "phantom", {"ranks": 2, "ghost width": 4, "batch size": 8, "parameters": summary["parameters"],
                                  "work/step": summary["executed_flops_per_step"],
                                  "peak memory": summary["peak_memory_bytes"]})
        check(runs["phantom"]["end"]["content"] == "completed", f"{runs['phantom']['end']}")
        check(runs[EVIL]["strategy"]["content"] == "no summary", f"{runs[EVIL]['strategy']}")


def missing(options):
    """What was not measured is not drawn or counted as 0, and measured joules are not mixed with modelled ones."""
    with Scratch(options) as scratch:
        write_log(scratch, "all.jsonl", [record(step) for step in range(1, 11)])
        absent = {"grad_norm": None, "comm_seconds": None, "energy_joules": None, "energy_reason": "no <counter>"}
        write_log(scratch, "few.jsonl", [record(step, **absent) for step in range(1, 11)])
        write_log(scratch, "eval.jsonl",
                  [record(step, **({"eval_loss": 8 / step} if step % 5 == 0 else {})) for step in range(1, 11)])
        report(scratch, "all.jsonl", "few.jsonl", "eval.jsonl", "--target-loss", "0.3")
        page = read_page(scratch)
        cost = page.table("Cost")
        compare(cost, "all", {"measured energy": 30, "modelled energy": 20, "share of waits": 0.2})
        compare(cost, "few", {"measured energy": None, "modelled energy": 20, "share of waits": None})
        check("measured energy: no <counter> (few)" in page.text, "the reason is not on the page")
        drawn = lambda chart: sorted(page.charts[chart]["lines"])
        everyone = ["all", "eval", "few"]
        check(drawn("Training loss by measured energy") == ["all", "eval"], "measured energy")
        absent = page.charts["Training loss by measured energy"]["absent"]
        check("few: not measured, no <counter>" in absent, f"measured energy: {absent}")
        check(drawn("Training loss by modelled energy") == everyone, "modelled energy")
        check(drawn("Gradient norm by step") == ["all", "eval"], "gradient norm")
        absent = page.charts["Gradient norm by step"]["absent"]
        check("few: not measured, the log has no 'grad_norm'" in absent, f"gradient norm: {absent}")
        check(drawn("Held-out loss by step") == ["eval"], "held-out loss")
        compare(page.table("Loss"), "eval", {"final held-out loss": 0.8, "best held-out loss": 0.8})
        compare(page.table("Loss"), "all", {"final held-out loss": None})
        target = page.table("Cost of a training loss of 0.3")
        check(all(target[run]["steps"]["content"] == "not reached" for run in everyone), f"{target}")

        report(scratch, "all.jsonl", "eval.jsonl")
        check("Training loss by modelled energy" not in read_page(scratch).charts, "all runs were measured")


def parts_of_logs(options):
    """A line that was cut, a log that does not begin with the first step, a run that exchanges nothing."""
    with Scratch(options) as scratch:
        write_log(scratch, "cut.jsonl", [record(step) for step in range(1, 4)], '{"step": 4, "loss": 0.')
        write_log(scratch, "later.jsonl", [record(step, comm_bytes=0) for step in range(101, 104)])
        process = report(scratch, "cut.jsonl", "later.jsonl", "--target-loss", "1000")
        check("note: 'cut.jsonl': the last line was not written whole" in process.stderr, process.stderr)
        page = read_page(scratch)
        check("the last line was not written whole" in page.text, "the page does not say what was left out")
        compare(page.table("Loss"), "cut", {"steps": 3})
        target = page.table("Cost of a training loss of 1000")
        compare(target, "cut", {"steps": 1, "bytes, per rank": 1000})
        compare(target, "later", {"steps": 101, "bytes, per rank": None})
        check("the log begins with step 101" in page.text, "no reason")
        compare(page.table("Cost"), "later", {"bytes, per rank": 0})
        check(list(page.charts["Training loss by bytes per rank"]["lines"]) == ["cut"], "a line of no length")


def long_logs(options):
    """100,000 steps: spikes of one step stay, and the page stays small, with as many runs as there may be."""
    with Scratch(options) as scratch:
        steps = 100000 if not options.sanitize else 10000
        spike = steps // 3
        write_log(scratch, "long.jsonl", [record(step, loss=500 if step == spike else 2 + (step * 7919 % 101) / 101,
                                                 grad_norm=1e-200 if step == spike else 1.5)
                                          for step in range(1, steps + 1)])
        report(scratch, "long.jsonl")
        page = read_page(scratch)
        check_close("the spike", max(page.values("Training loss by step", "long")), 500, tolerance=1e-3)
        dip = min(page.values("Gradient norm by step", "long"))
        check_close("the dip", math.log(dip), math.log(1e-200), tolerance=1e-3)
        keys = ("loss", "grad_norm", "eval_loss", "eval_accuracy", "energy_joules", "model_energy_joules",
                "step_seconds", "comm_seconds", "comm_bytes", "learning_rate")
        write_log(scratch, "many.jsonl",
                  [record(step, **{key: 2 + math.sin(step) for key in keys}) for step in range(1, 2001)])
        write_log(scratch, "unmeasured.jsonl", [record(step, energy_joules=None) for step in range(1, 2001)])
        report(scratch, "unmeasured.jsonl", *(f"run {run}=many.jsonl" for run in range(23)))
        check(len(read_page(scratch).table("Loss")) == 24, "some runs are not there")


def same_bytes(options):
    """The same logs give the same page, and an error leaves the page that is there."""
    with Scratch(options) as scratch:
        write_log(scratch, "a=b.jsonl", [record(step) for step in range(1, 300)])
        pages = []
        for _ in range(2):
            report(scratch, "a=b.jsonl")
            with open(scratch.path("report.html"), "rb") as file:
                pages.append(file.read())
        check(pages[0] == pages[1], "two pages of one log differ")
        write_log(scratch, "bad.jsonl", [record(1)], "no\n")
        expect_error(scratch, ["report", "bad.jsonl", "-o", "report.html"], "bad.jsonl", "line 2")
        with open(scratch.path("report.html"), "rb") as file:
            check(file.read() == pages[0], "an error changed the page")
        check("a=b" in read_page(scratch).table("Loss"), "a file's name was taken apart")


def errors(options):
    with Scratch(options) as scratch:
        write_log(scratch, "a.jsonl", [record(1), record(2)])
        write_log(scratch, "gap.jsonl", [record(1), record(3)])
        write_log(scratch, "empty.jsonl", [])
        write_log(scratch, "text.jsonl", [record(1), record(2, comm_bytes="many")])
        with open(scratch.path("s.json"), "w") as file:
            json.dump({"steps": 7, "final_loss": 2}, file)
        for arguments, words in (
            (["-o", "r.html"], ["name a log"]),
            (["a.jsonl"], ["-o is missing"]),
            (["a.jsonl", "-o", "nowhere/r.html"], ["nowhere/r.html"]),
            (["a.jsonl", "-o", "r.html", "--target-loss", "low"], ["--target-loss low", "not a number"]),
            (["a.jsonl", "-o", "r.html", "--ranks", "4"], ["--ranks"]),
            (["absent.jsonl", "-o", "r.html"], ["absent.jsonl"]),
            (["empty.jsonl", "-o", "r.html"], ["empty.jsonl", "has no step"]),
            (["gap.jsonl", "-o", "r.html"], ["gap.jsonl", "line 2", "step 3 follows step 1"]),
            (["text.jsonl", "-o", "r.html"], ["text.jsonl", "line 2", "'comm_bytes' is not a number"]),
            (["x=a.jsonl", "x=a.jsonl", "-o", "r.html"], ["two runs have the name 'x'"]),
            ([*["a.jsonl"] * 25, "-o", "r.html"], ["at most 24 runs"]),
            (["a.jsonl", "-o", "r.html", "--summary-of", "b=s.json"], ["no run 'b'", "the runs are a"]),
            (["a.jsonl", "gap=a.jsonl", "-o", "r.html", "--summary-of", "s.json"], ["say which run"]),
            (["a.jsonl", "-o", "r.html", "--summary-of", "s.json"], ["s.json", "not of the same run", "step 7"]),
        ):
            expect_error(scratch, ["report", *arguments], *words)


def cases(options):
    yield from {"report/numbers": numbers, "report/missing": missing, "report/parts-of-logs": parts_of_logs,
                "report/long-logs": long_logs, "report/same-bytes": same_bytes, "report/errors": errors}.items()
