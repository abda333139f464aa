//===- exchanges_mpi.cpp - The same exchanges by MPI -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: mpirun -np 2 exchanges_mpi SECONDS
//
// Prints what exchanges.cpp prints, for MPI_Allgather and MPI_Reduce_scatter_block.
//
//===----------------------------------------------------------------------===//

#include "exchange_traffic.h"

#include <mpi.h>

#include <cstdlib>

using namespace traffic;

namespace {

double gatherOnce(std::vector<float> &own, std::vector<float> &all, int64_t round) {
  const int count = int(own.size());
  const Clock::time_point begin = Clock::now();
  write(own.data(), count, float(round % 64));
  MPI_Allgather(own.data(), count, MPI_FLOAT, all.data(), count, MPI_FLOAT, MPI_COMM_WORLD);
  read(all.data(), int64_t(all.size()));
  return secondsSince(begin);
}

double scatterOnce(std::vector<float> &block, std::vector<float> &part, int64_t round) {
  const Clock::time_point begin = Clock::now();
  write(part.data(), int64_t(part.size()), float(round % 64));
  MPI_Reduce_scatter_block(part.data(), block.data(), int(block.size()), MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
  return secondsSince(begin);
}

/// This rank's times. Rank 0 decides when it is enough.
std::vector<double> measure(bool gather, int64_t bytes, double seconds, int rank) {
  std::vector<float> one(bytes / sizeof(float)), all(ranks * one.size());
  std::vector<double> times;
  int done = 0;
  const Clock::time_point begin = Clock::now();
  for (int64_t round = 0; !done; ++round) {
    MPI_Barrier(MPI_COMM_WORLD);
    const double time = gather ? gatherOnce(one, all, round) : scatterOnce(one, all, round);
    if (round > 1)
      times.push_back(time);
    if (rank == 0)
      done = round >= leastRounds && secondsSince(begin) > seconds;
    MPI_Bcast(&done, 1, MPI_INT, 0, MPI_COMM_WORLD);
  }
  return times;
}

void report(bool gather, int64_t bytes, double seconds, int rank) {
  const std::vector<double> mine = measure(gather, bytes, seconds, rank);
  std::vector<double> theirs(mine.size());
  const int peer = 1 - rank, count = int(mine.size());
  MPI_Sendrecv(mine.data(), count, MPI_DOUBLE, peer, 0, theirs.data(), count, MPI_DOUBLE, peer, 0,
               MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  if (rank == 0)
    print("mpi", gather ? "all-gather" : "reduce-scatter", bytes, median(slower(mine, theirs)));
}

} // namespace

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, size = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  const double seconds = argc == 2 ? std::atof(argv[1]) : 0;
  if (size != ranks || !(seconds > 0)) {
    std::fprintf(stderr, "usage: mpirun -np 2 exchanges_mpi SECONDS\n");
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
  for (bool gather : {true, false})
    for (int64_t bytes = smallest; bytes <= largest; bytes *= 2)
      report(gather, bytes, seconds, rank);
  MPI_Finalize();
  return 0;
}
