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
    {"arith.constant", checkConstant},
    {"arith.divf", exportQuotient, partsOfQuotient},
    {"arith.divsi", exportElementwise},
    {"arith.divui", exportElementwise},
    {"arith.extui", exportBooleanToInteger},
    {"arith.maximumf", exportElementwise},
    {"arith.maxsi", exportElementwise},
    {"arith.maxui", exportElementwise},
    {"arith.minimumf", exportMinimum, partsOfMinimum},
    {"arith.minsi", exportMinimum, partsOfMinimum},
    {"arith.minui", exportMinimum, partsOfMinimum},
    {"arith.mulf", exportElementwise},
    {"arith.muli", exportElementwise},
    {"arith.negf", exportElementwise},
    {"arith.ori", exportLogic},
    {"arith.select", exportSelect, partsOfSelect},
    {"arith.subf", exportElementwise},
    {"arith.subi", exportSubtract},
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
    {"phantom.broadcast", checkBroadcast},
    {"phantom.cast", exportCast},
    {"phantom.concat", exportConcat},
    {"phantom.dropout", exportDropout},
    {"phantom.gather", exportGather},
    {"phantom.linear", exportLinear},
    {"phantom.log_softmax", exportSoftmax},
    {"phantom.matmul", exportMatmul},
    {"phantom.normalize", exportNormalize},
    {"phantom.reduce_sum", exportReduceSum},
    {"phantom.reshape", exportReshape, partsOfReshape},
    {"phantom.slice", exportSlice},
    {"phantom.softmax", exportSoftmax},
    {"phantom.transpose", exportTranspose},
};

const OpExport *findExport(StringRef opName) {
  const OpExport *found =
      lower_bound(kExports, opName, [](const OpExport &entry, StringRef name) { return entry.op < name; });
  return found != std::end(kExports) && found->op == opName ? found : nullptr;
}

} // namespace phantom::onnx
