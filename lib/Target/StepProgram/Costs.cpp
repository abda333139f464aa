//===- Costs.cpp - What a train step costs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Builders.h"

using namespace mlir;
using namespace mlir::phantom;

int64_t mlir::phantom::countTrainable(const rt::Program &program, ModuleOp module) {
  int64_t total = 0;
  for (const rt::Parameter &parameter : program.parameters) {
    if (!parameter.trainable || !parameter.stateOf.empty())
      continue;
    int64_t elements = elementsOf(parameter.type);
    bool ownBlock = parameter.init.zeroOwnBlock || parameter.init.kind == rt::InitKind::LowRankDecompressor;
    if (ownBlock)
      elements -= elements / program.ranks;
    total += elements * (parameter.layout == rt::Layout::Replicated ? 1 : program.ranks);
  }
  return total;
}

void mlir::phantom::addCosts(func::FuncOp function, int64_t runs, rt::Costs &costs) {
  const auto times = static_cast<double>(runs);
  function.walk([&](Operation *op) {
    if (auto gemm = dyn_cast<GemmOp>(op)) {
      double flops = times * 2.0 * gemm.getM() * gemm.getN() * gemm.getK();
      costs.executedFlops += flops;
      costs.formulaFlops +=
          flops * (gemm.getFormulaFraction() ? gemm.getFormulaFraction()->convertToDouble() : 1);
    } else if (isa<ExchangeStartOp, CollectiveOp>(op)) {
      // The first operand of both is the window.
      Type element = cast<MemRefType>(op->getOperand(0).getType()).getElementType();
      costs.modelCommBytes += times * cast<ExchangeOpInterface>(op).getRingElements() *
                              static_cast<double>(elementBytes(element));
    }
  });
}
