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

GemmOp mlir::phantom::soleGemm(Value value) {
  if (!value.hasOneUse())
    return {};
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>()) {
    value = expand.getSrc();
    if (!value.hasOneUse())
      return {};
  }
  return value.getDefiningOp<GemmOp>();
}
