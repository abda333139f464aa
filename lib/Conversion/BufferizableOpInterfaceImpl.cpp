//===- BufferizableOpInterfaceImpl.cpp - Bufferization of GEMMs and exchanges -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Conversion/BufferizableOpInterfaceImpl.h"

#include "ScatterAdd.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/DialectRegistry.h"

using namespace mlir;
using namespace mlir::bufferization;
using namespace mlir::phantom;

namespace {

struct GemmModel : DstBufferizableOpInterfaceExternalModel<GemmModel, GemmOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand, const AnalysisState &) const {
    auto gemm = cast<GemmOp>(op);
    return !gemm.isDpsInit(&operand) || (&operand == &gemm.getCMutable() && gemm.getAccumulate());
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter, const BufferizationOptions &options,
                          BufferizationState &state) const {
    rewriter.setInsertionPoint(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    GemmOp::create(rewriter, op->getLoc(), TypeRange(), buffers, op->getAttrs());
    replaceOpWithBufferizedValues(rewriter, op, ArrayRef(buffers).take_back(op->getNumResults()));
    return success();
  }
};

/// The rank's slot of a window: block `rank` along `dim`, or entry `rank` of the leading dimension where
/// `dim` is absent. Its strides are the window's; a contiguous slot has no layout.
MemRefType slotType(MemRefType window, std::optional<int64_t> dim, int64_t ranks) {
  SmallVector<int64_t> shape(window.getShape());
  if (!dim)
    return MemRefType::get(llvm::ArrayRef(shape).drop_front(), window.getElementType());
  shape[*dim] /= ranks;
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)window.getStridesAndOffset(strides, offset);
  bool contiguous =
      llvm::all_of(llvm::ArrayRef(shape).take_front(*dim), [](int64_t extent) { return extent == 1; });
  if (contiguous)
    return MemRefType::get(shape, window.getElementType());
  return MemRefType::get(shape, window.getElementType(),
                         StridedLayoutAttr::get(window.getContext(), 0, strides));
}

int64_t dimOf(AllGatherOp op) { return op.getDim(); }
int64_t dimOf(ReduceScatterOp op) { return op.getDim(); }
int64_t dimOf(AllReduceOp) { return 0; }
int64_t dimOf(AllToAllOp) { return 0; }

template <typename Op> struct ExchangeModel : BufferizableOpInterface::ExternalModel<ExchangeModel<Op>, Op> {
  static constexpr bool kGathers = std::is_same_v<Op, AllGatherOp>;

  bool bufferizesToAllocation(Operation *, Value) const { return true; }
  bool bufferizesToMemoryRead(Operation *, OpOperand &, const AnalysisState &) const { return true; }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &, const AnalysisState &) const { return false; }
  AliasingValueList getAliasingValues(Operation *, OpOperand &, const AnalysisState &) const { return {}; }
  /// Peers read gathered windows at any time.
  bool isWritable(Operation *, Value, const AnalysisState &) const { return !kGathers; }

  LogicalResult bufferize(Operation *operation, RewriterBase &rewriter, const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto op = cast<Op>(operation);
    Location loc = op.getLoc();
    rewriter.setInsertionPoint(op);
    FailureOr<Value> source = getBuffer(rewriter, op.getInput(), options, state);
    if (failed(source))
      return failure();
    auto inType = cast<RankedTensorType>(op.getInput().getType());
    auto outType = cast<RankedTensorType>(op.getOutput().getType());
    SmallVector<int64_t> shape(kGathers ? outType.getShape() : inType.getShape());
    if (!kGathers)
      shape.insert(shape.begin(), op.getRanks());
    auto windowType = MemRefType::get(shape, inType.getElementType());
    std::optional<int64_t> dim = kGathers ? std::optional(dimOf(op)) : std::nullopt;

    Value window = WindowOp::create(rewriter, loc, windowType, "");
    IntegerAttr dimAttr = dim ? rewriter.getI64IntegerAttr(*dim) : IntegerAttr();
    Value slot =
        WindowSlotOp::create(rewriter, loc, slotType(windowType, dim, op.getRanks()), window, dimAttr);
    memref::CopyOp::create(rewriter, loc, *source, slot);
    Value destination;
    if (!kGathers)
      destination = memref::AllocOp::create(rewriter, loc,
                                            MemRefType::get(outType.getShape(), outType.getElementType()));
    ExchangeBufferOp::create(rewriter, loc, op.getExchangeKind(), window, destination, dimOf(op),
                             op.getMesh(), op.getAxis());
    replaceOpWithBufferizedValues(rewriter, op, kGathers ? window : destination);
    return success();
  }
};

} // namespace

void mlir::phantom::registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, PhantomDialect *) {
    GemmOp::attachInterface<GemmModel>(*context);
    AllGatherOp::attachInterface<ExchangeModel<AllGatherOp>>(*context);
    ReduceScatterOp::attachInterface<ExchangeModel<ReduceScatterOp>>(*context);
    AllReduceOp::attachInterface<ExchangeModel<AllReduceOp>>(*context);
    AllToAllOp::attachInterface<ExchangeModel<AllToAllOp>>(*context);
    attachScatterAddModel(*context);
  });
}
