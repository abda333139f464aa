//===- StructuredThreads.cpp - linalg ops, divided over threads -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sums.h"
#include "Threads.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/Utils/Utils.h"

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// Threads of a block that makes one sum: a power of two.
constexpr int64_t kReductionThreads = 128;

/// Emits one linalg op for one thread.
class StructuredThreads {
public:
  StructuredThreads(linalg::LinalgOp op, gpu::GPUFuncOp kernel, const IRMapping &mapping, const Fills &fills)
      : op(op), kernel(kernel), mapping(mapping), fills(fills), maps(op.getIndexingMapsArray()) {
    for (auto [d, kind, extent] : llvm::enumerate(op.getIteratorTypesArray(), op.getStaticLoopRanges())) {
      bool reduces = kind == utils::IteratorType::reduction;
      (reduces ? reduced : parallel).push_back(d);
      (reduces ? reducedExtents : parallelExtents).push_back(extent);
      (reduces ? reducedCount : parallelCount) *= extent;
    }
  }

  FailureOr<Grid> divide(int64_t blockReduction) {
    if (failed(verify()))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), OpBuilder::atBlockEnd(&kernel.getBody().front()));
    // Threads that each make a sum read neighbouring elements where sums lie beside each other.
    if (reducedCount >= blockReduction && (parallelCount == 1 || readsAlongSums(op)) && findCombiners()) {
      divideOverBlocks(b);
      return Grid{parallelCount, kReductionThreads};
    }
    forEachElement(b, parallelCount,
                   [&](ImplicitLocOpBuilder &b, Value element) { emitElement(b, element); });
    return gridFor(parallelCount);
  }

private:
  LogicalResult verify() {
    for (OpOperand &init : op.getDpsInitsMutable())
      for (auto [dim, extent] : llvm::zip(parallel, parallelExtents))
        if (extent > 1 && !mapOf(init).isFunctionOfDim(dim))
          return op.emitOpError("writes an element in several parallel iterations");
    return success();
  }

  AffineMap mapOf(OpOperand &operand) const { return maps[operand.getOperandNumber()]; }

  Value load(ImplicitLocOpBuilder &b, OpOperand &operand, ArrayRef<Value> indices) const {
    if (Value filled = fills.lookup(operand.get()))
      return mapping.lookup(filled);
    Value buffer = mapping.lookup(operand.get());
    if (!isa<MemRefType>(buffer.getType()))
      return buffer;
    return memref::LoadOp::create(b, buffer, places(b, operand, indices));
  }

  void store(ImplicitLocOpBuilder &b, Value value, OpOperand &operand, ArrayRef<Value> indices) const {
    memref::StoreOp::create(b, value, mapping.lookup(operand.get()), places(b, operand, indices));
  }

  /// Where an operand's element of the iteration `indices` is.
  SmallVector<Value> places(ImplicitLocOpBuilder &b, OpOperand &operand, ArrayRef<Value> indices) const {
    // A sum's element does not depend on indices that its iteration does not have.
    SmallVector<Value> known(indices);
    for (Value &index : known)
      if (!index)
        index = constantIndex(b, 0);
    SmallVector<Value> result;
    for (AffineExpr expression : mapOf(operand).getResults())
      result.push_back(affine::expandAffineExpr(b, b.getLoc(), expression, known, {}));
    return result;
  }

  /// Puts the indices of some dimensions in the places of all.
  static void scatter(ArrayRef<unsigned> dims, ArrayRef<Value> values, MutableArrayRef<Value> indices) {
    for (auto [dim, value] : llvm::zip(dims, values))
      indices[dim] = value;
  }

  /// One iteration: stores the results that are no sums, and returns the next sums.
  SmallVector<Value> emitIteration(ImplicitLocOpBuilder &b, ArrayRef<Value> indices, ValueRange sums) {
    IRMapping inner(mapping);
    for (OpOperand *input : op.getDpsInputOperands())
      inner.map(op.getMatchingBlockArgument(input), load(b, *input, indices));
    size_t sum = 0;
    for (OpOperand &init : op.getDpsInitsMutable()) {
      BlockArgument argument = op.getMatchingBlockArgument(&init);
      if (isSum(op, init))
        inner.map(argument, sums[sum++]);
      else if (!argument.use_empty())
        inner.map(argument, load(b, init, indices));
    }
    for (Operation &nested : op.getBlock()->without_terminator()) {
      if (auto index = dyn_cast<linalg::IndexOp>(nested))
        inner.map(index.getResult(), indices[index.getDim()]);
      else
        b.clone(nested, inner);
    }
    SmallVector<Value> next;
    for (auto [init, yielded] :
         llvm::zip(op.getDpsInitsMutable(), op.getBlock()->getTerminator()->getOperands())) {
      Value value = inner.lookupOrDefault(yielded);
      if (isSum(op, init))
        next.push_back(value);
      else
        store(b, value, init, indices);
    }
    return next;
  }

  /// One element of the parallel dimensions, with loops over the reduced ones.
  void emitElement(ImplicitLocOpBuilder &b, Value element) {
    SmallVector<Value> indices(maps.front().getNumDims());
    scatter(parallel, delinearize(b, element, parallelExtents), indices);
    SmallVector<Value> sums;
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isSum(op, init))
        sums.push_back(load(b, init, indices));
    if (reduced.empty()) {
      emitIteration(b, indices, {});
      return;
    }
    SmallVector<Value> starts(reduced.size(), constantIndex(b, 0)),
        steps(reduced.size(), constantIndex(b, 1)), ends;
    for (int64_t extent : reducedExtents)
      ends.push_back(constantIndex(b, extent));
    scf::LoopNest nest = scf::buildLoopNest(
        b, b.getLoc(), starts, ends, steps, sums,
        [&](OpBuilder &nested, Location loc, ValueRange loops, ValueRange before) -> scf::ValueVector {
          ImplicitLocOpBuilder inner(loc, nested);
          SmallVector<Value> all(indices);
          scatter(reduced, llvm::to_vector(loops), all);
          SmallVector<Value> after = emitIteration(inner, all, before);
          return scf::ValueVector(after.begin(), after.end());
        });
    storeSums(b, nest.results, indices);
  }

  void storeSums(ImplicitLocOpBuilder &b, ArrayRef<Value> sums, ArrayRef<Value> indices) {
    size_t sum = 0;
    for (OpOperand &init : op.getDpsInitsMutable())
      if (isSum(op, init))
        store(b, sums[sum++], init, indices);
  }

  //===--------------------------------------------------------------------===//
  // Sums made by a block
  //===--------------------------------------------------------------------===//

  /// The op that adds to each sum. False where a result is neither a sum that can be made in parts nor has an
  /// element per iteration.
  bool findCombiners() {
    combiners.clear();
    summed.clear();
    for (OpOperand &init : op.getDpsInitsMutable()) {
      if (isMap(op, init))
        continue;
      Operation *combiner = combinerOf(op, init);
      if (!combiner)
        return false;
      combiners.push_back(combiner);
      summed.push_back(&init);
    }
    return !combiners.empty();
  }

  static Value combine(ImplicitLocOpBuilder &b, Operation *combiner, Value x, Value y) {
    IRMapping operands;
    operands.map(combiner->getOperand(0), x);
    operands.map(combiner->getOperand(1), y);
    return b.clone(*combiner, operands)->getResult(0);
  }

  void divideOverBlocks(ImplicitLocOpBuilder &b) {
    auto space = gpu::AddressSpaceAttr::get(op.getContext(), gpu::AddressSpace::Workgroup);
    parts.clear();
    for (Operation *combiner : combiners) {
      auto type = MemRefType::get({kReductionThreads}, combiner->getResult(0).getType(), AffineMap(), space);
      parts.push_back(kernel.addWorkgroupAttribution(type, op.getLoc()));
    }
    Value block = gpu::BlockIdOp::create(b, gpu::Dimension::x),
          blocks = gpu::GridDimOp::create(b, gpu::Dimension::x);
    auto loop = scf::ForOp::create(b, block, constantIndex(b, parallelCount), blocks);
    ImplicitLocOpBuilder inner(b.getLoc(), OpBuilder::atBlockTerminator(loop.getBody()));
    emitBlockSum(inner, loop.getInductionVar());
  }

  void emitBlockSum(ImplicitLocOpBuilder &b, Value element) {
    Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
    SmallVector<Value> indices(maps.front().getNumDims());
    scatter(parallel, delinearize(b, element, parallelExtents), indices);
    SmallVector<Value> starts;
    for (Operation *combiner : combiners)
      starts.push_back(arith::ConstantOp::create(b, *arith::getNeutralElement(combiner)));
    auto loop =
        scf::ForOp::create(b, thread, constantIndex(b, reducedCount), constantIndex(b, kReductionThreads),
                           starts, [&](OpBuilder &nested, Location loc, Value flat, ValueRange before) {
                             ImplicitLocOpBuilder inner(loc, nested);
                             SmallVector<Value> all(indices);
                             scatter(reduced, delinearize(inner, flat, reducedExtents), all);
                             scf::YieldOp::create(inner, emitIteration(inner, all, before));
                           });
    for (auto [part, value] : llvm::zip(parts, loop.getResults()))
      memref::StoreOp::create(b, value, part, thread);
    gpu::BarrierOp::create(b);
    for (int64_t half = kReductionThreads / 2; half > 0; half /= 2) {
      ifBefore(b, thread, half, [&](ImplicitLocOpBuilder &b) {
        Value other = arith::AddIOp::create(b, thread, constantIndex(b, half));
        for (auto [part, combiner] : llvm::zip(parts, combiners)) {
          Value x = memref::LoadOp::create(b, part, thread), y = memref::LoadOp::create(b, part, other);
          memref::StoreOp::create(b, combine(b, combiner, x, y), part, thread);
        }
      });
      gpu::BarrierOp::create(b);
    }
    ifBefore(b, thread, 1, [&](ImplicitLocOpBuilder &b) {
      SmallVector<Value> sums;
      for (auto [init, part, combiner] : llvm::zip(summed, parts, combiners)) {
        Value x = load(b, *init, indices), y = memref::LoadOp::create(b, part, constantIndex(b, 0));
        sums.push_back(combine(b, combiner, x, y));
      }
      storeSums(b, sums, indices);
    });
  }

  static void ifBefore(ImplicitLocOpBuilder &b, Value thread, int64_t end,
                       llvm::function_ref<void(ImplicitLocOpBuilder &)> body) {
    Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, thread, constantIndex(b, end));
    auto branch = scf::IfOp::create(b, before);
    ImplicitLocOpBuilder inner(b.getLoc(), branch.getThenBodyBuilder());
    body(inner);
  }

  linalg::LinalgOp op;
  gpu::GPUFuncOp kernel;
  const IRMapping &mapping;
  const Fills &fills;
  SmallVector<AffineMap> maps;
  SmallVector<unsigned> parallel, reduced; ///< dimensions
  SmallVector<int64_t> parallelExtents, reducedExtents;
  int64_t parallelCount = 1, reducedCount = 1;
  SmallVector<OpOperand *> summed;    ///< the results that are sums
  SmallVector<Operation *> combiners; ///< of each
  SmallVector<Value> parts;           ///< of a block's threads, of each
};

} // namespace

FailureOr<Grid> mlir::phantom::divideStructured(linalg::LinalgOp op, gpu::GPUFuncOp kernel,
                                                const IRMapping &mapping, const Fills &fills,
                                                int64_t blockReduction) {
  return StructuredThreads(op, kernel, mapping, fills).divide(blockReduction);
}
