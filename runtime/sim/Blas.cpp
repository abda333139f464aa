//===- Blas.cpp - Matrix products as cuBLASLt makes them ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Blas.h"

#include "Status.h"
#include "llvm/ADT/Twine.h"

#include <cmath>
#include <cstring>

using namespace llvm;

namespace phantom::rt::sim {

// cublasComputeType_t.
static constexpr int compute32F = 68, compute64F = 70;
// Leading dimensions of an auxiliary matrix are multiples of: bits, elements.
static constexpr int64_t auxBits = 128, auxElements = 8;
static constexpr size_t auxAlignment = 16;

std::string Matmul::text() const {
  return ("gemm " + Twine(columns()) + "x" + Twine(rows()) + "x" + Twine(inner())).str();
}

size_t widthOf(int matrixType) {
  switch (MatrixType(matrixType)) {
  case MatrixType::F32:
    return 4;
  case MatrixType::F64:
    return 8;
  case MatrixType::BF16:
    return 2;
  }
  return 0;
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

static std::string checkLayout(const char *name, const MatrixDescription &matrix, uint64_t rows,
                               uint64_t columns) {
  if (matrix.rows != rows || matrix.columns != columns)
    return ("matrix " + Twine(name) + " is " + Twine(matrix.rows) + "x" + Twine(matrix.columns) +
            ", and must be " + Twine(rows) + "x" + Twine(columns))
        .str();
  if (matrix.leading < 0 || uint64_t(matrix.leading) < matrix.rows)
    return ("the leading dimension " + Twine(matrix.leading) + " of matrix " + name + " is less than its " +
            Twine(matrix.rows) + " rows")
        .str();
  return "";
}

static std::string checkAuxLeading(const Matmul &matmul) {
  const MatmulDescription &description = matmul.description;
  const int64_t multiple = description.hasBitMask() ? auxBits : auxElements;
  if (!description.hasAux() ||
      (description.auxLeading % multiple == 0 && description.auxLeading >= int64_t(matmul.rows())))
    return "";
  return ("the leading dimension " + Twine(description.auxLeading) +
          " of the auxiliary matrix must be a multiple of " + Twine(multiple) + ", and at least " +
          Twine(matmul.rows()))
      .str();
}

std::string checkShapes(const Matmul &matmul) {
  const uint64_t m = matmul.rows(), n = matmul.columns(), k = matmul.inner();
  const bool ta = matmul.description.transposeA, tb = matmul.description.transposeB;
  for (std::string problem :
       {checkLayout("a", matmul.a, ta ? k : m, ta ? m : k),
        checkLayout("b", matmul.b, tb ? n : k, tb ? k : n), checkLayout("c", matmul.c, m, n),
        checkLayout("d", matmul.d, m, n), checkAuxLeading(matmul)})
    if (!problem.empty())
      return problem;
  return "";
}

static Region regionOf(const MatrixDescription &matrix, const void *memory) {
  const size_t width = widthOf(matrix.type);
  return Region::rows(memory, matrix.rows * width, size_t(matrix.leading) * width, matrix.columns);
}

std::string checkPointers(const Matmul &matmul) {
  const MatmulDescription &description = matmul.description;
  if (description.hasBias() && !description.bias)
    return "the epilogue needs a bias, and its pointer is null";
  // An H100's cuBLASLt answers CUBLAS_STATUS_INVALID_VALUE.
  if (!description.hasBias() && description.bias)
    return "the epilogue has no bias, and there is a pointer to one";
  if (description.hasAux() && !description.aux)
    return "the epilogue needs an auxiliary matrix, and its pointer is null";
  if (description.hasAux() && reinterpret_cast<uintptr_t>(description.aux) % auxAlignment != 0)
    return "the address of the auxiliary matrix is no multiple of 16";
  // c may be d.
  Matmul others = matmul;
  others.beta = 0;
  const bool inPlace = matmul.cMemory == matmul.dMemory && matmul.c.leading == matmul.d.leading;
  bool overlaps = matmul.beta != 0 && !inPlace &&
                  overlap(regionOf(matmul.c, matmul.cMemory), regionOf(matmul.d, matmul.dMemory));
  const std::vector<Access> accesses = accessesOf(others);
  for (const Access &write : accesses)
    for (const Access &other : accesses)
      overlaps |= write.writes && &write != &other && overlap(write.region, other.region);
  if (overlaps)
    return "what it writes overlaps with another of its arguments";
  return "";
}

bool isSupported(const Matmul &matmul) {
  const MatmulDescription &description = matmul.description;
  const auto is = [](const MatrixDescription &matrix, MatrixType type) { return matrix.type == int(type); };
  if (matmul.rows() == 0 || matmul.columns() == 0 || matmul.inner() == 0)
    return false;
  for (int type : {description.biasType, description.hasBitMask() ? -1 : description.auxType})
    if (type != -1 && type != matmul.d.type)
      return false;
  if (description.computeType == compute64F)
    return is(matmul.a, MatrixType::F64) && is(matmul.b, MatrixType::F64) && is(matmul.c, MatrixType::F64) &&
           is(matmul.d, MatrixType::F64) && description.scaleType == int(MatrixType::F64) &&
           description.epilogue == EpilogueDefault;
  if (description.computeType != compute32F || description.scaleType != int(MatrixType::F32) ||
      matmul.a.type != matmul.b.type || matmul.c.type != matmul.d.type)
    return false;
  if (is(matmul.a, MatrixType::F32))
    return is(matmul.d, MatrixType::F32);
  return is(matmul.a, MatrixType::BF16) && (is(matmul.d, MatrixType::BF16) || is(matmul.d, MatrixType::F32));
}

//===----------------------------------------------------------------------===//
// Ranges
//===----------------------------------------------------------------------===//

std::vector<Access> accessesOf(const Matmul &matmul) {
  const MatmulDescription &description = matmul.description;
  const size_t width = widthOf(matmul.d.type);
  std::vector<Access> accesses = {{regionOf(matmul.a, matmul.aMemory), false},
                                  {regionOf(matmul.b, matmul.bMemory), false}};
  if (matmul.beta != 0)
    accesses.push_back({regionOf(matmul.c, matmul.cMemory), false});
  accesses.push_back({regionOf(matmul.d, matmul.dMemory), true});
  if (description.hasBias())
    accesses.push_back({Region::contiguous(description.bias, matmul.rows() * width),
                        (description.epilogue & EpilogueBiasGradient) != 0});
  if (description.hasBitMask())
    accesses.push_back({Region::rows(description.aux, (matmul.rows() + 7) / 8,
                                     size_t(description.auxLeading) / 8, matmul.columns()),
                        !description.isGradient()});
  else if (description.hasAux())
    accesses.push_back({Region::rows(description.aux, matmul.rows() * width,
                                     size_t(description.auxLeading) * width, matmul.columns()),
                        !description.isGradient()});
  if (matmul.workspaceBytes > 0)
    accesses.push_back({Region::contiguous(matmul.workspace, matmul.workspaceBytes), true});
  return accesses;
}

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

static double load(const std::byte *memory, int type, uint64_t index) {
  switch (MatrixType(type)) {
  case MatrixType::F32: {
    float value;
    std::memcpy(&value, memory + 4 * index, sizeof(value));
    return value;
  }
  case MatrixType::F64: {
    double value;
    std::memcpy(&value, memory + 8 * index, sizeof(value));
    return value;
  }
  case MatrixType::BF16: {
    uint16_t half;
    std::memcpy(&half, memory + 2 * index, sizeof(half));
    const uint32_t bits = uint32_t(half) << 16;
    float value;
    std::memcpy(&value, &bits, sizeof(value));
    return value;
  }
  }
  return NAN;
}

static void store(std::byte *memory, int type, uint64_t index, double value) {
  switch (MatrixType(type)) {
  case MatrixType::F32: {
    const auto rounded = float(value);
    std::memcpy(memory + 4 * index, &rounded, sizeof(rounded));
    return;
  }
  case MatrixType::F64:
    std::memcpy(memory + 8 * index, &value, sizeof(value));
    return;
  case MatrixType::BF16: {
    // To nearest, ties to even; NaN stays NaN.
    const auto single = float(value);
    uint32_t bits;
    std::memcpy(&bits, &single, sizeof(bits));
    const uint16_t half =
        std::isnan(single) ? uint16_t(0x7fff) : uint16_t((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    std::memcpy(memory + 2 * index, &half, sizeof(half));
    return;
  }
  }
}

// The tanh form, as in cuBLASLt.
static constexpr double geluScale = 0.7978845608028654, geluCubic = 0.044715;

static double gelu(double x) { return 0.5 * x * (1 + std::tanh(geluScale * (x + geluCubic * x * x * x))); }

static double geluSlope(double x) {
  const double t = std::tanh(geluScale * (x + geluCubic * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * geluScale * (1 + 3 * geluCubic * x * x);
}

namespace {

/// Applies the epilogue to one element after another, down the columns.
class EpilogueRun {
public:
  EpilogueRun(const Matmul &matmul, const std::function<std::byte *(const void *)> &host)
      : matmul(matmul), description(matmul.description),
        bias(description.hasBias() ? host(description.bias) : nullptr),
        aux(description.hasAux() ? host(description.aux) : nullptr), sums(matmul.rows(), 0) {}

  double apply(uint64_t row, uint64_t column, double value) {
    const unsigned epilogue = description.epilogue;
    if (epilogue & EpilogueBias)
      value += load(bias, matmul.d.type, row);
    const uint64_t place = row + column * uint64_t(description.auxLeading);
    if (epilogue & EpilogueRelu) {
      if (aux)
        setBit(place, value > 0);
      return std::isnan(value) ? value : std::max(value, 0.0);
    }
    if (epilogue & EpilogueGelu) {
      if (aux)
        store(aux, matmul.d.type, place, value);
      return gelu(value);
    }
    if (epilogue & EpilogueReluGradient)
      value = bit(place) ? value : 0;
    else if (epilogue & EpilogueGeluGradient)
      value *= geluSlope(load(aux, matmul.d.type, place));
    sums[row] += value;
    return value;
  }

  void finish() {
    if (description.epilogue & EpilogueBiasGradient)
      for (uint64_t row = 0; row < matmul.rows(); ++row)
        store(bias, matmul.d.type, row, sums[row]);
  }

private:
  void setBit(uint64_t place, bool value) {
    const std::byte mask{uint8_t(1u << (place % 8))};
    std::byte &byte = aux[place / 8];
    byte = value ? byte | mask : byte & ~mask;
  }
  bool bit(uint64_t place) const {
    return (aux[place / 8] & std::byte{uint8_t(1u << (place % 8))}) != std::byte{0};
  }

  const Matmul &matmul;
  const MatmulDescription &description;
  std::byte *bias, *aux;
  std::vector<double> sums;
};

} // namespace

// op(matrix), column-major and dense.
static std::vector<double> unpack(const MatrixDescription &matrix, const std::byte *memory, bool transposed) {
  std::vector<double> values(matrix.rows * matrix.columns);
  for (uint64_t column = 0; column < matrix.columns; ++column)
    for (uint64_t row = 0; row < matrix.rows; ++row)
      values[transposed ? column + row * matrix.columns : row + column * matrix.rows] =
          load(memory, matrix.type, row + column * uint64_t(matrix.leading));
  return values;
}

void runMatmul(const Matmul &matmul, const std::function<std::byte *(const void *)> &host) {
  const uint64_t m = matmul.rows(), n = matmul.columns(), k = matmul.inner();
  const uint64_t slice = (k + matmul.slices - 1) / matmul.slices;
  const std::vector<double> a = unpack(matmul.a, host(matmul.aMemory), matmul.description.transposeA);
  const std::vector<double> b = unpack(matmul.b, host(matmul.bMemory), matmul.description.transposeB);
  const std::byte *c = matmul.beta != 0 ? host(matmul.cMemory) : nullptr;
  std::byte *d = host(matmul.dMemory);
  EpilogueRun epilogue(matmul, host);
  std::vector<double> sums(m), parts(m);
  for (uint64_t column = 0; column < n; ++column) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (uint64_t first = 0; first < k; first += slice) {
      std::fill(parts.begin(), parts.end(), 0.0);
      for (uint64_t inner = first; inner < std::min(first + slice, k); ++inner)
        for (uint64_t row = 0; row < m; ++row)
          parts[row] += a[row + inner * m] * b[inner + column * k];
      for (uint64_t row = 0; row < m; ++row)
        sums[row] += matmul.slices > 1 && matmul.d.type != int(MatrixType::F64) ? double(float(parts[row]))
                                                                                : parts[row];
    }
    for (uint64_t row = 0; row < m; ++row) {
      double value = matmul.alpha * sums[row];
      if (c)
        value += matmul.beta * load(c, matmul.c.type, row + column * uint64_t(matmul.c.leading));
      store(d, matmul.d.type, row + column * uint64_t(matmul.d.leading), epilogue.apply(row, column, value));
    }
  }
  epilogue.finish();
  // Whoever reads a workspace gets no sense from it.
  if (matmul.workspaceBytes > 0)
    std::memset(host(matmul.workspace), 0xff, matmul.workspaceBytes);
}

} // namespace phantom::rt::sim
