//===- FuseGradientEpilogues.cpp - Slopes and bias gradients into GEMMs ---===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ByteSize.h"
#include "SoleGemm.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMFUSEGRADIENTEPILOGUES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType typeOf(Value value) { return cast<RankedTensorType>(value.getType()); }

/// What a GEMM does beside its product, in place of what it did.
struct Extras {
  EpilogueAttr epilogue;
  Value saved = {};
  bool keepsAux = false, sumsColumns = false;
};

/// A copy of `gemm` with `extras`, at the rewriter's place. Its bias stays.
GemmOp rebuild(RewriterBase &rewriter, Location loc, GemmOp gemm, const Extras &extras) {
  RankedTensorType type = typeOf(gemm.getC());
  auto empty = [&](RankedTensorType wanted) -> Value {
    return tensor::EmptyOp::create(rewriter, loc, wanted.getShape(), wanted.getElementType());
  };
  SmallVector<Type> results{type};
  Value aux, sums;
  if (extras.keepsAux) {
    aux = empty(GemmOp::getAuxType(extras.epilogue.getKind(), type));
    results.push_back(aux.getType());
  }
  if (extras.sumsColumns) {
    sums = empty(RankedTensorType::get({gemm.getN()}, type.getElementType()));
    results.push_back(sums.getType());
  }
  return GemmOp::create(rewriter, loc, results, gemm.getA(), gemm.getB(), gemm.getBias(), extras.saved,
                        gemm.getC(), aux, sums, gemm.getTransposeAAttr(), gemm.getTransposeBAttr(),
                        gemm.getAccumulateAttr(), extras.epilogue, gemm.getFormulaFractionAttr());
}

/// The sum of `value` over all dimensions but the last, if an op makes it.
ReduceSumOp columnSums(Value value) {
  for (Operation *user : value.getUsers()) {
    auto sum = dyn_cast<ReduceSumOp>(user);
    if (sum && typeOf(value).getRank() > 1 &&
        llvm::equal(sum.getDims(), llvm::seq<int64_t>(0, typeOf(value).getRank() - 1)))
      return sum;
  }
  return {};
}

/// Fuses the gradients of activations of one function, and counts them for the remark.
class Fusion {
public:
  explicit Fusion(func::FuncOp function) : function(function), rewriter(function.getContext()) {}

  void run() {
    for (auto gradient : llvm::to_vector(function.getOps<ActivationGradientOp>()))
      fuse(gradient);
    InFlightDiagnostic remark = mlir::emitRemark(function.getLoc())
                                << "@" << function.getName() << ": fused " << slopes << " slopes and " << sums
                                << " bias gradients into GEMMs";
    if (bytes)
      remark << ": up to " << bytes << " bytes fewer read and written";
    else
      remark << ", without effect";
  }

private:
  void fuse(ActivationGradientOp op) {
    GemmOp backward = soleGemm(op.getCotangent());
    if (!backward || backward.getBias() || backward.getEpilogue())
      return;
    // What a GEMM keeps has the places of its own matrix.
    GemmOp forward = gemmOf(op.getSaved());
    if (!forward || forward.getC().getType() != backward.getC().getType())
      return;
    Value aux = keepAux(op, forward);
    if (!aux)
      return;

    rewriter.setInsertionPoint(op);
    ReduceSumOp sum = columnSums(op.getGradient());
    const Location loc = rewriter.getFusedLoc({backward.getLoc(), op.getLoc()});
    GemmOp fused = rebuild(rewriter, loc, backward,
                           {EpilogueAttr::get(rewriter.getContext(), op.getKind(), FloatAttr()), aux,
                            /*keepsAux=*/false, static_cast<bool>(sum)});
    const int64_t size = byteSize(typeOf(op.getGradient()));
    ++slopes;
    bytes += 2 * size;
    if (sum) {
      rewriter.replaceOp(sum, fused.getBiasGradientResult());
      ++sums;
      bytes += size;
    }
    rewriter.replaceOp(op, reshapedLike(rewriter, backward, op.getCotangent(), fused.getResult()));
  }

  /// The aux of `forward`, whose activation (or, of relu, epilogue) `op` is the gradient of; null where the
  /// GEMM cannot keep one.
  Value keepAux(ActivationGradientOp op, GemmOp forward) {
    if (!GemmOp::getAuxType(op.getKind(), typeOf(forward.getC())))
      return {};
    if (op.getFromResult()) {
      auto epilogue = forward.getEpilogueAttr();
      if (!epilogue || epilogue.getKind() != op.getKind() || forward.getSaved())
        return {};
      if (!forward.getAux())
        forward = replaceForward(forward, epilogue);
      return forward.getAuxResult();
    }
    return fuseActivation(op, forward);
  }

  /// Lets `forward` apply the activation, too: its operand has no other use than `op`, which the aux serves.
  Value fuseActivation(ActivationGradientOp op, GemmOp forward) {
    Value operand = op.getSaved();
    ActivationOp activation;
    for (Operation *user : operand.getUsers()) {
      auto found = dyn_cast<ActivationOp>(user);
      if (user != op && (!found || activation || found.getKind() != op.getKind()))
        return {};
      if (found)
        activation = found;
    }
    const bool isReshaped = operand != forward.getResult();
    if (!activation || forward.getEpilogue() || (isReshaped && !forward.getResult().hasOneUse()))
      return {};
    bytes += byteSize(typeOf(operand));
    forward = replaceForward(forward, EpilogueAttr::get(rewriter.getContext(), op.getKind(), FloatAttr()));
    // `operand`, or what is now in its place, is the activation's result.
    Value result = isReshaped ? operand : forward.getResult();
    rewriter.replaceOp(activation, result);
    return forward.getAuxResult();
  }

  GemmOp replaceForward(GemmOp forward, EpilogueAttr epilogue) {
    rewriter.setInsertionPoint(forward);
    GemmOp kept = rebuild(rewriter, forward.getLoc(), forward, {epilogue, Value(), /*keepsAux=*/true});
    rewriter.replaceAllUsesWith(forward.getResult(), kept.getResult());
    rewriter.eraseOp(forward);
    return kept;
  }

  func::FuncOp function;
  IRRewriter rewriter;
  int64_t slopes = 0, sums = 0, bytes = 0;
};

struct FuseGradientEpiloguesPass
    : phantom::impl::PhantomFuseGradientEpiloguesBase<FuseGradientEpiloguesPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (!function.getOps<ActivationGradientOp>().empty())
        Fusion(function).run();
  }
};

} // namespace
