//===- EncodeExchanges.cpp - Exchanges that carry fewer bytes -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ScalarArguments.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <numeric>
#include <optional>
#include <string>

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMENCODEEXCHANGES
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

RankedTensorType tensorType(Value value) { return cast<RankedTensorType>(value.getType()); }

/// Blocks of rows and columns, where each of the blocks has `shape`.
SmallVector<int64_t> blockShape(int64_t blocks, ArrayRef<int64_t> shape) {
  return {blocks, std::accumulate(shape.begin(), shape.end() - 1, int64_t(1), std::multiplies<>()),
          shape.back()};
}

Value reshape(OpBuilder &b, Location loc, Value value, ArrayRef<int64_t> shape) {
  auto type = RankedTensorType::get(shape, tensorType(value).getElementType());
  return type == value.getType() ? value : Value(ReshapeOp::create(b, loc, type, value));
}

/// Moves dimension `from` to `to`.
Value moveDim(OpBuilder &b, Location loc, Value value, int64_t from, int64_t to) {
  if (from == to)
    return value;
  ArrayRef<int64_t> shape = tensorType(value).getShape();
  SmallVector<int64_t> permutation(shape.size());
  std::iota(permutation.begin(), permutation.end(), 0);
  permutation.erase(permutation.begin() + from);
  permutation.insert(permutation.begin() + to, from);
  auto moved = llvm::map_to_vector(permutation, [&](int64_t d) { return shape[d]; });
  auto type = RankedTensorType::get(moved, tensorType(value).getElementType());
  return TransposeOp::create(b, loc, type, value, permutation);
}

/// Statistics and sums of samples are small, and what is made of them is not linear in them; parameters are
/// used by every sample.
bool isKeptExact(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return static_cast<bool>(function.getArgAttr(argument.getArgNumber(), PhantomDialect::kParameter));
  }
  Operation *op = value.getDefiningOp();
  if (isa<arith::AddFOp, ReshapeOp, TransposeOp>(op))
    return llvm::all_of(op->getOperands(), isKeptExact);
  return isa<StatisticsOp, NormalizeSumsOp, ReduceSumOp>(op);
}

/// Whether a result is a gradient, or what an optimizer or a step in parts makes of one.
bool isGradientResult(func::FuncOp function, unsigned result) {
  return function.getResultAttr(result, PhantomDialect::kGradient) ||
         function.getResultAttr(result, PhantomDialect::kUpdated);
}

bool makesGradients(func::FuncOp function) {
  return llvm::any_of(llvm::seq(function.getNumResults()),
                      [&](unsigned result) { return isGradientResult(function, result); });
}

/// Whether `value`, perhaps scaled or in another shape, is a gradient for an optimizer.
bool isOfParameter(Value value) {
  return llvm::any_of(value.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (isa<func::ReturnOp>(user))
      return isGradientResult(user->getParentOfType<func::FuncOp>(), use.getOperandNumber());
    bool movesOrSums = user->hasTrait<OpTrait::Elementwise>() || isa<ReshapeOp, TransposeOp>(user);
    return isa<UpdateOp, SquaredNormOp>(user) || (movesOrSums && isOfParameter(user->getResult(0)));
  });
}

/// Dropouts count theirs from 0, under the same key.
constexpr int64_t kFirstSite = int64_t(1) << 31;

/// Encodes the exchanges of one function.
class Encoder {
public:
  Encoder(func::FuncOp function, WireEncoding encoding)
      : function(function), encoding(encoding), b(function.getContext()) {}

  void run();

private:
  /// An exchange of blocks along `dim`, on the axis of the exchange that it is made of.
  struct Place {
    Location loc;
    int64_t ranks, dim;
    FlatSymbolRefAttr mesh;
    StringAttr axis;
  };

  std::optional<WireEncoding> encode(Operation &op);
  template <typename Op> Place placeOf(Op op, int64_t dim) {
    return {op.getLoc(), op.getRanks(), dim, op.getMeshAttr(), op.getAxisAttr()};
  }
  std::optional<WireEncoding> encodingOf(ArrayRef<int64_t> block);
  SmallVector<Value> counter();
  Value gather(Value own, const Place &place, WireEncoding as);
  Value reduceScatter(Value part, const Place &place, WireEncoding as);

  func::FuncOp function;
  WireEncoding encoding;
  OpBuilder b;
  int64_t site = kFirstSite;
};

} // namespace

/// What makes a block that a rank has to send smaller, if anything does. In short rows int8's scales cost so
/// much that bf16 is no larger, and its values are closer.
std::optional<WireEncoding> Encoder::encodingOf(ArrayRef<int64_t> block) {
  if (block.size() < 2)
    return std::nullopt;
  auto type = RankedTensorType::get(blockShape(1, block), b.getF32Type());
  auto bits = [](RankedTensorType type) { return type.getNumElements() * type.getElementTypeBitWidth(); };
  const bool bf16IsAsSmall = bits(encodedType(type, WireEncoding::BF16)) <= bits(encodedType(type, encoding));
  const WireEncoding as = bf16IsAsSmall ? WireEncoding::BF16 : encoding;
  return bits(encodedType(type, as)) < bits(type) ? std::optional(as) : std::nullopt;
}

/// The key and the step of random roundings; none where nothing is rounded at random.
SmallVector<Value> Encoder::counter() {
  SmallVector<Value> values;
  if (makesGradients(function))
    for (StringRef name : {"dropout_key", "step"})
      values.push_back(getOrAddScalarArgument(function, name));
  return values;
}

/// What all ranks have, of which `own` is this rank's block.
Value Encoder::gather(Value own, const Place &place, WireEncoding as) {
  auto shape = llvm::to_vector(tensorType(own).getShape());
  Value blocks = reshape(b, place.loc, own, blockShape(1, shape));
  Value encoded = EncodeOp::create(b, place.loc, encodedType(tensorType(blocks), as), blocks, as,
                                   ValueRange(), IntegerAttr());
  SmallVector<int64_t> gathered(tensorType(encoded).getShape());
  gathered.front() = place.ranks;
  encoded = AllGatherOp::create(b, place.loc, tensorType(encoded).clone(gathered), encoded,
                                b.getI64IntegerAttr(0), place.mesh, place.axis);
  gathered.back() = shape.back();
  Value decoded =
      DecodeOp::create(b, place.loc, RankedTensorType::get(gathered, b.getF32Type()), encoded, as);
  // [p, …] to [.., p·n, ..].
  SmallVector<int64_t> separate(shape);
  separate.insert(separate.begin(), place.ranks);
  Value whole = moveDim(b, place.loc, reshape(b, place.loc, decoded, separate), 0, place.dim);
  shape[place.dim] *= place.ranks;
  return reshape(b, place.loc, whole, shape);
}

/// This rank's block of the sum of all ranks' `part`.
Value Encoder::reduceScatter(Value part, const Place &place, WireEncoding as) {
  auto shape = llvm::to_vector(tensorType(part).getShape());
  shape[place.dim] /= place.ranks;
  SmallVector<int64_t> separate(shape);
  separate.insert(separate.begin() + place.dim, place.ranks);
  Value blocks = moveDim(b, place.loc, reshape(b, place.loc, part, separate), place.dim, 0);
  blocks = reshape(b, place.loc, blocks, blockShape(place.ranks, shape));
  RankedTensorType type = tensorType(blocks);
  SmallVector<Value> random = counter();
  IntegerAttr number = random.empty() ? IntegerAttr() : b.getI64IntegerAttr(site++);
  Value encoded = EncodeOp::create(b, place.loc, encodedType(type, as), blocks, as, random, number);
  encoded = AllToAllOp::create(b, place.loc, encoded.getType(), encoded, place.mesh, place.axis);
  Value decoded = DecodeOp::create(b, place.loc, type, encoded, as);
  auto summed = RankedTensorType::get(type.getShape().drop_front(), type.getElementType());
  Value sum = ReduceSumOp::create(b, place.loc, summed, decoded, ArrayRef<int64_t>{0});
  return reshape(b, place.loc, sum, shape);
}

/// Whether what `exchange` carries may be rounded.
static bool mayBeEncoded(Operation *exchange) {
  Value input = exchange->getOperand(0);
  return tensorType(input).getElementType().isF32() && !isKeptExact(input) &&
         !isOfParameter(exchange->getResult(0));
}

/// How `op` is encoded; it is gone then.
std::optional<WireEncoding> Encoder::encode(Operation &op) {
  Value input = op.getOperand(0), result;
  SmallVector<int64_t> block(tensorType(input).getShape());
  b.setInsertionPoint(&op);
  std::optional<WireEncoding> as;
  if (auto exchange = dyn_cast<AllGatherOp>(op)) {
    if ((as = encodingOf(block)))
      result = gather(input, placeOf(exchange, exchange.getDim()), *as);
  } else if (auto exchange = dyn_cast<ReduceScatterOp>(op)) {
    Place place = placeOf(exchange, exchange.getDim());
    block[place.dim] /= place.ranks;
    if ((as = encodingOf(block)))
      result = reduceScatter(input, place, *as);
  } else if (auto exchange = dyn_cast<AllReduceOp>(op)) {
    const int64_t ranks = exchange.getRanks();
    const auto *divided = llvm::find_if(block, [&](int64_t extent) { return extent % ranks == 0; });
    if (divided == block.end())
      return std::nullopt;
    Place place = placeOf(exchange, divided - block.begin());
    block[place.dim] /= ranks;
    if ((as = encodingOf(block)))
      result = gather(reduceScatter(input, place, *as), place, *as);
  }
  if (as) {
    op.getResult(0).replaceAllUsesWith(result);
    op.erase();
  }
  return as;
}

static double bytesOf(func::FuncOp function) {
  double bytes = 0;
  for (auto exchange : function.getOps<ExchangeOpInterface>())
    bytes += exchange.getRingElements() *
             llvm::divideCeil(tensorType(exchange->getResult(0)).getElementTypeBitWidth(), 8);
  return bytes;
}

void Encoder::run() {
  const double before = bytesOf(function);
  int64_t encoded = 0, kept = 0, shortRows = 0;
  // Decided before any is encoded: the sums that an encoding adds are no statistics.
  SmallVector<std::pair<Operation *, bool>> exchanges;
  for (Operation &op : function.getBody().front())
    if (isa<AllGatherOp, ReduceScatterOp, AllReduceOp>(op))
      exchanges.push_back({&op, mayBeEncoded(&op)});
  for (auto [exchange, may] : exchanges) {
    std::optional<WireEncoding> as = may ? encode(*exchange) : std::nullopt;
    ++(!as ? kept : *as == encoding ? encoded : shortRows);
  }
  if (encoded + shortRows + kept == 0)
    return;
  const std::string ofShortRows =
      shortRows ? ", " + std::to_string(shortRows) + " of short rows carry bf16" : std::string();
  mlir::emitRemark(function.getLoc())
      << "@" << function.getName() << ": " << encoded << " exchanges carry "
      << stringifyWireEncoding(encoding) << ofShortRows << ", " << kept
      << " are as they were: " << static_cast<int64_t>(bytesOf(function))
      << " bytes sent per rank and call instead of " << static_cast<int64_t>(before);
}

namespace {

struct EncodeExchangesPass : phantom::impl::PhantomEncodeExchangesBase<EncodeExchangesPass> {
  using PhantomEncodeExchangesBase::PhantomEncodeExchangesBase;

  void runOnOperation() override {
    if (encoding == WireEncoding::F32)
      return;
    for (auto function : getOperation().getOps<func::FuncOp>()) {
      if (function.isExternal())
        continue;
      for (auto exchange : function.getOps<ExchangeOpInterface>()) {
        if (!isa<RankedTensorType>(exchange->getOperand(0).getType())) {
          exchange.emitOpError("works on buffers: encode exchanges before phantom-bufferize");
          return signalPassFailure();
        }
        if (getState(exchange->getResult(0).getType()) || getState(exchange->getOperand(0).getType())) {
          exchange.emitOpError("has a state: run phantom-strip-states before");
          return signalPassFailure();
        }
      }
      Encoder(function, encoding).run();
    }
  }
};

} // namespace
