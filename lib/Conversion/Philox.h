//===- Philox.h - Random bits in the bodies of kernels -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_PHILOX_H
#define PHANTOM_LIB_CONVERSION_PHILOX_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::phantom {

/// Unsigned arithmetic in the body of a generic.
class Integers {
public:
  explicit Integers(ImplicitLocOpBuilder &builder) : b(builder) {}

  Value word(uint32_t value);
  Value wide(int64_t value);
  /// The halves of an i64, as i32.
  Value low(Value value);
  Value high(Value value);

  ImplicitLocOpBuilder &b;
};

/// The first word, i32, of Philox4x32-10 (Salmon et al., 2011), the generator of the runtime's random starts.
/// `key`, `index` and `step` are i64; the counter is (index; low word of step; site).
Value createPhilox(Integers &n, Value key, Value index, Value step, uint32_t site);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_PHILOX_H
