//===- Recognize.h - Patterns of phantom-recognize --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_RECOGNIZE_H
#define PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_RECOGNIZE_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::phantom {

/// Products that are GELU or SiLU become `phantom.activation`.
void populateRecognizeActivationPatterns(RewritePatternSet &patterns);

/// Products that normalise samples become `phantom.normalize`.
void populateRecognizeNormalizationPatterns(RewritePatternSet &patterns);

/// Remarks on products that look like a normalisation and are none.
void remarkOnNormalizations(Operation *root);

/// Remarks on what is left of products that look like one.
void remarkOnActivations(Operation *root);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_DIALECT_PHANTOM_TRANSFORMS_RECOGNIZE_H
