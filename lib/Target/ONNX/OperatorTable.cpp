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

static constexpr Gradient kYes{Gradient::Yes, ""};
static constexpr Gradient kZero{Gradient::Zero, ""};
static constexpr Gradient kBoolean{Gradient::No, "it takes booleans"};
static constexpr Gradient kShape{Gradient::No, "it follows from shapes"};
static constexpr Gradient kConstant{Gradient::No, "it follows from constants"};

/// Sorted by name.
static constexpr Operator kOperators[] = {
    {"Abs", 1, kNewest, 1, 1, kYes, importUnary},
    {"Add", 1, kNewest, 2, 2, kYes, importArithmetic},
    {"And", 1, kNewest, 2, 2, kBoolean, importLogic},
    {"Cast", 1, kNewest, 1, 1, kYes, importCast},
    {"CastLike", 15, kNewest, 2, 2, kYes, importCast},
    {"Clip", 1, kNewest, 1, 3, kYes, importClip},
    {"Concat", 1, kNewest, 1, kMany, kYes, importConcat},
    {"Constant", 1, kNewest, 0, 0, kConstant, nullptr},
    {"ConstantOfShape", 9, kNewest, 1, 1, kConstant, importConstantOfShape},
    {"Div", 1, kNewest, 2, 2, kYes, importArithmetic},
    {"Dropout", 1, kNewest, 1, 3, kYes, importDropout},
    {"Elu", 1, kNewest, 1, 1, kYes, importActivation},
    {"Equal", 1, kNewest, 2, 2, kZero, importComparison},
    {"Erf", 9, kNewest, 1, 1, kYes, importUnary},
    {"Exp", 1, kNewest, 1, 1, kYes, importUnary},
    {"Expand", 8, kNewest, 2, 2, kYes, importExpand},
    {"Flatten", 1, kNewest, 1, 1, kYes, importFlatten},
    {"Gather", 1, kNewest, 2, 2, kYes, importGather},
    {"Gelu", 20, kNewest, 1, 1, kYes, importActivation},
    {"Gemm", 1, kNewest, 2, 3, kYes, importGemm},
    {"Greater", 1, kNewest, 2, 2, kZero, importComparison},
    {"GreaterOrEqual", 12, kNewest, 2, 2, kZero, importComparison},
    {"HardSigmoid", 1, kNewest, 1, 1, kYes, importGate},
    {"HardSwish", 14, kNewest, 1, 1, kYes, importGate},
    {"Identity", 1, kNewest, 1, 1, kYes, nullptr},
    {"LayerNormalization", 17, kNewest, 2, 3, kYes, importLayerNormalization},
    {"LeakyRelu", 1, kNewest, 1, 1, kYes, importActivation},
    {"Less", 1, kNewest, 2, 2, kZero, importComparison},
    {"LessOrEqual", 12, kNewest, 2, 2, kZero, importComparison},
    {"Log", 1, kNewest, 1, 1, kYes, importUnary},
    {"LogSoftmax", 1, kNewest, 1, 1, kYes, importSoftmax},
    {"MatMul", 1, kNewest, 2, 2, kYes, importMatMul},
    {"Max", 1, kNewest, 1, kMany, kYes, importVariadic},
    {"Mean", 1, kNewest, 1, kMany, kYes, importVariadic},
    {"Min", 1, kNewest, 1, kMany, kYes, importVariadic},
    {"Mul", 1, kNewest, 2, 2, kYes, importArithmetic},
    {"Neg", 1, kNewest, 1, 1, kYes, importUnary},
    {"NegativeLogLikelihoodLoss", 12, kNewest, 2, 3, kYes, importNegativeLogLikelihood},
    {"Not", 1, kNewest, 1, 1, kBoolean, importLogic},
    {"Or", 1, kNewest, 2, 2, kBoolean, importLogic},
    {"Pow", 1, kNewest, 2, 2, kYes, importPow},
    {"RMSNormalization", 23, kNewest, 2, 2, kYes, importRMSNormalization},
    {"Range", 11, kNewest, 3, 3, kConstant, importRange},
    {"Reciprocal", 1, kNewest, 1, 1, kYes, importUnary},
    {"ReduceMean", 1, kNewest, 1, 2, kYes, importReduce},
    {"ReduceSum", 1, kNewest, 1, 2, kYes, importReduce},
    {"Relu", 1, kNewest, 1, 1, kYes, importActivation},
    {"Reshape", 1, kNewest, 1, 2, kYes, importReshape},
    {"Shape", 1, kNewest, 1, 1, kShape, importKnown},
    {"Sigmoid", 1, kNewest, 1, 1, kYes, importActivation},
    // onnxruntime's, in the default domain.
    {"SimplifiedLayerNormalization", 1, kNewest, 2, 2, kYes, importRMSNormalization},
    {"Size", 1, kNewest, 1, 1, kShape, importKnown},
    {"Slice", 1, kNewest, 1, 5, kYes, importSlice},
    {"Softmax", 1, kNewest, 1, 1, kYes, importSoftmax},
    {"SoftmaxCrossEntropyLoss", 12, kNewest, 2, 3, kYes, importSoftmaxCrossEntropy},
    {"Softplus", 1, kNewest, 1, 1, kYes, importActivation},
    {"Split", 1, kNewest, 1, 2, kYes, importSplit},
    {"Sqrt", 1, kNewest, 1, 1, kYes, importUnary},
    {"Squeeze", 1, kNewest, 1, 2, kYes, importSqueeze},
    {"Sub", 1, kNewest, 2, 2, kYes, importArithmetic},
    {"Sum", 1, kNewest, 1, kMany, kYes, importVariadic},
    {"Swish", 24, kNewest, 1, 1, kYes, importGate},
    {"Tanh", 1, kNewest, 1, 1, kYes, importActivation},
    {"Transpose", 1, kNewest, 1, 1, kYes, importTranspose},
    {"Trilu", 14, kNewest, 1, 2, kYes, importTrilu},
    {"Unsqueeze", 1, kNewest, 1, 2, kYes, importUnsqueeze},
    {"Where", 9, kNewest, 3, 3, kYes, importWhere},
    {"Xor", 1, kNewest, 2, 2, kBoolean, importLogic},
};

ArrayRef<Operator> standardOperators() { return kOperators; }

const Operator *findOperator(StringRef domain, StringRef name) {
  ArrayRef<Operator> operators = domain.empty()                         ? standardOperators()
                                 : domain == "com.microsoft"            ? microsoftOperators()
                                 : domain == "ai.onnx.preview.training" ? trainingOperators()
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
