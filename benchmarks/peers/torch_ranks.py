# ===- torch_ranks.py - PyTorch processes, one per rank --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Starts a process per rank with gloo between them, and passes requests to all.

A peer gives `make_step(options, rank, parameters, x, t)`: a function without arguments that trains one step and
returns the loss, a tensor.
"""
import multiprocessing
import os
import sys
import tempfile

import peer


def answer(options, step, requests):
    """Yields the numbers to print: losses, or seconds for each request."""
    if options.check:
        yield [step().item() for _ in range(peer.CHECK_STEPS)]
        return
    for count in requests:
        yield peer.step_seconds(lambda: (step(), lambda: None)[1], count)


def run_rank(options, make_step, rank, store, pipe, inherited):
    import torch
    import torch.distributed as dist
    for other in inherited:
        other.close()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[rank % len(cores)]})
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=options.ranks)
    step = make_step(options, rank, *peer.start(options))
    for numbers in answer(options, step, iter(pipe.recv, None)):
        if rank == 0:
            pipe.send(numbers)
    dist.destroy_process_group()


def run_ranks(options, make_step):
    """Runs all ranks. A rank that fails says why, and then all end."""
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="phantom-peer-") as folder:
        pipes, ranks = [], []
        for rank in range(options.ranks):
            ours, theirs = context.Pipe()
            pipes.append(ours)
            arguments = (options, make_step, rank, os.path.join(folder, "store"), theirs, list(pipes))
            ranks.append(context.Process(target=run_rank, args=arguments, daemon=True))
            ranks[-1].start()
            theirs.close()
        try:
            for count in [None] if options.check else peer.requests():
                for pipe in pipes if count else ():
                    pipe.send(count)
                peer.reply(pipes[0].recv())
            for pipe in pipes if not options.check else ():
                pipe.send(None)
        except (EOFError, BrokenPipeError):
            sys.exit(1)
        for process in ranks:
            process.join()


def run_alone(options, make_step):
    """One process that has the cores of all ranks."""
    import torch
    cores = sorted(os.sched_getaffinity(0))[:options.ranks]
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    step = make_step(options, 0, *peer.start(options))
    for numbers in answer(options, step, peer.requests() if options.serve else ()):
        peer.reply(numbers)


def main(description, modes, strategies, make_step, alone=()):
    """`alone`: modes that have no ranks."""
    options = peer.parse(description, modes, strategies)
    if options.mode in alone:
        run_alone(options, make_step)
    else:
        run_ranks(options, make_step)
