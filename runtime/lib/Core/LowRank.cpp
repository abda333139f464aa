//===- LowRank.cpp - The low-rank start of a phantom layer ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/LowRank.h"

#include "phantom-rt/Error.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

Matrix offDiagonalBlocks(const Matrix &weight, int64_t ranks, int64_t source) {
  const int64_t mOut = weight.rows / ranks, mIn = weight.columns / ranks;
  Matrix stack((ranks - 1) * mOut, mIn);
  int64_t row = 0;
  for (int64_t i = 0; i < weight.rows; ++i)
    if (i / mOut != source)
      std::copy_n(weight.row(i) + source * mIn, mIn, stack.row(row++));
  return stack;
}

/// Factors the blocks of source rank `source`, in f64: the factors keep the weight's own precision then.
template <typename T>
static Error factorSource(const Matrix &weight, int64_t p, int64_t k, int64_t source,
                          LowRankFactors &factors) {
  Expected<SingularValues> svd = decompose(offDiagonalBlocks(weight, p, source));
  if (!svd)
    return svd.takeError();
  const int64_t mOut = weight.rows / p, mIn = weight.columns / p;
  for (int64_t q = 0; q < k; ++q) {
    const double root = std::sqrt(svd->values[q]);
    T *compressor = factors.compressors.data<T>() + (source * k + q) * mIn;
    for (int64_t i = 0; i < mIn; ++i)
      compressor[i] = T(root * svd->right.row(q)[i]);
    int64_t block = 0;
    for (int64_t j = 0; j < p; ++j) {
      if (j == source)
        continue;
      T *decompressor = factors.decompressors.data<T>() + ((j * p + source) * k + q) * mOut;
      for (int64_t i = 0; i < mOut; ++i)
        decompressor[i] = T(root * svd->left.row(block * mOut + i)[q]);
      ++block;
    }
  }
  return Error::success();
}

Expected<LowRankFactors> lowRankFactors(const HostTensor &weight, int64_t ranks, int64_t ghostWidth) {
  const std::vector<int64_t> &shape = weight.type.shape;
  if (shape.size() != 2 || shape[0] % ranks || shape[1] % ranks)
    return makeError("the number of ranks " + Twine(ranks) + " does not divide the weight's shape " +
                     shapeText(shape));
  const int64_t mOut = shape[0] / ranks, mIn = shape[1] / ranks;
  if (ghostWidth < 0 || ghostWidth > std::min(mOut, mIn))
    return makeError("ghost width " + Twine(ghostWidth) + " is outside 0 to " + Twine(std::min(mOut, mIn)) +
                     ", the smaller side of a block");
  const ElementType element = weight.type.element;
  LowRankFactors factors{HostTensor({element, {ranks, ghostWidth, mIn}}),
                         HostTensor({element, {ranks, ranks, ghostWidth, mOut}})};
  Matrix values(shape[0], shape[1]);
  convertElements(storageType(element), weight.bytes.data(), ElementType::F64, values.values.data(),
                  weight.type.elements());
  for (int64_t source = 0; source < ranks && ranks > 1 && ghostWidth > 0; ++source)
    if (Error error = element == ElementType::F32
                          ? factorSource<float>(values, ranks, ghostWidth, source, factors)
                          : factorSource<double>(values, ranks, ghostWidth, source, factors))
      return error;
  return factors;
}

} // namespace phantom::rt
