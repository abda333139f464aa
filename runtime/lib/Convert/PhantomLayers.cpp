//===- PhantomLayers.cpp - The phantom layers of a program ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/PhantomLayers.h"

#include "phantom-rt/Error.h"

#include <algorithm>
#include <cblas.h>

using namespace llvm;

namespace phantom::rt {

static std::optional<size_t> findParameter(const Program &program, StringRef name) {
  for (size_t i = 0; i < program.parameters.size(); ++i)
    if (program.parameters[i].name == name)
      return i;
  return std::nullopt;
}

std::vector<PhantomLayer> findPhantomLayers(const Program &program) {
  std::vector<PhantomLayer> layers;
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const Parameter &local = program.parameters[i];
    StringRef name = local.name;
    if (local.layout != Layout::Stacked || !local.stateOf.empty() || !name.consume_back(".local"))
      continue;
    PhantomLayer layer;
    layer.name = name.str();
    layer.ranks = program.ranks;
    layer.out = local.storedShape[0] * program.ranks;
    layer.in = local.storedShape[1] * program.ranks;
    layer.local = i;
    layer.compressor = findParameter(program, layer.name + ".compressor");
    layer.decompressor = findParameter(program, layer.name + ".decompressor");
    if (layer.compressor)
      layer.ghostWidth = program.parameters[*layer.compressor].storedShape[0];
    layers.push_back(std::move(layer));
  }
  return layers;
}

static Matrix readMatrix(const ParameterStore &store, size_t parameter, int64_t columns) {
  std::vector<double> values = store.values(parameter);
  Matrix matrix(int64_t(values.size()) / columns, columns);
  matrix.values = std::move(values);
  return matrix;
}

PhantomFactors readFactors(const ParameterStore &store, const PhantomLayer &layer) {
  PhantomFactors factors;
  factors.local = readMatrix(store, layer.local, layer.in / layer.ranks);
  if (layer.compressor)
    factors.compressors = readMatrix(store, *layer.compressor, layer.in / layer.ranks);
  if (layer.decompressor)
    factors.decompressors = readMatrix(store, *layer.decompressor, layer.out / layer.ranks);
  return factors;
}

void writeFactors(ParameterStore &store, const PhantomLayer &layer, const PhantomFactors &factors) {
  auto write = [&](std::optional<size_t> parameter, const Matrix &matrix) {
    if (parameter)
      store.set(*parameter, matrix.values);
  };
  write(layer.local, factors.local);
  write(layer.compressor, factors.compressors);
  write(layer.decompressor, factors.decompressors);
}

Matrix composeWeight(const PhantomLayer &layer, const PhantomFactors &factors) {
  const int64_t p = layer.ranks, k = layer.ghostWidth, mOut = layer.out / p, mIn = layer.in / p;
  Matrix weight(layer.out, layer.in);
  for (int64_t j = 0; j < p; ++j) {
    for (int64_t i = 0; i < p; ++i)
      if (i != j && k > 0)
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, mOut, mIn, k, 1,
                    factors.decompressors.row((j * p + i) * k), mOut, factors.compressors.row(i * k), mIn, 0,
                    weight.row(j * mOut) + i * mIn, layer.in);
    for (int64_t row = j * mOut; row < (j + 1) * mOut; ++row)
      std::copy_n(factors.local.row(row), mIn, weight.row(row) + j * mIn);
  }
  return weight;
}

Expected<Matrix> readDenseWeight(const Program &program, const PhantomLayer &layer, SourceFiles &files) {
  const Init &init = program.parameters[layer.local].init;
  auto fail = [&](const Twine &why) { return makeError("layer '" + layer.name + "': " + why); };
  if (init.kind != InitKind::DiagonalBlock || !init.source)
    return fail("its dense weight has no values in the model");
  Expected<FileTensor> tensor = files.open(*init.source);
  if (!tensor)
    return fail(toString(tensor.takeError()));
  Expected<HostTensor> stored = convert(*tensor, ElementType::F64, "its source");
  if (!stored)
    return fail(toString(stored.takeError()));
  const std::vector<int64_t> expected =
      init.transposed ? std::vector{layer.in, layer.out} : std::vector{layer.out, layer.in};
  if (stored->type.shape != expected)
    return fail("its source has shape " + shapeText(stored->type.shape) + ", but " + shapeText(expected) +
                " is needed");
  Matrix weight(layer.out, layer.in);
  const double *values = stored->data<double>();
  if (!init.transposed) {
    std::copy_n(values, weight.values.size(), weight.values.begin());
    return weight;
  }
  for (int64_t i = 0; i < layer.in; ++i)
    for (int64_t j = 0; j < layer.out; ++j)
      weight.row(j)[i] = values[i * layer.out + j];
  return weight;
}

} // namespace phantom::rt
