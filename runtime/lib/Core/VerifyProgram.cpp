//===- VerifyProgram.cpp - Checks a step program before it runs -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/VerifyProgram.h"

#include "VerifyCommands.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/ParameterLayout.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/ErrorHandling.h"

using namespace llvm;

namespace phantom::rt {

namespace {

class FunctionVerifier {
public:
  FunctionVerifier(const Program &program, const Function &function) : program(program), function(function) {}

  Error verify() {
    if (function.arenaBytes < 0)
      return makeError("step program: function '" + function.name + "' has an arena of " +
                       Twine(function.arenaBytes) + " bytes");
    if (Error error = signature())
      return error;
    if (program.device == DeviceKind::Gpu)
      return verifyGpuCommands(program, function);
    started.resize(program.exchanges.size());
    windowBusy.resize(program.windows.size());
    for (size_t i = 0; i < function.commands.size(); ++i)
      if (Error error = std::visit([&](const auto &command) { return check(command); }, function.commands[i]))
        return commandError(function, i, std::move(error));
    for (size_t i = 0; i < started.size(); ++i)
      if (started[i])
        return makeError("step program: function '" + function.name + "' never waits for exchange '" +
                         program.exchanges[i].name + "'");
    return Error::success();
  }

private:
  Error signature() {
    for (const Argument &argument : function.arguments) {
      if (Error error = roleType(argument.role, argument.type))
        return makeError("step program: function '" + function.name + "', argument '" + argument.name +
                         "': " + toString(std::move(error)));
      if (argument.role != Role::Parameter)
        continue;
      const Parameter *parameter = find(argument.name);
      if (!parameter || parameter->type.bytes() != argument.type.bytes())
        return makeError("step program: function '" + function.name + "' takes the parameter '" +
                         argument.name + "', which the program does not declare with that size");
    }
    for (const Result &result : function.results) {
      if (result.role == Role::Gradient && !find(result.name))
        return makeError("step program: function '" + function.name + "' returns the gradient of '" +
                         result.name + "', which the program does not declare");
      Error error = roleType(result.role, result.type);
      if (!error)
        error = buffer(result.buffer, result.type.bytes());
      if (error)
        return makeError("step program: function '" + function.name + "', result '" + result.name +
                         "': " + toString(std::move(error)));
    }
    return Error::success();
  }

  /// Roles with a meaning to the training library have the types it uses.
  Error roleType(Role role, const TensorType &type) const {
    if (!checkedElements(type.shape, byteWidth(type.element)))
      return makeError("its shape is too large to address");
    if (type.element == ElementType::BF16)
      return makeError("bf16 is no type of arguments and results");
    switch (role) {
    case Role::Input:
    case Role::Target:
    case Role::Output:
      // Inference also runs on whole arrays, whatever their shapes.
      if (function.name == "infer")
        return Error::success();
      if (type.shape.empty() || type.shape[0] % program.batch)
        return makeError("shape " + shapeText(type.shape) + " does not divide into " + Twine(program.batch) +
                         " rows: its first dimension must be the batch");
      return Error::success();
    case Role::LearningRate:
    case Role::Loss:
      if (type.elements() != 1 || !isFloat(type.element))
        return makeError("a float scalar is needed");
      return Error::success();
    case Role::SquaredNorm:
    case Role::SquaredNormReplicated:
      if (type.elements() != 1 || type.element != ElementType::F64)
        return makeError("an f64 scalar is needed");
      return Error::success();
    case Role::Step:
    case Role::ValidCount:
    case Role::Rank:
    case Role::DropoutKey:
      if (type.elements() != 1 || type.element != ElementType::I64)
        return makeError("an i64 scalar is needed");
      return Error::success();
    case Role::Parameter:
    case Role::Gradient:
      return Error::success();
    }
    llvm_unreachable("unknown role");
  }

  const Parameter *find(StringRef name) const {
    for (const Parameter &parameter : program.parameters)
      if (parameter.name == name)
        return &parameter;
    return nullptr;
  }

  Error buffer(const BufferRef &ref, std::optional<int64_t> bytes) const {
    return checkBuffer(program, function, ref, bytes);
  }

  Error check(const GemmCommand &gemm) const {
    if (gemm.stream != StreamKind::Compute || gemm.aux || gemm.biasGradient || gemm.epilogue > Epilogue::Silu)
      return makeError("a GEMM has what only GPUs know: another stream, an aux or gradient epilogue");
    return checkGemm(program, function, gemm);
  }

  Error check(const KernelCommand &kernel) const {
    if (kernel.kernel >= program.kernels.size())
      return makeError("kernel " + Twine(kernel.kernel) + " does not exist");
    if (kernel.stream != StreamKind::Compute)
      return makeError("a kernel is on another stream than compute, which only GPUs have");
    for (const BufferRef &argument : kernel.arguments)
      if (Error error = buffer(argument, 0))
        return error;
    return Error::success();
  }

  Error check(const ExchangeStartCommand &start) {
    if (start.exchange >= program.exchanges.size())
      return makeError("exchange " + Twine(start.exchange) + " does not exist");
    const Exchange &exchange = program.exchanges[start.exchange];
    if (exchange.window >= program.windows.size())
      return makeError("exchange '" + exchange.name + "' has no window");
    if (windowBusy[exchange.window])
      return makeError("the window of exchange '" + exchange.name + "' is used twice in one function");
    windowBusy[exchange.window] = started[start.exchange] = true;

    if (exchange.kind == ExchangeKind::AllToAll && exchange.outer != 1)
      return makeError("exchange '" + exchange.name + "' has blocks that are not contiguous");
    const bool hasParts = exchange.kind != ExchangeKind::AllGather;
    // One full tensor, or one per rank where each has its own; of blocks, or for an all-reduce of one.
    std::optional<int64_t> needed = checkedProduct(
        {exchange.outer, exchange.inner, byteWidth(exchange.element),
         exchange.kind == ExchangeKind::AllReduce ? 1 : program.ranks, hasParts ? program.ranks : 1});
    if (exchange.outer < 1 || exchange.inner < 1 || !needed ||
        program.windows[exchange.window].bytes < *needed)
      return makeError("the window of exchange '" + exchange.name + "' is too small");
    return checkElement(exchange);
  }

  Error check(const ExchangeWaitCommand &wait) {
    if (wait.exchange >= program.exchanges.size() || !started[wait.exchange])
      return makeError("exchange " + Twine(wait.exchange) + " is waited for before its start");
    started[wait.exchange] = false;
    const Exchange &exchange = program.exchanges[wait.exchange];
    if (exchange.kind == ExchangeKind::AllGather)
      return Error::success();
    if (!exchange.destination)
      return makeError("exchange '" + exchange.name + "' has no destination");
    if (exchange.destination->region == Region::Window && exchange.destination->index == exchange.window)
      return makeError("exchange '" + exchange.name + "' writes to its window, which the peers still read");
    return buffer(*exchange.destination,
                  checkedProduct({exchange.outer, exchange.inner, byteWidth(exchange.element),
                                  exchange.kind == ExchangeKind::AllToAll ? program.ranks : 1}));
  }

  Error check(const CollectiveCommand &) const { return makeError("a collective is a command for a GPU"); }
  Error check(const EventRecordCommand &) const { return makeError("an event is a command for a GPU"); }
  Error check(const EventWaitCommand &) const { return makeError("an event is a command for a GPU"); }

  const Program &program;
  const Function &function;
  std::vector<bool> started;
  /// A window is free again only after the barrier at the function's end: the
  /// peers may still read it after this rank's wait.
  std::vector<bool> windowBusy;
};

} // namespace

Error verifyProgram(const Program &program) {
  if (program.ranks < 1 || program.batch < 1)
    return makeError("step program: it needs at least one rank and a batch of at least one");
  if (program.ranks > kMaximumRanks)
    return makeError("step program: it has " + Twine(program.ranks) + " ranks; at most " +
                     Twine(kMaximumRanks) + " can run");
  StringSet<> names;
  for (const Parameter &parameter : program.parameters) {
    if (Error error = checkParameter(parameter, program.ranks))
      return error;
    if (!names.insert(parameter.name).second)
      return makeError("step program: two parameters are named '" + parameter.name + "'");
  }
  for (const Window &window : program.windows)
    if (window.bytes < 0)
      return makeError("step program: window '" + window.name + "' has " + Twine(window.bytes) + " bytes");
  if (program.device == DeviceKind::Gpu && program.kernelArguments.size() != program.kernels.size())
    return makeError("step program: " + Twine(program.kernels.size()) +
                     " kernels are declared, and the arguments of " + Twine(program.kernelArguments.size()));
  for (const Function &function : program.functions)
    if (Error error = FunctionVerifier(program, function).verify())
      return error;
  return Error::success();
}

Error verifyExecutable(const Executable &executable) {
  const Program &program = executable.program;
  if (executable.kernels.size() != program.kernels.size())
    return makeError("step program: " + Twine(program.kernels.size()) + " kernels are declared, but " +
                     Twine(executable.kernels.size()) + " are given");
  for (size_t i = 0; i < program.kernels.size(); ++i)
    if (!executable.kernels[i])
      return makeError("step program: kernel '" + program.kernels[i] + "' has no code");
  return verifyProgram(program);
}

} // namespace phantom::rt
