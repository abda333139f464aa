//===- ExportWeights.h - The values of exported weights ------- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_ONNX_EXPORTWEIGHTS_H
#define PHANTOM_LIB_TARGET_ONNX_EXPORTWEIGHTS_H

#include "ExportGraph.h"

#include "phantom-rt/SourceFiles.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"
#include "phantom/Target/ONNX/Export.h"

#include "llvm/Support/raw_ostream.h"

#include <functional>
#include <optional>

namespace phantom::onnx {

/// The trained factors of a layer.
struct Factors {
  rt::FileTensor local, compressor, decompressor;
};

/// Where recipes read from.
struct WeightReader {
  const TrainedTensors *trained = nullptr;
  rt::SourceFiles sources;
  /// Those of the last layer that was read: every rank of a factored layer asks for them.
  std::optional<std::string> layer;
  Factors factors;
};

/// Appends the f32 elements of an initializer.
using WeightRecipe = std::function<llvm::Error(WeightReader &reader, llvm::raw_ostream &out)>;

/// The factors of a layer over its ranks: W of a block (j, i) is L[j] where j = i, else D[j, i]ᵀ C[i].
struct LayerFactors {
  std::string layer; ///< what comes before `.local` in the names
  int64_t ranks = 1, ghosts = 0;
  int64_t in = 0, out = 0; ///< of one rank
};

WeightRecipe copyTrained(std::string name);
WeightRecipe copySource(rt::Source source);
/// The dense weight [n_out, n_in], or its transpose; summed in f64.
WeightRecipe composeDense(LayerFactors factors, bool transposed);
/// A tensor that is cut along `dim` into parts of `counts` slices, one recipe each; rows of `dims[1]` columns
/// where it is cut along dimension 1.
WeightRecipe joinParts(std::vector<WeightRecipe> parts, std::vector<int64_t> dims, int64_t dim,
                       std::vector<int64_t> counts);
/// The transposed compressor of a rank, [m_in, k].
WeightRecipe rankCompressor(LayerFactors factors, int64_t rank);
/// The transposed local weight of a rank over the decompressors of the ghosts of the others: [m_in + (p-1)k,
/// m_out].
WeightRecipe rankWeight(LayerFactors factors, int64_t rank);

/// Decides for each parameter where its values come from.
class WeightPlan {
public:
  WeightPlan(ExportGraph &graph, const ExportOptions &options) : graph(graph), options(options) {}

  /// Adds the initializer `name` of a parameter, unless all its uses want its factors.
  mlir::LogicalResult addParameter(mlir::phantom::ParameterOp declaration, mlir::Value argument,
                                   llvm::StringRef name);

  /// The initializers of a factored layer, by rank; no compressors where it has no ghosts.
  struct RankTensors {
    LayerFactors factors;
    std::vector<std::string> compressors, weights;
  };
  /// Those of a linear layer's weight that is to be factored, of several layers where it was packed; empty
  /// for others.
  llvm::ArrayRef<RankTensors> rankTensors(mlir::Value weight);

  void addInitializer(llvm::StringRef name, llvm::ArrayRef<int64_t> dims, WeightRecipe recipe) {
    recipes[&graph.addInitializer(name, dims)] = std::move(recipe);
  }

  std::map<const Tensor *, WeightRecipe> recipes;
  size_t phantomLayers = 0;

private:
  /// What training made of a parameter, or of a part of it: the same with other values, or the factors of a
  /// phantom layer.
  struct Trained {
    std::string name;
    std::vector<int64_t> dims;
    std::optional<LayerFactors> factors;
    WeightRecipe values;
  };

  std::vector<Trained> findParts(mlir::phantom::ParameterOp declaration, int64_t dim) const;
  mlir::LogicalResult findTrained(mlir::phantom::ParameterOp declaration, std::optional<bool> transposed,
                                  Trained &trained) const;
  mlir::LogicalResult findFactors(mlir::phantom::ParameterOp declaration, std::optional<bool> transposed,
                                  Trained &trained) const;
  mlir::LogicalResult findValues(mlir::phantom::ParameterOp declaration, Trained &trained) const;
  mlir::LogicalResult findSource(mlir::phantom::ParameterOp declaration, Trained &trained) const;

  ExportGraph &graph;
  const ExportOptions &options;
  llvm::DenseMap<mlir::Value, std::vector<RankTensors>> factored;
};

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_EXPORTWEIGHTS_H
