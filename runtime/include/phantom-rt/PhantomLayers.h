//===- PhantomLayers.h - The phantom layers of a program --------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PHANTOMLAYERS_H
#define PHANTOM_RT_PHANTOMLAYERS_H

#include "phantom-rt/Matrix.h"
#include "phantom-rt/ParameterStore.h"

#include <optional>
#include <string>
#include <vector>

namespace phantom::rt {

/// A phantom layer: its sizes, and where its parameters are in Program::parameters.
struct PhantomLayer {
  std::string name;
  int64_t ranks = 1, ghostWidth = 0;
  int64_t in = 0, out = 0; ///< of the whole layer
  size_t local = 0;
  std::optional<size_t> compressor, decompressor; ///< where there are ghosts

  int64_t denseWeights() const { return in * out; }
  /// Weights of all ranks together, but for the own blocks of decompressors, which are zero.
  int64_t weights() const { return in * out / ranks + ghostWidth * weightsPerGhost() * ranks; }
  /// What one ghost per rank adds to the weights of each rank.
  int64_t weightsPerGhost() const { return (in + (ranks - 1) * out) / ranks; }
};

/// In the order of the program's parameters.
std::vector<PhantomLayer> findPhantomLayers(const Program &program);

/// The parameters of a phantom layer, all ranks below each other, as files have them.
struct PhantomFactors {
  Matrix local;         ///< [p·m_out, m_in]
  Matrix compressors;   ///< [p·k, m_in]
  Matrix decompressors; ///< [p_dst·p_src·k, m_out]; own blocks zero
};

/// What the store holds.
PhantomFactors readFactors(const ParameterStore &store, const PhantomLayer &layer);
/// Overwrites the layer's parameters, rounded to their type.
void writeFactors(ParameterStore &store, const PhantomLayer &layer, const PhantomFactors &factors);

/// The dense weight [out, in] that the layer computes with.
Matrix composeWeight(const PhantomLayer &layer, const PhantomFactors &factors);

/// The dense weight [out, in] that the layer starts from. A layer without one is an error.
llvm::Expected<Matrix> readDenseWeight(const Program &program, const PhantomLayer &layer, SourceFiles &files);

} // namespace phantom::rt

#endif // PHANTOM_RT_PHANTOMLAYERS_H
