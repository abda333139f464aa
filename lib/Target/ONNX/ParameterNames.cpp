//===- ParameterNames.cpp - Names for parameters ----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ParameterNames.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace phantom::onnx {

bool isAnonymous(StringRef name) {
  auto isNumber = [](StringRef text) { return !text.empty() && all_of(text, isDigit); };
  StringRef rest = name;
  return isNumber(name) || name.starts_with("onnx::") || name.starts_with("/") ||
         (rest.consume_front("val_") && isNumber(rest));
}

/// "layers.0.fc1" of "/layers/layers.0/fc1/MatMul": an element of a container repeats the container's name.
static std::string scopeOfNodeName(StringRef name) {
  SmallVector<StringRef> parts;
  name.split(parts, '/', /*MaxSplit=*/-1, /*KeepEmpty=*/false);
  if (!name.starts_with("/") || parts.size() < 2)
    return {};
  SmallVector<StringRef> modules;
  for (StringRef part : ArrayRef(parts).drop_back()) {
    if (!modules.empty() && part.starts_with((modules.back() + ".").str()))
      modules.pop_back();
    modules.push_back(part);
  }
  return join(modules, ".");
}

static StringRef roleOfInput(const Node &user, unsigned input) {
  if (user.opType == "Gemm")
    return input == 2 ? "bias" : "weight";
  if (user.opType == "MatMul" || user.opType == "FusedMatMul" || user.opType == "Transpose")
    return "weight";
  if (StringRef(user.opType).ends_with("Normalization"))
    return input == 1 ? "weight" : "bias";
  if (user.opType == "Gather")
    return "weight";
  if (user.opType == "Add" || user.opType == "BiasGelu")
    return "bias";
  return user.opType == "Mul" ? "scale" : "value";
}

std::string recoverName(const Node &user, unsigned input) {
  std::string scope = user.scope.empty() ? scopeOfNodeName(user.name) : user.scope;
  if (scope.empty())
    scope = user.name.empty() || StringRef(user.name).contains('/')
                ? (user.opType + "_" + Twine(user.index)).str()
                : user.name;
  return scope + "." + roleOfInput(user, input).str();
}

} // namespace phantom::onnx
