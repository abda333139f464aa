//===- ToLinalg.h - Building linalg.generic, and the patterns that do -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_CONVERSION_TOLINALG_H
#define PHANTOM_LIB_CONVERSION_TOLINALG_H

#include "ScalarArguments.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StructuredOpsUtils.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::phantom {

/// Float arithmetic in the body of a generic, with constants of the operands' type.
class Scalars {
public:
  Scalars(ImplicitLocOpBuilder &builder, Type type) : b(builder), type(type) {}

  Value constant(double value);
  Value add(Value x, Value y);
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value div(Value x, Value y);
  Value neg(Value x);
  Value exp(Value x);
  Value sqrt(Value x);
  Value max(Value x, Value y);
  /// x > 0 ? positive : other
  Value ifPositive(Value x, Value positive, Value other);
  Value sigmoid(Value x);
  Value tanh(Value x);
  Value erf(Value x);
  /// To another float type; the same value where it has that type.
  Value cast(Value x, Type to);

  ImplicitLocOpBuilder &b;
  Type type;
};

/// Makes the values to yield from the arguments of the body.
using GenericBody = llvm::function_ref<SmallVector<Value>(ImplicitLocOpBuilder &, ValueRange)>;

RankedTensorType tensorTypeOf(Value value);

/// A `linalg.generic`; maps are those of `inputs`, then of `inits`.
SmallVector<Value> createGeneric(OpBuilder &builder, Location loc, ValueRange inputs, ValueRange inits,
                                 ArrayRef<AffineMap> maps, ArrayRef<utils::IteratorType> iterators,
                                 GenericBody body);

/// An elementwise generic on operands of the shape of `type`.
Value createElementwise(OpBuilder &builder, Location loc, RankedTensorType type, ValueRange inputs,
                        GenericBody body);

/// The indices of the loops, in the body of a generic.
SmallVector<Value> loopIndices(ImplicitLocOpBuilder &b, int64_t rank);

/// A generic without inputs: each element of the result is `body` of its indices.
Value createComputed(OpBuilder &builder, Location loc, RankedTensorType type,
                     llvm::function_ref<Value(ImplicitLocOpBuilder &, SmallVector<Value>)> body);

/// A generic that only moves elements: the result at its indices is the input at those of `map`.
Value createMove(OpBuilder &builder, Location loc, Value input, AffineMap map, RankedTensorType type);

/// A new tensor of one value.
Value createFilled(OpBuilder &builder, Location loc, RankedTensorType type, double value);

/// sum + term. The order of the sum is free, but fixed once compiled: it is then vectorised.
Value addF64(ImplicitLocOpBuilder &b, Value sum, Value term);

/// Sum of a function of the elements of `inputs` (equal shapes), as a scalar tensor of f64. `body` gets the
/// elements and returns the term. Starts from `acc`, or zero.
Value createSumF64(OpBuilder &builder, Location loc, ValueRange inputs, Value acc,
                   llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> body);

/// Maximum and sum of exponentials, stable, along `dim`.
std::pair<Value, Value> createSoftmaxStatistics(OpBuilder &builder, Location loc, Value logits, int64_t dim);

/// Whether low <= value < high, of indices.
Value isBetween(ImplicitLocOpBuilder &b, Value value, Value low, Value high);

/// `number`, which counts from the end where it is negative, as an index, and whether it is one of `extent`.
std::pair<Value, Value> checkedIndex(ImplicitLocOpBuilder &b, Value number, int64_t extent);

Value createActivation(Scalars &s, ActivationKind kind, double alpha, Value x);

void populateModelToLinalgPatterns(RewritePatternSet &patterns);
void populateNormalizeToLinalgPatterns(RewritePatternSet &patterns);
void populateStatisticsToLinalgPatterns(RewritePatternSet &patterns);
void populateSoftmaxToLinalgPatterns(RewritePatternSet &patterns);
void populateDataToLinalgPatterns(RewritePatternSet &patterns);
void populateLossToLinalgPatterns(RewritePatternSet &patterns);
void populateUpdateToLinalgPatterns(RewritePatternSet &patterns);
void populateDropoutToLinalgPatterns(RewritePatternSet &patterns);
void populateEncodingToLinalgPatterns(RewritePatternSet &patterns);
/// Of all GEMMs, or only of those of types that the GEMM library does not have.
void populateGemmToLinalgPatterns(RewritePatternSet &patterns, bool all);

/// Converts each addition to a sum of gradients to one that writes it in place.
void convertGradientSums(func::FuncOp function);

/// Converts each update whose gradient's squared norm is asked for, too, to one op that makes both.
void convertUpdatesWithNorms(func::FuncOp function);

} // namespace mlir::phantom

#endif // PHANTOM_LIB_CONVERSION_TOLINALG_H
