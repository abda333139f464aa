# ===- energy_cases.py - Counted joules ------------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""What a counter says is a number, or null with the reason. The counter here is a file."""
import json
import threading
import time

from error_cases import expect_error
from harness import check, prepared, strategy_flags, without_times
from reference import Network

NETWORK = Network([64] * 4, "gelu", True, 2, 4, frozenset([2]))


def command(*more):
    return ["train", "model.onnx", *strategy_flags(NETWORK, "phantom"), "--loss", "mse", "--batch-size", "8", "--quiet",
            "--inputs", "x.npy", "--targets", "t.npy", "--summary", "s.json", "--log", "log.jsonl", *map(str, more)]


def summary(scratch):
    with open(scratch.path("s.json")) as file:
        return json.load(file)


def write(scratch, text):
    with open(scratch.path("meter"), "w") as file:
        file.write(text)


def counted(options):
    """While the run goes on, a program counts in a file: the total is what it has counted in that time."""
    with prepared(options, NETWORK) as (scratch, *_):
        write(scratch, "1000\n")
        done = threading.Event()

        def count():
            joules = 1000
            while not done.is_set():
                joules += 2
                with open(scratch.path("meter"), "a") as file:
                    file.write(json.dumps({"time": time.time(), "joules": joules}) + "\n")
                time.sleep(1e-4)

        meter = threading.Thread(target=count)
        meter.start()
        try:
            scratch.run(*command("--steps", 2000, "--energy", "external=meter"))
        finally:
            done.set()
            meter.join()
        result, log = summary(scratch), scratch.log()
        with open(scratch.path("meter")) as file:
            last = json.loads(file.readlines()[-1])["joules"]
        check(result["energy_source"] == "external" and 0 < result["energy_joules"] <= last - 1000, f"{result}")
        check(result["energy_joules"] % 2 == 0, f"{result['energy_joules']} J of a meter that counts in twos")
        known = [record["energy_joules"] for record in log if record["energy_joules"] is not None]
        check(all(joules > 0 for joules in known), "a step without energy")
        check(sum(known) <= result["energy_joules"], f"the steps have {sum(known)} J, the run {result['energy_joules']}")
        check(all(("energy_reason" in record) == (record["energy_joules"] is None) for record in log), "a null without a reason")


def null(content, *words):
    """A file that does not change, or that cannot be read: no number, and the same training."""

    def run(options):
        with prepared(options, NETWORK) as (scratch, *_):
            scratch.run(*command("--steps", 5, "--energy", "none"))
            plain = without_times(scratch.log())
            if content is not None:
                write(scratch, content)
            process = scratch.run(*command("--steps", 5, "--energy", "external=meter"))
            result = summary(scratch)
            check(result["energy_joules"] is None, f"{result['energy_joules']} J")
            for word in words:
                check(word in result["energy_reason"], f"the reason is {result['energy_reason']}")
            check(without_times(scratch.log()) == plain, "the logs differ")
            check(all(record["energy_joules"] is None for record in scratch.log()), "a step has energy")
            unreadable = "has not changed" not in words
            check(("warning: --energy had no effect" in process.stderr) == unreadable, process.stderr)
            if unreadable:
                expect_error(scratch, command("--steps", 5, "--energy", "external=meter", "--strict"), "--energy", *words)

    return run


def none_and_rapl(options):
    """Both say why; RAPL is read where this machine has it."""
    with prepared(options, NETWORK) as (scratch, *_):
        scratch.run(*command("--steps", 3, "--energy", "none"))
        result = summary(scratch)
        check(result["energy_source"] == "none" and result["energy_joules"] is None, f"{result}")
        check(result["energy_reason"] == "--energy none", f"{result}")
        scratch.run(*command("--steps", 3, "--energy", "rapl"))
        result = summary(scratch)
        check(result["energy_source"] == "rapl", f"{result}")
        check(result["energy_joules"] is not None or result["energy_reason"], f"{result}")
        scratch.run(*command("--steps", 3, "--device", "sim"))
        check("no real energy" in summary(scratch)["energy_reason"], f"{summary(scratch)}")
        scratch.run(*command("--steps", 3, "--device", "sim", "--energy", "nvml"))
        check(summary(scratch)["energy_source"] == "nvml" and summary(scratch)["energy_joules"] > 0, f"{summary(scratch)}")


def carried(options):
    """A run that goes on adds to what was counted before its checkpoint, if that is known."""
    with prepared(options, NETWORK) as (scratch, *_):
        kept = ["--checkpoint-dir", "checkpoints", "--energy", "external=meter"]
        write(scratch, "5\n")
        scratch.run(*command("--steps", 3, "--checkpoint-dir", "checkpoints", "--energy", "none"))
        write(scratch, "5\n")
        scratch.run(*command("--steps", 3, *kept, "--resume"))
        check("before the checkpoint" in summary(scratch)["energy_reason"], f"{summary(scratch)}")


def machine(options):
    """Modelled joules are those of the machine file."""
    with prepared(options, NETWORK) as (scratch, *_):
        file = {"name": "m", "busy_watts": 200, "wait_watts": 70, "idle_watts": 30, "flops_per_second": 1e9,
                "link_bytes_per_second": 1e8, "link_latency_seconds": 1e-4}
        results = {}
        for changes in ({}, {"idle_watts": 0}, {"busy_watts": 300}, {"wait_watts": 80}, {"flops_per_second": 2e9},
                        {"link_bytes_per_second": 2e8}, {"link_latency_seconds": 2e-4}):
            with open(scratch.path("m.json"), "w") as out:
                json.dump({**file, **changes}, out)
            scratch.run(*command("--steps", 2, "--machine", "m.json"))
            result = summary(scratch)
            results[tuple(changes)] = result["model_energy_joules"], result["model_energy_above_idle_joules"]
        base = results.pop(())
        flops, bytes_ = result["formula_flops_per_step"], result["model_comm_bytes_per_step"]
        # 2 steps of 2 ranks
        near = lambda one, two: abs(one - two) <= 1e-9 * abs(two)
        latency = (results["link_latency_seconds",][0] - base[0]) / 4 / 70
        joules = 4 * (200 * flops / 1e9 + 70 * (bytes_ / 1e8 + latency))
        check(near(base[0], joules), f"{base[0]} J, expected {joules}")
        check(round(latency / 1e-4) > 0 and near(latency, round(latency / 1e-4) * 1e-4), f"{latency} s are no whole exchanges")
        check(near(base[1], joules - 4 * 30 * (flops / 1e9 + bytes_ / 1e8 + latency)), f"{base[1]} J above idle")
        check(results["idle_watts",] == (base[0], base[0]), "idle power is in the whole")
        for name, (whole, _) in results.items():
            rises = name[0] in ("busy_watts", "wait_watts", "link_latency_seconds")
            check(name == ("idle_watts",) or (whole > base[0]) == rises, f"{name}: {whole} J after {base[0]} J")


def refusals(options):
    with prepared(options, NETWORK) as (scratch, *_):
        expect_error(scratch, command("--steps", 3, "--energy", "solar"), "--energy", "none, rapl, nvml, external=F")
        expect_error(scratch, command("--steps", 3, "--energy", "external="), "--energy", "name a file")
        expect_error(scratch, command("--steps", 3, "--energy", "nvml"), "--energy", "only for --device cuda and sim")
        with open(scratch.path("m.json"), "w") as out:
            json.dump({"name": "m", "busy_watts": 200, "wait_watts": 20, "idle_watts": 30, "flops_per_second": 1e9,
                       "link_bytes_per_second": 1e8, "link_latency_seconds": 1e-4}, out)
        expect_error(scratch, command("--steps", 3, "--machine", "m.json"), "m.json", "idle_watts", "wait_watts")


def cases(options):
    yield "energy/counted", counted
    yield "energy/stuck", null("12\n", "has not changed")
    yield "energy/malformed", null("12\nwatts 3\n", "watts 3", "no number of joules")
    yield "energy/no-whole-line", null("12", "no whole line")
    yield "energy/absent", null(None, "meter", "cannot be read")
    yield "energy/none-and-rapl", none_and_rapl
    yield "energy/carried", carried
    yield "energy/machine", machine
    yield "energy/refusals", refusals
