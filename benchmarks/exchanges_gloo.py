# ===- exchanges_gloo.py - The same exchanges by PyTorch's gloo -------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: exchanges_gloo.py RANK STORE SECONDS

Prints what exchanges.cpp prints, on rank 0. STORE is a file that does not exist yet."""
import os
import statistics
import sys
import time

import torch
import torch.distributed as dist

RANKS, SIZES, LEAST_ROUNDS = 2, [4096 << i for i in range(9)], 20


def gather_once(own, everything, value):
    begin = time.perf_counter()
    own.fill_(value)
    dist.all_gather_into_tensor(everything, own)
    everything.sum()
    return time.perf_counter() - begin


def scatter_once(block, part, value):
    begin = time.perf_counter()
    part.fill_(value)
    dist.reduce_scatter_tensor(block, part)
    return time.perf_counter() - begin


def measure(once, size, seconds, rank):
    """This rank's times. Rank 0 decides when it is enough."""
    one, everything = torch.zeros(size // 4), torch.zeros(RANKS * size // 4)
    times, done, rounds, begin = [], torch.zeros(1), 0, time.perf_counter()
    while not done.item():
        dist.barrier()
        times.append(once(one, everything, float(rounds % 64)))
        rounds += 1
        if rank == 0:
            done[0] = rounds > LEAST_ROUNDS and time.perf_counter() - begin > seconds
        dist.broadcast(done, 0)
    return times[2:]


def main():
    rank, store, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=RANKS)
    for kind, once in (("all-gather", gather_once), ("reduce-scatter", scatter_once)):
        for size in SIZES:
            mine = torch.tensor(measure(once, size, seconds, rank), dtype=torch.float64)
            slower = mine.clone()
            dist.all_reduce(slower, dist.ReduceOp.MAX)
            if rank == 0:
                print("gloo", kind, size, statistics.median(slower.tolist()), flush=True)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
