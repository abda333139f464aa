//===- ComposeWeights.cpp - The arithmetic of exported weights -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExportWeights.h"

using namespace llvm;

namespace phantom::onnx {

static Error makeError(const Twine &message) { return createStringError(inconvertibleErrorCode(), message); }

/// Elements [first, first + count) as T.
template <typename T>
static std::vector<T> slice(const rt::FileTensor &tensor, int64_t first, int64_t count) {
  constexpr rt::ElementType element = std::is_same_v<T, double> ? rt::ElementType::F64 : rt::ElementType::F32;
  std::vector<T> values(count);
  rt::convertElements(tensor.element, tensor.bytes + first * rt::byteWidth(tensor.element), element,
                      values.data(), count);
  return values;
}

static void append(raw_ostream &out, ArrayRef<float> values) {
  out.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
}

/// Writes all elements, a piece at a time.
static Error copyTensor(Expected<rt::FileTensor> tensor, raw_ostream &out) {
  if (!tensor)
    return tensor.takeError();
  if (!rt::isFloat(tensor->element))
    return makeError("a weight holds " + rt::typeName(tensor->element) + ", but floats are needed");
  constexpr int64_t piece = 1 << 16;
  const int64_t elements = tensor->elements();
  for (int64_t first = 0; first < elements; first += piece)
    append(out, slice<float>(*tensor, first, std::min(piece, elements - first)));
  return Error::success();
}

WeightRecipe copyTrained(std::string name) {
  return [name = std::move(name)](WeightReader &reader, raw_ostream &out) {
    return copyTensor(reader.trained->read(name), out);
  };
}

WeightRecipe copySource(rt::Source source) {
  return [source = std::move(source)](WeightReader &reader, raw_ostream &out) {
    return copyTensor(reader.sources.open(source), out);
  };
}

static Expected<Factors> readFactors(WeightReader &reader, const LayerFactors &layer) {
  if (reader.layer == layer.layer)
    return reader.factors;
  // Two layers need not fit the memory.
  reader.factors = {};
  reader.layer.reset();
  Factors factors;
  auto read = [&](rt::FileTensor &to, const char *part) -> Error {
    std::string name = layer.layer + "." + part;
    Expected<rt::FileTensor> tensor = reader.trained->read(name);
    if (!tensor)
      return tensor.takeError();
    if (!rt::isFloat(tensor->element))
      return makeError("'" + name + "' holds " + rt::typeName(tensor->element) + ", but floats are needed");
    to = std::move(*tensor);
    return Error::success();
  };
  if (Error error = read(factors.local, "local"))
    return error;
  if (layer.ghosts) {
    if (Error error = read(factors.compressor, "compressor"))
      return error;
    if (Error error = read(factors.decompressor, "decompressor"))
      return error;
  }
  reader.layer = layer.layer;
  reader.factors = factors;
  return factors;
}

/// row += factor · values
static void addScaled(double factor, const double *values, double *row, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    row[i] += factor * values[i];
}

/// A block of the dense weight: rows of the left factor times the right one, [rows, k]·[k, columns]. The left
/// one is stored [k, rows].
static void addProduct(ArrayRef<double> left, int64_t row, int64_t rows, ArrayRef<double> right,
                       int64_t columns, double *result) {
  for (int64_t l = 0, ghosts = static_cast<int64_t>(left.size()) / rows; l < ghosts; ++l)
    addScaled(left[l * rows + row], right.data() + l * columns, result, columns);
}

/// Row by row: rank `j` has the rows of its outputs, and the blocks of all sources in them.
static void composeRows(const LayerFactors &layer, const Factors &factors, raw_ostream &out) {
  const int64_t p = layer.ranks, k = layer.ghosts, in = layer.in, rows = layer.out;
  std::vector<double> compressors = slice<double>(factors.compressor, 0, p * k * in), row(p * in);
  std::vector<float> rounded(p * in);
  for (int64_t j = 0; j < p; ++j) {
    std::vector<double> decompressors = slice<double>(factors.decompressor, j * p * k * rows, p * k * rows);
    for (int64_t r = 0; r < rows; ++r) {
      fill(row, 0.0);
      for (int64_t i = 0; i < p; ++i)
        if (i != j)
          addProduct(ArrayRef(decompressors).slice(i * k * rows, k * rows), r, rows,
                     ArrayRef(compressors).slice(i * k * in, k * in), in, row.data() + i * in);
      copy(row, rounded.begin());
      copy(slice<float>(factors.local, (j * rows + r) * in, in), rounded.begin() + j * in);
      append(out, rounded);
    }
  }
}

/// The transpose: rank `i` has the rows of its inputs, and the blocks of all destinations in them.
static void composeTransposedRows(const LayerFactors &layer, const Factors &factors, raw_ostream &out) {
  const int64_t p = layer.ranks, k = layer.ghosts, rows = layer.in, columns = layer.out;
  std::vector<double> row(p * columns);
  std::vector<float> rounded(p * columns);
  for (int64_t i = 0; i < p; ++i) {
    std::vector<double> compressor = slice<double>(factors.compressor, i * k * rows, k * rows);
    std::vector<std::vector<double>> decompressors;
    for (int64_t j = 0; j < p; ++j)
      decompressors.push_back(slice<double>(factors.decompressor, (j * p + i) * k * columns, k * columns));
    std::vector<float> local = slice<float>(factors.local, i * columns * rows, columns * rows);
    for (int64_t r = 0; r < rows; ++r) {
      fill(row, 0.0);
      for (int64_t j = 0; j < p; ++j)
        if (j != i)
          addProduct(compressor, r, rows, decompressors[j], columns, row.data() + j * columns);
      copy(row, rounded.begin());
      for (int64_t c = 0; c < columns; ++c)
        rounded[i * columns + c] = local[c * rows + r];
      append(out, rounded);
    }
  }
}

WeightRecipe composeDense(LayerFactors layer, bool transposed) {
  return [layer = std::move(layer), transposed](WeightReader &reader, raw_ostream &out) -> Error {
    Expected<Factors> factors = readFactors(reader, layer);
    if (!factors)
      return factors.takeError();
    if (transposed)
      composeTransposedRows(layer, *factors, out);
    else
      composeRows(layer, *factors, out);
    return Error::success();
  };
}

WeightRecipe joinParts(std::vector<WeightRecipe> parts, std::vector<int64_t> dims, int64_t dim,
                       std::vector<int64_t> counts) {
  return [=](WeightReader &reader, raw_ostream &out) -> Error {
    if (dim == 0) {
      for (const WeightRecipe &part : parts)
        if (Error error = part(reader, out))
          return error;
      return Error::success();
    }
    std::vector<std::string> bytes(parts.size());
    for (auto [part, text] : zip(parts, bytes)) {
      raw_string_ostream stream(text);
      if (Error error = part(reader, stream))
        return error;
    }
    for (int64_t row = 0; row < dims[0]; ++row)
      for (auto [text, count] : zip(bytes, counts))
        out << StringRef(text).substr(row * count * sizeof(float), count * sizeof(float));
    return Error::success();
  };
}

/// Writes the transpose of [rows, columns].
static void appendTransposed(ArrayRef<float> values, int64_t rows, int64_t columns, raw_ostream &out) {
  std::vector<float> turned(values.size());
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c)
      turned[c * rows + r] = values[r * columns + c];
  append(out, turned);
}

WeightRecipe rankCompressor(LayerFactors layer, int64_t rank) {
  return [layer = std::move(layer), rank](WeightReader &reader, raw_ostream &out) -> Error {
    Expected<Factors> factors = readFactors(reader, layer);
    if (!factors)
      return factors.takeError();
    const int64_t size = layer.ghosts * layer.in;
    appendTransposed(slice<float>(factors->compressor, rank * size, size), layer.ghosts, layer.in, out);
    return Error::success();
  };
}

WeightRecipe rankWeight(LayerFactors layer, int64_t rank) {
  return [layer = std::move(layer), rank](WeightReader &reader, raw_ostream &out) -> Error {
    Expected<Factors> factors = readFactors(reader, layer);
    if (!factors)
      return factors.takeError();
    const int64_t size = layer.out * layer.in, block = layer.ghosts * layer.out;
    appendTransposed(slice<float>(factors->local, rank * size, size), layer.out, layer.in, out);
    for (int64_t source = 0; source < layer.ranks; ++source)
      if (source != rank)
        append(out, slice<float>(factors->decompressor, (rank * layer.ranks + source) * block, block));
    return Error::success();
  };
}

} // namespace phantom::onnx
