//===- SoleGemm.cpp - GEMMs whose result has one user ------------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SoleGemm.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::phantom;

GemmOp mlir::phantom::gemmOf(Value value) {
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    value = expand.getSrc();
  auto gemm = value.getDefiningOp<GemmOp>();
  return gemm && gemm.getResult() == value ? gemm : GemmOp();
}

GemmOp mlir::phantom::soleGemm(Value value) {
  GemmOp gemm = gemmOf(value);
  return gemm && value.hasOneUse() && gemm.getResult().hasOneUse() ? gemm : GemmOp();
}

Value mlir::phantom::reshapedLike(OpBuilder &builder, GemmOp gemm, Value value, Value product) {
  if (value == gemm.getResult())
    return product;
  IRMapping mapping;
  mapping.map(gemm.getResult(), product);
  return builder.clone(*value.getDefiningOp(), mapping)->getResult(0);
}
