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
#include <lapacke.h>
#include <limits>

using namespace llvm;

namespace phantom::rt {

/// Factors the blocks of source rank `source`, in f64: the factors keep the weight's own precision then.
template <typename T>
static Error factorSource(const HostTensor &weight, int64_t p, int64_t k, int64_t source,
                          LowRankFactors &factors) {
  const int64_t nOut = weight.type.shape[0], nIn = weight.type.shape[1], mOut = nOut / p, mIn = nIn / p;
  const int64_t rows = (p - 1) * mOut, rank = std::min(rows, mIn);
  if (std::max(rows, mIn) > std::numeric_limits<lapack_int>::max())
    return makeError("a weight of shape " + shapeText(weight.type.shape) +
                     " is too large for its low-rank start");

  // LAPACK is column-major: the row-major stack (rows x mIn) is its transpose
  // there, so "u" holds the right singular vectors, one per contiguous column.
  std::vector<double> stack(rows * mIn), values(rank), right(mIn * rank), left(rank * rows);
  int64_t row = 0;
  for (int64_t j = 0; j < p; ++j)
    for (int64_t i = 0; j != source && i < mOut; ++i, ++row)
      std::copy_n(weight.data<T>() + (j * mOut + i) * nIn + source * mIn, mIn, &stack[row * mIn]);
  if (lapack_int info = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'S', mIn, rows, stack.data(), mIn, values.data(),
                                       right.data(), mIn, left.data(), rank))
    return makeError(info > 0 ? "its singular value decomposition did not converge"
                              : "its singular value decomposition failed; the weight may hold NaN");

  for (int64_t q = 0; q < k; ++q) {
    const double root = std::sqrt(values[q]);
    T *compressor = factors.compressors.data<T>() + (source * k + q) * mIn;
    for (int64_t i = 0; i < mIn; ++i)
      compressor[i] = T(root * right[q * mIn + i]);
    int64_t block = 0;
    for (int64_t j = 0; j < p; ++j) {
      if (j == source)
        continue;
      T *decompressor = factors.decompressors.data<T>() + ((j * p + source) * k + q) * mOut;
      for (int64_t i = 0; i < mOut; ++i)
        decompressor[i] = T(root * left[q + (block * mOut + i) * rank]);
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
  for (int64_t source = 0; source < ranks && ranks > 1 && ghostWidth > 0; ++source)
    if (Error error = element == ElementType::F32
                          ? factorSource<float>(weight, ranks, ghostWidth, source, factors)
                          : factorSource<double>(weight, ranks, ghostWidth, source, factors))
      return error;
  return factors;
}

} // namespace phantom::rt
