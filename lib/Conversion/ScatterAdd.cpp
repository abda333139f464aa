//===- ScatterAdd.cpp - Sums at indexed places, as loops ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The maps of a linalg.generic cannot say that an element goes where another tensor's element tells: as a
// generic, the gradient of a gather visits each slice of the result for each index. Loops that add to the
// slice of the index visit each cotangent once, in order: equal indices are summed in the same order in every
// run.
//
//===----------------------------------------------------------------------===//

#include "ScatterAdd.h"

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::phantom;

namespace {

/// Loops over the extents; `body` gets their indices.
void createLoops(ImplicitLocOpBuilder &b, ArrayRef<int64_t> extents,
                 llvm::function_ref<void(ImplicitLocOpBuilder &, ValueRange)> body) {
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, value); };
  SmallVector<Value> ends = llvm::map_to_vector(extents, index);
  SmallVector<Value> starts(ends.size(), index(0)), steps(ends.size(), index(1));
  scf::buildLoopNest(b, b.getLoc(), starts, ends, steps,
                     [&](OpBuilder &nested, Location loc, ValueRange indices) {
                       ImplicitLocOpBuilder inner(loc, nested);
                       body(inner, indices);
                     });
}

/// Adds slice [a…, i…, c…] of `source` to slice [a…, indices[i…], c…] of `target`, where the index is along
/// `dim`.
void createScatterAdd(ImplicitLocOpBuilder &b, Value source, Value indices, Value target, int64_t dim) {
  ArrayRef<int64_t> shape = cast<MemRefType>(source.getType()).getShape();
  int64_t places = cast<MemRefType>(indices.getType()).getRank();
  int64_t extent = cast<MemRefType>(target.getType()).getDimSize(dim);
  // At least one loop, which is what becomes a kernel.
  SmallVector<int64_t> outer{1};
  llvm::append_range(outer, shape.take_front(dim + places));
  createLoops(b, outer, [&](ImplicitLocOpBuilder &b, ValueRange loops) {
    loops = loops.drop_front();
    Value number = memref::LoadOp::create(b, indices, loops.drop_front(dim));
    auto [index, valid] = checkedIndex(b, number, extent);
    Value place = arith::SelectOp::create(b, valid, index, arith::ConstantIndexOp::create(b, 0));
    createLoops(
        b, shape.drop_front(dim + places), [&, valid = valid](ImplicitLocOpBuilder &b, ValueRange rest) {
          SmallVector<Value> from(loops), to(loops.take_front(dim));
          to.push_back(place);
          llvm::append_range(from, rest);
          llvm::append_range(to, rest);
          Value term = memref::LoadOp::create(b, source, from), sum = memref::LoadOp::create(b, target, to);
          Scalars s(b, term.getType());
          term = arith::SelectOp::create(b, valid, term, s.constant(0));
          memref::StoreOp::create(b, s.add(sum, term), target, to);
        });
  });
}

struct GatherGradientModel : BufferizableOpInterface::ExternalModel<GatherGradientModel, GatherGradientOp> {
  bool bufferizesToAllocation(Operation *, Value) const { return true; }
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const { return true; }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const { return {}; }

  LogicalResult verifyAnalysis(Operation *operation, const AnalysisState &) const {
    auto op = cast<GatherGradientOp>(operation);
    for (Value value : {op.getCotangent(), op.getIndices(), op.getGradient()})
      if (!tensorTypeOf(value).hasStaticShape())
        return op.emitOpError("has a dynamic shape: run phantom-specialize-batch before");
    return success();
  }

  LogicalResult bufferize(Operation *operation, RewriterBase &rewriter, const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto op = cast<GatherGradientOp>(operation);
    RankedTensorType type = tensorTypeOf(op.getGradient());
    rewriter.setInsertionPoint(op);
    FailureOr<Value> source = getBuffer(rewriter, op.getCotangent(), options, state);
    FailureOr<Value> indices = getBuffer(rewriter, op.getIndices(), options, state);
    if (failed(source) || failed(indices))
      return failure();
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value target = memref::AllocOp::create(b, MemRefType::get(type.getShape(), type.getElementType()));
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type.getElementType()));
    linalg::FillOp::create(b, zero, target);
    if (tensorTypeOf(op.getCotangent()).getNumElements() > 0)
      createScatterAdd(b, *source, *indices, target, static_cast<int64_t>(op.getDim()));
    replaceOpWithBufferizedValues(rewriter, op, target);
    return success();
  }
};

} // namespace

void mlir::phantom::attachScatterAddModel(MLIRContext &context) {
  GatherGradientOp::attachInterface<GatherGradientModel>(context);
}
