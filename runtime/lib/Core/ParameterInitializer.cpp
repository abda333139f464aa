//===- ParameterInitializer.cpp - Carries out init recipes ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Error.h"
#include "phantom-rt/ParameterStore.h"
#include "phantom-rt/Random.h"

#include <cmath>
#include <cstring>

using namespace llvm;

namespace phantom::rt {

static std::string sourceKey(const Init &init) {
  const Source &source = *init.source;
  std::string key = source.file + "\n" + source.tensor + "\n" + std::to_string(source.offset);
  if (source.part)
    for (int64_t number : {source.part->dim, source.part->from, source.part->count})
      key += "\n" + std::to_string(number);
  return key + (init.transposed ? "\nT" : "");
}

static std::string factorKey(const Init &init) {
  return sourceKey(init) + "\nk" + std::to_string(init.ghostWidth);
}

Expected<ParameterInitializer> ParameterInitializer::prepare(const Program &program, uint64_t seed) {
  ParameterInitializer initializer;
  initializer.ranks = program.ranks;
  initializer.seed = seed;
  for (const Parameter &parameter : program.parameters) {
    if (Error error = checkParameter(parameter, program.ranks))
      return error;
    if (Error error = initializer.prepareOne(parameter))
      return makeError("parameter '" + parameter.name + "': " + toString(std::move(error)));
  }
  return initializer;
}

/// The shape without its ones: a bias may be stored as [1, n].
static std::vector<int64_t> withoutOnes(ArrayRef<int64_t> shape) {
  std::vector<int64_t> rest;
  for (int64_t size : shape)
    if (size != 1)
      rest.push_back(size);
  return rest;
}

Error ParameterInitializer::prepareOne(const Parameter &parameter) {
  const Init &init = parameter.init;
  if (init.kind == InitKind::Uniform || init.kind == InitKind::Zeros)
    return Error::success();
  Expected<const Dense *> source = dense(init, parameter.type.element);
  if (!source)
    return source.takeError();
  const std::vector<int64_t> &shape = (*source)->shape;
  const std::vector<int64_t> &stored = parameter.storedShape;

  switch (init.kind) {
  case InitKind::Load: {
    TensorType whole = globalType(parameter, ranks);
    if (withoutOnes(shape) != withoutOnes(whole.shape))
      return makeError("its source has shape " + shapeText(shape) + ", but " + shapeText(whole.shape) +
                       " is needed");
    return Error::success();
  }
  case InitKind::DiagonalBlock:
    if (shape.size() != 2 || stored.size() != 2 || shape[0] != ranks * stored[0] ||
        shape[1] != ranks * stored[1])
      return makeError("block " + shapeText(stored) + " times " + Twine(ranks) +
                       " ranks is not its source's shape " + shapeText(shape));
    return Error::success();
  default:
    return factor(parameter, **source);
  }
}

template <typename T> static void transpose(const T *source, int64_t rows, int64_t columns, T *destination) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      destination[j * rows + i] = source[i * columns + j];
}

Expected<const ParameterInitializer::Dense *> ParameterInitializer::dense(const Init &init,
                                                                          ElementType element) {
  std::string key = sourceKey(init);
  if (auto found = sources.find(key); found != sources.end())
    return &found->second;
  Expected<FileTensor> tensor = files.open(*init.source);
  if (!tensor)
    return tensor.takeError();
  if (!isFloat(tensor->element))
    return makeError("its source holds " + typeName(tensor->element) + ", but floats are needed");

  Dense result{tensor->element, tensor->shape, tensor->bytes, tensor->owner};
  if (init.transposed) {
    if (tensor->shape.size() != 2)
      return makeError("only matrices can be transposed; its source has shape " + shapeText(tensor->shape));
    Expected<HostTensor> plain = convert(*tensor, element, "its source");
    if (!plain)
      return plain.takeError();
    const int64_t rows = tensor->shape[0], columns = tensor->shape[1];
    auto turned = std::make_shared<HostTensor>(TensorType{element, {columns, rows}});
    if (element == ElementType::F32)
      transpose(plain->data<float>(), rows, columns, turned->data<float>());
    else
      transpose(plain->data<double>(), rows, columns, turned->data<double>());
    result = {storageType(element), turned->type.shape, turned->bytes.data(), turned};
  }
  return &sources.emplace(key, std::move(result)).first->second;
}

Error ParameterInitializer::factor(const Parameter &parameter, const Dense &source) {
  const Init &init = parameter.init;
  std::string key = factorKey(init);
  auto found = factored.find(key);
  if (found == factored.end()) {
    Expected<HostTensor> weight =
        convert(FileTensor{source.element, source.shape, source.bytes, source.owner}, parameter.type.element,
                "its source");
    if (!weight)
      return weight.takeError();
    Expected<LowRankFactors> factors = lowRankFactors(*weight, ranks, init.ghostWidth);
    if (!factors)
      return factors.takeError();
    found = factored.emplace(key, std::move(*factors)).first;
  }
  const HostTensor &whole =
      init.kind == InitKind::LowRankCompressor ? found->second.compressors : found->second.decompressors;
  if (globalType(parameter, ranks).shape != whole.type.shape)
    return makeError("its shape over all ranks is " + shapeText(globalType(parameter, ranks).shape) +
                     ", but the low-rank start of its source gives " + shapeText(whole.type.shape));
  return Error::success();
}

void ParameterInitializer::fillUniform(const Parameter &parameter, int64_t rank, void *destination) const {
  const UniformStream stream(seed, parameter.name);
  const double scale = 1.0 / std::sqrt(double(parameter.init.fanIn));
  forEachRun(parameter, ranks, rank, [&](int64_t global, int64_t local, int64_t count) {
    if (parameter.type.element == ElementType::F32) {
      float *values = static_cast<float *>(destination) + local;
      stream.draw(global, count, [&](int64_t i, double value) { values[i] = float(value * scale); });
    } else {
      double *values = static_cast<double *>(destination) + local;
      stream.draw(global, count, [&](int64_t i, double value) { values[i] = value * scale; });
    }
  });
}

void ParameterInitializer::fill(const Parameter &parameter, int64_t rank, void *destination) const {
  const Init &init = parameter.init;
  const ElementType element = parameter.type.element;
  auto *bytes = static_cast<std::byte *>(destination);
  const int64_t width = byteWidth(element);

  switch (init.kind) {
  case InitKind::Zeros:
    std::memset(bytes, 0, parameter.type.bytes());
    break;
  case InitKind::Uniform:
    fillUniform(parameter, rank, destination);
    break;
  case InitKind::Load: {
    const Dense &source = sources.at(sourceKey(init));
    forEachRun(parameter, ranks, rank, [&](int64_t global, int64_t local, int64_t count) {
      convertElements(source.element, source.bytes + global * byteWidth(source.element), element,
                      bytes + local * width, count);
    });
    break;
  }
  case InitKind::DiagonalBlock: {
    const Dense &source = sources.at(sourceKey(init));
    const int64_t rows = parameter.storedShape[0], columns = parameter.storedShape[1];
    for (int64_t i = 0; i < rows; ++i) {
      int64_t global = (rank * rows + i) * source.shape[1] + rank * columns;
      convertElements(source.element, source.bytes + global * byteWidth(source.element), element,
                      bytes + i * columns * width, columns);
    }
    break;
  }
  case InitKind::LowRankCompressor:
  case InitKind::LowRankDecompressor: {
    const LowRankFactors &factors = factored.at(factorKey(init));
    const HostTensor &whole =
        init.kind == InitKind::LowRankCompressor ? factors.compressors : factors.decompressors;
    if (parameter.type.bytes() > 0)
      std::memcpy(bytes, whole.bytes.data() + rank * parameter.type.bytes(), parameter.type.bytes());
    break;
  }
  }
  if (init.zeroOwnBlock) {
    const int64_t block = parameter.type.bytes() / ranks;
    std::memset(bytes + rank * block, 0, block);
  }
}

} // namespace phantom::rt
