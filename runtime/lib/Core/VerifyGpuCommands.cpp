//===- VerifyGpuCommands.cpp - Checks the commands of GPU programs --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "VerifyCommands.h"

#include "ProgramNames.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/HostTensor.h"

using namespace llvm;

namespace phantom::rt {

namespace {

/// Of CUDA: more cannot be launched.
constexpr int64_t kMaximumBlocks = INT32_MAX, kMaximumThreads = 1024;

bool isAux(Epilogue epilogue) { return epilogue == Epilogue::ReluAux || epilogue == Epilogue::GeluTanhAux; }
bool isGradient(Epilogue epilogue) {
  return epilogue == Epilogue::ReluGradient || epilogue == Epilogue::GeluTanhGradient;
}

/// Goes through the commands in their order.
class GpuVerifier {
public:
  GpuVerifier(const Program &program, const Function &function)
      : program(program), function(function), exchanged(program.exchanges.size()),
        windowUsed(program.windows.size()) {}

  Error verify() {
    if (function.events < 0 || function.events > int64_t(function.commands.size()))
      return makeError("step program: function '" + function.name + "' has " + Twine(function.events) +
                       " events and " + Twine(function.commands.size()) + " commands");
    events.resize(function.events);
    for (position = 0; position < function.commands.size(); ++position)
      if (Error error =
              std::visit([&](const auto &command) { return check(command); }, function.commands[position]))
        return commandError(function, position, std::move(error));
    for (size_t i = 0; i < events.size(); ++i)
      if (!events[i].waited)
        return makeError("step program: function '" + function.name + "': event " + Twine(i) +
                         (events[i].recorded ? " is never waited for" : " is never recorded"));
    if (joined < used)
      return makeError("step program: function '" + function.name +
                       "' ends before the exchange stream does: its last commands must make the compute "
                       "stream wait");
    return Error::success();
  }

private:
  struct Event {
    bool recorded = false, waited = false;
    StreamKind stream = StreamKind::Compute;
    size_t position = 0;
  };

  Error buffer(const BufferRef &ref, std::optional<int64_t> bytes) const {
    return checkBuffer(program, function, ref, bytes);
  }

  /// Each kind of work has its stream: on another one, an exchange would hold up what should hide it.
  Error isOn(StreamKind wanted, StreamKind stream) {
    if (stream != wanted)
      return makeError("the command is on the other stream: GEMMs and kernels are on the compute stream, "
                       "collectives on the exchange stream");
    return use(stream);
  }

  /// The exchange stream may work only once it waits for the compute stream, where the function began.
  Error use(StreamKind stream) {
    if (stream == StreamKind::Compute)
      return Error::success();
    if (!forked)
      return makeError("the exchange stream begins without waiting for an event of the compute stream");
    used = position + 1;
    return Error::success();
  }

  Error check(const GemmCommand &gemm) {
    if (Error error = checkGemm(program, function, gemm))
      return error;
    switch (gemm.epilogue) {
    case Epilogue::None:
    case Epilogue::Relu:
    case Epilogue::GeluTanh:
    case Epilogue::ReluAux:
    case Epilogue::GeluTanhAux:
    case Epilogue::ReluGradient:
    case Epilogue::GeluTanhGradient:
      break;
    default:
      return makeError("no GEMM of a GPU has the epilogue " + nameOf(gemm.epilogue));
    }
    if (Error error = checkAux(gemm))
      return error;
    if (gemm.biasGradient) {
      if (!isGradient(gemm.epilogue))
        return makeError("a bias gradient needs a gradient epilogue");
      if (Error error = buffer(*gemm.biasGradient, checkedProduct({gemm.n, byteWidth(gemm.element)})))
        return error;
    }
    return isOn(StreamKind::Compute, gemm.stream);
  }

  Error checkAux(const GemmCommand &gemm) const {
    const bool needed = isAux(gemm.epilogue) || isGradient(gemm.epilogue);
    if (needed != gemm.aux.has_value())
      return makeError("the epilogue " + nameOf(gemm.epilogue) +
                       (needed ? " needs an aux buffer" : " has no aux buffer"));
    if (!needed)
      return Error::success();
    const bool bits = gemm.epilogue == Epilogue::ReluAux || gemm.epilogue == Epilogue::ReluGradient;
    const int64_t multiple = bits ? 128 : 8;
    if (gemm.auxRow < gemm.n || gemm.auxRow % multiple)
      return makeError("the rows of an aux buffer are " + Twine(gemm.auxRow) + " apart; " + Twine(gemm.n) +
                       " or more are needed, and a multiple of " + Twine(multiple));
    return buffer(*gemm.aux, bits ? checkedProduct({gemm.m, gemm.auxRow / 8})
                                  : checkedProduct({gemm.m, gemm.auxRow, byteWidth(gemm.element)}));
  }

  Error check(const KernelCommand &kernel) {
    if (kernel.kernel >= program.kernels.size())
      return makeError("kernel " + Twine(kernel.kernel) + " does not exist");
    const auto &[blocks, threads] = kernel.shape;
    if (blocks < 1 || blocks > kMaximumBlocks || threads < 1 || threads > kMaximumThreads)
      return makeError("a launch of " + Twine(blocks) + " blocks of " + Twine(threads) + " threads: 1 to " +
                       Twine(kMaximumBlocks) + " blocks of at most " + Twine(kMaximumThreads) +
                       " threads can run");
    const std::vector<KernelArgument> &declared = program.kernelArguments[kernel.kernel];
    if (declared.size() != kernel.arguments.size())
      return makeError("kernel '" + program.kernels[kernel.kernel] + "' takes " + Twine(declared.size()) +
                       " buffers, and gets " + Twine(kernel.arguments.size()));
    for (size_t i = 0; i < declared.size(); ++i) {
      if (Error error = buffer(kernel.arguments[i], declared[i].bytes))
        return error;
      if (declared[i].writes && kernel.arguments[i].region == Region::Constant)
        return makeError("kernel '" + program.kernels[kernel.kernel] + "' writes a constant");
    }
    return isOn(StreamKind::Compute, kernel.stream);
  }

  Error check(const ExchangeStartCommand &) const { return notOfGpus(); }
  Error check(const ExchangeWaitCommand &) const { return notOfGpus(); }
  static Error notOfGpus() {
    return makeError("a start or wait of an exchange is a command for CPUs; GPUs have collectives");
  }

  Error check(const CollectiveCommand &collective) {
    if (collective.exchange >= program.exchanges.size())
      return makeError("exchange " + Twine(collective.exchange) + " does not exist");
    const Exchange &exchange = program.exchanges[collective.exchange];
    auto wrong = [&](const Twine &what) { return makeError("exchange '" + exchange.name + "' " + what); };
    if (exchanged[collective.exchange])
      return wrong("is made twice in one function");
    if (exchange.window >= program.windows.size())
      return wrong("has no window");
    if (windowUsed[exchange.window])
      return wrong("uses a window that another exchange uses in this function");
    exchanged[collective.exchange] = windowUsed[exchange.window] = true;
    if (exchange.outer != 1)
      return wrong("has blocks that are not contiguous; run phantom-pack-exchanges");
    if (collective.count < 1 || collective.count != exchange.inner)
      return wrong("has blocks of " + Twine(exchange.inner) + " elements, but " + Twine(collective.count) +
                   " are sent");
    if (collective.element != exchange.element)
      return wrong("is of " + typeName(exchange.element) + ", but " + typeName(collective.element) +
                   " is sent");
    if (Error error = checkElement(exchange))
      return error;
    if (Error error = checkOperands(collective, exchange))
      return error;
    return isOn(StreamKind::Exchange, collective.stream);
  }

  Error checkOperands(const CollectiveCommand &collective, const Exchange &exchange) const {
    const int64_t width = byteWidth(collective.element);
    const bool gathers = exchange.kind == ExchangeKind::AllGather;
    std::optional<int64_t> block = checkedProduct({collective.count, width});
    std::optional<int64_t> all = checkedProduct({collective.count, width, program.ranks});
    const bool permutes = exchange.kind == ExchangeKind::AllToAll;
    const bool scatters = exchange.kind == ExchangeKind::ReduceScatter;
    if (Error error = buffer(collective.send, scatters || permutes ? all : block))
      return error;
    if (Error error = buffer(collective.receive, gathers || permutes ? all : block))
      return error;
    const BufferRef &send = collective.send, &receive = collective.receive;
    if (send.region != Region::Window || send.index != exchange.window)
      return makeError("exchange '" + exchange.name + "' does not send from its window");
    if (send.rankStride != (gathers ? *block : 0) || (gathers && receive.rankStride != 0))
      return makeError("exchange '" + exchange.name + "' has the wrong rank stride");
    if (gathers &&
        (receive.region != send.region || receive.index != send.index || receive.offset != send.offset))
      return makeError("exchange '" + exchange.name + "' does not gather in place");
    if (permutes && receive.region == Region::Window && receive.index == exchange.window)
      return makeError("exchange '" + exchange.name + "' receives in the window that it sends from");
    return Error::success();
  }

  Error check(const EventRecordCommand &record) {
    if (record.event >= events.size())
      return makeError("event " + Twine(record.event) + " does not exist");
    Event &event = events[record.event];
    if (event.recorded)
      return makeError("event " + Twine(record.event) + " is recorded twice");
    if (record.stream == StreamKind::Exchange && !forked)
      return makeError("an event is recorded on the exchange stream before it begins");
    event = {true, false, record.stream, position};
    return Error::success();
  }

  Error check(const EventWaitCommand &wait) {
    if (wait.event >= events.size() || !events[wait.event].recorded)
      return makeError("event " + Twine(wait.event) + " is waited for before it is recorded");
    Event &event = events[wait.event];
    if (event.stream == wait.stream)
      return makeError("event " + Twine(wait.event) + " is waited for by the stream that records it");
    event.waited = true;
    if (wait.stream == StreamKind::Exchange)
      forked = true;
    else
      joined = std::max(joined, event.position);
    return Error::success();
  }

  const Program &program;
  const Function &function;
  std::vector<Event> events;
  std::vector<bool> exchanged, windowUsed;
  size_t position = 0;
  bool forked = false; ///< whether the exchange stream is ordered behind the function's begin
  size_t used = 0;     ///< position behind the exchange stream's last work
  size_t joined = 0;   ///< the compute stream waits for the exchange stream's work before this position
};

} // namespace

Error verifyGpuCommands(const Program &program, const Function &function) {
  return GpuVerifier(program, function).verify();
}

} // namespace phantom::rt
