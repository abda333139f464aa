//===- GemmToLinalg.cpp - Reference GEMMs as loops -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::phantom;

using utils::IteratorType;

namespace {

/// A plain loop nest (m, k, n), and one elementwise op for bias and activation.
struct GemmToLinalg : OpRewritePattern<GemmOp> {
  GemmToLinalg(MLIRContext *context, bool all) : OpRewritePattern(context), all(all) {}

  LogicalResult matchAndRewrite(GemmOp op, PatternRewriter &rewriter) const override {
    Location loc = op.getLoc();
    MLIRContext *context = rewriter.getContext();
    if (!op.getResult())
      return rewriter.notifyMatchFailure(op, "is on buffers");
    RankedTensorType type = tensorTypeOf(op.getC());
    if (!all && type.getElementType().isF32())
      return rewriter.notifyMatchFailure(op, "is for the GEMM library");
    if (op.getSaved() || op.getAux())
      return rewriter.notifyMatchFailure(op, "has an epilogue of cuBLASLt's");
    AffineExpr m, k, n;
    bindDims(context, m, k, n);
    auto map = [&](AffineExpr x, AffineExpr y, bool transposed) {
      return transposed ? AffineMap::get(3, 0, {y, x}, context) : AffineMap::get(3, 0, {x, y}, context);
    };
    auto multiplyAdd = [](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v[2].getType());
      Value left = s.cast(v[0], s.type), right = s.cast(v[1], s.type);
      return {s.add(v[2], s.mul(left, right))};
    };
    Value init = op.getAccumulate() ? op.getC() : createFilled(rewriter, loc, type, 0);
    Value product =
        createGeneric(rewriter, loc, ValueRange{op.getA(), op.getB()}, init,
                      {map(m, k, op.getTransposeA()), map(k, n, op.getTransposeB()), map(m, n, false)},
                      {IteratorType::parallel, IteratorType::reduction, IteratorType::parallel}, multiplyAdd)
            .front();
    if (op.getBias() || op.getEpilogue())
      product = createEpilogue(rewriter, op, product);
    rewriter.replaceOp(op, product);
    return success();
  }

private:
  bool all;

  /// In place on the product.
  static Value createEpilogue(PatternRewriter &rewriter, GemmOp op, Value product) {
    AffineMap all = rewriter.getMultiDimIdentityMap(2);
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    if (op.getBias()) {
      inputs.push_back(op.getBias());
      maps.push_back(all.getSubMap({1}));
    }
    maps.push_back(all);
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange v) -> SmallVector<Value> {
      Scalars s(b, v.back().getType());
      Value value = op.getBias() ? s.add(v[1], v[0]) : v[0];
      if (auto epilogue = op.getEpilogueAttr()) {
        double alpha = epilogue.getAlpha() ? epilogue.getAlpha().getValueAsDouble() : 0;
        value = createActivation(s, epilogue.getKind(), alpha, value);
      }
      return {value};
    };
    SmallVector<IteratorType> iterators(2, IteratorType::parallel);
    return createGeneric(rewriter, op.getLoc(), inputs, product, maps, iterators, body).front();
  }
};

} // namespace

void mlir::phantom::populateGemmToLinalgPatterns(RewritePatternSet &patterns, bool all) {
  patterns.add<GemmToLinalg>(patterns.getContext(), all);
}
