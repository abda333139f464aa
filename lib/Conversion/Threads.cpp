//===- Threads.cpp - Elements and loops, divided over threads ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Threads.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::phantom;

Grid mlir::phantom::gridFor(int64_t elements) {
  constexpr int64_t warp = 32, mostThreads = 256, mostBlocks = 4096;
  Grid grid;
  grid.threads = std::min<int64_t>(mostThreads, llvm::alignTo(std::max<int64_t>(elements, 1), warp));
  grid.blocks = std::clamp<int64_t>(llvm::divideCeil(elements, grid.threads), 1, mostBlocks);
  return grid;
}

Value mlir::phantom::constantIndex(ImplicitLocOpBuilder &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

void mlir::phantom::forEachElement(ImplicitLocOpBuilder &b, int64_t count,
                                   llvm::function_ref<void(ImplicitLocOpBuilder &, Value)> body) {
  Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x),
        thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value threads = gpu::BlockDimOp::create(b, gpu::Dimension::x),
        blocks = gpu::GridDimOp::create(b, gpu::Dimension::x);
  Value first = arith::AddIOp::create(b, arith::MulIOp::create(b, block, threads), thread);
  Value step = arith::MulIOp::create(b, blocks, threads);
  auto loop = scf::ForOp::create(b, first, constantIndex(b, count), step);
  ImplicitLocOpBuilder inner(b.getLoc(), OpBuilder::atBlockTerminator(loop.getBody()));
  body(inner, loop.getInductionVar());
}

SmallVector<Value> mlir::phantom::delinearize(ImplicitLocOpBuilder &b, Value index,
                                              ArrayRef<int64_t> extents) {
  SmallVector<Value> indices(extents.size());
  for (size_t d = extents.size(); d-- > 1;) {
    Value extent = constantIndex(b, extents[d]);
    indices[d] = arith::RemUIOp::create(b, index, extent);
    index = arith::DivUIOp::create(b, index, extent);
  }
  if (!indices.empty())
    indices[0] = index;
  return indices;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {

std::optional<int64_t> tripCount(scf::ForOp loop) {
  std::optional<int64_t> from = getConstantIntValue(loop.getLowerBound()),
                         to = getConstantIntValue(loop.getUpperBound()),
                         step = getConstantIntValue(loop.getStep());
  if (!from || !to || !step || *from != 0 || *step != 1 || loop.getNumResults() != 0)
    return std::nullopt;
  return *to;
}

/// The loop and those in it, while each has one, of 0 to a constant.
SmallVector<scf::ForOp> loopChain(scf::ForOp nest) {
  SmallVector<scf::ForOp> chain;
  for (scf::ForOp loop = nest; loop && tripCount(loop);) {
    chain.push_back(loop);
    auto inner = loop.getOps<scf::ForOp>();
    loop = llvm::hasSingleElement(inner) ? *inner.begin() : scf::ForOp();
  }
  return chain;
}

/// Whether `place` is at the same position of the indices of all accesses to what the nest writes, so that no
/// two of its values touch the same element.
bool selectsElements(Value place, scf::ForOp nest) {
  llvm::DenseMap<Value, int64_t> positions;
  auto sameEverywhere = [&](Value buffer, OperandRange indices) {
    auto found = llvm::find(indices, place);
    if (found == indices.end())
      return false;
    int64_t position = found - indices.begin();
    return positions.try_emplace(buffer, position).first->second == position;
  };
  llvm::DenseSet<Value> written;
  nest.walk([&](memref::StoreOp store) { written.insert(store.getMemref()); });
  WalkResult result = nest.walk([&](Operation *op) {
    bool same = true;
    if (auto store = dyn_cast<memref::StoreOp>(op))
      same = sameEverywhere(store.getMemref(), store.getIndices());
    else if (auto load = dyn_cast<memref::LoadOp>(op))
      same = !written.contains(load.getMemref()) || sameEverywhere(load.getMemref(), load.getIndices());
    return same ? WalkResult::advance() : WalkResult::interrupt();
  });
  return !result.wasInterrupted();
}

/// Whether what the nest writes overlaps no other buffer of the kernel.
bool writesAlone(scf::ForOp nest) {
  auto function = nest->getParentOfType<FunctionOpInterface>();
  WalkResult result = nest.walk([&](memref::StoreOp store) {
    auto argument = dyn_cast<BlockArgument>(store.getMemref());
    bool alone = argument && argument.getOwner() == &function.getFunctionBody().front() &&
                 function.getArgAttr(argument.getArgNumber(), LLVM::LLVMDialect::getNoAliasAttrName());
    return alone ? WalkResult::advance() : WalkResult::interrupt();
  });
  return !result.wasInterrupted();
}

/// Clones a loop's body, with the loops that `mapping` knows the variable of taken apart.
void cloneBody(OpBuilder &builder, scf::ForOp loop, IRMapping &mapping) {
  for (Operation &op : loop.getBody()->without_terminator()) {
    auto inner = dyn_cast<scf::ForOp>(op);
    if (!inner || inner.getNumResults() != 0) {
      builder.clone(op, mapping);
      continue;
    }
    if (mapping.contains(inner.getInductionVar())) {
      cloneBody(builder, inner, mapping);
      continue;
    }
    auto copy = scf::ForOp::create(builder, inner.getLoc(), mapping.lookupOrDefault(inner.getLowerBound()),
                                   mapping.lookupOrDefault(inner.getUpperBound()),
                                   mapping.lookupOrDefault(inner.getStep()));
    mapping.map(inner.getInductionVar(), copy.getInductionVar());
    OpBuilder body = OpBuilder::atBlockTerminator(copy.getBody());
    cloneBody(body, inner, mapping);
  }
}

} // namespace

Grid mlir::phantom::divideLoops(scf::ForOp nest, gpu::GPUFuncOp kernel, const IRMapping &mapping) {
  SmallVector<scf::ForOp> divided;
  SmallVector<int64_t> extents;
  if (writesAlone(nest))
    for (scf::ForOp loop : loopChain(nest))
      if (selectsElements(loop.getInductionVar(), nest)) {
        divided.push_back(loop);
        extents.push_back(*tripCount(loop));
      }
  int64_t count = 1;
  for (int64_t extent : extents)
    count *= extent;
  ImplicitLocOpBuilder b(nest.getLoc(), OpBuilder::atBlockEnd(&kernel.getBody().front()));
  forEachElement(b, count, [&](ImplicitLocOpBuilder &b, Value element) {
    IRMapping inner(mapping);
    for (auto [loop, index] : llvm::zip(divided, delinearize(b, element, extents)))
      inner.map(loop.getInductionVar(), index);
    if (inner.contains(nest.getInductionVar())) {
      cloneBody(b, nest, inner);
      return;
    }
    auto outer = scf::ForOp::create(b, inner.lookup(nest.getLowerBound()), inner.lookup(nest.getUpperBound()),
                                    inner.lookup(nest.getStep()));
    inner.map(nest.getInductionVar(), outer.getInductionVar());
    OpBuilder body = OpBuilder::atBlockTerminator(outer.getBody());
    cloneBody(body, nest, inner);
  });
  return gridFor(count);
}
