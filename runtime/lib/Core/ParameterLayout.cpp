//===- ParameterLayout.cpp - How parameters divide over the ranks ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ParameterLayout.h"

#include "phantom-rt/Error.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

TensorType globalType(const Parameter &parameter, int64_t ranks) {
  TensorType type{parameter.type.element, parameter.storedShape};
  if (parameter.layout == Layout::Shard)
    type.shape[parameter.shardDim] *= ranks;
  else if (parameter.layout == Layout::Stacked)
    type.shape.insert(type.shape.begin(), ranks);
  return type;
}

void forEachRun(const Parameter &parameter, int64_t ranks, int64_t rank,
                function_ref<void(int64_t, int64_t, int64_t)> run) {
  const int64_t elements = parameter.type.elements();
  if (parameter.layout == Layout::Replicated)
    return run(0, 0, elements);
  if (parameter.layout == Layout::Stacked)
    return run(rank * elements, 0, elements);
  int64_t outer = 1;
  for (int64_t dim = 0; dim < parameter.shardDim; ++dim)
    outer *= parameter.storedShape[dim];
  const int64_t count = outer ? elements / outer : 0;
  for (int64_t i = 0; i < outer; ++i)
    run((i * ranks + rank) * count, i * count, count);
}

Error checkParameter(const Parameter &parameter, int64_t ranks) {
  auto fail = [&](const Twine &why) { return makeError("parameter '" + parameter.name + "': " + why); };
  const std::vector<int64_t> &stored = parameter.storedShape;
  const int64_t width = byteWidth(parameter.type.element);
  std::optional<int64_t> elements = checkedElements(stored, width * ranks);
  if (!elements || elements != checkedElements(parameter.type.shape, width))
    return fail("stored shape " + shapeText(stored) + " and type " + shapeText(parameter.type.shape) +
                " differ in size");
  if (parameter.layout == Layout::Shard &&
      (parameter.shardDim < 0 || parameter.shardDim >= static_cast<int64_t>(stored.size())))
    return fail("shard dimension " + Twine(parameter.shardDim) + " is outside its shape " +
                shapeText(stored));

  if (parameter.type.element == ElementType::BF16)
    return fail("bf16 is no type of parameters");

  const Init &init = parameter.init;
  if (init.source && !checkedElements(init.source->type.shape, byteWidth(init.source->type.element)))
    return fail("its source has the shape " + shapeText(init.source->type.shape) +
                ", which is too large to address");
  const bool fromBlocks = init.kind == InitKind::DiagonalBlock || init.kind == InitKind::LowRankCompressor ||
                          init.kind == InitKind::LowRankDecompressor;
  if ((fromBlocks || init.kind == InitKind::Load) && !init.source)
    return fail("its initial value needs a source");
  if ((fromBlocks || init.kind == InitKind::Load || init.kind == InitKind::Uniform) &&
      !isFloat(parameter.type.element))
    return fail("its initial value needs a floating-point type");
  if (fromBlocks && parameter.layout != Layout::Stacked)
    return fail("an initial value from blocks of a dense weight needs the stacked layout");
  if (init.kind == InitKind::Uniform && init.fanIn < 1)
    return fail("a random initial value needs its fan-in");
  if (init.kind == InitKind::Load && parameter.layout == Layout::Stacked)
    return fail("a stacked parameter cannot be loaded from a dense source");
  const bool decompressor = init.kind == InitKind::LowRankDecompressor || init.zeroOwnBlock;
  if (decompressor && (stored.size() != 3 || stored[0] != ranks || parameter.layout != Layout::Stacked))
    return fail("a decompressor needs the stored shape [ranks, k, m_out], stacked");
  return Error::success();
}

HostTensor gatherParts(const Parameter &parameter, int64_t ranks, function_ref<const void *(int64_t)> part) {
  HostTensor whole(globalType(parameter, ranks));
  const int64_t width = byteWidth(parameter.type.element);
  const int64_t parts = parameter.layout == Layout::Replicated ? 1 : ranks;
  for (int64_t rank = 0; rank < parts; ++rank) {
    const auto *source = static_cast<const std::byte *>(part(rank));
    forEachRun(parameter, ranks, rank, [&](int64_t global, int64_t local, int64_t count) {
      if (count > 0)
        std::memcpy(whole.bytes.data() + global * width, source + local * width, count * width);
    });
  }
  return whole;
}

} // namespace phantom::rt
