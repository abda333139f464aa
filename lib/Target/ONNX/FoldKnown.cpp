//===- FoldKnown.cpp - Compute shapes at import ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Exporters write what a program computes from shapes as nodes: Shape, Gather, Div, Concat, Reshape. Elements
// that depend on the batch B are carried as a + b·B, so that they cancel where the batch does.
//
//===----------------------------------------------------------------------===//

#include "Parts.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace llvm;
using namespace mlir;

namespace phantom::onnx {

namespace {

using MaybeExtent = std::optional<Extent>;
using MaybeKnown = std::optional<KnownTensor>;

constexpr auto kInt64 = static_cast<int32_t>(DataType::Int64);
constexpr auto kBool = static_cast<int32_t>(DataType::Bool);

int64_t elementCount(ArrayRef<int64_t> dims) {
  int64_t count = 1;
  for (int64_t extent : dims)
    if (extent < 0 || MulOverflow(count, extent, count) || count > KnownTensor::kMostElements)
      return KnownTensor::kMostElements + 1;
  return count;
}

/// A tensor whose elements are `element` of their indices; nothing if it is too large, or one is not known.
MaybeKnown build(int32_t type, ArrayRef<int64_t> dims,
                 llvm::function_ref<MaybeExtent(ArrayRef<int64_t>)> element) {
  int64_t count = elementCount(dims);
  if (count > KnownTensor::kMostElements)
    return std::nullopt;
  KnownTensor result{type, dims.vec(), {}};
  SmallVector<int64_t> indices(dims.size(), 0);
  for (int64_t i = 0; i < count; ++i) {
    MaybeExtent value = element(indices);
    bool fits = value && (type != static_cast<int32_t>(DataType::Int32) || isInt<32>(value->constant));
    if (!fits)
      return std::nullopt;
    result.elements.push_back(*value);
    for (size_t d = dims.size(); d-- > 0;) {
      if (++indices[d] < dims[d])
        break;
      indices[d] = 0;
    }
  }
  return result;
}

/// The element at `indices` of a broadcast tensor: of what has fewer dimensions, the last ones count.
Extent at(const KnownTensor &tensor, ArrayRef<int64_t> indices) {
  int64_t flat = 0;
  indices = indices.take_back(tensor.dims.size());
  for (auto [extent, index] : zip(tensor.dims, indices))
    flat = flat * extent + (extent == 1 ? 0 : index);
  return tensor.elements[flat];
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

MaybeExtent scale(Extent value, int64_t factor) {
  if (MulOverflow(value.constant, factor, value.constant) ||
      MulOverflow(value.perBatch, factor, value.perBatch))
    return std::nullopt;
  return value;
}

MaybeExtent add(Extent a, Extent b) {
  if (AddOverflow(a.constant, b.constant, a.constant) || AddOverflow(a.perBatch, b.perBatch, a.perBatch))
    return std::nullopt;
  return a;
}

MaybeExtent subtract(Extent a, Extent b) {
  MaybeExtent negated = scale(b, -1);
  return negated ? add(a, *negated) : std::nullopt;
}

MaybeExtent multiply(Extent a, Extent b) {
  if (!a.isConstant() && !b.isConstant())
    return std::nullopt;
  return a.isConstant() ? scale(b, a.constant) : scale(a, b.constant);
}

MaybeExtent divide(Extent a, Extent b) {
  constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
  if (b.isConstant()) {
    if (b.constant == 0 || a.constant == lowest || a.perBatch == lowest)
      return std::nullopt;
    bool exact = a.constant % b.constant == 0 && a.perBatch % b.constant == 0;
    if (!a.isConstant() && !exact)
      return std::nullopt;
    return Extent{a.constant / b.constant, a.perBatch / b.constant};
  }
  // (f·b)/b, whatever the batch.
  int64_t factor = a.perBatch == lowest ? 0 : a.perBatch / b.perBatch;
  MaybeExtent product = scale(b, factor);
  return product && *product == a && factor != 0 ? MaybeExtent(Extent{factor, 0}) : std::nullopt;
}

/// Whether a < b; nothing where that depends on the batch, which is at least 1.
std::optional<bool> isLess(Extent a, Extent b) {
  MaybeExtent difference = subtract(a, b);
  MaybeExtent atOne = difference ? add({difference->constant, 0}, {difference->perBatch, 0}) : std::nullopt;
  if (!atOne)
    return std::nullopt;
  if (difference->isConstant())
    return difference->constant < 0;
  if (difference->perBatch < 0 && atOne->constant < 0)
    return true;
  if (difference->perBatch > 0 && atOne->constant >= 0)
    return false;
  return std::nullopt;
}

MaybeExtent boolean(std::optional<bool> value, bool negate = false) {
  return value ? MaybeExtent(Extent{*value != negate, 0}) : std::nullopt;
}

std::optional<bool> isEqual(Extent a, Extent b) {
  if (a == b)
    return true;
  auto less = isLess(a, b), greater = isLess(b, a);
  bool differ = (less && *less) || (greater && *greater);
  return differ ? std::optional(false) : std::nullopt;
}

MaybeExtent smaller(Extent a, Extent b, bool larger) {
  auto less = isLess(a, b);
  if (a == b)
    return a;
  if (!less)
    return std::nullopt;
  return *less != larger ? a : b;
}

using Binary = MaybeExtent (*)(Extent, Extent);

Binary binaryOf(StringRef op) {
  return llvm::StringSwitch<Binary>(op)
      .Case("Add", add)
      .Case("Sub", subtract)
      .Case("Mul", multiply)
      .Case("Div", divide)
      .Case("Min", [](Extent a, Extent b) { return smaller(a, b, false); })
      .Case("Max", [](Extent a, Extent b) { return smaller(a, b, true); })
      .Case("Equal", [](Extent a, Extent b) { return boolean(isEqual(a, b)); })
      .Case("Less", [](Extent a, Extent b) { return boolean(isLess(a, b)); })
      .Case("Greater", [](Extent a, Extent b) { return boolean(isLess(b, a)); })
      .Case("LessOrEqual", [](Extent a, Extent b) { return boolean(isLess(b, a), true); })
      .Case("GreaterOrEqual", [](Extent a, Extent b) { return boolean(isLess(a, b), true); })
      .Case("And", [](Extent a, Extent b) { return boolean(a.constant && b.constant); })
      .Case("Or", [](Extent a, Extent b) { return boolean(a.constant || b.constant); })
      .Case("Xor", [](Extent a, Extent b) { return boolean(a.constant != b.constant); })
      .Default(nullptr);
}

/// The common shape of the operands, or nothing.
std::optional<SmallVector<int64_t>> commonDims(ArrayRef<KnownTensor> operands) {
  SmallVector<int64_t> common;
  for (const KnownTensor &operand : operands) {
    ArrayRef<int64_t> dims = operand.dims;
    if (dims.size() > common.size())
      common.insert(common.begin(), dims.size() - common.size(), 1);
    for (size_t d = 0; d < dims.size(); ++d) {
      int64_t &extent = common[d + common.size() - dims.size()];
      if (extent != dims[d] && extent != 1 && dims[d] != 1)
        return std::nullopt;
      extent = extent == 1 ? dims[d] : extent;
    }
  }
  return common;
}

MaybeKnown foldElementwise(NodeImporter &node, ArrayRef<KnownTensor> in) {
  StringRef op = node.opType();
  auto dims = commonDims(in);
  if (!dims || node.opset() < 7)
    return std::nullopt;
  if (op == "Where" && in.size() == 3)
    return build(in[1].type, *dims, [&](ArrayRef<int64_t> i) -> MaybeExtent {
      return at(in[0], i).constant ? at(in[1], i) : at(in[2], i);
    });
  Binary binary = binaryOf(op);
  bool compares = is_contained({"Equal", "Less", "Greater", "LessOrEqual", "GreaterOrEqual"}, op);
  if (!binary || in.size() != 2 || in[0].type != in[1].type)
    return std::nullopt;
  return build(compares ? kBool : in[0].type, *dims,
               [&](ArrayRef<int64_t> i) { return binary(at(in[0], i), at(in[1], i)); });
}

MaybeKnown foldUnary(NodeImporter &node, const KnownTensor &in, int32_t type) {
  StringRef op = node.opType();
  return build(type, in.dims, [&](ArrayRef<int64_t> i) -> MaybeExtent {
    Extent value = at(in, i);
    if (op == "Neg")
      return scale(value, -1);
    if (op == "Not")
      return boolean(value.constant == 0);
    if (type == kBool) // Cast
      return boolean(isEqual(value, {}), /*negate=*/true);
    return value;
  });
}

FailureOr<MaybeKnown> foldCast(NodeImporter &node, const KnownTensor &in) {
  FailureOr<int64_t> to = node.intAttribute("to", 0);
  ignoreCastModes(node);
  if (mlir::failed(to))
    return failure();
  if (*to != kInt64 && *to != kBool && *to != static_cast<int64_t>(DataType::Int32))
    return MaybeKnown();
  return foldUnary(node, in, static_cast<int32_t>(*to));
}

//===----------------------------------------------------------------------===//
// Parts and shapes
//===----------------------------------------------------------------------===//

FailureOr<MaybeKnown> foldGather(NodeImporter &node, ArrayRef<KnownTensor> in) {
  const KnownTensor &data = in[0], &indices = in[1];
  FailureOr<int64_t> axis = gatherAxis(node, data.dims.size());
  if (mlir::failed(axis))
    return failure();
  SmallVector<int64_t> dims = gatheredShape(data.dims, indices.dims, *axis);
  return build(data.type, dims, [&](ArrayRef<int64_t> i) -> MaybeExtent {
    Extent index = at(indices, i.slice(*axis, indices.dims.size()));
    int64_t extent = data.dims[*axis], from = index.constant + (index.constant < 0 ? extent : 0);
    if (!index.isConstant() || from < 0 || from >= extent)
      return std::nullopt;
    SmallVector<int64_t> source(i.take_front(*axis));
    source.push_back(from);
    append_range(source, i.drop_front(*axis + indices.dims.size()));
    return at(data, source);
  });
}

FailureOr<MaybeKnown> foldSlice(NodeImporter &node, const KnownTensor &data) {
  FailureOr<SlicePart> part = slicePart(node, data.dims);
  if (mlir::failed(part))
    return failure();
  return build(data.type, part->sizes, [&](ArrayRef<int64_t> i) -> MaybeExtent {
    SmallVector<int64_t> source;
    for (auto [index, offset, stride] : zip(i, part->offsets, part->strides))
      source.push_back(offset + index * stride);
    return at(data, source);
  });
}

FailureOr<MaybeKnown> foldConcat(NodeImporter &node, ArrayRef<KnownTensor> in) {
  size_t rank = in[0].dims.size();
  FailureOr<int64_t> axis = concatAxis(node, rank);
  if (mlir::failed(axis))
    return failure();
  SmallVector<int64_t> dims(ArrayRef<int64_t>(in[0].dims));
  dims[*axis] = 0;
  for (const KnownTensor &operand : in) {
    SmallVector<int64_t> own(ArrayRef<int64_t>(operand.dims));
    if (own.size() != rank)
      return MaybeKnown();
    dims[*axis] += own[*axis];
    own[*axis] = dims[*axis];
    if (own != dims)
      return MaybeKnown();
  }
  return build(in[0].type, dims, [&](ArrayRef<int64_t> i) -> MaybeExtent {
    SmallVector<int64_t> source(i);
    const KnownTensor *operand = in.begin();
    while (source[*axis] >= operand->dims[*axis])
      source[*axis] -= (operand++)->dims[*axis];
    return at(*operand, source);
  });
}

/// Squeeze, Unsqueeze and Reshape of what is known: the elements stay.
MaybeKnown withDims(const KnownTensor &data, ArrayRef<int64_t> dims) {
  if (elementCount(dims) != static_cast<int64_t>(data.elements.size()))
    return std::nullopt;
  return KnownTensor{data.type, dims.vec(), data.elements};
}

FailureOr<MaybeKnown> foldReshape(NodeImporter &node, const KnownTensor &data) {
  FailureOr<SmallVector<int64_t>> shape = failure();
  if (node.opType() == "Squeeze")
    shape = squeezedShape(node, data.dims);
  else if (node.opType() == "Unsqueeze")
    shape = unsqueezedShape(node, data.dims);
  else
    shape = reshapedShape(node, data.dims, /*rowsPerBatch=*/0);
  return mlir::failed(shape) ? FailureOr<MaybeKnown>(failure()) : FailureOr(withDims(data, *shape));
}

FailureOr<MaybeKnown> foldConstantOfShape(NodeImporter &node, const KnownTensor &shape) {
  FailureOr<const Tensor *> attribute = node.tensorAttribute("value");
  if (mlir::failed(attribute))
    return failure();
  MaybeKnown value = *attribute ? toKnown(**attribute) : MaybeKnown();
  if (!value || value->elements.size() != 1 || !shape.isConstant() || shape.dims.size() != 1)
    return MaybeKnown();
  SmallVector<int64_t> dims;
  for (const Extent &extent : shape.elements)
    dims.push_back(extent.constant);
  return build(value->type, dims, [&](ArrayRef<int64_t>) -> MaybeExtent { return value->elements[0]; });
}

MaybeKnown foldRange(NodeImporter &node, ArrayRef<KnownTensor> in) {
  // It says how narrow floats are computed.
  if (node.opset() >= 27)
    node.ignoreAttribute("stash_type");
  for (const KnownTensor &operand : in)
    if (operand.elements.size() != 1 || !operand.isConstant())
      return std::nullopt;
  int64_t start = in[0].elements[0].constant, limit = in[1].elements[0].constant,
          delta = in[2].elements[0].constant, distance = 0;
  if (delta == 0 || SubOverflow(limit, start, distance) || !isInt<62>(distance) || !isInt<62>(delta))
    return std::nullopt;
  int64_t steps = (distance + delta + (delta > 0 ? -1 : 1)) / delta;
  return build(in[0].type, {std::max<int64_t>(steps, 0)},
               [&](ArrayRef<int64_t> i) -> MaybeExtent { return Extent{start + i[0] * delta, 0}; });
}

MaybeKnown foldExpand(ArrayRef<KnownTensor> in) {
  KnownTensor target{in[0].type, {}, {Extent{}}};
  for (const Extent &extent : in[1].elements) {
    if (!extent.isConstant() || extent.constant < 1)
      return std::nullopt;
    target.dims.push_back(extent.constant);
  }
  KnownTensor operands[] = {in[0], target};
  auto dims = commonDims(operands);
  if (!dims)
    return std::nullopt;
  return build(in[0].type, *dims, [&](ArrayRef<int64_t> i) -> MaybeExtent { return at(in[0], i); });
}

/// Shape and Size, of a value in the IR or of what is known.
FailureOr<MaybeKnown> foldShape(NodeImporter &node) {
  SmallVector<Extent> shape;
  if (MaybeKnown data = node.known(0)) {
    for (int64_t extent : data->dims)
      shape.push_back({extent, 0});
  } else {
    FailureOr<SmallVector<Extent>> found = node.shapeOfInput(0);
    if (mlir::failed(found))
      return failure();
    shape = *found;
  }
  if (node.opType() == "Size") {
    MaybeExtent size = Extent{1, 0};
    for (const Extent &extent : shape)
      size = size ? multiply(*size, extent) : std::nullopt;
    return size ? MaybeKnown(KnownTensor{kInt64, {}, {*size}}) : MaybeKnown();
  }
  int64_t rank = shape.size(), start = 0, end = rank;
  if (node.opset() >= 15) {
    FailureOr<int64_t> first = node.intAttribute("start", 0), last = node.intAttribute("end", rank);
    if (mlir::failed(first) || mlir::failed(last))
      return failure();
    auto clamped = [&](int64_t index) {
      return std::clamp<int64_t>(index < 0 ? index + rank : index, 0, rank);
    };
    start = clamped(*first);
    end = std::max(clamped(*last), start);
  }
  if (end - start == rank && node.hasOutput(0))
    node.noteShapeSource();
  return MaybeKnown(
      KnownTensor{kInt64, {end - start}, std::vector<Extent>(shape.begin() + start, shape.begin() + end)});
}

FailureOr<MaybeKnown> fold(NodeImporter &node, ArrayRef<KnownTensor> in) {
  StringRef op = node.opType();
  if (op == "Cast")
    return foldCast(node, in[0]);
  if (op == "Neg" || op == "Not")
    return foldUnary(node, in[0], in[0].type);
  if (op == "Gather" && in.size() == 2)
    return foldGather(node, in);
  if (op == "Slice")
    return foldSlice(node, in[0]);
  if (op == "Concat")
    return foldConcat(node, in);
  if (op == "Squeeze" || op == "Unsqueeze" || op == "Reshape")
    return foldReshape(node, in[0]);
  if (op == "ConstantOfShape")
    return foldConstantOfShape(node, in[0]);
  if (op == "Range" && in.size() == 3)
    return foldRange(node, in);
  if (op == "Expand" && in.size() == 2)
    return foldExpand(in);
  return foldElementwise(node, in);
}

} // namespace

FailureOr<bool> foldKnown(NodeImporter &node) {
  FailureOr<MaybeKnown> result = MaybeKnown();
  if (node.opType() == "Shape" || node.opType() == "Size") {
    result = foldShape(node);
  } else {
    constexpr StringLiteral others[] = {"Cast",   "Neg",     "Not",       "Gather",  "Slice",
                                        "Concat", "Squeeze", "Unsqueeze", "Reshape", "ConstantOfShape",
                                        "Range",  "Expand",  "Where"};
    if (!binaryOf(node.opType()) && !is_contained(others, node.opType()))
      return false;
    SmallVector<KnownTensor> in;
    for (unsigned i = 0; i < node.numInputs(); ++i) {
      MaybeKnown operand = node.known(i);
      if (!operand && node.hasInput(i))
        return false;
      if (operand)
        in.push_back(std::move(*operand));
    }
    if (in.empty())
      return false;
    result = fold(node, in);
  }
  if (mlir::failed(result))
    return failure();
  if (!*result)
    return false;
  return mlir::failed(node.setKnown(std::move(**result))) ? FailureOr<bool>(failure())
                                                          : FailureOr<bool>(true);
}

} // namespace phantom::onnx
