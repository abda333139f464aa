//===- Philox.cpp - Random bits in the bodies of kernels -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Philox.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <array>

using namespace mlir;
using namespace mlir::phantom;

Value Integers::word(uint32_t value) {
  return arith::ConstantOp::create(b, b.getI32IntegerAttr(static_cast<int32_t>(value)));
}
Value Integers::wide(int64_t value) { return arith::ConstantOp::create(b, b.getI64IntegerAttr(value)); }
Value Integers::low(Value value) { return arith::TruncIOp::create(b, b.getI32Type(), value); }
Value Integers::high(Value value) { return low(arith::ShRUIOp::create(b, value, wide(32))); }

static Value exclusiveOr(Integers &n, Value x, Value y, Value z) {
  return arith::XOrIOp::create(n.b, arith::XOrIOp::create(n.b, x, y), z);
}

static Value product(Integers &n, uint32_t factor, Value value) {
  Value constant = n.wide(factor), wide = arith::ExtUIOp::create(n.b, n.b.getI64Type(), value);
  return arith::MulIOp::create(n.b, constant, wide);
}

Value mlir::phantom::createPhilox(Integers &n, Value key, Value index, Value step, uint32_t site) {
  Value key0 = n.low(key), key1 = n.high(key);
  std::array<Value, 4> counter{n.low(index), n.high(index), n.low(step), n.word(site)};
  for (int round = 0; round < 10; ++round) {
    if (round > 0) {
      key0 = arith::AddIOp::create(n.b, key0, n.word(0x9E3779B9));
      key1 = arith::AddIOp::create(n.b, key1, n.word(0xBB67AE85));
    }
    Value product0 = product(n, 0xD2511F53, counter[0]), product1 = product(n, 0xCD9E8D57, counter[2]);
    counter = {exclusiveOr(n, n.high(product1), counter[1], key0), n.low(product1),
               exclusiveOr(n, n.high(product0), counter[3], key1), n.low(product0)};
  }
  return counter[0];
}
