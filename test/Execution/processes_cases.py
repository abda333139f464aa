# ===- processes_cases.py - Ranks in several processes --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""A process per rank does what a thread per rank does, with the same bits; what goes wrong in one ends all."""
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import time

import numpy as np

from checkpoint_cases import checkpoints, read
from error_cases import expect_error
from gpu_cases import EXAMPLE_FLAGS, STRATEGIES, example_flags
from harness import EXAMPLES, Scratch, Skip, check, prepared, strategy_flags, without_times
from reference import Network
from step_cases import BATCH, flags_of, network_of

NETWORK = Network([64, 64, 32, 64], "gelu", True, 2, 4, frozenset([2]))
HELD_OUT = {"digits": ["--eval-inputs", "test_images.npy", "--eval-targets", "test_labels.npy"],
            "teacher": ["--eval-inputs", "test_inputs.npy", "--eval-targets", "test_targets.npy"]}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def by_hand(rank, ranks):
    return ["--process-rank", rank], {}


def as_open_mpi(rank, ranks):
    return [], {"OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_SIZE": ranks, "OMPI_COMM_WORLD_LOCAL_RANK": rank}


def as_mpich(rank, ranks):
    return [], {"PMI_RANK": rank, "PMI_SIZE": ranks, "MPI_LOCALRANKID": rank}


def as_srun(rank, ranks):
    return [], {"SLURM_PROCID": rank, "SLURM_NTASKS": ranks, "SLURM_LOCALID": rank}


def as_torchrun(rank, ranks):
    return [], {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_RANK": rank}


class Processes:
    """A phantom-run per rank. `own`: what single ranks are given more."""

    def __init__(self, scratch, arguments, ranks, launcher=by_hand, own=None, timeout=120, place=None):
        place = place or f"127.0.0.1:{free_port()}"
        self.seconds = 600 if scratch.options.sanitize else 120
        self.processes = []
        for rank in range(ranks):
            flags, variables = launcher(rank, ranks)
            command = [os.path.join(scratch.options.tools_dir, "phantom-run"), *arguments, "--rendezvous", place,
                       "--timeout", timeout, *flags, *(own or {}).get(rank, [])]
            self.processes.append(
                subprocess.Popen([str(part) for part in command], cwd=scratch.folder, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace",
                                 env={**os.environ, **{name: str(value) for name, value in variables.items()}}))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.communicate()

    def wait(self):
        """(exit status, standard output, standard error) of each rank."""
        results = []
        for rank, process in enumerate(self.processes):
            try:
                output, errors = process.communicate(timeout=self.seconds)
            except subprocess.TimeoutExpired:
                check(False, f"rank {rank}: no end after {self.seconds} s")
            results.append((process.returncode, output, errors))
        return results


def run_processes(scratch, arguments, ranks, launcher=by_hand, place=None):
    """All must succeed, and only rank 0 may say something. Returns what it says."""
    with Processes(scratch, arguments, ranks, launcher, place=place) as processes:
        results = processes.wait()
    for rank, (status, output, errors) in enumerate(results):
        check(status == 0, f"rank {rank}: exit {status}: {errors[-2000:]}")
        check(rank == 0 or not output + errors, f"rank {rank} says: {output}{errors}")
    return results[0][1]


def expect_failures(results, *words, alive=None):
    """Each process, or those of `alive`, fails with one error that has all words."""
    for rank, (status, output, errors) in enumerate(results):
        if alive is not None and rank not in alive:
            continue
        lines = [line for line in errors.splitlines() if "error:" in line]
        check(status == 1 and len(lines) == 1, f"rank {rank}: exit {status}: {errors[-2000:]}")
        for word in words:
            check(word in lines[0], f"rank {rank} does not say '{word}': {lines[0]}")


def same_as_threads(name, strategy, ranks):
    """The log, the parameters, the checkpoints, evaluations and gradients."""

    def run(options):
        with Scratch(options) as scratch:
            flags = [*example_flags(name, strategy, ranks), "--optimizer", "momentum", "--steps", 8, "--eval-every", 4,
                     "--checkpoint-every", 4]
            flags += [os.path.join(EXAMPLES, name, flag) if flag.endswith(".npy") else flag for flag in HELD_OUT[name]]

            def outputs(folder):
                os.mkdir(scratch.path(folder))
                named = {"log": "log.jsonl", "save": "p.safetensors", "dump-gradients": "g.safetensors",
                         "checkpoint-dir": "checkpoints", "summary": "summary.json", "trace": "trace.json"}
                return [part for flag, file in named.items() for part in (f"--{flag}", f"{folder}/{file}")]

            scratch.run("train", *flags, *outputs("threads"))
            run_processes(scratch, ["train", *flags, *outputs("processes")], ranks)
            files = ["p.safetensors", "g.safetensors"]
            for step in checkpoints(scratch, "threads/checkpoints"):
                files += [f"checkpoints/{step}/rank-{rank}.safetensors" for rank in range(ranks)]
            check(len(files) == 2 + 2 * ranks, f"files: {files}")
            for file in files:
                check(read(scratch, f"threads/{file}") == read(scratch, f"processes/{file}"), f"{file} differs")
            logs = [without_times(scratch.log(f"{folder}/log.jsonl")) for folder in ("threads", "processes")]
            check(len(logs[0]) == 8 and logs[0] == logs[1], "the logs differ")
            check("eval_loss" in logs[0][3], "nothing was evaluated")
            listed = [sorted(os.listdir(scratch.path(folder))) for folder in ("threads", "processes")]
            check(listed[0] == listed[1], f"files: {listed}")

    return run


def whole_step(strategy, parts):
    """Clipping, accumulation and encoded exchanges; and the model that is saved."""

    def run(options):
        network = network_of(strategy, 4)
        with prepared(options, network, "cross-entropy", batch=2 * BATCH) as (scratch, *_):
            flags = ["train", "model.onnx", *flags_of(network, strategy), "--loss", "cross-entropy", "--inputs",
                     "x.npy", "--targets", "t.npy", "--batch-size", BATCH, "--steps", 6, "--clip-norm", 0.5,
                     "--accumulate", parts, "--exchange-encoding", "int8", "--quiet"]
            scratch.run(*flags, "--save", "threads.onnx", "--log", "threads.jsonl")
            run_processes(scratch, [*flags, "--save", "processes.onnx", "--log", "processes.jsonl"], 4)
            check(read(scratch, "threads.onnx") == read(scratch, "processes.onnx"), "the models differ")
            logs = [without_times(scratch.log(f"{name}.jsonl")) for name in ("threads", "processes")]
            check(logs[0] == logs[1], "the logs differ")

    return run


def train(strategy="phantom", *flags, ranks=2):
    network = dataclasses.replace(NETWORK, ranks=ranks)
    return ["train", "model.onnx", *strategy_flags(network, strategy), "--loss", "mse", "--inputs", "x.npy",
            "--targets", "t.npy", "--batch-size", 8, "--learning-rate", "0.01", "--seed", "3", "--quiet", *flags]


def launchers(options):
    """However the processes learn which they are, they do the same; eval and infer too."""
    with prepared(options, NETWORK, batch=20) as (scratch, *_):
        flags = train("phantom", "--steps", 5)
        scratch.run(*flags, "--save", "threads.safetensors")
        given = ["--init", "from-file=threads.safetensors", *strategy_flags(NETWORK, "phantom"), "--inputs", "x.npy",
                 "--batch-size", 8]
        evaluation = ["eval", "model.onnx", *given, "--targets", "t.npy", "--loss", "mse"]
        scratch.run("infer", "model.onnx", *given, "--outputs", "threads.npy")
        want = scratch.run(*evaluation).stdout
        for launcher in (by_hand, as_open_mpi, as_mpich, as_srun, as_torchrun):
            name = f"{launcher.__name__}.safetensors"
            run_processes(scratch, [*flags, "--save", name], 2, launcher)
            check(read(scratch, name) == read(scratch, "threads.safetensors"), f"{launcher.__name__}: other parameters")
        check(run_processes(scratch, evaluation, 2, as_srun) == want, "another evaluation")
        run_processes(scratch, ["infer", "model.onnx", *given, "--outputs", "processes.npy"], 2, as_open_mpi)
        outputs = [np.load(scratch.path(f"{name}.npy")) for name in ("threads", "processes")]
        check(np.array_equal(*outputs), "other outputs")


def meets_at_master(options):
    """--rendezvous env; and the variables mean nothing without the flag."""
    with prepared(options, NETWORK, batch=20) as (scratch, *_):
        port = free_port()

        def launched(rank, ranks):
            return [], {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, **as_torchrun(rank, ranks)[1]}

        flags = train("tensor", "--steps", 5)
        run_processes(scratch, [*flags, "--save", "processes.safetensors"], 2, launched, place="env")
        process = scratch.tool("phantom-run", *flags, "--save", "threads.safetensors", "--bind", "none",
                               environment={name: str(value) for name, value in launched(1, 2)[1].items()})
        check(process.returncode == 0, process.stderr)
        check(read(scratch, "processes.safetensors") == read(scratch, "threads.safetensors"), "the parameters differ")


def real_launcher(options):
    """The mpirun of this machine, if it has one."""
    mpirun = shutil.which("mpirun")
    if not mpirun:
        raise Skip("there is no mpirun")
    with prepared(options, NETWORK, batch=20) as (scratch, *_):
        flags = train("phantom", "--steps", 5)
        scratch.run(*flags, "--save", "threads.safetensors")
        command = [mpirun, "--allow-run-as-root", "--oversubscribe", "-n", 2,
                   os.path.join(options.tools_dir, "phantom-run"), *flags, "--save", "processes.safetensors",
                   "--rendezvous", f"127.0.0.1:{free_port()}"]
        process = subprocess.run([str(part) for part in command], cwd=scratch.folder, capture_output=True, text=True,
                                 timeout=300)
        check(process.returncode == 0, process.stderr[-2000:])
        check(read(scratch, "threads.safetensors") == read(scratch, "processes.safetensors"), "the parameters differ")


def goes_on(options):
    """A run of processes that goes on from a checkpoint, of processes or threads, ends as one in one go."""
    with prepared(options, NETWORK, batch=50) as (scratch, *_):
        scratch.run(*train("phantom", "--steps", 20, "--log", "whole.jsonl", "--save", "whole.safetensors"))
        for first in ("threads", "processes"):
            kept = ["--checkpoint-dir", f"{first}.checkpoints", "--log", f"{first}.jsonl"]
            begin = train("phantom", "--steps", 10, *kept)
            scratch.run(*begin) if first == "threads" else run_processes(scratch, begin, 2)
            more = train("phantom", "--steps", 20, *kept, "--resume")
            run_processes(scratch, [*more, "--save", f"{first}.safetensors"], 2)
            check(
                read(scratch, "whole.safetensors") == read(scratch, f"{first}.safetensors"),
                f"{first}: the parameters differ")
            logs = [without_times(scratch.log(f"{name}.jsonl")) for name in ("whole", first)]
            check(len(logs[0]) == 20 and logs[0] == logs[1], f"{first}: the logs differ")
        # Nothing is left to do: what is saved is what the checkpoint has.
        run_processes(scratch, [*more, "--save", "again.safetensors"], 2)
        check(read(scratch, "whole.safetensors") == read(scratch, "again.safetensors"), "the parameters differ")


def lines_of(scratch, name):
    try:
        return len(read(scratch, name).splitlines())
    except FileNotFoundError:
        return 0


def wait_for_steps(processes, scratch, name="log.jsonl"):
    end = time.monotonic() + processes.seconds
    while lines_of(scratch, name) < 3:
        check(time.monotonic() < end and processes.processes[0].poll() is None, "the run does not begin")
        time.sleep(0.01)


def killed(dead):
    """SIGKILL of one process: all others end soon, and name it."""

    def run(options):
        with prepared(options, NETWORK, batch=50) as (scratch, *_):
            flags = train("tensor", "--steps", 1000000, "--log", "log.jsonl", ranks=4)
            with Processes(scratch, flags, 4) as processes:
                wait_for_steps(processes, scratch)
                processes.processes[dead].send_signal(signal.SIGKILL)
                begin = time.monotonic()
                results = processes.wait()
                check(options.sanitize or time.monotonic() - begin < 20, "the others hang")
            check(results[dead][0] == -signal.SIGKILL, f"rank {dead}: exit {results[dead][0]}")
            alive = [rank for rank in range(4) if rank != dead]
            expect_failures(results, f"the process of rank {dead} has ended", " was at ", alive=alive)

    return run


def hangs(options):
    """A process that stands still is named after the deadline."""
    with prepared(options, NETWORK, batch=50) as (scratch, *_):
        with Processes(scratch, train("phantom", "--steps", 1000000, "--log", "log.jsonl"), 2, timeout=10) as processes:
            wait_for_steps(processes, scratch)
            processes.processes[1].send_signal(signal.SIGSTOP)
            results = [process.communicate(timeout=processes.seconds) for process in processes.processes[:1]]
            status = processes.processes[0].returncode
            expect_failures([(status, *results[0])], "ranks that did not come: 1")


def stopped(options):
    """SIGTERM to any process stops all after the same step, with a checkpoint to go on from."""
    with prepared(options, NETWORK, batch=50) as (scratch, *_):
        for asked in (0, 1):
            kept = ["--checkpoint-dir", f"checkpoints{asked}", "--log", f"{asked}.jsonl"]
            with Processes(scratch, train("phantom", "--steps", 1000000, *kept), 2) as processes:
                wait_for_steps(processes, scratch, f"{asked}.jsonl")
                processes.processes[asked].send_signal(signal.SIGTERM)
                results = processes.wait()
            check([status for status, *_ in results] == [130, 130], f"exits: {results}")
            done = lines_of(scratch, f"{asked}.jsonl")
            check(checkpoints(scratch, f"checkpoints{asked}") == [f"step-{done:09}"], f"{done} steps in the log")
            again = train("phantom", "--steps", done)
            scratch.run(*again, "--save", "whole.safetensors")
            run_processes(scratch, [*again, *kept, "--resume", "--save", "stopped.safetensors"], 2)
            check(read(scratch, "whole.safetensors") == read(scratch, "stopped.safetensors"), "the parameters differ")


def failures(options):
    """What one process finds wrong, all say."""
    with prepared(options, NETWORK, batch=50) as (scratch, *_):
        # Files are written by rank 0, at the end.
        with Processes(scratch, train("phantom", "--steps", 3, "--save", "nowhere/p.safetensors"), 2) as processes:
            expect_failures(processes.wait(), "nowhere/p.safetensors")
        spoilt = np.load(scratch.path("x.npy"))
        spoilt[:] = np.nan
        scratch.save("spoilt.npy", spoilt)
        flags = [part if part != "x.npy" else "spoilt.npy" for part in train("phantom", "--steps", 3)]
        with Processes(scratch, flags, 2) as processes:
            expect_failures(processes.wait(), "step 1: the loss is")
        for own, words in (({1: ["--seed", "4"]}, ["rank 1 was started with --seed 4, rank 0 with 3"]),
                           ({1: ["--log", "other"]}, ["rank 1 was started with --log, and rank 0 without"])):
            flags = train("phantom", "--steps", 3)
            if "--seed" in own[1]:
                at = flags.index("--seed")
                flags = flags[:at] + flags[at + 2:]
                own = {0: ["--seed", "3"], **own}
            with Processes(scratch, flags, 2, own=own) as processes:
                expect_failures(processes.wait(), *words, "start all processes with the same command line")


def refused(options):
    """Flags that contradict each other, or the launcher."""
    with prepared(options, NETWORK, batch=50) as (scratch, *_):
        flags = train("phantom", "--steps", 3)
        here = [*flags, "--rendezvous", "127.0.0.1:1"]
        place = [*here, "--process-rank", 0]
        expect_error(scratch, [*flags, "--process-rank", 0], "--process-rank 0", "needs --rendezvous")
        expect_error(scratch, [*flags, "--local-rank", 0], "--local-rank 0", "needs --rendezvous")
        expect_error(scratch, here, "which rank is this process?", "--process-rank")
        nowhere = [*flags, "--rendezvous", "node0", "--process-rank", 0]
        expect_error(scratch, nowhere, "'node0' is no place to meet", "HOST:PORT")
        expect_error(scratch, [*flags, "--rendezvous", "env", "--process-rank", 0], "MASTER_ADDR")
        expect_error(scratch, [*here, "--process-rank", "x"], "--process-rank x", "not a whole number")
        expect_error(scratch, [*here, "--process-rank", 2], "--process-rank 2", "ranks 0 to 1")
        expect_error(scratch, [*place, "--device", "sim"], "--device sim", "several processes")
        expect_error(scratch, [*place, "--energy", "rapl"], "--energy rapl", "several processes")
        expect_error(scratch, [*place, "--calibration", "x.npy"], "--calibration x.npy", "several processes")
        expect_error(scratch, [*place, "--autotune"], "--autotune", "several processes")
        many = {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "3"}
        expect_error(scratch, here, "has started 3 processes", "2 ranks", environment=many)
        broken = {"OMPI_COMM_WORLD_RANK": "zero", "OMPI_COMM_WORLD_SIZE": "2"}
        expect_error(scratch, here, "OMPI_COMM_WORLD_RANK=zero", environment=broken)
        alone = [*here, "--process-rank", 1, "--timeout", "0.5"]
        expect_error(scratch, alone, "cannot connect to rank 0 at 127.0.0.1:1")


def cases(options):
    for name in EXAMPLE_FLAGS:
        for ranks in (2, 4):
            for strategy in STRATEGIES:
                yield f"processes/{name}-{strategy}-p{ranks}", same_as_threads(name, strategy, ranks)
    for strategy, parts in (("phantom", 2), ("tensor", 1), ("megatron", 2)):
        yield f"processes/step-{strategy}-{parts}", whole_step(strategy, parts)
    yield "processes/launchers", launchers
    yield "processes/master", meets_at_master
    yield "processes/mpirun", real_launcher
    yield "processes/resume", goes_on
    for dead in (0, 2):
        yield f"processes/killed-{dead}", killed(dead)
    yield "processes/hangs", hangs
    yield "processes/stopped", stopped
    yield "processes/failures", failures
    yield "processes/refused", refused
