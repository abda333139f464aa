//===- GemmChoices.h - Which library computes a GEMM -----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Every choice is made before a program is bound and does not change after that: from the table in
// GemmTable.def, by measurement (measureGemms), or by the user. A kernel decides the order of sums, and so
// the last bits of results.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_GEMMCHOICES_H
#define PHANTOM_RT_GEMMCHOICES_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"

#include <map>
#include <string>
#include <tuple>

namespace phantom::rt {

/// What can compute a GEMM in f32. Factors of bf16 are widened for it where the CPU cannot multiply them.
enum class GemmKernel : uint8_t {
  OneDnn,             ///< oneDNN's matmul, with bias and epilogue inside
  OneDnnPacked,       ///< the same, on weights in a layout of oneDNN's own
  OneDnnSgemm,        ///< oneDNN's sgemm; a second pass adds the bias and applies the epilogue
  OpenBlas,           ///< OpenBLAS's sgemm; likewise. With one thread per rank only
  OpenBlasTransposed, ///< the same, on a transposed copy of the weights
};

constexpr GemmKernel gemmKernels[] = {GemmKernel::OneDnn, GemmKernel::OneDnnPacked, GemmKernel::OneDnnSgemm,
                                      GemmKernel::OpenBlas, GemmKernel::OpenBlasTransposed};

/// Whether the kernel runs on a copy of b, which it makes when the parameters change.
bool copiesWeights(GemmKernel kernel);

/// "onednn", "onednn-packed", "onednn-sgemm", "openblas" or "openblas-transposed".
llvm::StringLiteral nameOf(GemmKernel kernel);
std::optional<GemmKernel> parseGemmKernel(llvm::StringRef name);

/// What a choice may depend on.
struct GemmShape {
  int64_t m = 0, n = 0, k = 0;
  bool transposeA = false, transposeB = false;
  bool finishes = false;  ///< adds a bias or applies an epilogue
  bool constantB = false; ///< see hasConstantB

  auto operator<=>(const GemmShape &) const = default;
};

GemmShape shapeOf(const GemmCommand &command, bool constantB = false);

/// Whether b of a command of `function` is a parameter, of f32, and may have a copy. That is so in "infer",
/// which mostly runs many times between two changes; "evaluate" would make a copy each time.
bool hasConstantB(const Function &function, const GemmCommand &command);

/// "64x512x1024 nt finish constant": m, n and k; n or t of a and of b; whether there is a bias or an
/// epilogue, and whether b is constant.
std::string textOf(const GemmShape &shape);
std::optional<GemmShape> parseGemmShape(llvm::StringRef text);

/// Whether `kernel` can compute `command` with that many threads per rank.
bool canCompute(GemmKernel kernel, const GemmCommand &command, bool constantB, int64_t threads);

/// Whether oneDNN multiplies bf16 on this CPU. Elsewhere factors of bf16 are widened.
bool multipliesBFloat16();

/// What the table of this CPU's instruction set says of the nearest shape in it. `shape` has a positive size.
GemmKernel tabledKernel(const GemmShape &shape);

struct GemmChoices {
  std::optional<GemmKernel> forced;         ///< for all that it can compute
  std::map<GemmShape, GemmKernel> measured; ///< before the table

  /// One that can compute the command.
  GemmKernel choose(const GemmCommand &command, bool constantB, int64_t threads) const;

  bool operator==(const GemmChoices &) const = default;
};

/// A hash of the choices for all GEMMs of the program: equal where they compute the same bits.
uint64_t hashOfChoices(const Program &program, const GemmChoices &choices, int64_t threads);

} // namespace phantom::rt

#endif // PHANTOM_RT_GEMMCHOICES_H
