//===- Batches.h - Passes over a data set -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_BATCHES_H
#define PHANTOM_RT_LIB_TRAIN_BATCHES_H

#include "phantom-rt/DataSet.h"

#include <functional>

namespace phantom::rt {

/// Runs a function over all rows in file order. After each batch every rank calls
/// visit(rank, firstRow, validRows); arguments and results stay as they are until all have returned.
llvm::Error forEachBatch(Runtime &runtime, FunctionInstance &function, const DataSet &data,
                         const std::function<llvm::Error(int64_t, int64_t, int64_t)> &visit);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_BATCHES_H
