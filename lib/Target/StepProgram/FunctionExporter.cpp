//===- FunctionExporter.cpp - Functions of step programs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builders.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::phantom;

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

/// Role and name of argument `index`; nullopt where it has no phantom attribute.
static std::optional<std::pair<rt::Role, std::string>> argumentRole(func::FuncOp function, unsigned index) {
  auto string = [&](StringRef name) { return function.getArgAttrOfType<StringAttr>(index, name); };
  if (auto input = string(PhantomDialect::kInput))
    return {{rt::Role::Input, input.str()}};
  if (Attribute target = function.getArgAttr(index, PhantomDialect::kTarget)) {
    auto name = dyn_cast<StringAttr>(target);
    return {{rt::Role::Target, name ? name.str() : "target"}};
  }
  if (auto parameter = function.getArgAttrOfType<FlatSymbolRefAttr>(index, PhantomDialect::kParameter))
    return {{rt::Role::Parameter, parameter.getValue().str()}};
  auto scalar = string(PhantomDialect::kScalar);
  if (!scalar)
    return std::nullopt;
  if (scalar == "learning_rate")
    return {{rt::Role::LearningRate, scalar.str()}};
  if (scalar == "step")
    return {{rt::Role::Step, scalar.str()}};
  if (scalar == "valid")
    return {{rt::Role::ValidCount, scalar.str()}};
  if (scalar == "rank")
    return {{rt::Role::Rank, scalar.str()}};
  if (scalar == "dropout_key")
    return {{rt::Role::DropoutKey, scalar.str()}};
  return std::nullopt;
}

/// As `argumentRole`, for a result.
static std::optional<std::pair<rt::Role, std::string>> resultRole(func::FuncOp function, unsigned index) {
  auto symbol = [&](StringRef name) { return function.getResultAttrOfType<FlatSymbolRefAttr>(index, name); };
  if (auto output = function.getResultAttrOfType<StringAttr>(index, PhantomDialect::kOutput))
    return {{rt::Role::Output, output.str()}};
  if (function.getResultAttr(index, PhantomDialect::kLoss))
    return {{rt::Role::Loss, "loss"}};
  if (auto gradient = symbol(PhantomDialect::kGradient))
    return {{rt::Role::Gradient, gradient.getValue().str()}};
  if (auto updated = symbol(PhantomDialect::kUpdated))
    return {{rt::Role::Parameter, updated.getValue().str()}};
  if (auto norm = function.getResultAttrOfType<StringAttr>(index, PhantomDialect::kSquaredNorm)) {
    bool replicated = norm == "replicated";
    return {{replicated ? rt::Role::SquaredNormReplicated : rt::Role::SquaredNorm, norm.str()}};
  }
  return std::nullopt;
}

LogicalResult FunctionExporter::exportArguments(func::FuncOp function, rt::Function &result) {
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto role = argumentRole(function, i);
    if (!role)
      return function.emitError() << "argument " << i << " has no phantom attribute that says what it is";
    FailureOr<rt::TensorType> tensor = toTensorType(function, cast<MemRefType>(type));
    if (failed(tensor))
      return failure();
    if (function.getArgAttr(i, PhantomDialect::kUnsigned))
      tensor->element = toUnsigned(tensor->element);
    int64_t indexed = 0;
    if (auto limit = function.getArgAttrOfType<IntegerAttr>(i, PhantomDialect::kIndexed))
      indexed = limit.getInt();
    result.arguments.push_back({role->first, role->second, *tensor, indexed});
  }
  return success();
}

LogicalResult FunctionExporter::exportResults(func::FuncOp function, rt::Function &result) {
  Operation *returnOp = function.getBody().front().getTerminator();
  for (auto [i, value] : llvm::enumerate(returnOp->getOperands())) {
    auto role = resultRole(function, i);
    if (!role)
      return function.emitError() << "result " << i << " has no phantom attribute that says what it is";
    // Updated parameters are in their arguments.
    if (role->first == rt::Role::Parameter)
      continue;
    FailureOr<rt::TensorType> tensor = toTensorType(function, cast<MemRefType>(value.getType()));
    FailureOr<rt::BufferRef> buffer = resolve(returnOp, value);
    if (failed(tensor) || failed(buffer))
      return failure();
    if (function.getResultAttr(i, PhantomDialect::kUnsigned))
      tensor->element = toUnsigned(tensor->element);
    result.results.push_back({role->first, role->second, *tensor, *buffer});
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

FailureOr<uint32_t> FunctionExporter::exportConstant(Operation *user, StringRef name) {
  auto [known, inserted] = constants.try_emplace(name, program.constants.size());
  if (!inserted)
    return known->second;
  auto global = module.lookupSymbol<memref::GlobalOp>(name);
  auto value =
      global ? dyn_cast_or_null<DenseElementsAttr>(global.getInitialValueAttr()) : DenseElementsAttr();
  if (!value)
    return user->emitOpError("uses @") << name << ", which is no constant with dense values";
  ArrayRef<char> raw = value.getRawData();
  size_t repeat = value.isSplat() ? value.getNumElements() : 1;
  std::vector<uint8_t> bytes;
  if (value.getElementType().isInteger(1)) // packed in the attribute
    bytes.assign(value.value_begin<bool>(), value.value_end<bool>());
  else
    for (size_t i = 0; i < repeat; ++i)
      bytes.insert(bytes.end(), raw.begin(), raw.end());
  program.constants.push_back(std::move(bytes));
  return known->second;
}

FailureOr<rt::BufferRef> FunctionExporter::resolveSlot(WindowSlotOp slot) {
  auto type = cast<MemRefType>(slot.getWindow().getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || !windows.contains(slot.getWindow())) {
    slot.emitOpError("is of no phantom.window");
    return failure();
  }
  rt::BufferRef ref;
  ref.region = rt::Region::Window;
  ref.index = windows.at(slot.getWindow());
  int64_t elements = strides.empty() ? 1 : strides[0];
  if (auto dim = slot.getDim())
    elements = cast<MemRefType>(slot.getSlot().getType()).getDimSize(*dim) * strides[*dim];
  ref.rankStride = elements * elementBytes(type.getElementType());
  return ref;
}

FailureOr<rt::BufferRef> FunctionExporter::resolve(Operation *user, Value buffer) {
  while (Operation *op = buffer.getDefiningOp()) {
    if (auto view = dyn_cast<memref::ViewOp>(op)) {
      std::optional<int64_t> offset = getConstantIntValue(view.getByteShift());
      if (!offset || !view.getSource().getDefiningOp<ArenaOp>())
        return op->emitOpError("is no view of the arena at a constant offset");
      return rt::BufferRef{rt::Region::Arena, 0, *offset, 0};
    }
    if (auto slot = dyn_cast<WindowSlotOp>(op))
      return resolveSlot(slot);
    if (isa<WindowOp>(op))
      return rt::BufferRef{rt::Region::Window, windows.at(buffer), 0, 0};
    if (auto global = dyn_cast<memref::GetGlobalOp>(op)) {
      FailureOr<uint32_t> index = exportConstant(user, global.getName());
      if (failed(index))
        return failure();
      return rt::BufferRef{rt::Region::Constant, *index, 0, 0};
    }
    auto view = dyn_cast<ViewLikeOpInterface>(op);
    if (!view)
      return user->emitOpError("uses a buffer made by '")
             << op->getName() << "', which step programs do not know";
    buffer = view.getViewSource();
  }
  return rt::BufferRef{rt::Region::Argument, cast<BlockArgument>(buffer).getArgNumber(), 0, 0};
}

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

static rt::Epilogue toEpilogue(ActivationKind kind) {
  switch (kind) {
  case ActivationKind::Relu:
    return rt::Epilogue::Relu;
  case ActivationKind::LeakyRelu:
    return rt::Epilogue::LeakyRelu;
  case ActivationKind::Elu:
    return rt::Epilogue::Elu;
  case ActivationKind::Sigmoid:
    return rt::Epilogue::Sigmoid;
  case ActivationKind::Tanh:
    return rt::Epilogue::Tanh;
  case ActivationKind::GeluErf:
    return rt::Epilogue::GeluErf;
  case ActivationKind::GeluTanh:
    return rt::Epilogue::GeluTanh;
  case ActivationKind::Silu:
    return rt::Epilogue::Silu;
  case ActivationKind::Softplus:
    break; // refused by the verifier of gemm
  }
  llvm_unreachable("unknown activation");
}

/// Row and column strides of a matrix, in elements.
static std::pair<int64_t, int64_t> matrixStrides(Value matrix) {
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)cast<MemRefType>(matrix.getType()).getStridesAndOffset(strides, offset);
  return {strides[0], strides[1]};
}

/// The bias, the activation or its slope, and what belongs to it.
LogicalResult FunctionExporter::exportEpilogue(GemmOp op, rt::GemmCommand &command) {
  Value aux = op.getSaved() ? op.getSaved() : op.getAux();
  for (auto [operand, ref] : {std::pair<Value, std::optional<rt::BufferRef> *>(op.getBias(), &command.bias),
                              {aux, &command.aux},
                              {op.getBiasGradient(), &command.biasGradient}}) {
    if (!operand)
      continue;
    FailureOr<rt::BufferRef> resolved = resolve(op, operand);
    if (failed(resolved))
      return failure();
    *ref = *resolved;
  }
  auto epilogue = op.getEpilogueAttr();
  if (!epilogue)
    return success();
  command.alpha = epilogue.getAlpha() ? epilogue.getAlpha().getValueAsDouble() : 0;
  command.epilogue = toEpilogue(epilogue.getKind());
  if (!aux)
    return success();
  const bool relu =
      epilogue.getKind() == ActivationKind::Relu; // the verifier refuses all others but gelu_tanh
  command.auxRow = cast<MemRefType>(aux.getType()).getDimSize(1) * (relu ? 8 : 1);
  if (op.getSaved())
    command.epilogue = relu ? rt::Epilogue::ReluGradient : rt::Epilogue::GeluTanhGradient;
  else
    command.epilogue = relu ? rt::Epilogue::ReluAux : rt::Epilogue::GeluTanhAux;
  return success();
}

LogicalResult FunctionExporter::exportGemm(GemmOp op, rt::Function &result) {
  rt::GemmCommand command;
  FailureOr<rt::BufferRef> a = resolve(op, op.getA()), b = resolve(op, op.getB()), c = resolve(op, op.getC());
  auto elementOf = [&](Value matrix) {
    return toElementType(op, cast<MemRefType>(matrix.getType()).getElementType());
  };
  FailureOr<rt::ElementType> element = elementOf(op.getC()), factors = elementOf(op.getA());
  if (failed(a) || failed(b) || failed(c) || failed(element) || failed(factors))
    return failure();
  command.a = *a;
  command.b = *b;
  command.c = *c;
  command.element = *element;
  command.factors = *factors;
  command.m = op.getM();
  command.n = op.getN();
  command.k = op.getK();
  std::tie(command.aRow, command.aCol) = matrixStrides(op.getA());
  std::tie(command.bRow, command.bCol) = matrixStrides(op.getB());
  if (op.getTransposeA())
    std::swap(command.aRow, command.aCol);
  if (op.getTransposeB())
    std::swap(command.bRow, command.bCol);
  auto [cRow, cCol] = matrixStrides(op.getC());
  if (cCol != 1)
    return op.emitOpError("writes a matrix whose rows are not contiguous");
  command.cRow = cRow;
  command.accumulate = op.getAccumulate();
  if (failed(exportEpilogue(op, command)))
    return failure();
  command.location = toLocationString(op.getLoc());
  append(result, command);
  return success();
}

LogicalResult FunctionExporter::exportLaunch(LaunchOp op, rt::Function &result) {
  StringRef name = op.getKernel().getLeafReference().getValue();
  auto [kernel, inserted] = kernels.try_emplace(name, program.kernels.size());
  rt::KernelCommand command;
  command.kernel = kernel->second;
  if (gpu::GPUModuleOp kernelModule = gpuKernels(module)) {
    auto function = kernelModule.lookupSymbol<gpu::GPUFuncOp>(name);
    if (!function || !function.getKnownGridSize() || !function.getKnownBlockSize())
      return op.emitOpError("calls @") << name << ", which is no gpu.func of known grid and block size";
    command.shape = {(*function.getKnownGridSize())[0], (*function.getKnownBlockSize())[0]};
    FailureOr<std::vector<rt::KernelArgument>> arguments = toKernelArguments(function);
    if (failed(arguments))
      return failure();
    if (inserted)
      program.kernelArguments.push_back(std::move(*arguments));
  }
  if (inserted)
    program.kernels.push_back(name.str());
  command.location = toLocationString(op.getLoc());
  for (Value operand : op->getOperands()) {
    FailureOr<rt::BufferRef> ref = resolve(op, operand);
    if (failed(ref))
      return failure();
    command.arguments.push_back(*ref);
  }
  append(result, command);
  return success();
}

static rt::ExchangeKind toExchangeKind(ExchangeKind kind) {
  switch (kind) {
  case ExchangeKind::AllGather:
    return rt::ExchangeKind::AllGather;
  case ExchangeKind::ReduceScatter:
    return rt::ExchangeKind::ReduceScatter;
  case ExchangeKind::AllReduce:
    return rt::ExchangeKind::AllReduce;
  case ExchangeKind::AllToAll:
    return rt::ExchangeKind::AllToAll;
  }
  llvm_unreachable("unknown exchange");
}

/// The exchange on `window`, which has one part per rank where `op` is an exchange_start of another kind than
/// a gather.
FailureOr<rt::Exchange> FunctionExporter::toExchange(ExchangeOpInterface op, Value window) {
  auto definition = window.getDefiningOp<WindowOp>();
  if (!definition)
    return op.emitOpError("is on no phantom.window");
  FailureOr<rt::ElementType> element = toElementType(op, cast<MemRefType>(window.getType()).getElementType());
  if (failed(element))
    return failure();
  rt::Exchange exchange;
  exchange.name = definition.getName().str();
  exchange.kind = toExchangeKind(op.getExchangeKind());
  exchange.window = windows.at(window);
  exchange.element = *element;
  exchange.location = toLocationString(op.getLoc());
  return exchange;
}

LogicalResult FunctionExporter::exportStart(ExchangeStartOp op, rt::Function &result) {
  FailureOr<rt::Exchange> exchange = toExchange(op, op.getWindow());
  if (failed(exchange))
    return failure();
  // The full tensor as [outer, p, inner].
  ArrayRef<int64_t> shape = cast<MemRefType>(op.getWindow().getType()).getShape();
  if (op.getKind() != ExchangeKind::AllGather)
    shape = shape.drop_front();
  for (auto [d, extent] : llvm::enumerate(shape))
    (static_cast<int64_t>(d) < static_cast<int64_t>(op.getDim()) ? exchange->outer : exchange->inner) *=
        extent;
  if (op.getKind() != ExchangeKind::AllReduce)
    exchange->inner /= program.ranks;
  uint32_t index = program.exchanges.size();
  exchanges[op.getToken()] = index;
  program.exchanges.push_back(std::move(*exchange));
  append(result, rt::ExchangeStartCommand{index});
  return success();
}

LogicalResult FunctionExporter::exportWait(ExchangeWaitOp op, rt::Function &result) {
  uint32_t index = exchanges.at(op.getToken());
  if (op.getDestination()) {
    if (!cast<MemRefType>(op.getDestination().getType()).getLayout().isIdentity())
      return op.emitOpError("sums into a strided buffer, which step programs cannot say");
    FailureOr<rt::BufferRef> destination = resolve(op, op.getDestination());
    if (failed(destination))
      return failure();
    program.exchanges[index].destination = *destination;
  }
  append(result, rt::ExchangeWaitCommand{index});
  return success();
}

static rt::StreamKind toStreamKind(StreamKind stream) {
  switch (stream) {
  case StreamKind::Compute:
    return rt::StreamKind::Compute;
  case StreamKind::Exchange:
    return rt::StreamKind::Exchange;
  }
  llvm_unreachable("unknown stream");
}

LogicalResult FunctionExporter::exportCollective(CollectiveOp op, rt::Function &result) {
  FailureOr<rt::Exchange> exchange = toExchange(op, op.getWindow());
  if (failed(exchange))
    return failure();
  const bool gathers = op.getKind() == ExchangeKind::AllGather;
  exchange->inner = cast<MemRefType>(op.getWindow().getType()).getNumElements();
  if (op.getKind() != ExchangeKind::AllReduce)
    exchange->inner /= program.ranks;
  rt::CollectiveCommand command;
  command.exchange = program.exchanges.size();
  command.stream = toStreamKind(op.getStream());
  command.count = exchange->inner;
  command.element = exchange->element;
  command.send = {rt::Region::Window, exchange->window, 0,
                  gathers ? command.count * rt::byteWidth(command.element) : 0};
  command.receive = {rt::Region::Window, exchange->window, 0, 0};
  if (!gathers) {
    FailureOr<rt::BufferRef> destination = resolve(op, op.getDestination());
    if (failed(destination))
      return failure();
    command.receive = *destination;
  }
  program.exchanges.push_back(std::move(*exchange));
  append(result, command);
  return success();
}

LogicalResult FunctionExporter::exportOp(Operation &op, rt::Function &result) {
  if (auto window = dyn_cast<WindowOp>(op)) {
    auto type = cast<MemRefType>(window.getWindow().getType());
    windows[window.getWindow()] = program.windows.size();
    program.windows.push_back(
        {window.getName().str(), type.getNumElements() * elementBytes(type.getElementType())});
    return success();
  }
  if (auto arena = dyn_cast<ArenaOp>(op)) {
    result.arenaBytes = cast<MemRefType>(arena.getArena().getType()).getNumElements();
    return success();
  }
  if (auto gemm = dyn_cast<GemmOp>(op))
    return exportGemm(gemm, result);
  if (auto launch = dyn_cast<LaunchOp>(op))
    return exportLaunch(launch, result);
  if (auto start = dyn_cast<ExchangeStartOp>(op))
    return exportStart(start, result);
  if (auto wait = dyn_cast<ExchangeWaitOp>(op))
    return exportWait(wait, result);
  if (auto collective = dyn_cast<CollectiveOp>(op))
    return exportCollective(collective, result);
  if (auto record = dyn_cast<EventRecordOp>(op)) {
    const auto event = static_cast<uint32_t>(result.events++);
    events[record.getEvent()] = event;
    append(result, rt::EventRecordCommand{event, toStreamKind(record.getStream())});
    return success();
  }
  if (auto wait = dyn_cast<EventWaitOp>(op)) {
    append(result, rt::EventWaitCommand{events.at(wait.getEvent()), toStreamKind(wait.getStream())});
    return success();
  }
  bool namesBuffer =
      isa<WindowSlotOp, memref::GetGlobalOp, ViewLikeOpInterface>(op) || matchPattern(&op, m_Constant());
  return namesBuffer ? success()
                     : op.emitOpError("cannot be part of a step program: run phantom-to-cpu-pipeline");
}

LogicalResult FunctionExporter::exportFunction(func::FuncOp function) {
  windows.clear();
  exchanges.clear();
  events.clear();
  rt::Function result;
  result.name = function.getName() == "forward" ? "infer" : function.getName().str();
  for (Type type : llvm::concat<const Type>(function.getArgumentTypes(), function.getResultTypes()))
    if (auto buffer = dyn_cast<MemRefType>(type); !buffer || !buffer.hasStaticShape())
      return function.emitError() << "takes or returns " << type
                                  << ", not a buffer of static shape: run phantom-to-cpu-pipeline";
  if (failed(exportArguments(function, result)))
    return failure();
  for (Operation &op : function.getBody().front().without_terminator())
    if (failed(exportOp(op, result)))
      return failure();
  if (failed(exportResults(function, result)))
    return failure();
  program.functions.push_back(std::move(result));
  return success();
}
