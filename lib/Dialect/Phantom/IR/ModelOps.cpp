//===- ModelOps.cpp - Verifiers of declarations and model ops ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Verification.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallSet.h"

using namespace mlir;
using namespace mlir::phantom;

#define GET_OP_CLASSES
#include "phantom/Dialect/Phantom/IR/PhantomOps.cpp.inc"

namespace {

bool shardedOnLast(Type type) { return getShardDim(type) == cast<RankedTensorType>(type).getRank() - 1; }

/// Product of all but the last dimension; dynamic if one of them is.
int64_t batchElements(RankedTensorType type) {
  int64_t product = 1;
  for (int64_t extent : type.getShape().drop_back()) {
    if (ShapedType::isDynamic(extent))
      return ShapedType::kDynamic;
    product *= extent;
  }
  return product;
}

int64_t lastDim(RankedTensorType type) { return type.getShape().back(); }

/// Of an op that only moves elements.
LogicalResult verifyMoves(Operation *op, RankedTensorType in, RankedTensorType out) {
  if (in.getElementType() != out.getElementType())
    return op->emitOpError("turns ") << in.getElementType() << " into " << out.getElementType();
  return success();
}

} // namespace

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

LogicalResult ParameterOp::verify() {
  InitAttr init = getInit();
  bool needsSource = init.getKind() != InitKind::Uniform && init.getKind() != InitKind::Zeros;
  if (needsSource && !init.getSource())
    return emitOpError("init '") << stringifyInitKind(init.getKind()) << "' needs a source";
  if (init.getKind() == InitKind::Uniform && init.getFanIn() < 1)
    return emitOpError("init 'uniform' needs a fan_in of at least 1");
  auto type = cast<RankedTensorType>(getType());
  if (!type.hasStaticShape())
    return emitOpError("type ") << type << " must have a static shape";
  if (LayoutAttr layout = getLayoutAttr(); layout && !layout.getStored().empty()) {
    int64_t stored = 1;
    for (int64_t extent : layout.getStored())
      stored *= extent;
    if (stored != type.getNumElements())
      return emitOpError("stored shape has ")
             << stored << " elements, the type has " << type.getNumElements();
  }
  if (LayoutAttr layout = getLayoutAttr(); layout && layout.getKind() == LayoutKind::Shard) {
    const int64_t rank = layout.getStored().empty() ? type.getRank() : int64_t(layout.getStored().size());
    if (layout.getDim() < 0 || layout.getDim() >= rank)
      return emitOpError("is divided along dimension ")
             << layout.getDim() << ", but what is stored has rank " << rank;
  }
  if (auto stateOf = getStateOfAttr())
    if (!SymbolTable::lookupNearestSymbolFrom<ParameterOp>(*this, stateOf))
      return emitOpError("is state of ") << stateOf << ", which is no parameter";
  return success();
}

LogicalResult MeshOp::verify() {
  llvm::SmallSet<StringRef, 4> names;
  if (getAxes().empty())
    return emitOpError("needs at least one axis");
  for (auto axis : getAxes())
    if (!names.insert(axis.getName()).second)
      return emitOpError("has two axes named '") << axis.getName() << "'";
  return success();
}

std::optional<int64_t> MeshOp::getAxisSize(StringRef name) {
  for (auto axis : getAxes())
    if (axis.getName() == name)
      return axis.getSize();
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Matrix products
//===----------------------------------------------------------------------===//

static LogicalResult verifyLinearStates(LinearOp op) {
  Type x = op.getInput().getType(), w = op.getWeight().getType(), y = op.getOutput().getType();
  int64_t outDim = op.getIo() ? 1 : 0;
  bool column = getShardDim(w) == outDim, row = getShardDim(w) == 1 - outDim;
  bool dense = isReplicated(x) && isReplicated(w) && isReplicated(y);
  bool columnParallel = hasStateKind(x, StateKind::PerRank) && column && shardedOnLast(y);
  bool rowParallel = shardedOnLast(x) && row && hasStateKind(y, StateKind::Partial);
  bool block = shardedOnLast(x) && hasStateKind(w, StateKind::Block) && shardedOnLast(y);
  if (!dense && !columnParallel && !rowParallel && !block)
    return op.emitOpError("has states that no kind of linear layer has: see the table of phantom.linear");
  if (rowParallel && op.getBias())
    return op.emitOpError(
        "is row parallel and has a bias, which every rank would add: add it after the all_reduce");
  return success();
}

LogicalResult LinearOp::verify() {
  RankedTensorType x = tensorType(getInput()), w = tensorType(getWeight()), y = tensorType(getOutput());
  if (x.getRank() < 1 || y.getRank() != x.getRank())
    return emitOpError("input and output must have the same rank, at least 1");
  if (w.getRank() != 2)
    return emitOpError("weight must have rank 2, has ") << w.getRank();
  int64_t out = w.getDimSize(getIo() ? 1 : 0), in = w.getDimSize(getIo() ? 0 : 1);
  if (!sameExtent(lastDim(x), in))
    return emitOpError("input has ") << lastDim(x) << " columns, the weight takes " << in;
  if (!sameExtent(lastDim(y), out))
    return emitOpError("output has ") << lastDim(y) << " columns, the weight gives " << out;
  for (auto [a, b] : llvm::zip(x.getShape().drop_back(), y.getShape().drop_back()))
    if (!sameExtent(a, b))
      return emitOpError("input and output must have the same leading dimensions");
  if (getBias()) {
    RankedTensorType b = tensorType(getBias());
    if (b.getRank() != 1 || !sameExtent(b.getDimSize(0), out))
      return emitOpError("bias must be of shape [") << out << "]";
  }
  if (failed(verifySameElementType(*this)))
    return failure();
  return hasAnyState(*this) ? verifyLinearStates(*this) : success();
}

LogicalResult WeightGradientOp::verify() {
  RankedTensorType delta = tensorType(getDelta()), x = tensorType(getInput()), w = tensorType(getGradient());
  if (w.getRank() != 2 || delta.getRank() < 1 || x.getRank() < 1)
    return emitOpError("operands need a last dimension, and the result rank 2");
  if (!sameExtent(batchElements(delta), batchElements(x)))
    return emitOpError("operands must have the same number of rows");
  if (!sameExtent(w.getDimSize(getIo() ? 1 : 0), lastDim(delta)) ||
      !sameExtent(w.getDimSize(getIo() ? 0 : 1), lastDim(x)))
    return emitOpError("result must be [n_out, n_in] of the operands' columns");
  return verifySameElementType(*this);
}

LogicalResult MatmulOp::verify() {
  RankedTensorType a = tensorType(getLhs()), b = tensorType(getRhs()), c = tensorType(getOutput());
  int64_t rank = c.getRank();
  if (rank < 2 || a.getRank() != rank || b.getRank() != rank)
    return emitOpError("operands and result must have the same rank, at least 2");
  for (int64_t d = 0; d < rank - 2; ++d)
    if (!sameExtent(a.getDimSize(d), c.getDimSize(d)) || !sameExtent(b.getDimSize(d), c.getDimSize(d)))
      return emitOpError("batch dimension ") << d << " differs";
  if (!sameExtent(a.getDimSize(rank - 1), b.getDimSize(rank - 2)) ||
      !sameExtent(a.getDimSize(rank - 2), c.getDimSize(rank - 2)) ||
      !sameExtent(b.getDimSize(rank - 1), c.getDimSize(rank - 1)))
    return emitOpError("matrix sizes do not fit");
  if (hasAnyState(*this))
    return emitOpError("must be replicated");
  return verifySameElementType(*this);
}

//===----------------------------------------------------------------------===//
// Elementwise ops and shapes
//===----------------------------------------------------------------------===//

LogicalResult ActivationOp::verify() {
  if (hasStateKind(getInput().getType(), StateKind::Partial))
    return emitOpError("of a partial value: reduce it first");
  return success();
}

LogicalResult ActivationGradientOp::verify() {
  if (getFromResult() && !slopeFollowsFromResult(getKind(), getAlpha().convertToDouble()))
    return emitOpError("cannot use from_result: the result of '")
           << stringifyActivationKind(getKind()) << "' does not determine the slope";
  return success();
}

LogicalResult DropoutOp::verify() {
  double ratio = getRatio().convertToDouble();
  if (!(ratio >= 0 && ratio < 1))
    return emitOpError("ratio ") << ratio << " is not in [0, 1)";
  if (!isActive())
    return success();
  if (getCounter().size() != 2 || !getSite() || !getWhole())
    return emitOpError("with a counter needs the key, the step, 'site' and 'whole'");
  ArrayRef<int64_t> shape = tensorType(getInput()).getShape(), whole = *getWhole();
  if (whole.size() != shape.size())
    return emitOpError("'whole' must have the input's rank");
  unsigned blocked = 0;
  for (auto [extent, all] : llvm::zip(shape, whole)) {
    if (ShapedType::isDynamic(extent) || extent == 0 || all < extent || all % extent != 0)
      return emitOpError("input must be a block of 'whole', of static shape");
    blocked += extent != all;
  }
  return blocked <= 1 ? success() : emitOpError("input must be a block of 'whole' along one dimension");
}

std::optional<int64_t> DropoutOp::getBlockDim() {
  for (auto [d, extent] : llvm::enumerate(tensorType(getInput()).getShape()))
    if (extent != (*getWhole())[d])
      return d;
  return std::nullopt;
}

LogicalResult BroadcastOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  int64_t shift = out.getRank() - in.getRank();
  if (shift < 0)
    return emitOpError("result has a lower rank than the operand");
  for (int64_t d = 0; d < in.getRank(); ++d)
    if (in.getDimSize(d) != 1 && !sameExtent(in.getDimSize(d), out.getDimSize(d + shift)))
      return emitOpError("dimension ") << d << " of extent " << in.getDimSize(d) << " does not align with "
                                       << out.getDimSize(d + shift);
  if (!out.hasStaticShape()) {
    if (!getLike())
      return emitOpError("needs 'like' for a dynamic result dimension");
  }
  if (getLike() && tensorType(getLike()).getShape() != out.getShape())
    return emitOpError("'like' must have the result's shape");
  if (auto dim = getShardDim(in); dim && getShardDim(out) != *dim + shift)
    return emitOpError("of a sharded operand must be sharded along the aligned dimension");
  return verifyMoves(*this, in, out);
}

LogicalResult ReshapeOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  if (in.getNumDynamicDims() > 1 || out.getNumDynamicDims() > 1)
    return emitOpError("has more than one dynamic dimension");
  if (in.hasStaticShape() && out.hasStaticShape() && in.getNumElements() != out.getNumElements())
    return emitOpError("from ") << in.getNumElements() << " to " << out.getNumElements() << " elements";
  return verifyMoves(*this, in, out);
}

LogicalResult TransposeOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  ArrayRef<int64_t> permutation = getPermutation();
  SmallVector<int64_t> sorted(permutation);
  llvm::sort(sorted);
  if (static_cast<int64_t>(sorted.size()) != in.getRank() || out.getRank() != in.getRank() ||
      !llvm::equal(sorted, llvm::seq<int64_t>(0, in.getRank())))
    return emitOpError("needs a permutation of the operand's ") << in.getRank() << " dimensions";
  for (auto [i, source] : llvm::enumerate(permutation))
    if (in.getDimSize(source) != out.getDimSize(i))
      return emitOpError("result dimension ") << i << " must have extent " << in.getDimSize(source);
  if (auto dim = getShardDim(in); dim && (!getShardDim(out) || permutation[*getShardDim(out)] != *dim))
    return emitOpError("result must be sharded along the permuted dimension");
  return verifyMoves(*this, in, out);
}

LogicalResult ReduceSumOp::verify() {
  RankedTensorType in = tensorType(getInput()), out = tensorType(getOutput());
  SmallVector<int64_t> kept;
  for (auto [i, dim] : llvm::enumerate(getDims())) {
    if (failed(verifyDimension(*this, dim, in)))
      return failure();
    if (llvm::is_contained(getDims().take_front(i), dim))
      return emitOpError("sums over dimension ") << dim << " twice";
  }
  for (int64_t d = 0; d < in.getRank(); ++d)
    if (!llvm::is_contained(getDims(), d))
      kept.push_back(d);
  if (out.getRank() != static_cast<int64_t>(kept.size()))
    return emitOpError("result must have rank ") << kept.size();
  for (auto [i, d] : llvm::enumerate(kept))
    if (in.getDimSize(d) != out.getDimSize(i))
      return emitOpError("result dimension ") << i << " must have extent " << in.getDimSize(d);
  if (auto dim = getShardDim(in)) {
    bool summed = llvm::is_contained(getDims(), *dim);
    bool ok =
        summed ? hasStateKind(out, StateKind::Partial) : getShardDim(out) && kept[*getShardDim(out)] == *dim;
    if (!ok)
      return emitOpError(summed ? "over the sharded dimension must give a partial value"
                                : "must keep the sharded dimension sharded");
  }
  return verifyMoves(*this, in, out);
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

template <typename Op> static LogicalResult verifyLossOperands(Op op) {
  RankedTensorType y = tensorType(op.getPrediction()), t = tensorType(op.getTarget());
  if (getState(y) || getState(t))
    return op.emitOpError("takes replicated operands");
  if (llvm::is_contained(y.getShape(), 0))
    return op.emitOpError("is a mean over ") << y << ", which has no elements";
  if (op.getKind() != LossKind::CrossEntropy) {
    if (y != t)
      return op.emitOpError("target ") << t << " must be of the prediction's type " << y;
    return success();
  }
  if (!t.getElementType().isInteger(64) || y.getRank() < 1 || t.getShape() != y.getShape().drop_back())
    return op.emitOpError("target ") << t << " must hold one i64 class for each row of the prediction " << y;
  return success();
}

static LogicalResult verifyLabelSmoothing(Operation *op, LossKind kind, double smoothing) {
  if (!(smoothing >= 0 && smoothing < 1))
    return op->emitOpError("label_smoothing ") << smoothing << " is not in [0, 1)";
  if (smoothing != 0 && kind != LossKind::CrossEntropy)
    return op->emitOpError("label_smoothing is of cross-entropy only");
  return success();
}

LogicalResult LossOp::verify() {
  if (failed(verifyLabelSmoothing(*this, getKind(), getLabelSmoothing().convertToDouble())))
    return failure();
  return verifyLossOperands(*this);
}

LogicalResult LossGradientOp::verify() {
  if (getGradient().getType() != getPrediction().getType())
    return emitOpError("result must be of the prediction's type");
  if (failed(verifyLabelSmoothing(*this, getKind(), getLabelSmoothing().convertToDouble())))
    return failure();
  return verifyLossOperands(*this);
}

//===----------------------------------------------------------------------===//
// Phantom layers
//===----------------------------------------------------------------------===//

LogicalResult CompressOp::verify() {
  RankedTensorType y = tensorType(getInput()), c = tensorType(getWeight()), g = tensorType(getGhosts());
  if (y.getRank() < 1 || c.getRank() != 2 || g.getRank() != 2)
    return emitOpError("weight and result must have rank 2, and the input at least 1");
  if (!sameExtent(lastDim(y), c.getDimSize(1)))
    return emitOpError("input has ") << lastDim(y) << " columns, the weight takes " << c.getDimSize(1);
  if (!sameExtent(g.getDimSize(0), c.getDimSize(0)) || !sameExtent(g.getDimSize(1), batchElements(y)))
    return emitOpError("result must be [ghosts of the weight, rows of the input]");
  if (failed(verifySameElementType(*this)))
    return failure();
  if (!hasAnyState(*this))
    return success();
  bool forward = hasStateKind(c, StateKind::Block) && getShardDim(g) == 0;
  bool backward = getShardDim(c) == 1 && hasStateKind(g, StateKind::Partial);
  if (!shardedOnLast(y) || (!forward && !backward))
    return emitOpError("states must be shard(last) × block → shard(0), or shard(last) × shard(1) → partial");
  return success();
}

LogicalResult DecompressOp::verify() {
  RankedTensorType g = tensorType(getGhosts()), d = tensorType(getWeight()), z = tensorType(getOutput());
  if (z.getRank() < 1 || d.getRank() != 2 || g.getRank() != 2)
    return emitOpError("ghosts and weight must have rank 2, and the result at least 1");
  if (!sameExtent(g.getDimSize(0), d.getDimSize(0)))
    return emitOpError("has ") << g.getDimSize(0) << " ghosts, the weight takes " << d.getDimSize(0);
  if (!sameExtent(lastDim(z), d.getDimSize(1)) || !sameExtent(g.getDimSize(1), batchElements(z)))
    return emitOpError("result must be [rows of the ghosts, columns of the weight]");
  if (getAcc() && getAcc().getType() != z)
    return emitOpError("accumulator ") << getAcc().getType() << " must be of the result's type " << z;
  if (getZeroOwn() && !getMesh())
    return emitOpError("zero_own needs a mesh axis ('on @mesh \"axis\"')");
  if (failed(verifySameElementType(*this)))
    return failure();
  if (!hasAnyState(*this))
    return success();
  bool forward = hasStateKind(g, StateKind::PerRank) && getShardDim(d) == 1;
  bool backward = getShardDim(g) == 0 && hasStateKind(d, StateKind::Block);
  if (!shardedOnLast(z) || (!forward && !backward))
    return emitOpError("states must be per_rank × shard(1), or shard(0) × block, → shard(last)");
  return success();
}

LogicalResult GhostWeightGradientOp::verify() {
  RankedTensorType g = tensorType(getGhosts()), y = tensorType(getActivation()),
                   w = tensorType(getGradient());
  if (g.getRank() != 2 || w.getRank() != 2 || y.getRank() < 1)
    return emitOpError("ghosts and result must have rank 2, and the activation at least 1");
  if (!sameExtent(g.getDimSize(1), batchElements(y)))
    return emitOpError("ghosts and activation must have the same number of rows");
  if (!sameExtent(w.getDimSize(0), g.getDimSize(0)) || !sameExtent(w.getDimSize(1), lastDim(y)))
    return emitOpError("result must be [ghosts, columns of the activation]");
  return verifySameElementType(*this);
}

//===----------------------------------------------------------------------===//
// Training and buffers
//===----------------------------------------------------------------------===//

unsigned UpdateOp::getNumStates(OptimizerKind kind) {
  switch (kind) {
  case OptimizerKind::Sgd:
    return 0;
  case OptimizerKind::Momentum:
    return 1;
  case OptimizerKind::Adam:
  case OptimizerKind::AdamW:
    return 2;
  }
  llvm_unreachable("unknown optimizer");
}

LogicalResult UpdateOp::verify() {
  unsigned states = getNumStates(getKind());
  if (getStates().size() != states || getOthers().size() != states + getResetGradient())
    return emitOpError("'") << stringifyOptimizerKind(getKind()) << "' keeps " << states
                            << " states per parameter, has " << getStates().size();
  const double factor = getLearningRateFactor().convertToDouble();
  if (!(factor >= 0 && std::isfinite(factor)))
    return emitOpError("learning_rate_factor ") << factor << " must be at least 0";
  Type type = getParameter().getType();
  for (Value value : llvm::concat<Value>(llvm::to_vector(getStates()), llvm::to_vector(getResults()),
                                         ValueRange(getGradient())))
    if (value.getType() != type)
      return emitOpError("gradient, states and results must be of the parameter's type ") << type;
  return success();
}

LogicalResult SquaredNormOp::verify() {
  if (isReplicated(getInput().getType()) != isReplicated(getOutput().getType()))
    return emitOpError("must be partial where the input is not replicated, and only there");
  return success();
}

static int64_t extent(Value value, unsigned dim) { return cast<ShapedType>(value.getType()).getDimSize(dim); }

int64_t GemmOp::getM() { return extent(getC(), 0); }
int64_t GemmOp::getN() { return extent(getC(), 1); }
int64_t GemmOp::getK() { return extent(getA(), getTransposeA() ? 0 : 1); }

MutableOperandRange GemmOp::getDpsInitsMutable() {
  const unsigned first = getODSOperandIndexAndLength(4).first;
  return MutableOperandRange(getOperation(), first, getNumOperands() - first);
}

Value GemmOp::getResult() { return getWritten().empty() ? Value() : getWritten().front(); }

Value GemmOp::getAuxResult() { return getAux() && getResult() ? getWritten()[1] : Value(); }

Value GemmOp::getBiasGradientResult() {
  return getBiasGradient() && getResult() ? getWritten().back() : Value();
}

RankedTensorType GemmOp::getAuxType(ActivationKind kind, ShapedType result) {
  const int64_t m = result.getDimSize(0), n = result.getDimSize(1);
  Type element = result.getElementType();
  if (kind == ActivationKind::Relu)
    return RankedTensorType::get({m, static_cast<int64_t>(llvm::alignTo(n, 128)) / 8},
                                 IntegerType::get(element.getContext(), 8));
  if (kind == ActivationKind::GeluTanh)
    return RankedTensorType::get({m, static_cast<int64_t>(llvm::alignTo(n, 8))}, element);
  return {};
}

/// What belongs to the backward pass: an aux that is kept or taken, and the bias gradient.
static LogicalResult verifyBackward(GemmOp op) {
  if (op.getBiasGradient() && !op.getSaved())
    return op.emitOpError("has a bias gradient, but takes no aux: it is no gradient");
  if (op.getBiasGradient() && extent(op.getBiasGradient(), 0) != op.getN())
    return op.emitOpError("bias gradient must have ") << op.getN() << " elements";
  if (op.getSaved() && op.getAux())
    return op.emitOpError("both keeps an aux and takes one");
  if (op.getSaved() && op.getBias())
    return op.emitOpError("adds a bias, but takes an aux: it is a gradient");
  Value aux = op.getSaved() ? op.getSaved() : op.getAux();
  if (!aux)
    return success();
  auto type = cast<ShapedType>(aux.getType()), c = cast<ShapedType>(op.getC().getType());
  RankedTensorType wanted = op.getEpilogue() ? GemmOp::getAuxType(op.getEpilogue()->getKind(), c) : nullptr;
  if (!wanted)
    return op.emitOpError("has an aux, which only the epilogues relu and gelu_tanh have");
  if (type.getShape() != wanted.getShape() || type.getElementType() != wanted.getElementType())
    return op.emitOpError("needs an aux of the shape and type of ") << wanted;
  return success();
}

LogicalResult GemmOp::verify() {
  if (getEpilogue() && getEpilogue()->getKind() == ActivationKind::Softplus)
    return emitOpError("has no softplus epilogue");
  Type factors = getElementTypeOrSelf(getA()), type = getElementTypeOrSelf(getC());
  if (getElementTypeOrSelf(getB()) != factors)
    return emitOpError("multiplies ") << factors << " by " << getElementTypeOrSelf(getB());
  if (factors != type && !(factors.isBF16() && type.isF32()))
    return emitOpError("makes ") << type << " of factors of " << factors;
  int64_t aRows = extent(getA(), getTransposeA() ? 1 : 0);
  int64_t bDepth = extent(getB(), getTransposeB() ? 1 : 0),
          bColumns = extent(getB(), getTransposeB() ? 0 : 1);
  if (aRows != getM() || bColumns != getN() || bDepth != getK())
    return emitOpError("sizes do not fit: a gives ")
           << aRows << "x" << getK() << ", b gives " << bDepth << "x" << bColumns << ", c is " << getM()
           << "x" << getN();
  if (getBias() && extent(getBias(), 0) != getN())
    return emitOpError("bias must have ") << getN() << " elements";
  if (failed(verifyBackward(*this)))
    return failure();
  bool tensors = isa<RankedTensorType>(getC().getType());
  SmallVector<Type> written(getDpsInits().getTypes());
  if (!llvm::equal(getResultTypes(), tensors ? ArrayRef<Type>(written) : ArrayRef<Type>()))
    return emitOpError("has results of the types of what it writes on tensors, and none on buffers");
  return success();
}

LogicalResult WindowSlotOp::verify() {
  auto window = cast<MemRefType>(getWindow().getType()), slot = cast<MemRefType>(getSlot().getType());
  if (auto dim = getDim()) {
    if (*dim >= static_cast<uint64_t>(window.getRank()) || slot.getRank() != window.getRank())
      return emitOpError("slot must have the window's rank and a dimension ") << *dim;
    return success();
  }
  if (window.getRank() != slot.getRank() + 1 || window.getShape().drop_front() != slot.getShape())
    return emitOpError("slot must have the window's shape without its leading dimension");
  return success();
}
