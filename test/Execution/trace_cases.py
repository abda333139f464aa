# ===- trace_cases.py - Timelines of steps --------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""--trace: a timeline that viewers of Chrome traces can show, with every command of the first steps of each rank."""
import collections
import json

from harness import check, prepared, strategy_flags, train_flags
from reference import Network

RANKS, BATCH, WIDTH, STEPS, TRACED = 2, 8, 64, 12, 10


def trace(scratch, network, *flags):
    scratch.run("train", "model.onnx", *strategy_flags(network, "phantom"), *train_flags(BATCH, "mse", count=STEPS),
                "--quiet", "--trace", "trace.json", *flags)
    with open(scratch.path("trace.json")) as file:
        return json.load(file)


def check_nesting(events):
    """On each thread, an event begins after another has ended, or ends with or before it; to the nanosecond."""
    threads = collections.defaultdict(list)
    for event in events:
        begin = round(event["ts"] * 1000)
        threads[event["pid"], event["tid"]].append((begin, begin + round(event["dur"] * 1000), event["name"]))
    for thread, spans in threads.items():
        enclosing = []
        for begin, end, name in sorted(spans, key=lambda span: (span[0], -span[1])):
            check(0 <= begin <= end, f"{name} from {begin} to {end}")
            while enclosing and enclosing[-1] <= begin:
                enclosing.pop()
            check(not enclosing or end <= enclosing[-1], f"{thread}: {name} ends behind the event that it is in")
            enclosing.append(end)


def names_of(events, what):
    return {(event["pid"], event["tid"]): event["args"]["name"] for event in events if event["name"] == what}


def check_trace(document, kinds, threads):
    """`kinds`: the categories of commands, and what their events say; `threads`: names of those of each rank."""
    events = document["traceEvents"]
    check(document["otherData"] == {"model": "model", "strategy": "phantom", "ranks": RANKS},
          f"it is a trace of {document['otherData']}")
    check(names_of(events, "process_name") == {(rank, 0): f"rank {rank}" for rank in range(RANKS)}, "processes")
    expected = {(rank, thread): name for rank in range(RANKS) for thread, name in enumerate(threads)}
    check(names_of(events, "thread_name") == expected, f"threads {names_of(events, 'thread_name')}")
    spans = [event for event in events if event["ph"] != "M"]
    check(all(event["ph"] == "X" for event in spans), "events of other kinds")
    check_nesting(spans)
    for rank in range(RANKS):
        mine = [event for event in spans if event["pid"] == rank]
        runs = [event for event in mine if event["cat"] == "run"]
        check([event["args"]["run"] for event in runs] == list(range(1, TRACED + 1)), f"rank {rank}: runs")
        check(set(event["cat"] for event in mine) == {"run", *kinds}, f"rank {rank}: {set(e['cat'] for e in mine)}")
        commands = [event for event in mine if event["cat"] != "run"]
        for event in commands:
            missing = kinds[event["cat"]] - event["args"].keys()
            check(not missing, f"{event} has no {missing}")
        counts = collections.Counter(event["args"]["command"] for event in commands)
        check(sorted(counts) == list(range(len(counts))), f"rank {rank}: some commands are not there")
        check(set(counts.values()) == {TRACED}, f"rank {rank}: commands are not there in every step")
        check_commands(commands)
    return spans


def check_commands(commands):
    gemms = [event for event in commands if event["cat"] == "gemm"]
    for event in gemms:
        m, n, k = map(int, event["args"]["shape"].split("x"))
        check(event["args"]["flops"] == 2 * m * n * k, f"{event}")
        check(event["args"]["bytes"] >= 4 * (m * n + n * k + m * k), f"{event}")
        check(event["name"] == f"gemm {event['args']['shape']} {event['args']['location']}", f"{event}")
    places = {event["args"]["location"] for event in gemms}
    check(places and all(any(f"fc{layer}" in place for place in places) for layer in (1, 2, 3)), f"GEMMs of {places}")
    exchanges = [event for event in commands if event["cat"] == "exchange"]
    gathers = [event for event in exchanges if "all-gather" in event["name"]]
    check(gathers, "no all-gather")
    for event in gathers:  # of the ghosts: one peer's slot of 4 by the batch, f32
        check(event["args"]["bytes"] == 4 * BATCH * 4 and event["args"]["elements"] == RANKS * 4 * BATCH, f"{event}")


def on_cpu(options):
    network = Network([WIDTH] * 4, "gelu", True, RANKS, 4, frozenset([2]))
    with prepared(options, network, batch=BATCH) as (scratch, *_):
        place = {"command", "location"}
        moved = place | {"exchange", "bytes", "elements"}
        spans = check_trace(trace(scratch, network), {"gemm": place | {"shape", "flops", "bytes"},
                                                      "kernel": place | {"buffers"}, "exchange": moved, "wait": moved},
                            ["commands"])
        starts, waits = (collections.Counter((event["pid"], event["args"]["exchange"]) for event in spans
                                             if event["name"].startswith(verb)) for verb in ("start ", "wait "))
        check(starts and starts == waits, "an exchange that starts is not waited for")


def on_gpus(options):
    network = Network([WIDTH] * 4, "gelu", True, RANKS, 4, frozenset([2]))
    with prepared(options, network, batch=BATCH) as (scratch, *_):
        place = {"command", "location"}
        spans = check_trace(trace(scratch, network, "--device", "sim"),
                            {"gemm": place | {"shape", "flops", "bytes"},
                             "kernel": place | {"buffers", "bytes", "blocks", "threads"},
                             "exchange": place | {"exchange", "bytes", "elements"}, "event": place, "wait": place},
                            ["compute", "exchange"])
        check({event["tid"] for event in spans if event["cat"] == "exchange"} == {1}, "the stream of exchanges")
        check({event["tid"] for event in spans if event["cat"] == "gemm"} == {0}, "the stream of GEMMs")


def cases(options):
    yield from {"trace/cpu": on_cpu, "trace/gpu": on_gpus}.items()
