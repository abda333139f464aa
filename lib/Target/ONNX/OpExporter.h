//===- OpExporter.h - Exports one op ----------------------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H
#define PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H

#include "ExportGraph.h"
#include "ExportWeights.h"

#include "mlir/IR/Operation.h"

namespace phantom::onnx {

using mlir::LogicalResult;
using mlir::Operation;
using mlir::Value;

Attribute intAttribute(llvm::StringRef name, int64_t value);
Attribute floatAttribute(llvm::StringRef name, double value);
Attribute stringAttribute(llvm::StringRef name, llvm::StringRef value);
Attribute intsAttribute(llvm::StringRef name, llvm::ArrayRef<int64_t> values);

/// One op with what its exporter needs. Its nodes have the names that they had in the model, as far as the
/// op's location knows them.
class OpExporter {
public:
  OpExporter(ExportGraph &graph, WeightPlan &weights, Operation *op)
      : graph(graph), weights(weights), op(op), names(originalNames(op->getLoc())) {}

  ExportGraph &graph;
  WeightPlan &weights;
  Operation *const op;

  std::string operand(unsigned index) { return graph.tensorOf(op->getOperand(index)); }
  /// The tensor of an operand that ONNX broadcasts by itself.
  std::string bare(Value operand);
  /// The tensors of all operands, without the broadcasts that ONNX does by itself (`absorbsBroadcasts`).
  llvm::SmallVector<std::string> broadcastOperands();

  /// Adds a node whose output is for another node of this op only, and returns that output. `name`: what it
  /// was called in the model; empty for nodes that are new.
  std::string node(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs,
                   std::vector<Attribute> attributes = {}, llvm::StringRef name = "");
  /// Adds the node that computes the op's results.
  LogicalResult result(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs,
                       std::vector<Attribute> attributes = {});
  /// A node with several outputs.
  std::vector<std::string> split(llvm::StringRef opType, llvm::ArrayRef<std::string> inputs, size_t outputs,
                                 std::vector<Attribute> attributes);

  /// Constants; numbers in the float type of the op.
  std::string scalar(double number);
  std::string filled(llvm::ArrayRef<int64_t> dims, double number);
  std::string integers(llvm::ArrayRef<int64_t> numbers);

  /// The names of the model's nodes that became this op.
  llvm::ArrayRef<std::string> originals() const { return names; }

private:
  std::vector<std::string> names;
};

/// The operands of `op` without the broadcasts that the ONNX operator does by itself, or as they are where it
/// would not give the same result.
llvm::SmallVector<Value> withoutBroadcasts(Operation *op);

llvm::ArrayRef<int64_t> staticShape(Value value);

/// How the ops of one name are exported.
struct OpExport {
  llvm::StringLiteral op;
  LogicalResult (*run)(OpExporter &exporter);
};

/// Null where ops of that name cannot be exported.
const OpExport *findExport(llvm::StringRef opName);

//===----------------------------------------------------------------------===//
// Exporters, by file
//===----------------------------------------------------------------------===//

LogicalResult exportLinear(OpExporter &exporter);
LogicalResult exportMatmul(OpExporter &exporter);

LogicalResult exportElementwise(OpExporter &exporter); // arith and math ops that are one node
LogicalResult exportLogic(OpExporter &exporter);
LogicalResult exportCompareFloats(OpExporter &exporter);
LogicalResult exportCompareIntegers(OpExporter &exporter);
LogicalResult exportRsqrt(OpExporter &exporter);
LogicalResult exportActivation(OpExporter &exporter);
LogicalResult exportDropout(OpExporter &exporter);

LogicalResult exportNormalize(OpExporter &exporter);

LogicalResult exportConstant(OpExporter &exporter);
LogicalResult exportBroadcast(OpExporter &exporter);
LogicalResult exportReshape(OpExporter &exporter);
LogicalResult exportTranspose(OpExporter &exporter);
LogicalResult exportReduceSum(OpExporter &exporter);
LogicalResult exportSoftmax(OpExporter &exporter);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_OPEXPORTER_H
