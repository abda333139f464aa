//===- OperatorTable.cpp - The operators that are imported ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "NodeImporter.h"
#include "Normalize.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::onnx {

/// The newest opset whose changes to these operators are known.
static constexpr int64_t kNewest = 28;

/// Sorted by name.
static constexpr Operator kOperators[] = {
    {"Abs", 1, kNewest, 1, 1, importUnary},
    {"Add", 1, kNewest, 2, 2, importArithmetic},
    {"And", 1, kNewest, 2, 2, importLogic},
    {"Cast", 1, 27, 1, 1, importCast},
    {"CastLike", 15, kNewest, 2, 2, importCast},
    {"Clip", 1, kNewest, 1, 3, importClip},
    {"Concat", 1, kNewest, 1, kMany, importConcat},
    {"Constant", 1, kNewest, 0, 0, nullptr},
    {"ConstantOfShape", 9, kNewest, 1, 1, importConstantOfShape},
    {"Div", 1, kNewest, 2, 2, importArithmetic},
    {"Dropout", 1, kNewest, 1, 3, importDropout},
    {"Elu", 1, kNewest, 1, 1, importActivation},
    {"Equal", 1, kNewest, 2, 2, importComparison},
    {"Erf", 9, kNewest, 1, 1, importUnary},
    {"Exp", 1, kNewest, 1, 1, importUnary},
    {"Expand", 8, kNewest, 2, 2, importExpand},
    {"Flatten", 1, kNewest, 1, 1, importFlatten},
    {"Gather", 1, kNewest, 2, 2, importGather},
    {"Gelu", 20, kNewest, 1, 1, importActivation},
    {"Gemm", 1, kNewest, 2, 3, importGemm},
    {"Greater", 1, kNewest, 2, 2, importComparison},
    {"GreaterOrEqual", 12, kNewest, 2, 2, importComparison},
    {"HardSigmoid", 1, kNewest, 1, 1, importGate},
    {"HardSwish", 14, kNewest, 1, 1, importGate},
    {"Identity", 1, kNewest, 1, 1, nullptr},
    {"LayerNormalization", 17, kNewest, 2, 3, importLayerNormalization},
    {"LeakyRelu", 1, kNewest, 1, 1, importActivation},
    {"Less", 1, kNewest, 2, 2, importComparison},
    {"LessOrEqual", 12, kNewest, 2, 2, importComparison},
    {"Log", 1, kNewest, 1, 1, importUnary},
    {"LogSoftmax", 1, kNewest, 1, 1, importSoftmax},
    {"MatMul", 1, kNewest, 2, 2, importMatMul},
    {"Max", 1, kNewest, 1, kMany, importVariadic},
    {"Mean", 1, kNewest, 1, kMany, importVariadic},
    {"Min", 1, kNewest, 1, kMany, importVariadic},
    {"Mul", 1, kNewest, 2, 2, importArithmetic},
    {"Neg", 1, kNewest, 1, 1, importUnary},
    {"NegativeLogLikelihoodLoss", 12, kNewest, 2, 3, importNegativeLogLikelihood},
    {"Not", 1, kNewest, 1, 1, importLogic},
    {"Or", 1, kNewest, 2, 2, importLogic},
    {"Pow", 1, kNewest, 2, 2, importPow},
    {"RMSNormalization", 23, kNewest, 2, 2, importRMSNormalization},
    {"Range", 11, 26, 3, 3, importRange},
    {"Reciprocal", 1, kNewest, 1, 1, importUnary},
    {"ReduceMean", 1, kNewest, 1, 2, importReduce},
    {"ReduceSum", 1, kNewest, 1, 2, importReduce},
    {"Relu", 1, kNewest, 1, 1, importActivation},
    {"Reshape", 1, kNewest, 1, 2, importReshape},
    {"Shape", 1, kNewest, 1, 1, importKnown},
    {"Sigmoid", 1, kNewest, 1, 1, importActivation},
    // onnxruntime's, in the default domain.
    {"SimplifiedLayerNormalization", 1, kNewest, 2, 2, importRMSNormalization},
    {"Size", 1, kNewest, 1, 1, importKnown},
    {"Slice", 1, kNewest, 1, 5, importSlice},
    {"Softmax", 1, kNewest, 1, 1, importSoftmax},
    {"SoftmaxCrossEntropyLoss", 12, kNewest, 2, 3, importSoftmaxCrossEntropy},
    {"Softplus", 1, kNewest, 1, 1, importActivation},
    {"Split", 1, kNewest, 1, 2, importSplit},
    {"Sqrt", 1, kNewest, 1, 1, importUnary},
    {"Squeeze", 1, kNewest, 1, 2, importSqueeze},
    {"Sub", 1, kNewest, 2, 2, importArithmetic},
    {"Sum", 1, kNewest, 1, kMany, importVariadic},
    {"Swish", 24, kNewest, 1, 1, importGate},
    {"Tanh", 1, kNewest, 1, 1, importActivation},
    {"Transpose", 1, kNewest, 1, 1, importTranspose},
    {"Trilu", 14, kNewest, 1, 2, importTrilu},
    {"Unsqueeze", 1, kNewest, 1, 2, importUnsqueeze},
    {"Where", 9, kNewest, 3, 3, importWhere},
    {"Xor", 1, kNewest, 2, 2, importLogic},
};

ArrayRef<Operator> standardOperators() { return kOperators; }

const Operator *findOperator(StringRef domain, StringRef name) {
  ArrayRef<Operator> operators = domain.empty()              ? standardOperators()
                                 : domain == "com.microsoft" ? microsoftOperators()
                                                             : ArrayRef<Operator>();
  const Operator *found =
      lower_bound(operators, name, [](const Operator &op, StringRef n) { return op.name < n; });
  return found != operators.end() && found->name == name ? found : nullptr;
}

/// Why the operator cannot be imported; empty if it can.
static std::string objection(const Operator *known, int64_t opset) {
  if (!known)
    return "unsupported";
  if (opset == 0)
    return "of an opset that the model does not state";
  if (opset < known->firstOpset)
    return "unknown before opset " + std::to_string(known->firstOpset) + ", the model has " +
           std::to_string(opset);
  if (opset > known->lastOpset)
    return "of opset " + std::to_string(opset) + ", newer than the known " +
           std::to_string(known->lastOpset) + ": export the model with an older one";
  return {};
}

/// The nodes of one operator that cannot be imported.
struct Offence {
  std::string op, reason;
  SmallVector<const Node *> nodes;
};

/// In the order of their first nodes.
static std::vector<Offence> findOffences(const Model &model) {
  std::vector<Offence> offences;
  std::map<std::string, size_t> positions;
  for (const Node &node : model.nodes) {
    std::string reason = objection(findOperator(node.domain, node.opType), node.opset);
    if (reason.empty())
      continue;
    std::string op = quoteName(node.domain.empty() ? node.opType : node.domain + "." + node.opType);
    auto [position, inserted] = positions.try_emplace(op, offences.size());
    if (inserted)
      offences.push_back({op, reason, {}});
    offences[position->second].nodes.push_back(&node);
  }
  return offences;
}

LogicalResult checkOperators(const Model &model, mlir::MLIRContext &context) {
  std::vector<Offence> offences = findOffences(model);
  if (offences.empty())
    return mlir::success();
  auto error = mlir::emitError(modelLocation(model, context))
               << "the model has " << offences.size() << (offences.size() == 1 ? " operator" : " operators")
               << " that this version cannot import: ";
  constexpr size_t shownNodes = 20;
  for (auto [i, offence] : enumerate(offences)) {
    size_t count = offence.nodes.size();
    error << (i ? "; " : "") << offence.op << " (" << offence.reason << "; " << count
          << (count == 1 ? " node: " : " nodes: ");
    for (auto [k, node] : enumerate(ArrayRef(offence.nodes).take_front(shownNodes)))
      error << (k ? ", " : "")
            << (node->name.empty() ? "#" + std::to_string(node->index) : quoteName(node->name));
    if (count > shownNodes)
      error << ", and " << count - shownNodes << " more";
    error << ")";
  }
  return error;
}

} // namespace phantom::onnx
