//===- ExportTable.cpp - The ops that are exported --------------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "OpExporter.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::onnx {

/// Sorted by name.
static constexpr OpExport kExports[] = {
    {"arith.addf", exportElementwise},
    {"arith.addi", exportElementwise},
    {"arith.andi", exportLogic},
    {"arith.cmpf", exportCompareFloats},
    {"arith.cmpi", exportCompareIntegers},
    {"arith.constant", exportConstant},
    {"arith.divf", exportElementwise},
    {"arith.divsi", exportElementwise},
    {"arith.divui", exportElementwise},
    {"arith.maximumf", exportElementwise},
    {"arith.maxsi", exportElementwise},
    {"arith.maxui", exportElementwise},
    {"arith.minimumf", exportElementwise},
    {"arith.minsi", exportElementwise},
    {"arith.minui", exportElementwise},
    {"arith.mulf", exportElementwise},
    {"arith.muli", exportElementwise},
    {"arith.negf", exportElementwise},
    {"arith.ori", exportLogic},
    {"arith.select", exportElementwise},
    {"arith.subf", exportElementwise},
    {"arith.subi", exportElementwise},
    {"arith.xori", exportLogic},
    {"math.absf", exportElementwise},
    {"math.ceil", exportElementwise},
    {"math.cos", exportElementwise},
    {"math.erf", exportElementwise},
    {"math.exp", exportElementwise},
    {"math.floor", exportElementwise},
    {"math.log", exportElementwise},
    {"math.powf", exportElementwise},
    {"math.rsqrt", exportRsqrt},
    {"math.sin", exportElementwise},
    {"math.sqrt", exportElementwise},
    {"math.tanh", exportElementwise},
    {"phantom.activation", exportActivation},
    {"phantom.broadcast", exportBroadcast},
    {"phantom.dropout", exportDropout},
    {"phantom.linear", exportLinear},
    {"phantom.matmul", exportMatmul},
    {"phantom.normalize", exportNormalize},
    {"phantom.reduce_sum", exportReduceSum},
    {"phantom.reshape", exportReshape},
    {"phantom.softmax", exportSoftmax},
    {"phantom.transpose", exportTranspose},
};

const OpExport *findExport(StringRef opName) {
  const OpExport *found =
      lower_bound(kExports, opName, [](const OpExport &entry, StringRef name) { return entry.op < name; });
  return found != std::end(kExports) && found->op == opName ? found : nullptr;
}

} // namespace phantom::onnx
