//===- MeasureGemms.cpp - The fastest library for each GEMM ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/MeasureGemms.h"

#include "Gemm.h"
#include "phantom-rt/AlignedBuffer.h"

#include <algorithm>
#include <chrono>

using namespace llvm;

namespace phantom::rt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double secondsPerKernel = 0.02;
constexpr int64_t leastRuns = 3;
/// Operands take turns among copies of this size together, so that they are no warmer than those of a step.
constexpr int64_t bytesOfCopies = int64_t(64) << 20;
/// The call that adds the bias inside is kept unless another one is clearly faster.
constexpr double preference = 1.03;

/// Copies of a command's operands in one buffer.
class Operands {
public:
  explicit Operands(const GemmCommand &command)
      : a(size(command.m, command.k, command.aRow, command.aCol)),
        b(size(command.k, command.n, command.bRow, command.bCol)),
        c(size(command.m, command.n, command.cRow, 1)),
        bias(command.bias ? size(1, command.n, command.n, 1) : 0),
        copies(std::clamp<int64_t>(bytesOfCopies / (a + b + c + bias), 1, 16)) {}

  Error allocate() { return AlignedBuffer::create(copies * (a + b + c + bias)).moveInto(buffer); }

  int64_t count() const { return copies; }

  GemmAddresses addresses(int64_t copy) const {
    std::byte *begin = buffer.data() + copy * (a + b + c + bias);
    return {begin, begin + a, begin + a + b, bias ? begin + a + b + c : nullptr};
  }

private:
  static int64_t size(int64_t rows, int64_t columns, int64_t rowStride, int64_t columnStride) {
    return alignedSize(((rows - 1) * rowStride + (columns - 1) * columnStride + 1) * int64_t(sizeof(float)));
  }

  int64_t a, b, c, bias, copies;
  AlignedBuffer buffer;
};

/// The median seconds of `command` by `kernel`, while the other ranks do the same.
Expected<double> timeKernel(const GemmCommand &command, GemmKernel kernel, const Operands &operands,
                            int64_t threads, Communicator &communicator) {
  GemmPlan plan(threads);
  for (int64_t copy = 0; copy < operands.count(); ++copy)
    if (Expected<size_t> added = plan.add(command, operands.addresses(copy), kernel); !added)
      return added.takeError();
  if (Error error = plan.finish())
    return error;
  if (Error error = plan.prepareWeights())
    return error;
  if (Error error = plan.run(0))
    return error;
  if (Error error = communicator.barrier("the measurement of a GEMM"))
    return error;
  std::vector<double> seconds;
  const Clock::time_point start = Clock::now();
  for (int64_t run = 0;; ++run) {
    const Clock::time_point begin = Clock::now();
    if (run >= leastRuns && std::chrono::duration<double>(begin - start).count() > secondsPerKernel)
      break;
    if (Error error = plan.run(size_t(run % operands.count())))
      return error;
    seconds.push_back(std::chrono::duration<double>(Clock::now() - begin).count());
  }
  auto middle = seconds.begin() + int64_t(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

Expected<GemmKernel> fastestKernel(const GemmCommand &command, bool constantB, int64_t threads,
                                   Communicator &communicator) {
  Operands operands(command);
  if (Error error = operands.allocate())
    return error;
  GemmKernel fastest = GemmKernel::OneDnn;
  double least = 0;
  for (GemmKernel kernel : gemmKernels) {
    if (!canCompute(kernel, command, constantB, threads))
      continue;
    Expected<double> seconds = timeKernel(command, kernel, operands, threads, communicator);
    if (!seconds)
      return seconds.takeError();
    if (kernel == GemmKernel::OneDnn) {
      least = *seconds / preference;
    } else if (*seconds < least) {
      fastest = kernel;
      least = *seconds;
    }
  }
  return fastest;
}

} // namespace

Expected<std::map<GemmShape, GemmKernel>> measureGemms(const Program &program,
                                                       const RankTeamOptions &options) {
  std::map<GemmShape, GemmCommand> commands;
  for (const Function &function : program.functions)
    for (const Command &command : function.commands)
      if (const auto *gemm = std::get_if<GemmCommand>(&command)) {
        // Also for factors of bf16, which are widened, the fastest one of f32 is chosen.
        GemmCommand wide = *gemm;
        wide.factors = wide.element;
        commands.try_emplace(shapeOf(*gemm, hasConstantB(function, *gemm)), std::move(wide));
      }
  std::map<GemmShape, GemmKernel> fastest;
  RankTeam team(std::clamp<int64_t>(allowedCpus() / options.threadsPerRank, 1, program.ranks), options);
  Error error = team.run([&](int64_t rank) -> Error {
    for (const auto &[shape, command] : commands) {
      Expected<GemmKernel> kernel =
          fastestKernel(command, shape.constantB, options.threadsPerRank, team.communicator(rank));
      if (!kernel)
        return kernel.takeError();
      if (rank == 0)
        fastest.emplace(shape, *kernel);
    }
    return Error::success();
  });
  if (error)
    return error;
  return fastest;
}

} // namespace phantom::rt
