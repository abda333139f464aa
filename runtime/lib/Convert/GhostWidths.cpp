//===- GhostWidths.cpp - How many ghosts each layer gets from a budget ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/GhostWidths.h"

#include "phantom-rt/LowRank.h"

#include <cblas.h>

using namespace llvm;

namespace phantom::rt {

static double product(const GemmCommand &gemm) { return double(gemm.m) * double(gemm.n) * double(gemm.k); }

static double sentBytes(const Exchange &exchange, int64_t ranks) {
  const double bytes = double(exchange.outer * exchange.inner * byteWidth(exchange.element));
  return exchange.kind == ExchangeKind::AllReduce ? 2 * bytes * double(ranks - 1) / double(ranks)
                                                  : bytes * double(ranks - 1);
}

double costOf(const Program &program, BudgetUnit unit) {
  double cost = 0;
  switch (unit) {
  case BudgetUnit::Bytes:
    for (const Exchange &exchange : program.exchanges)
      cost += sentBytes(exchange, program.ranks);
    break;
  case BudgetUnit::Flops:
    for (const Function &function : program.functions)
      for (const Command &command : function.commands)
        if (const auto *gemm = std::get_if<GemmCommand>(&command))
          cost += 2 * product(*gemm);
    break;
  case BudgetUnit::Parameters:
    for (const Parameter &parameter : program.parameters)
      cost += double(parameter.type.elements());
    break;
  }
  return cost;
}

/// The rows that pass through the layer in a forward pass, from the product with its local weight.
static double rowsOf(const Program &program, const PhantomLayer &layer) {
  const std::string &name = program.parameters[layer.local].name;
  double products = 0;
  for (const Function &function : program.functions) {
    auto isLocal = [&](const BufferRef &buffer) {
      return buffer.region == Region::Argument && function.arguments[buffer.index].name == name;
    };
    for (const Command &command : function.commands)
      if (const auto *gemm = std::get_if<GemmCommand>(&command);
          gemm && (isLocal(gemm->a) || isLocal(gemm->b)))
        products += product(*gemm);
  }
  return products / double(program.parameters[layer.local].type.elements());
}

double costPerGhost(const Program &program, const PhantomLayer &layer, BudgetUnit unit) {
  switch (unit) {
  case BudgetUnit::Bytes:
    return rowsOf(program, layer) * double((program.ranks - 1) * byteWidth(program.element));
  case BudgetUnit::Flops:
    return 2 * rowsOf(program, layer) * double(layer.weightsPerGhost());
  case BudgetUnit::Parameters:
    return double(layer.weightsPerGhost());
  }
  llvm_unreachable("unknown unit");
}

/// trace(W·S·Wᵀ), with the identity where S is null.
static double squaredNorm(const Matrix &weight, const Matrix *weighting) {
  if (!weighting)
    return squaredNorm(weight);
  const Matrix product = multiply(weight, *weighting);
  return cblas_ddot(int64_t(weight.values.size()), weight.values.data(), 1, product.values.data(), 1);
}

Expected<std::vector<double>> ghostGains(const PhantomLayer &layer, const Matrix &weight,
                                         const Matrix *weighting) {
  const int64_t p = layer.ranks, mIn = layer.in / p, widest = std::min(mIn, layer.out / p);
  std::vector<double> gains(widest);
  for (int64_t i = 0; i < p; ++i) {
    Matrix blocks = offDiagonalBlocks(weight, p, i);
    if (weighting) {
      Expected<Matrix> root = choleskyFactor(block(*weighting, i * mIn, mIn, i * mIn, mIn));
      if (!root)
        return root.takeError();
      blocks = multiply(blocks, *root);
    }
    Expected<std::vector<double>> values = singularValues(std::move(blocks));
    if (!values)
      return values.takeError();
    for (int64_t k = 0; k < widest; ++k)
      gains[k] += (*values)[k] * (*values)[k];
  }
  const double whole = squaredNorm(weight, weighting);
  for (double &gain : gains)
    gain = whole > 0 ? gain / whole : 0;
  return gains;
}

std::vector<int64_t> chooseGhostWidths(ArrayRef<GhostDemand> layers, double budget) {
  constexpr double rounding = 1e-12; // of weights in f32, squared, with room
  std::vector<int64_t> widths(layers.size());
  double spent = 0;
  auto gainOf = [&](size_t layer) {
    const GhostDemand &demand = layers[layer];
    const size_t next = size_t(widths[layer]);
    const bool open = next < demand.gains.size() && demand.gains[next] > rounding * demand.gains[0] &&
                      spent + demand.cost <= budget;
    return open ? demand.gains[next] / demand.cost : 0;
  };
  while (true) {
    size_t best = layers.size();
    for (size_t layer = 0; layer < layers.size(); ++layer)
      if (gainOf(layer) > (best == layers.size() ? 0 : gainOf(best)))
        best = layer;
    if (best == layers.size())
      return widths;
    spent += layers[best].cost;
    ++widths[best];
  }
}

} // namespace phantom::rt
