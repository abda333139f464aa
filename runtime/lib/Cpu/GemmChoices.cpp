//===- GemmChoices.cpp - Which library computes a GEMM ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/GemmChoices.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/xxhash.h"

#include <cmath>
#include <dnnl.hpp>
#include <limits>

using namespace llvm;

namespace phantom::rt {

StringLiteral nameOf(GemmKernel kernel) {
  switch (kernel) {
  case GemmKernel::OneDnn:
    return "onednn";
  case GemmKernel::OneDnnPacked:
    return "onednn-packed";
  case GemmKernel::OneDnnSgemm:
    return "onednn-sgemm";
  case GemmKernel::OpenBlas:
    return "openblas";
  case GemmKernel::OpenBlasTransposed:
    return "openblas-transposed";
  }
  return "";
}

std::optional<GemmKernel> parseGemmKernel(StringRef name) {
  for (GemmKernel kernel : gemmKernels)
    if (nameOf(kernel) == name)
      return kernel;
  return std::nullopt;
}

bool copiesWeights(GemmKernel kernel) {
  return kernel == GemmKernel::OneDnnPacked || kernel == GemmKernel::OpenBlasTransposed;
}

bool hasConstantB(const Function &function, const GemmCommand &command) {
  return function.name == "infer" && command.factors == command.element &&
         command.b.region == Region::Argument && function.arguments[command.b.index].role == Role::Parameter;
}

GemmShape shapeOf(const GemmCommand &command, bool constantB) {
  return {command.m,         command.n,         command.k,
          command.aCol != 1, command.bCol != 1, command.bias || command.epilogue != Epilogue::None,
          constantB};
}

std::string textOf(const GemmShape &shape) {
  return std::to_string(shape.m) + "x" + std::to_string(shape.n) + "x" + std::to_string(shape.k) + " " +
         (shape.transposeA ? "t" : "n") + (shape.transposeB ? "t" : "n") + (shape.finishes ? " finish" : "") +
         (shape.constantB ? " constant" : "");
}

std::optional<GemmShape> parseGemmShape(StringRef text) {
  GemmShape shape;
  auto size = [&](int64_t &value, StringRef separator) {
    auto [number, rest] = text.split(separator);
    text = rest;
    return !number.getAsInteger(10, value) && value > 0;
  };
  if (!size(shape.m, "x") || !size(shape.n, "x") || !size(shape.k, " "))
    return std::nullopt;
  shape.constantB = text.consume_back(" constant");
  shape.finishes = text.consume_back(" finish");
  shape.transposeA = text.starts_with("t");
  shape.transposeB = text.ends_with("t");
  if (!is_contained({"nn", "nt", "tn", "tt"}, text))
    return std::nullopt;
  return shape;
}

bool canCompute(GemmKernel kernel, const GemmCommand &command, bool constantB, int64_t threads) {
  if (copiesWeights(kernel) && (!constantB || command.factors != command.element))
    return false;
  if (kernel == GemmKernel::OneDnn || kernel == GemmKernel::OneDnnPacked)
    return true;
  if (kernel == GemmKernel::OpenBlasTransposed && command.bCol == 1)
    return false;
  // BLAS has leading dimensions of 32 bits; oneDNN's finishing pass is slow on rows with gaps.
  const int64_t sizes[] = {command.m,    command.n,    command.k,    command.aRow,
                           command.aCol, command.bRow, command.bCol, command.cRow};
  const bool fits = all_of(sizes, [](int64_t size) { return size <= std::numeric_limits<int32_t>::max(); });
  const bool finishes = shapeOf(command).finishes;
  return fits && command.element == ElementType::F32 && (!finishes || command.cRow == command.n) &&
         (kernel == GemmKernel::OneDnnSgemm || threads == 1);
}

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

namespace {

enum class InstructionSet : uint8_t { Avx2, Avx512 };

struct TableEntry {
  InstructionSet isa;
  GemmShape shape;
  GemmKernel kernel;
};

// Whether a is transposed, b is, and b is constant.
constexpr bool nn[] = {false, false, false}, nt[] = {false, true, false}, tn[] = {true, false, false},
               nn_constant[] = {false, false, true}, nt_constant[] = {false, true, true};

constexpr TableEntry table[] = {
#define GEMM(ISA, TRANSPOSES, M, N, K, KERNEL)                                                               \
  {InstructionSet::ISA, {M, N, K, TRANSPOSES[0], TRANSPOSES[1], false, TRANSPOSES[2]}, GemmKernel::KERNEL},
#include "GemmTable.def"
#undef GEMM
};

std::optional<InstructionSet> hostInstructionSet() {
  static const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  auto has = [](dnnl::cpu_isa wanted) { return (unsigned(isa) & unsigned(wanted)) == unsigned(wanted); };
  if (has(dnnl::cpu_isa::avx512_core))
    return InstructionSet::Avx512;
  if (has(dnnl::cpu_isa::avx2))
    return InstructionSet::Avx2;
  return std::nullopt;
}

/// How far two shapes are apart: the sum over the sizes of the squared logarithms of their ratios.
double distance(const GemmShape &a, const GemmShape &b) {
  double sum = 0;
  for (auto [left, right] : {std::pair(a.m, b.m), std::pair(a.n, b.n), std::pair(a.k, b.k)}) {
    const double ratio = std::log2(double(left) / double(right));
    sum += ratio * ratio;
  }
  return sum;
}

} // namespace

GemmKernel tabledKernel(const GemmShape &shape) {
  const std::optional<InstructionSet> isa = hostInstructionSet();
  GemmKernel nearest = GemmKernel::OneDnn;
  double least = std::numeric_limits<double>::infinity();
  for (const TableEntry &entry : table) {
    if (entry.isa != isa || entry.shape.transposeA != shape.transposeA ||
        entry.shape.transposeB != shape.transposeB || entry.shape.constantB != shape.constantB)
      continue;
    if (double apart = distance(entry.shape, shape); apart < least) {
      least = apart;
      nearest = entry.kernel;
    }
  }
  return nearest;
}

GemmKernel GemmChoices::choose(const GemmCommand &command, bool constantB, int64_t threads) const {
  const GemmShape shape = shapeOf(command, constantB);
  auto found = measured.find(shape);
  GemmKernel wanted = forced ? *forced : found != measured.end() ? found->second : tabledKernel(shape);
  return canCompute(wanted, command, constantB, threads) ? wanted : GemmKernel::OneDnn;
}

uint64_t hashOfChoices(const Program &program, const GemmChoices &choices, int64_t threads) {
  std::string text;
  for (const Function &function : program.functions)
    for (const Command &command : function.commands)
      if (const auto *gemm = std::get_if<GemmCommand>(&command)) {
        const bool constantB = hasConstantB(function, *gemm);
        text += textOf(shapeOf(*gemm, constantB)) + " " +
                nameOf(choices.choose(*gemm, constantB, threads)).str() +
                (gemm->factors != ElementType::BF16 ? "\n"
                 : multipliesBFloat16()             ? " bf16\n"
                                                    : " widened\n");
      }
  return xxh3_64bits(text);
}

} // namespace phantom::rt
