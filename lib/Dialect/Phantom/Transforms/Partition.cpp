//===- Partition.cpp - Divides the layers of a model over the ranks -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Partitioner.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMPARTITION
#include "phantom/Dialect/Phantom/Transforms/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

/// "fc1=4": the layer's name may hold anything.
LogicalResult Partitioner::readGhostWidths() {
  for (StringRef entry : options.ghostWidths) {
    auto [name, text] = entry.rsplit('=');
    int64_t width = 0;
    if (name.empty() || text.getAsInteger(10, width) || width < 0)
      return module.emitError() << "ghost-widths has '" << entry
                                << "'; write LAYER=K, with a width K that is not negative";
    if (!ghostWidths.try_emplace(name, width).second)
      return module.emitError() << "ghost-widths names the layer '" << name << "' twice";
  }
  return success();
}

LogicalResult Partitioner::checkGhostWidths() {
  if (options.strategy != Strategy::Phantom)
    return success();
  for (StringRef entry : options.ghostWidths)
    if (StringRef name = entry.rsplit('=').first; !phantomWeights.contains(name))
      return module.emitError() << "ghost-widths names '" << name << "', which becomes no phantom layer";
  return success();
}

/// What no op uses stays in the model: whoever saves the trained one asks for it.
LogicalResult Partitioner::keepUnused(ArrayRef<ParameterOp> unused) {
  for (ParameterOp parameter : unused)
    if (failed(replicatedParameter(parameter, /*fanIn=*/0)))
      return failure();
  return success();
}

LogicalResult Partitioner::run() {
  SmallVector<ParameterOp> unused; // before packed layers leave theirs unused
  for (BlockArgument argument : dense.getArguments())
    if (ParameterOp parameter = getParameter(argument); parameter && argument.use_empty())
      unused.push_back(parameter);
  if (failed(readGhostWidths()) || failed(findLayers()))
    return failure();
  b.setInsertionPointToStart(module.getBody());
  auto axisAttr = AxisAttr::get(module.getContext(), kAxis, ranks);
  MeshOp::create(b, module.getLoc(), kMesh, AxesAttr::get(module.getContext(), axisAttr));

  b.setInsertionPoint(dense);
  result = func::FuncOp::create(b, dense.getLoc(), dense.getName(),
                                FunctionType::get(module.getContext(), {}, {}));
  body = result.addEntryBlock();
  b.setInsertionPointToStart(body);
  SmallVector<DictionaryAttr> argumentAttrs;
  for (BlockArgument argument : dense.getArguments()) {
    if (getParameter(argument))
      continue;
    map.map(argument, body->addArgument(argument.getType(), argument.getLoc()));
    argumentAttrs.push_back(dense.getArgAttrDict(argument.getArgNumber()));
  }

  Operation *terminator = dense.getBody().front().getTerminator();
  for (Operation &op : dense.getBody().front().without_terminator())
    if (failed(partitionOp(op)))
      return failure();
  if (failed(keepUnused(unused)))
    return failure();
  SmallVector<Value> outputs;
  for (Value value : terminator->getOperands()) {
    FailureOr<Value> output = operandAs(value, std::nullopt, terminator->getLoc());
    if (failed(output))
      return failure();
    outputs.push_back(*output);
  }
  if (failed(checkGhostWidths()) || hasCollision)
    return failure();
  func::ReturnOp::create(b, terminator->getLoc(), outputs);

  for (ParameterOp op : declared)
    argumentAttrs.push_back(b.getDictionaryAttr(
        b.getNamedAttr(PhantomDialect::kParameter, FlatSymbolRefAttr::get(op.getSymNameAttr()))));
  result.setFunctionType(
      FunctionType::get(module.getContext(), body->getArgumentTypes(), ValueRange(outputs).getTypes()));
  result.setAllArgAttrs(argumentAttrs);
  SmallVector<DictionaryAttr> resultAttrs;
  dense.getAllResultAttrs(resultAttrs);
  result.setAllResultAttrs(resultAttrs);

  DenseSet<Operation *> kept(llvm::from_range, declared);
  dense.erase();
  for (auto op : llvm::make_early_inc_range(module.getOps<ParameterOp>()))
    if (!kept.contains(op))
      op.erase();
  return success();
}

LogicalResult Partitioner::startOneRank() {
  if (options.init == InitStart::FromDense)
    return success();
  if (failed(selectLayers()))
    return failure();
  for (auto &[op, layer] : layers)
    for (ParameterOp parameter : {layer.weight, layer.bias})
      if (parameter)
        parameter.setInitAttr(
            InitAttr::get(module.getContext(), InitKind::Uniform, {}, false, 0, layer.in, false));
  return success();
}

namespace {

class PartitionPass : public phantom::impl::PhantomPartitionBase<PartitionPass> {
public:
  using PhantomPartitionBase::PhantomPartitionBase;
  void runOnOperation() override;
};

void PartitionPass::runOnOperation() {
  ModuleOp module = getOperation();
  auto fail = [&](const Twine &message) {
    module.emitError(message);
    signalPassFailure();
  };
  if (ranks < 1)
    return fail("ranks is " + Twine(ranks) + "; it must be at least 1");
  if (ghostWidth < 0)
    return fail("ghost-width is " + Twine(ghostWidth) + "; it must not be negative");
  if (!module.getOps<MeshOp>().empty())
    return fail("the module has a mesh: it is partitioned already");
  FailureOr<func::FuncOp> forward = getForwardFunction(module);
  if (failed(forward))
    return signalPassFailure();
  StringRef names[] = {"phantom", "tensor", "megatron"};
  module->setAttr(PhantomDialect::kStrategy,
                  StringAttr::get(&getContext(), names[static_cast<int>(strategy.getValue())]));
  PhantomPartitionOptions options{strategy,   ranks,     ghostWidth, select,
                                  firstLayer, lastLayer, init,       llvm::to_vector(ghostWidths)};
  Partitioner partitioner(module, *forward, options);
  if (failed(ranks == 1 ? partitioner.startOneRank() : partitioner.run()))
    signalPassFailure();
}

} // namespace
