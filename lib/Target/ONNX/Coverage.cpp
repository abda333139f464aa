//===- Coverage.cpp - The operators that are imported, as a table -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/ONNX/Import.h"

#include "NodeImporter.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace phantom::onnx {

static std::string inputsOf(const Operator &op) {
  if (op.maxInputs == kMany)
    return formatv("{0} or more", op.minInputs);
  return op.minInputs == op.maxInputs ? std::to_string(op.minInputs)
                                      : formatv("{0} to {1}", op.minInputs, op.maxInputs).str();
}

static std::string gradientOf(const Operator &op) {
  static constexpr StringLiteral names[] = {"yes", "0 almost everywhere", "no"};
  std::string text = names[op.gradient.kind].str();
  return op.gradient.remark.empty() ? text : text + ": " + op.gradient.remark.str();
}

void printOperatorTable(raw_ostream &out) {
  out << "| operator | domain | versions | inputs | gradient |\n| --- | --- | --- | --- | --- |\n";
  for (auto [domain, operators] : {std::pair("", standardOperators()),
                                   {"com.microsoft", microsoftOperators()},
                                   {"ai.onnx.preview.training", trainingOperators()}})
    for (const Operator &op : operators)
      out << formatv("| {0} | {1} | {2} | {3} | {4} |\n", op.name, domain,
                     op.firstOpset == op.lastOpset ? std::to_string(op.firstOpset)
                                                   : formatv("{0} to {1}", op.firstOpset, op.lastOpset).str(),
                     inputsOf(op), gradientOf(op));
}

} // namespace phantom::onnx
