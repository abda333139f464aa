//===- RankExecutor.cpp - Runs a function's command list on one rank ------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/RankExecutor.h"

#include "Gemm.h"
#include "NanColumns.h"
#include "NanKeeper.h"
#include "SmallBlocks.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;

namespace phantom::rt {

namespace {

struct BoundGemm {
  size_t number;
};
struct BoundKernel {
  KernelFunction function;
  size_t firstArgument;
};
struct BoundStart {
  BoundExchange exchange;
};
struct BoundWait {
  BoundExchange exchange;
};
using BoundCommand = std::variant<BoundGemm, BoundKernel, BoundStart, BoundWait>;

} // namespace

/// How the commands use an argument.
struct ArgumentUse {
  struct Reader {
    size_t gemm;                ///< in the plan
    const GemmCommand *command; ///< whose first factor is in the argument
  };
  std::vector<Reader> readers;
  bool hasOthers = false; ///< that are bound to the argument's memory
};

struct RankExecutor::Commands {
  explicit Commands(int64_t threads) : gemms(threads) {}

  std::vector<BoundCommand> list;
  std::vector<void *> kernelArguments; ///< of all kernels, one after another
  GemmPlan gemms;
  std::vector<ArgumentUse> uses; ///< by argument
};

RankExecutor::RankExecutor(const Executable &executable, const Function &function, RankBindings rankBindings,
                           Communicator &communicator)
    : executable(executable), function(function), bindings(std::move(rankBindings)),
      communicator(communicator), commands(std::make_unique<Commands>(bindings.threads)) {}

RankExecutor::~RankExecutor() = default;

Expected<std::unique_ptr<RankExecutor>> RankExecutor::create(const Executable &executable,
                                                             const Function &function, RankBindings bindings,
                                                             Communicator &communicator) {
  std::unique_ptr<RankExecutor> executor(
      new RankExecutor(executable, function, std::move(bindings), communicator));
  if (Error error = executor->bind())
    return error;
  return executor;
}

std::byte *RankExecutor::address(const BufferRef &ref) const {
  const int64_t offset = ref.offset + bindings.rank * ref.rankStride;
  switch (ref.region) {
  case Region::Argument:
    return bindings.arguments[ref.index] + offset;
  case Region::Arena:
    return bindings.arena + offset;
  case Region::Window:
    return bindings.windows[ref.index] + offset;
  case Region::Constant:
    return bindings.constants[ref.index] + offset;
  }
  llvm_unreachable("unknown region");
}

/// Notes all uses of arguments but those as the first factor of a GEMM.
void RankExecutor::noteArguments(const Command &command) {
  auto note = [&](const BufferRef &ref) {
    if (ref.region == Region::Argument)
      commands->uses[ref.index].hasOthers = true;
  };
  if (const auto *gemm = std::get_if<GemmCommand>(&command)) {
    note(gemm->b);
    note(gemm->c);
    if (gemm->bias)
      note(*gemm->bias);
  } else if (const auto *kernel = std::get_if<KernelCommand>(&command)) {
    for_each(kernel->arguments, note);
  } else if (const auto *wait = std::get_if<ExchangeWaitCommand>(&command)) {
    if (const auto &destination = executable.program.exchanges[wait->exchange].destination)
      note(*destination);
  }
}

bool RankExecutor::lend(size_t argument, const std::byte *memory) {
  const ArgumentUse &use = commands->uses[argument];
  if (use.hasOthers)
    return false;
  // Nothing writes to the first factor of a GEMM.
  bindings.arguments[argument] = const_cast<std::byte *>(memory);
  for (const ArgumentUse::Reader &reader : use.readers)
    commands->gemms.setA(reader.gemm, address(reader.command->a));
  return true;
}

Error RankExecutor::bind() {
  const Program &program = executable.program;
  // Others than inputs are read or written by the host, too.
  for (const Argument &argument : function.arguments)
    commands->uses.push_back({{}, argument.role != Role::Input});
  for (const Result &result : function.results)
    if (result.buffer.region == Region::Argument)
      commands->uses[result.buffer.index].hasOthers = true;
  auto exchangeOf = [&](uint32_t index) {
    const Exchange &exchange = program.exchanges[index];
    return BoundExchange{&exchange, index, bindings.windows[exchange.window],
                         exchange.destination ? address(*exchange.destination) : nullptr};
  };
  for (const auto &[index, command] : enumerate(function.commands)) {
    noteArguments(command);
    if (const auto *gemm = std::get_if<GemmCommand>(&command)) {
      Expected<size_t> number = commands->gemms.add(
          *gemm,
          {address(gemm->a), address(gemm->b), address(gemm->c), gemm->bias ? address(*gemm->bias) : nullptr},
          bindings.gemms->choose(*gemm, hasConstantB(function, *gemm), bindings.threads),
          NanKeeper::isNeeded(*gemm) ? columnsNanTogether(program, function, index) : 1);
      if (!number)
        return number.takeError();
      commands->list.push_back(BoundGemm{*number});
      if (gemm->a.region == Region::Argument)
        commands->uses[gemm->a.index].readers.push_back({*number, gemm});
    } else if (const auto *kernel = std::get_if<KernelCommand>(&command)) {
      commands->list.push_back(
          BoundKernel{executable.kernels[kernel->kernel], commands->kernelArguments.size()});
      for (const BufferRef &argument : kernel->arguments)
        commands->kernelArguments.push_back(address(argument));
    } else if (const auto *start = std::get_if<ExchangeStartCommand>(&command)) {
      commands->list.push_back(BoundStart{exchangeOf(start->exchange)});
    } else {
      commands->list.push_back(BoundWait{exchangeOf(std::get<ExchangeWaitCommand>(command).exchange)});
    }
  }
  reserveSmallBlocks();
  return commands->gemms.finish();
}

GemmWorkspace RankExecutor::gemmWorkspace() const { return commands->gemms.workspace(); }

Error RankExecutor::prepareWeights() { return commands->gemms.prepareWeights(); }

Error RankExecutor::runCommand(size_t index) {
  const BoundCommand &command = commands->list[index];
  if (const auto *gemm = std::get_if<BoundGemm>(&command))
    return commands->gemms.run(gemm->number);
  if (const auto *kernel = std::get_if<BoundKernel>(&command)) {
    kernel->function(commands->kernelArguments.data() + kernel->firstArgument);
    return Error::success();
  }
  if (const auto *start = std::get_if<BoundStart>(&command))
    return communicator.start(start->exchange);
  return communicator.wait(std::get<BoundWait>(command).exchange);
}

Error RankExecutor::run() {
  std::atomic<const Command *> &present = communicator.position.command;
  for (size_t i = 0; i < commands->list.size(); ++i) {
    present.store(&function.commands[i], std::memory_order_relaxed);
    // Again and again: libraries compile their code in the first run, and that takes small blocks.
    if (!hasRun)
      reserveSmallBlocks();
    if (!timings) {
      if (Error error = runCommand(i))
        return error;
      continue;
    }
    const auto begin = std::chrono::steady_clock::now();
    Error error = runCommand(i);
    timings->push_back({uint32_t(i), begin, std::chrono::steady_clock::now()});
    if (error)
      return error;
  }
  present.store(nullptr, std::memory_order_relaxed);
  hasRun = true;
  return Error::success();
}

} // namespace phantom::rt
