//===- MeasureMatmuls.cpp - The fastest kernel for each product -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MeasureMatmuls.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace phantom::rt::gpu {

constexpr int mostKernels = 16;
constexpr int measuredRounds = 5;
/// A measured round of a kernel takes about this long, within these numbers of runs.
constexpr double secondsPerRound = 1e-3;
constexpr double mostRuns = 4;
/// cuBLASLt's first choice is kept unless another one is clearly faster.
constexpr double preference = 1.03;

std::string describe(const GemmCommand &command) {
  return ("GEMM " + Twine(command.m) + "x" + Twine(command.n) + "x" + Twine(command.k) + " (" +
          command.location + ")")
      .str();
}

namespace {

/// A kernel that cuBLASLt proposes, and how long its runs took.
struct Candidate {
  MatmulKernel kernel;
  int runs = 1; ///< in a round
  bool refused = false;
  std::vector<double> seconds; ///< of one run, by measured round

  double median() {
    auto middle = seconds.begin() + int64_t(seconds.size() / 2);
    std::nth_element(seconds.begin(), middle, seconds.end());
    return *middle;
  }
};

int64_t auxBytes(const GemmCommand &command) {
  const int64_t elements = (command.m - 1) * command.auxRow + command.n;
  return command.epilogue == Epilogue::ReluAux ? int64_t(divideCeil(elements, 8))
                                               : elements * byteWidth(command.element);
}

/// Memory for what a product writes outside of the arena.
class Scratch {
public:
  explicit Scratch(const GemmCommand &command) {
    const int64_t width = byteWidth(command.element);
    add(command.c, ((command.m - 1) * command.cRow + command.n) * width);
    if (command.biasGradient)
      add(*command.biasGradient, command.n * width);
    if (command.epilogue == Epilogue::ReluAux || command.epilogue == Epilogue::GeluTanhAux)
      add(*command.aux, auxBytes(command));
  }

  Error allocate(const GpuApi &api) {
    return allocateDevice(api, layout.bytes(), "results of measured GEMMs").moveInto(memory);
  }

  /// Null: the buffer itself may be used.
  std::byte *find(const BufferRef &buffer) const {
    const auto *found = find_if(places, [&](const auto &place) { return place.first == &buffer; });
    return found == places.end() ? nullptr : static_cast<std::byte *>(memory.get()) + found->second;
  }

private:
  void add(const BufferRef &buffer, int64_t bytes) {
    if (buffer.region != Region::Arena)
      places.emplace_back(&buffer, layout.add(bytes));
  }

  MemoryPlan layout;
  SmallVector<std::pair<const BufferRef *, int64_t>, 3> places;
  Owned<void *> memory;
};

/// Measures the kernels of one product in turns, so that what changes with time (the clocks, say) is the same
/// for all of them.
class Measurement {
public:
  Measurement(GpuRank &rank, const GemmCommand &command)
      : rank(rank), api(rank.api()), command(command), scratch(command) {}
  ~Measurement() { rank.drain(); }

  Error prepare(function_ref<std::byte *(const BufferRef &)> address);
  Error measure();
  Expected<MatmulKernel> decide(GemmMeasurement &result);

private:
  Error runRound(Candidate &candidate, bool isMeasured);
  void queueRuns(Candidate &candidate, int runs);

  GpuRank &rank;
  const GpuApi &api;
  const GemmCommand &command;
  Scratch scratch;
  std::optional<Matmul> matmul;
  std::vector<Candidate> candidates;
  std::string refusal; ///< of the first kernel that was left out
  const void *a = nullptr, *b = nullptr;
  void *d = nullptr;
  Owned<void *> workspace;
  Owned<Event> begin, end;
};

Error Measurement::prepare(function_ref<std::byte *(const BufferRef &)> address) {
  if (Error error = scratch.allocate(api))
    return error;
  auto place = [&](const BufferRef &buffer) {
    std::byte *found = scratch.find(buffer);
    return found ? found : address(buffer);
  };
  Expected<MatmulSpec> spec = matmulOf(command, address), own = matmulOf(command, place);
  if (!spec || !own)
    return joinErrors(spec.takeError(), own.takeError());
  // Scratch memory may be aligned better than the product's own.
  own->dAlignment = spec->dAlignment;
  Expected<Matmul> created = Matmul::create(api, rank.blas(), *own, describe(command));
  if (!created)
    return created.takeError();
  matmul = std::move(*created);
  a = address(command.b), b = address(command.a), d = place(command.c);
  Expected<std::vector<MatmulKernel>> kernels = matmul->kernels(mostKernels);
  if (!kernels)
    return kernels.takeError();
  size_t bytes = 0;
  for (const MatmulKernel &kernel : *kernels) {
    candidates.emplace_back().kernel = kernel;
    bytes = std::max(bytes, kernel.workspaceBytes);
  }
  if (Error error =
          allocateDevice(api, int64_t(bytes), "the workspace of measured GEMMs").moveInto(workspace))
    return error;
  if (Error error = createEvent(api, /*timed=*/true).moveInto(begin))
    return error;
  return createEvent(api, /*timed=*/true).moveInto(end);
}

void Measurement::queueRuns(Candidate &candidate, int runs) {
  for (int run = 0; run < runs && !candidate.refused; ++run)
    if (Error error = matmul->enqueue(a, b, d, workspace.get(), rank.stream(command.stream))) {
      std::string text = toString(std::move(error));
      refusal = refusal.empty() ? text : refusal;
      candidate.refused = true;
    }
}

Error Measurement::runRound(Candidate &candidate, bool isMeasured) {
  const Stream stream = rank.stream(command.stream);
  matmul->use(candidate.kernel);
  auto record = [&](const Owned<Event> &event) {
    return checkCuda(api, api.cudaEventRecord(event.get(), stream), "recording an event");
  };
  // The first run brings the operands near, and hides how long the host takes to queue the others.
  queueRuns(candidate, 1);
  if (Error error = record(begin))
    return error;
  queueRuns(candidate, candidate.runs);
  if (Error error = record(end))
    return error;
  if (Error error = rank.waitFor(command.stream, "the measurement of " + describe(command)))
    return error;
  float milliseconds = 0;
  if (Error error = checkCuda(api, api.cudaEventElapsedTime(&milliseconds, begin.get(), end.get()),
                              "reading the time of an event"))
    return error;
  const double seconds = double(milliseconds) / 1e3 / candidate.runs;
  if (isMeasured)
    candidate.seconds.push_back(seconds);
  else
    candidate.runs = int(std::clamp(secondsPerRound / std::max(seconds, 1e-9), 1.0, mostRuns));
  return Error::success();
}

/// In the round before the measured ones, kernels are loaded.
Error Measurement::measure() {
  for (int round = 0; round <= measuredRounds; ++round)
    for (Candidate &candidate : candidates)
      if (!candidate.refused)
        if (Error error = runRound(candidate, /*isMeasured=*/round > 0))
          return error;
  return Error::success();
}

Expected<MatmulKernel> Measurement::decide(GemmMeasurement &result) {
  Candidate *fastest = nullptr;
  double least = 0;
  for (Candidate &candidate : candidates) {
    if (candidate.refused)
      continue;
    const bool isFirst = &candidate == &candidates.front();
    const double seconds = candidate.median();
    if (isFirst)
      result.firstSeconds = seconds;
    if (!fastest || seconds < least) {
      fastest = &candidate;
      least = isFirst ? seconds / preference : seconds;
    }
  }
  if (!fastest)
    return makeError(refusal);
  result.gemm = describe(command);
  result.kernels = int64_t(candidates.size());
  result.fastest = fastest - candidates.data();
  result.seconds = fastest->median();
  return fastest->kernel;
}

} // namespace

Expected<MatmulKernel> measureMatmul(GpuRank &rank, const GemmCommand &command,
                                     function_ref<std::byte *(const BufferRef &)> address,
                                     GemmMeasurement &result) {
  Measurement measurement(rank, command);
  if (Error error = measurement.prepare(address))
    return error;
  if (Error error = measurement.measure())
    return error;
  return measurement.decide(result);
}

} // namespace phantom::rt::gpu
