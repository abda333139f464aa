//===- PartOperators.cpp - Operators that move parts ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parts.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::ConcatOp;
using mlir::phantom::GatherOp;
using mlir::phantom::SliceOp;

namespace phantom::onnx {

FailureOr<std::optional<Shape>> axesOf(NodeImporter &node, int64_t asInput) {
  if (node.opset() < asInput) {
    FailureOr<std::optional<std::vector<int64_t>>> attribute = node.intsAttribute("axes");
    if (mlir::failed(attribute) || mlir::failed(node.checkInputs(1, 1)))
      return failure();
    return *attribute ? std::optional(Shape((*attribute)->begin(), (*attribute)->end())) : std::nullopt;
  }
  if (!node.hasInput(1))
    return std::optional<Shape>();
  FailureOr<Shape> input = node.integers(1);
  return mlir::failed(input) ? FailureOr<std::optional<Shape>>(failure()) : FailureOr(std::optional(*input));
}

//===----------------------------------------------------------------------===//
// Slice and Split
//===----------------------------------------------------------------------===//

namespace {

/// The attributes or inputs of a Slice.
struct SliceNumbers {
  Shape starts, ends;
  std::optional<Shape> axes, steps;
};

} // namespace

static FailureOr<SliceNumbers> sliceNumbers(NodeImporter &node) {
  SliceNumbers numbers;
  if (node.opset() < 10) {
    auto starts = node.intsAttribute("starts"), ends = node.intsAttribute("ends"),
         axes = node.intsAttribute("axes");
    if (mlir::failed(starts) || mlir::failed(ends) || mlir::failed(axes) ||
        mlir::failed(node.checkInputs(1, 1)))
      return failure();
    if (!*starts || !*ends)
      return node.error() << "needs the attributes 'starts' and 'ends'";
    numbers.starts.assign((*starts)->begin(), (*starts)->end());
    numbers.ends.assign((*ends)->begin(), (*ends)->end());
    if (*axes)
      numbers.axes.emplace((*axes)->begin(), (*axes)->end());
    return numbers;
  }
  FailureOr<Shape> starts = node.integers(1), ends = node.integers(2);
  FailureOr<std::optional<Shape>> axes = std::optional<Shape>(), steps = std::optional<Shape>();
  auto optional = [&](unsigned index) -> FailureOr<std::optional<Shape>> {
    if (!node.hasInput(index))
      return std::optional<Shape>();
    FailureOr<Shape> input = node.integers(index);
    return mlir::failed(input) ? FailureOr<std::optional<Shape>>(failure())
                               : FailureOr(std::optional(*input));
  };
  axes = optional(3);
  steps = optional(4);
  if (mlir::failed(starts) || mlir::failed(ends) || mlir::failed(axes) || mlir::failed(steps))
    return failure();
  return SliceNumbers{*starts, *ends, *axes, *steps};
}

/// From `start` to before `end`, as Python means it: beyond the ends, it stops there.
static FailureOr<SlicePart> sliceDimension(NodeImporter &node, int64_t extent, int64_t start, int64_t end,
                                           int64_t step) {
  constexpr int64_t most = int64_t(1) << 44;
  if (step == 0)
    return node.error() << "has a step of 0";
  step = std::clamp(step, -most, most);
  auto fromStart = [&](int64_t index) { return index < 0 ? std::max(index, -most) + extent : index; };
  int64_t low = step > 0 ? 0 : -1, high = step > 0 ? extent : extent - 1;
  start = std::clamp(fromStart(start), low, high);
  end = std::clamp(fromStart(end), low, high);
  int64_t count = (end - start + step + (step > 0 ? -1 : 1)) / step;
  return SlicePart{{start}, {step}, {std::max<int64_t>(count, 0)}};
}

FailureOr<SlicePart> slicePart(NodeImporter &node, ArrayRef<int64_t> shape) {
  FailureOr<SliceNumbers> numbers = sliceNumbers(node);
  if (mlir::failed(numbers))
    return failure();
  size_t count = numbers->starts.size();
  Shape axes = numbers->axes.value_or(to_vector(seq<int64_t>(0, count)));
  Shape steps = numbers->steps.value_or(Shape(count, 1));
  if (numbers->ends.size() != count || axes.size() != count || steps.size() != count)
    return node.error() << "has " << count << " starts, but another number of ends, axes or steps";
  if (mlir::failed(checkedAxes(node, axes, shape.size())))
    return failure();
  SlicePart part{Shape(shape.size(), 0), Shape(shape.size(), 1), Shape(shape)};
  for (auto [axis, start, end, step] : zip(axes, numbers->starts, numbers->ends, steps)) {
    int64_t d = axis < 0 ? axis + static_cast<int64_t>(shape.size()) : axis;
    if (ShapedType::isDynamic(shape[d])) {
      bool whole = start == 0 && step == 1 && end >= std::numeric_limits<int32_t>::max();
      if (!whole)
        return node.error() << "takes a part of the dynamic batch, which is not supported";
      continue;
    }
    FailureOr<SlicePart> range = sliceDimension(node, shape[d], start, end, step);
    if (mlir::failed(range))
      return failure();
    part.sizes[d] = range->sizes[0];
    if (part.sizes[d] == 0)
      continue;
    part.offsets[d] = range->offsets[0];
    part.strides[d] = range->strides[0];
  }
  return part;
}

static FailureOr<Value> createSlice(NodeImporter &node, Value value, const SlicePart &part) {
  FailureOr<RankedTensorType> type = node.tensorType(part.sizes, elementOf(value));
  if (mlir::failed(type))
    return failure();
  if (*type == value.getType() && all_of(part.strides, [](int64_t stride) { return stride == 1; }))
    return value;
  return Value(SliceOp::create(node.builder, node.location, *type, value, part.offsets, part.strides));
}

LogicalResult importSlice(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  if (mlir::failed(x))
    return failure();
  FailureOr<SlicePart> part = slicePart(node, shapeOf(*x));
  FailureOr<Value> y = mlir::failed(part) ? FailureOr<Value>(failure()) : createSlice(node, *x, *part);
  return mlir::failed(y) ? failure() : node.setResult(*y);
}

/// The extents of Split's outputs.
static FailureOr<Shape> splitSizes(NodeImporter &node, int64_t extent) {
  int64_t parts = node.numOutputs();
  FailureOr<Shape> sizes = Shape();
  if (node.opset() < 13) {
    FailureOr<std::optional<std::vector<int64_t>>> attribute = node.intsAttribute("split");
    // Split-1 could also take it as an input.
    if (mlir::failed(attribute) || mlir::failed(node.checkInputs(1, node.opset() < 2 ? 2 : 1)))
      return failure();
    if (*attribute)
      sizes->assign((*attribute)->begin(), (*attribute)->end());
  }
  if (node.hasInput(1))
    sizes = node.integers(1);
  FailureOr<int64_t> count = node.opset() >= 18 ? node.intAttribute("num_outputs", parts) : parts;
  if (mlir::failed(sizes) || mlir::failed(count))
    return failure();
  if (*count != parts)
    return node.error() << "has " << parts << " outputs, but says " << *count;
  if (sizes->empty()) {
    // Since opset 18 the last part may be smaller.
    int64_t size = (extent + parts - 1) / parts;
    if (node.opset() < 18 && extent % parts != 0)
      return node.error() << "cannot split " << extent << " into " << parts << " equal parts";
    sizes->assign(parts, size);
    sizes->back() = extent - size * (parts - 1);
  }
  int64_t total = 0;
  for (int64_t size : *sizes)
    total = size < 0 || size > extent ? extent + 1 : std::min(total + size, extent + 1);
  if (static_cast<int64_t>(sizes->size()) != parts || total != extent)
    return node.error() << "has the sizes [" << shapeText(*sizes) << "], which do not split " << extent
                        << " into " << parts << " outputs";
  return sizes;
}

LogicalResult importSplit(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<int64_t> attribute = node.intAttribute("axis", 0);
  if (mlir::failed(x) || mlir::failed(attribute))
    return failure();
  Shape shape(shapeOf(*x));
  FailureOr<int64_t> axis = checkedAxis(node, *attribute, shape.size());
  if (mlir::failed(axis))
    return failure();
  if (ShapedType::isDynamic(shape[*axis]))
    return node.error() << "splits the dynamic batch, which is not supported";
  FailureOr<Shape> sizes = splitSizes(node, shape[*axis]);
  if (mlir::failed(sizes))
    return failure();
  SlicePart part{Shape(shape.size(), 0), Shape(shape.size(), 1), shape};
  for (auto [i, size] : enumerate(*sizes)) {
    part.sizes[*axis] = size;
    FailureOr<Value> y = createSlice(node, *x, part);
    if (mlir::failed(y) || mlir::failed(node.setOutput(i, *y)))
      return failure();
    part.offsets[*axis] += size;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Concat and Gather
//===----------------------------------------------------------------------===//

FailureOr<int64_t> concatAxis(NodeImporter &node, int64_t rank) {
  if (node.opset() >= 4 && !node.hasAttribute("axis"))
    return node.error() << "needs the attribute 'axis'";
  FailureOr<int64_t> axis = node.intAttribute("axis", 1);
  return mlir::failed(axis) ? FailureOr<int64_t>(failure()) : checkedAxis(node, *axis, rank);
}

LogicalResult importConcat(NodeImporter &node) {
  SmallVector<Value> values;
  for (unsigned i = 0; i < node.numInputs(); ++i) {
    FailureOr<Value> value = node.anyOperand(i);
    if (mlir::failed(value))
      return failure();
    values.push_back(*value);
  }
  Shape shape(shapeOf(values.front()));
  FailureOr<int64_t> axis = concatAxis(node, shape.size());
  if (mlir::failed(axis))
    return failure();
  int64_t total = 0;
  for (Value value : values) {
    Shape own(shapeOf(value));
    bool fits = own.size() == shape.size() && elementOf(value) == elementOf(values.front());
    if (fits && ShapedType::isDynamic(own[*axis]))
      return node.error() << "joins along the dynamic batch, which is not supported";
    if (fits) {
      total += own[*axis];
      own[*axis] = shape[*axis];
    }
    if (!fits || own != shape)
      return node.error() << "cannot join " << cast<RankedTensorType>(values.front().getType()) << " and "
                          << cast<RankedTensorType>(value.getType()) << " along axis " << *axis;
  }
  shape[*axis] = total;
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(values.front()));
  if (mlir::failed(type))
    return failure();
  return node.setResult(ConcatOp::create(node.builder, node.location, *type, values, *axis).getOutput());
}

FailureOr<int64_t> gatherAxis(NodeImporter &node, int64_t rank) {
  FailureOr<int64_t> axis = node.intAttribute("axis", 0);
  return mlir::failed(axis) ? FailureOr<int64_t>(failure()) : checkedAxis(node, *axis, rank);
}

Shape gatheredShape(ArrayRef<int64_t> data, ArrayRef<int64_t> indices, int64_t axis) {
  Shape shape(data.take_front(axis));
  append_range(shape, indices);
  append_range(shape, data.drop_front(axis + 1));
  return shape;
}

/// Constant indices are checked here.
static LogicalResult checkIndices(NodeImporter &node, Value indices, int64_t extent) {
  DenseIntElementsAttr constant;
  if (auto broadcast = indices.getDefiningOp<mlir::phantom::BroadcastOp>())
    indices = broadcast.getInput();
  if (auto op = indices.getDefiningOp<arith::ConstantOp>())
    constant = dyn_cast<DenseIntElementsAttr>(op.getValue());
  if (!constant)
    return success();
  for (const APInt &index : constant.getValues<APInt>())
    if (index.getSExtValue() < -extent || index.getSExtValue() >= extent)
      return node.error() << "has the index " << index.getSExtValue() << ", but the dimension has " << extent;
  return success();
}

LogicalResult importGather(NodeImporter &node) {
  FailureOr<Value> data = node.anyOperand(0), indices = node.anyOperand(1);
  if (mlir::failed(data) || mlir::failed(indices))
    return failure();
  Type index = elementOf(*indices);
  if (!index.isInteger(32) && !index.isInteger(64))
    return node.error() << "has indices of type " << index << "; int32 and int64 are possible";
  FailureOr<int64_t> axis = gatherAxis(node, shapeOf(*data).size());
  if (mlir::failed(axis))
    return failure();
  int64_t extent = shapeOf(*data)[*axis];
  if (ShapedType::isDynamic(extent))
    return node.error() << "gathers along the dynamic batch, which is not supported";
  if (mlir::failed(checkIndices(node, *indices, extent)))
    return failure();
  Shape shape = gatheredShape(shapeOf(*data), shapeOf(*indices), *axis);
  if (extent == 0 && !is_contained(shape, 0))
    return node.error() << "gathers from a dimension without elements";
  if (count_if(shape, ShapedType::isDynamic) > 1)
    return node.error() << "gathers from a dynamic batch with indices of a dynamic batch";
  FailureOr<RankedTensorType> type = node.tensorType(shape, elementOf(*data));
  if (mlir::failed(type))
    return failure();
  node.limitIndices(*indices, extent);
  return node.setOutput(0, GatherOp::create(node.builder, node.location, *type, *data, *indices, *axis),
                        node.isUnsigned(*data));
}

/// A constant mask keeps a triangle of the last two dimensions.
LogicalResult importTrilu(NodeImporter &node) {
  FailureOr<Value> x = node.anyOperand(0);
  FailureOr<int64_t> upper = node.intAttribute("upper", 1);
  FailureOr<Shape> diagonal = node.hasInput(1) ? node.integers(1) : FailureOr<Shape>(Shape{0});
  if (mlir::failed(x) || mlir::failed(upper) || mlir::failed(diagonal))
    return failure();
  ArrayRef<int64_t> shape = shapeOf(*x);
  constexpr int64_t mostElements = int64_t(1) << 24;
  if (shape.size() < 2 || ShapedType::isDynamicShape(shape.take_back(2)) || diagonal->size() != 1 ||
      shape.back() > mostElements / std::max<int64_t>(shape.drop_back().back(), 1))
    return node.error() << "cannot take a triangle of " << cast<RankedTensorType>(x->getType());
  int64_t rows = shape.drop_back().back(), columns = shape.back();
  int64_t k = std::clamp<int64_t>((*diagonal)[0], -rows - 1, columns + 1);
  SmallVector<bool> kept;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t column = 0; column < columns; ++column)
      kept.push_back(*upper ? column - row >= k : column - row <= k);
  auto type = RankedTensorType::get({rows, columns}, node.builder.getI1Type());
  Value mask = arith::ConstantOp::create(node.builder, node.location, DenseElementsAttr::get(type, kept));
  FailureOr<Value> wide = broadcastTo(node, mask, *x);
  if (mlir::failed(wide))
    return failure();
  Value zero = splat(node, 0, *x);
  return node.setResult(arith::SelectOp::create(node.builder, node.location, *wide, *x, zero));
}

} // namespace phantom::onnx
