//===- BindGpuFunction.cpp - Binds a function's commands to a GPU ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Constants.h"
#include "GpuExecutor.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace phantom::rt::gpu {

Expected<std::unique_ptr<GpuExecutor>> GpuExecutor::create(GpuRank &rank, const Function &function,
                                                           const HostArguments &arguments, bool useGraphs) {
  std::unique_ptr<GpuExecutor> executor(new GpuExecutor(rank, function, arguments, useGraphs));
  // While the memory is still there: it may be copied to.
  if (Error error = executor->allocate())
    return rank.fail(std::move(error));
  return executor;
}

Error GpuExecutor::allocate() {
  const std::string name = "'" + function.name + "'";
  if (Error error = allocateDevice(api, arguments.bytes, "the arguments of " + name).moveInto(argumentMemory))
    return error;
  if (Error error = allocateDevice(api, function.arenaBytes, "the arena of " + name).moveInto(arenaMemory))
    return error;
  if (Error error = allocateDevice(api, sizeof(int64_t), "the rank").moveInto(rankMemory))
    return error;
  const int64_t number = rank.rank();
  if (Error error = check(api.cudaMemcpyAsync(rankMemory.get(), &number, sizeof(number),
                                              cudaMemcpyHostToDevice, rank.stream(StreamKind::Compute)),
                          "copying the rank"))
    return error;
  if (Error error = rank.waitFor(StreamKind::Compute, "the copy of the rank"))
    return error;
  MemoryPlan layout;
  for (const Result &result : function.results)
    resultOffsets.push_back(layout.add(result.type.bytes()));
  if (Error error = allocatePinned(api, layout.bytes(), "the results of " + name).moveInto(resultMemory))
    return error;
  results = static_cast<std::byte *>(resultMemory.get());
  for (int64_t i = 0; i < function.events; ++i) {
    Expected<Owned<Event>> event = createEvent(api);
    if (!event)
      return event.takeError();
    events.push_back(std::move(*event));
  }
  return Error::success();
}

std::byte *GpuExecutor::address(const BufferRef &ref) const {
  const int64_t offset = ref.offset + rank.rank() * ref.rankStride;
  switch (ref.region) {
  case Region::Argument: {
    const Argument &argument = function.arguments[ref.index];
    if (argument.role == Role::Parameter)
      return rank.parameter(argument.name) + offset;
    if (argument.role == Role::Rank)
      return static_cast<std::byte *>(rankMemory.get()) + offset;
    return static_cast<std::byte *>(argumentMemory.get()) + arguments.offsets[ref.index] + offset;
  }
  case Region::Arena:
    return static_cast<std::byte *>(arenaMemory.get()) + offset;
  case Region::Window:
    return rank.window(ref.index) + offset;
  case Region::Constant:
    return rank.constant(ref.index) + offset;
  }
  llvm_unreachable("unknown region");
}

Error GpuExecutor::measure(MeasuredMatmuls &measured,
                           const std::function<void(const GemmMeasurement &)> &report) {
  auto addressOf = [&](const BufferRef &ref) { return address(ref); };
  for (const Command &command : function.commands) {
    const auto *gemm = std::get_if<GemmCommand>(&command);
    if (!gemm)
      continue;
    Expected<MatmulSpec> spec = matmulOf(*gemm, addressOf);
    if (!spec)
      return spec.takeError();
    if (measured.find(*spec))
      continue;
    GemmMeasurement result;
    Expected<MatmulKernel> kernel = measureMatmul(rank, *gemm, addressOf, result);
    if (!kernel)
      return kernel.takeError();
    measured.add(*spec, *kernel);
    if (report)
      report(result);
  }
  return Error::success();
}

Error GpuExecutor::bind(const MeasuredMatmuls &kernels) {
  measured = &kernels;
  for (const Command &command : function.commands)
    if (Error error = std::visit([&](const auto &one) { return bindCommand(one); }, command))
      return error;
  measured = nullptr;
  for (void *&argument : kernelArguments)
    kernelArgumentAddresses.push_back(&argument);
  for (StreamKind kind : {StreamKind::Compute, StreamKind::Exchange})
    if (Error error = allocateDevice(api, int64_t(workspaceBytes[size_t(kind)]),
                                     "the workspace of '" + function.name + "'")
                          .moveInto(workspaces[size_t(kind)]))
      return error;
  return Error::success();
}

Error GpuExecutor::bindCommand(const GemmCommand &command) {
  auto addressOf = [&](const BufferRef &ref) { return address(ref); };
  Expected<MatmulSpec> spec = matmulOf(command, addressOf);
  if (!spec)
    return spec.takeError();
  const std::string name = describe(command);
  Expected<Matmul> matmul = Matmul::create(api, rank.blas(), *spec, name, measured->find(*spec));
  if (!matmul)
    return matmul.takeError();
  size_t &bytes = workspaceBytes[size_t(command.stream)];
  bytes = std::max(bytes, matmul->kernel().workspaceBytes);
  const MatmulAlgorithm &algorithm = matmul->kernel().algorithm;
  const uint64_t chosen =
      xxh3_64bits(ArrayRef(reinterpret_cast<const uint8_t *>(algorithm.data), sizeof(algorithm.data)));
  const uint64_t both[] = {choices, chosen};
  choices = xxh3_64bits(ArrayRef(reinterpret_cast<const uint8_t *>(both), sizeof(both)));
  ranges.push_back(name);
  commands.push_back(BoundGemm{std::move(*matmul), address(command.b), address(command.a), address(command.c),
                               command.stream});
  return Error::success();
}

Error GpuExecutor::bindCommand(const KernelCommand &command) {
  ranges.push_back("kernel '" + rank.program().kernels[command.kernel] + "' (" + command.location + ")");
  commands.push_back(BoundLaunch{&command, kernelArguments.size()});
  for (const BufferRef &argument : command.arguments)
    kernelArguments.push_back(address(argument));
  return Error::success();
}

Error GpuExecutor::bindCommand(const CollectiveCommand &command) {
  const Exchange &exchange = rank.program().exchanges[command.exchange];
  BoundCollective collective{&exchange, address(command.send), address(command.receive), command.count,
                             command.element};
  if (Error error = rank.communicator()->prepare(collective))
    return error;
  ranges.push_back(describe(exchange));
  commands.push_back(BoundExchangeCommand{collective, command.stream});
  return Error::success();
}

Error GpuExecutor::bindCommand(const EventRecordCommand &command) {
  ranges.emplace_back();
  commands.push_back(command);
  return Error::success();
}

Error GpuExecutor::bindCommand(const EventWaitCommand &command) {
  ranges.emplace_back();
  commands.push_back(command);
  return Error::success();
}

// The verifier refuses both.
Error GpuExecutor::bindCommand(const ExchangeStartCommand &) {
  return makeError("function '" + function.name + "' starts an exchange as on a CPU");
}
Error GpuExecutor::bindCommand(const ExchangeWaitCommand &) {
  return makeError("function '" + function.name + "' waits for an exchange as on a CPU");
}

} // namespace phantom::rt::gpu
