//===- RecognizeNormalizations.cpp - Finds layer and RMS normalisation in arithmetic -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Looks for a product x · q^(−1/2) with q = mean(x²) + ε (rms), or with x = z − mean(z) (layer), whatever
// the order of its factors and the spelling of roots, squares and means. Scale and shift follow.
//
//===----------------------------------------------------------------------===//

#include "NormalForms.h"
#include "Recognize.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::phantom;

namespace {

ArrayRef<int64_t> shapeOf(Value value) { return cast<RankedTensorType>(value.getType()).getShape(); }

/// Whether the reshape only adds or drops dimensions of one.
bool onlyUnits(ReshapeOp op) {
  auto notUnit = [](int64_t extent) { return extent != 1; };
  return llvm::equal(llvm::make_filter_range(shapeOf(op.getInput()), notUnit),
                     llvm::make_filter_range(shapeOf(op.getOutput()), notUnit));
}

/// A product through the shapes of what is known per sample: `[…, 1]`, and without those ones.
class SampleProduct {
public:
  /// Exponents are ±1/2 and ±1: of a root, the argument is the factor.
  struct Factor {
    Value value; ///< without the broadcasts and reshapes around it
    double exponent;
    /// What to multiply with: `value`, or the outermost reshape of it. Null where it was reshaped together
    /// with others.
    Value whole;
  };

  explicit SampleProduct(Value root) { collect(root, 1, 0); }

  double coefficient = 1;
  SmallVector<Factor, 8> factors;
  SmallVector<ReshapeOp> reshapes; ///< passed on the way

private:
  void collect(Value value, double exponent, unsigned depth);
  bool collectOperands(Operation *op, double exponent, unsigned depth);
};

void SampleProduct::collect(Value value, double exponent, unsigned depth) {
  if (std::optional<double> constant = matchConstant(value)) {
    coefficient *= std::pow(*constant, exponent);
    return;
  }
  Operation *op = value.getDefiningOp();
  constexpr size_t most = 16;
  if (op && depth < 16 && factors.size() < most && collectOperands(op, exponent, depth + 1))
    return;
  factors.push_back({value, exponent, value});
}

bool SampleProduct::collectOperands(Operation *op, double exponent, unsigned depth) {
  if (auto broadcast = dyn_cast<BroadcastOp>(op)) {
    // Of equal rank, so that samples stay aligned.
    if (shapeOf(broadcast.getInput()).size() != shapeOf(broadcast.getOutput()).size())
      return false;
    collect(broadcast.getInput(), exponent, depth);
    return true;
  }
  if (auto reshape = dyn_cast<ReshapeOp>(op); reshape && onlyUnits(reshape)) {
    reshapes.push_back(reshape);
    const size_t before = factors.size();
    const double coefficientBefore = coefficient;
    collect(reshape.getInput(), exponent, depth);
    const bool isOne = factors.size() == before + 1 && factors.back().exponent == exponent &&
                       coefficient == coefficientBefore;
    for (Factor &factor : llvm::drop_begin(factors, before))
      factor.whole = isOne ? reshape.getOutput() : Value();
    return true;
  }
  // Arguments of roots stay whole.
  if (std::abs(exponent) != 1)
    return false;
  if (isa<arith::MulFOp, arith::DivFOp>(op)) {
    collect(op->getOperand(0), exponent, depth);
    collect(op->getOperand(1), isa<arith::DivFOp>(op) ? -exponent : exponent, depth);
    return true;
  }
  double power = isa<math::SqrtOp>(op) ? 0.5 : isa<math::RsqrtOp>(op) ? -0.5 : 0;
  if (auto pow = dyn_cast<math::PowFOp>(op)) {
    std::optional<double> constant = matchConstant(pow.getRhs());
    power = constant && std::abs(*constant) == 0.5 ? *constant : 0;
  }
  if (power == 0)
    return false;
  collect(op->getOperand(0), exponent * power, depth);
  return true;
}

/// The mean of `value` over `dims`, and what stands between it and its user.
struct Mean {
  Value value;
  ArrayRef<int64_t> dims;
  double factor; ///< 1 for a mean, n for a sum
  SmallVector<ReshapeOp> reshapes;
};

std::optional<Mean> matchMean(Value value) {
  SampleProduct product(value);
  if (product.factors.size() != 1 || product.factors[0].exponent != 1)
    return std::nullopt;
  auto sum = product.factors[0].value.getDefiningOp<ReduceSumOp>();
  if (!sum)
    return std::nullopt;
  int64_t count = 1;
  for (int64_t dim : sum.getDims())
    count *= shapeOf(sum.getInput())[dim];
  if (count < 1)
    return std::nullopt;
  return Mean{sum.getInput(), sum.getDims(), product.coefficient * static_cast<double>(count),
              product.reshapes};
}

/// x where the value is x²
Value matchSquare(Value value) {
  if (auto mul = value.getDefiningOp<arith::MulFOp>())
    return mul.getLhs() == mul.getRhs() ? mul.getLhs() : Value();
  if (auto pow = value.getDefiningOp<math::PowFOp>())
    return matchConstant(pow.getRhs()) == 2.0 ? pow.getLhs() : Value();
  return {};
}

/// mean(x²) + ε of an x
struct Variance {
  Value x;
  Mean mean;
  double epsilon = 0;
};

std::optional<Variance> matchVariance(Value value) {
  // The sum may be in a per-sample shape that a reshape leads to.
  Variance result;
  while (auto reshape = value.getDefiningOp<ReshapeOp>()) {
    if (!onlyUnits(reshape))
      return std::nullopt;
    result.mean.reshapes.push_back(reshape);
    value = reshape.getInput();
  }
  if (auto add = value.getDefiningOp<arith::AddFOp>()) {
    std::optional<double> left = matchConstant(add.getLhs()), right = matchConstant(add.getRhs());
    if (left.has_value() == right.has_value())
      return std::nullopt;
    result.epsilon = left ? *left : *right;
    value = left ? add.getRhs() : add.getLhs();
  }
  std::optional<Mean> mean = matchMean(value);
  if (!mean || !(result.epsilon >= 0))
    return std::nullopt;
  llvm::append_range(mean->reshapes, result.mean.reshapes);
  result.x = matchSquare(mean->value);
  result.mean = *mean;
  return result.x ? std::optional(result) : std::nullopt;
}

/// A normalisation, and what its product has besides.
struct Match {
  NormalizeKind kind;
  Value x;
  int64_t over;
  double epsilon;
  SampleProduct product;
  SmallVector<size_t> others; ///< factors that are not part of it
};

/// Whether every reshape on the way keeps samples at their places: it adds the ones of `dims`, or drops them.
bool keepsSamples(ArrayRef<ReshapeOp> reshapes, ArrayRef<int64_t> shape, ArrayRef<int64_t> dims) {
  SmallVector<int64_t> kept, ones(shape);
  for (auto [d, extent] : llvm::enumerate(shape))
    if (!llvm::is_contained(dims, static_cast<int64_t>(d)))
      kept.push_back(extent);
  for (int64_t dim : dims)
    ones[dim] = 1;
  auto known = [&](Value value) {
    return shapeOf(value) == ArrayRef<int64_t>(kept) || shapeOf(value) == ArrayRef<int64_t>(ones);
  };
  return llvm::all_of(reshapes, [&](ReshapeOp op) { return known(op.getInput()) && known(op.getOutput()); });
}

/// z where x = z − mean(z) over `dims`
Value matchCentred(Value x, ArrayRef<int64_t> dims) {
  auto sub = x.getDefiningOp<arith::SubFOp>();
  std::optional<Mean> mean = sub ? matchMean(sub.getRhs()) : std::nullopt;
  bool own = mean && mean->value == sub.getLhs() && mean->dims == dims && nearlyEqual(mean->factor, 1, 1) &&
             keepsSamples(mean->reshapes, shapeOf(x), dims);
  return own ? sub.getLhs() : Value();
}

/// Why a product that looks like a normalisation is none; empty where it does not look like one.
using Objection = StringRef;

std::optional<Match> matchNormalization(Operation *op, Objection &objection) {
  SampleProduct product(op->getResult(0));
  auto root = llvm::find_if(product.factors, [](const auto &factor) { return factor.exponent == -0.5; });
  if (root == product.factors.end())
    return std::nullopt;
  std::optional<Variance> variance = matchVariance(root->value);
  if (!variance)
    return std::nullopt;
  Value x = variance->x;
  auto normalized = llvm::find_if(
      product.factors, [&](const auto &factor) { return factor.value == x && factor.exponent == 1; });
  if (normalized == product.factors.end() || shapeOf(x) != shapeOf(op->getResult(0)))
    return std::nullopt;
  auto refuse = [&](StringRef why) {
    objection = why;
    return std::nullopt;
  };
  if (!nearlyEqual(variance->mean.factor, 1, 1))
    return refuse("the squares are divided by another number than that of the elements");
  SmallVector<int64_t> dims(variance->mean.dims);
  llvm::sort(dims);
  auto rank = static_cast<int64_t>(shapeOf(x).size()), over = static_cast<int64_t>(dims.size());
  if (dims != llvm::to_vector(llvm::seq<int64_t>(rank - over, rank)))
    return refuse("it is not over the last dimensions");
  SmallVector<ReshapeOp> reshapes(product.reshapes);
  llvm::append_range(reshapes, variance->mean.reshapes);
  llvm::erase_if(reshapes, [&](ReshapeOp reshape) { return shapeOf(reshape.getOutput()) == shapeOf(x); });
  if (!keepsSamples(reshapes, shapeOf(x), dims))
    return refuse("its statistics are reshaped to something else than one per sample");
  Value centred = matchCentred(x, variance->mean.dims);
  Match match{centred ? NormalizeKind::Layer : NormalizeKind::Rms,
              centred ? centred : x,
              over,
              variance->epsilon,
              product,
              {}};
  for (size_t i = 0; i < product.factors.size(); ++i)
    if (&product.factors[i] != root && &product.factors[i] != normalized)
      match.others.push_back(i);
  return match;
}

/// `value` in the shape of `like`.
Value broadcastTo(PatternRewriter &rewriter, Location loc, Value value, Value like) {
  if (value.getType() == like.getType())
    return value;
  return BroadcastOp::create(rewriter, loc, like.getType(), value, like);
}

/// x · (mean(x²) + ε)^(−1/2) · Π factors  -->  normalize x · Π factors
template <typename Op> struct RecognizeNormalization : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Objection objection;
    std::optional<Match> match = matchNormalization(op, objection);
    if (!match)
      return rewriter.notifyMatchFailure(op, "no product with a normalisation");
    Location loc = op.getLoc();
    auto hasRoot = [&](size_t i) { return std::abs(match->product.factors[i].exponent) != 1; };
    if (llvm::any_of(match->others, hasRoot))
      return rewriter.notifyMatchFailure(op, "has other roots");
    if (llvm::any_of(match->others, [&](size_t i) { return !match->product.factors[i].whole; }))
      return rewriter.notifyMatchFailure(op, "has other factors that are reshaped together");
    auto type = cast<RankedTensorType>(op.getType());
    Value result =
        NormalizeOp::create(rewriter, loc, type, match->kind, match->x, Value(), Value(), Value(),
                            IntegerAttr(), static_cast<uint64_t>(match->over), llvm::APFloat(match->epsilon));
    if (!nearlyEqual(match->product.coefficient, 1, 1)) {
      auto scalar = RankedTensorType::get({}, type.getElementType());
      auto number = FloatAttr::get(type.getElementType(), match->product.coefficient);
      Value constant =
          arith::ConstantOp::create(rewriter, loc, DenseElementsAttr::get(scalar, number.getValue()));
      result = arith::MulFOp::create(rewriter, loc, result, broadcastTo(rewriter, loc, constant, result));
    }
    for (size_t i : match->others) {
      const SampleProduct::Factor &factor = match->product.factors[i];
      Value wide = broadcastTo(rewriter, loc, factor.whole, result);
      if (factor.exponent < 0)
        result = arith::DivFOp::create(rewriter, loc, result, wide);
      else
        result = arith::MulFOp::create(rewriter, loc, result, wide);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// What is broadcast along samples, in the shape of one; null where it differs between samples.
Value perElement(Value value, NormalizeOp normalize) {
  auto broadcast = value.getDefiningOp<BroadcastOp>();
  ArrayRef<int64_t> sample = shapeOf(normalize.getInput()).take_back(normalize.getOver());
  return broadcast && shapeOf(broadcast.getInput()) == sample ? broadcast.getInput() : Value();
}

/// normalize x · broadcast s, in either order  -->  normalize x scale s
struct RecognizeScale : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::MulFOp op, PatternRewriter &rewriter) const override {
    for (bool swapped : {false, true}) {
      auto normalize = op->getOperand(swapped).getDefiningOp<NormalizeOp>();
      if (!normalize || normalize.getScale() || normalize.getShift() || normalize.getStatistics())
        continue;
      Value scale = perElement(op->getOperand(!swapped), normalize);
      if (!scale || !isUsedOnlyHere(normalize, op, op->getOperand(!swapped)))
        continue;
      replace(rewriter, op, normalize, scale, Value());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no scale of a normalisation");
  }

  /// The broadcast may take its shape from the normalisation.
  static bool isUsedOnlyHere(NormalizeOp normalize, Operation *op, Value wide) {
    return llvm::all_of(normalize->getUsers(), [&](Operation *user) {
      return user == op || (user == wide.getDefiningOp() && wide.hasOneUse());
    });
  }

  static void replace(PatternRewriter &rewriter, Operation *op, NormalizeOp normalize, Value scale,
                      Value shift) {
    Location loc = rewriter.getFusedLoc({normalize.getLoc(), op->getLoc()});
    rewriter.replaceOp(op, NormalizeOp::create(rewriter, loc, normalize.getType(), normalize.getKindAttr(),
                                               normalize.getInput(), scale, shift, Value(), IntegerAttr(),
                                               normalize.getOverAttr(), normalize.getEpsilonAttr()));
  }
};

/// normalize x + broadcast b, in either order  -->  normalize x shift b
struct RecognizeShift : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    for (bool swapped : {false, true}) {
      auto normalize = op->getOperand(swapped).getDefiningOp<NormalizeOp>();
      if (!normalize || normalize.getShift() || normalize.getStatistics())
        continue;
      Value shift = perElement(op->getOperand(!swapped), normalize);
      if (!shift || !RecognizeScale::isUsedOnlyHere(normalize, op, op->getOperand(!swapped)))
        continue;
      RecognizeScale::replace(rewriter, op, normalize, normalize.getScale(), shift);
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no shift of a normalisation");
  }
};

} // namespace

void phantom::populateRecognizeNormalizationPatterns(RewritePatternSet &patterns) {
  patterns.add<RecognizeNormalization<arith::MulFOp>, RecognizeNormalization<arith::DivFOp>, RecognizeScale,
               RecognizeShift>(patterns.getContext());
}

void phantom::remarkOnNormalizations(Operation *root) {
  root->walk([](Operation *op) {
    if (!isa<arith::MulFOp, arith::DivFOp>(op))
      return;
    Objection objection;
    if (!matchNormalization(op, objection) && !objection.empty())
      op->emitRemark() << "looks like a normalisation, but " << objection;
  });
}
