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
    {"Add", 1, kNewest, 2, 2, importArithmetic},
    {"Constant", 1, kNewest, 0, 0, nullptr},
    {"Div", 1, kNewest, 2, 2, importArithmetic},
    {"Dropout", 1, kNewest, 1, 3, importDropout},
    {"Elu", 1, kNewest, 1, 1, importActivation},
    {"Erf", 9, kNewest, 1, 1, importErf},
    {"Flatten", 1, kNewest, 1, 1, importFlatten},
    {"Gelu", 20, kNewest, 1, 1, importActivation},
    {"Gemm", 1, kNewest, 2, 3, importGemm},
    {"Identity", 1, kNewest, 1, 1, nullptr},
    {"LayerNormalization", 17, kNewest, 2, 3, importLayerNormalization},
    {"LeakyRelu", 1, kNewest, 1, 1, importActivation},
    {"MatMul", 1, kNewest, 2, 2, importMatMul},
    {"Mul", 1, kNewest, 2, 2, importArithmetic},
    {"Pow", 1, kNewest, 2, 2, importPow},
    {"RMSNormalization", 23, kNewest, 2, 2, importRMSNormalization},
    {"Relu", 1, kNewest, 1, 1, importActivation},
    {"Reshape", 1, kNewest, 1, 2, importReshape},
    {"Sigmoid", 1, kNewest, 1, 1, importActivation},
    // onnxruntime's, in the default domain.
    {"SimplifiedLayerNormalization", 1, kNewest, 2, 2, importRMSNormalization},
    {"Softmax", 1, kNewest, 1, 1, importSoftmax},
    {"Sqrt", 1, kNewest, 1, 1, importSqrt},
    {"Sub", 1, kNewest, 2, 2, importArithmetic},
    {"Tanh", 1, kNewest, 1, 1, importActivation},
    {"Transpose", 1, kNewest, 1, 1, importTranspose},
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
