//===- SharedParameters.cpp - Parameters that several modules use -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Normalize.h"
#include "ParameterNames.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"

using namespace llvm;

namespace phantom::onnx {

namespace {

/// Exporters merge initializers of at most that many elements where their values are equal.
constexpr int64_t kMostMergedElements = 1024;

struct Use {
  Node *node;
  unsigned input;
};

using Uses = SmallVector<Use, 2>;

std::string moduleOf(const Use &use) { return use.node->scope.empty() ? use.node->label() : use.node->scope; }

class SharedParameters {
public:
  SharedParameters(Model &model, SharedParameterMode mode, mlir::MLIRContext &context)
      : model(model), mode(mode), context(context) {}

  void run();

private:
  /// The uses that share a parameter, by module; one group where all do.
  std::vector<Uses> groupUses(const Tensor &tensor, ArrayRef<Use> uses) const;
  void separate(const std::shared_ptr<Tensor> &tensor, std::vector<Uses> groups);
  mlir::InFlightDiagnostic remark(const Tensor &tensor) {
    return mlir::emitRemark(mlir::NameLoc::get(mlir::StringAttr::get(&context, tensor.name)))
           << quoteName(tensor.name) << " ";
  }

  Model &model;
  SharedParameterMode mode;
  mlir::MLIRContext &context;
  UniqueNames taken;
};

std::vector<Uses> SharedParameters::groupUses(const Tensor &tensor, ArrayRef<Use> uses) const {
  // Without the exporter's module paths, a layer that is called twice looks like two layers.
  bool merged = tensor.elements() <= kMostMergedElements &&
                all_of(uses, [](const Use &use) { return !use.node->scope.empty(); });
  if (mode == SharedParameterMode::Keep || (mode == SharedParameterMode::Auto && !merged))
    return {Uses(uses)};
  MapVector<StringRef, Uses> modules;
  std::vector<std::string> names;
  names.reserve(uses.size());
  for (const Use &use : uses)
    modules[names.emplace_back(moduleOf(use))].push_back(use);
  std::vector<Uses> groups;
  for (auto &[module, group] : modules)
    groups.push_back(std::move(group));
  return groups;
}

void SharedParameters::separate(const std::shared_ptr<Tensor> &tensor, std::vector<Uses> groups) {
  // The module that the parameter is named after keeps it.
  auto owner = find_if(groups, [&](const Uses &group) {
    return StringRef(tensor->name).starts_with(moduleOf(group.front()) + ".");
  });
  groups.erase(owner == groups.end() ? groups.begin() : owner);
  for (const Uses &group : groups) {
    std::string unique = taken.make(recoverName(*group.front().node, group.front().input));
    for (const Use &use : group)
      use.node->inputs[use.input] = unique;
    remark(*tensor) << "has equal values in the module " << quoteName(moduleOf(group.front()))
                    << ", which gets a parameter of its own: " << quoteName(unique);
    model.initializers.push_back(aliasOf(tensor, unique));
  }
}

void SharedParameters::run() {
  taken = valueNames(model);
  StringMap<Uses> uses;
  for (const auto &tensor : model.initializers)
    if (isFloatType(tensor->type) && tensor->elements() > 1 && !tensor->literal)
      uses[tensor->name];
  for (Node &node : model.nodes)
    for (auto [i, input] : enumerate(node.inputs))
      if (auto found = uses.find(input); found != uses.end())
        found->second.push_back({&node, static_cast<unsigned>(i)});

  std::vector<std::shared_ptr<Tensor>> tensors = model.initializers;
  for (const auto &tensor : tensors) {
    auto found = uses.find(tensor->name);
    if (found == uses.end() || found->second.size() < 2)
      continue;
    std::vector<Uses> groups = groupUses(*tensor, found->second);
    if (groups.size() > 1)
      separate(tensor, std::move(groups));
    else
      remark(*tensor) << "is one parameter with " << found->second.size() << " uses, the first in "
                      << quoteName(moduleOf(found->second[0])) << " and "
                      << quoteName(moduleOf(found->second[1])) << "; their gradients add up";
  }
}

} // namespace

void separateSharedParameters(Model &model, SharedParameterMode mode, mlir::MLIRContext &context) {
  SharedParameters(model, mode, context).run();
}

} // namespace phantom::onnx
