//===- ExportLinear.cpp - Exports matrix products ------------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace llvm;
using mlir::phantom::LinearOp;

namespace phantom::onnx {

/// The outputs of a phantom layer of any rank, by rank. Rank j multiplies its columns and the ghosts of the
/// others, side by side, by its local weight over its decompressors: as many operations as the factors have
/// weights, none of them on zeros.
static void exportFactors(OpExporter &exporter, const WeightPlan::RankTensors &tensors, int64_t last,
                          std::vector<std::string> &products) {
  const LayerFactors &factors = tensors.factors;
  SmallVector<int64_t> widths(factors.ranks, factors.in);
  std::vector<std::string> shards = exporter.split("Split", {exporter.operand(0), exporter.integers(widths)},
                                                   factors.ranks, {intAttribute("axis", last)});
  std::vector<std::string> ghosts;
  for (auto [shard, compressor] : zip(shards, tensors.compressors))
    ghosts.push_back(exporter.node("MatMul", {shard, compressor}));
  for (int64_t rank = 0; rank < factors.ranks; ++rank) {
    SmallVector<std::string> parts = {shards[rank]};
    for (auto [source, ghost] : enumerate(ghosts))
      if (static_cast<int64_t>(source) != rank)
        parts.push_back(ghost);
    std::string input =
        parts.size() == 1 ? parts[0] : exporter.node("Concat", parts, {intAttribute("axis", last)});
    products.push_back(exporter.node("MatMul", {input, tensors.weights[rank]}));
  }
}

/// A phantom layer, or the several that a packed layer became, side by side.
static LogicalResult exportFactored(OpExporter &exporter, LinearOp linear,
                                    ArrayRef<WeightPlan::RankTensors> layers) {
  const int64_t last = static_cast<int64_t>(staticShape(linear.getInput()).size()) - 1;
  std::vector<std::string> products;
  for (const WeightPlan::RankTensors &tensors : layers)
    exportFactors(exporter, tensors, last, products);
  if (!linear.getBias())
    return exporter.result("Concat", products, {intAttribute("axis", last)});
  std::string product = exporter.node("Concat", products, {intAttribute("axis", last)});
  return exporter.result("Add", {product, exporter.tensor(linear.getBias())});
}

LogicalResult exportLinear(OpExporter &exporter) {
  auto linear = cast<LinearOp>(exporter.op);
  if (ArrayRef<WeightPlan::RankTensors> layers = exporter.weights.rankTensors(linear.getWeight());
      !layers.empty())
    return exportFactored(exporter, linear, layers);
  std::string x = exporter.operand(0), weight = exporter.operand(1);
  std::string bias = linear.getBias() ? exporter.tensor(linear.getBias()) : "";
  // A product and a sum in the model stay two nodes.
  bool wasTwo = !bias.empty() && exporter.originals().size() > 1;
  if (!linear.getIo() || !bias.empty()) {
    if (staticShape(linear.getInput()).size() == 2 && !wasTwo) {
      SmallVector<std::string> inputs = {x, weight};
      if (!bias.empty())
        inputs.push_back(bias);
      std::vector<Attribute> attributes;
      if (!linear.getIo())
        attributes.push_back(intAttribute("transB", 1));
      return exporter.result("Gemm", inputs, std::move(attributes));
    }
  }
  if (!linear.getIo())
    weight = exporter.node("Transpose", {weight}, {intsAttribute("perm", {1, 0})});
  if (bias.empty())
    return exporter.result("MatMul", {x, weight});
  std::string product =
      exporter.node("MatMul", {x, weight}, {}, wasTwo ? exporter.originals().front() : std::string());
  return exporter.result("Add", {product, bias});
}

LogicalResult exportMatmul(OpExporter &exporter) {
  return exporter.result("MatMul", exporter.broadcastOperands());
}

} // namespace phantom::onnx
