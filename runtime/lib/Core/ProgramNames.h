//===- ProgramNames.h - Names of a program's enumerations ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The one table of each enumeration, for writing and reading. A `nameOf` is a
// switch without default, so that the compiler names what is missing from it;
// it is empty for what is no enumerator, which is where a search ends.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_PROGRAMNAMES_H
#define PHANTOM_RT_LIB_CORE_PROGRAMNAMES_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"

#include <optional>

namespace phantom::rt {

constexpr llvm::StringLiteral nameOf(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::F64:
    return "f64";
  case ElementType::I8:
    return "i8";
  case ElementType::I16:
    return "i16";
  case ElementType::I32:
    return "i32";
  case ElementType::I64:
    return "i64";
  case ElementType::U8:
    return "u8";
  case ElementType::U16:
    return "u16";
  case ElementType::U32:
    return "u32";
  case ElementType::U64:
    return "u64";
  case ElementType::Bool:
    return "bool";
  case ElementType::BF16:
    return "bf16";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(Layout layout) {
  switch (layout) {
  case Layout::Replicated:
    return "replicated";
  case Layout::Shard:
    return "shard";
  case Layout::Stacked:
    return "stacked";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(InitKind kind) {
  switch (kind) {
  case InitKind::Load:
    return "load";
  case InitKind::DiagonalBlock:
    return "diagonal_block";
  case InitKind::LowRankCompressor:
    return "low_rank_compressor";
  case InitKind::LowRankDecompressor:
    return "low_rank_decompressor";
  case InitKind::Uniform:
    return "uniform";
  case InitKind::Zeros:
    return "zeros";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(Region region) {
  switch (region) {
  case Region::Argument:
    return "argument";
  case Region::Arena:
    return "arena";
  case Region::Window:
    return "window";
  case Region::Constant:
    return "constant";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(Epilogue epilogue) {
  switch (epilogue) {
  case Epilogue::None:
    return "none";
  case Epilogue::Relu:
    return "relu";
  case Epilogue::LeakyRelu:
    return "leaky_relu";
  case Epilogue::Elu:
    return "elu";
  case Epilogue::Sigmoid:
    return "sigmoid";
  case Epilogue::Tanh:
    return "tanh";
  case Epilogue::GeluErf:
    return "gelu_erf";
  case Epilogue::GeluTanh:
    return "gelu_tanh";
  case Epilogue::Silu:
    return "silu";
  case Epilogue::ReluAux:
    return "relu_aux";
  case Epilogue::GeluTanhAux:
    return "gelu_tanh_aux";
  case Epilogue::ReluGradient:
    return "relu_gradient";
  case Epilogue::GeluTanhGradient:
    return "gelu_tanh_gradient";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(ExchangeKind kind) {
  switch (kind) {
  case ExchangeKind::AllGather:
    return "all_gather";
  case ExchangeKind::ReduceScatter:
    return "reduce_scatter";
  case ExchangeKind::AllReduce:
    return "all_reduce";
  case ExchangeKind::AllToAll:
    return "all_to_all";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(Role role) {
  switch (role) {
  case Role::Input:
    return "input";
  case Role::Target:
    return "target";
  case Role::Parameter:
    return "parameter";
  case Role::LearningRate:
    return "learning_rate";
  case Role::Step:
    return "step";
  case Role::ValidCount:
    return "valid";
  case Role::Rank:
    return "rank";
  case Role::DropoutKey:
    return "dropout_key";
  case Role::Output:
    return "output";
  case Role::Loss:
    return "loss";
  case Role::Gradient:
    return "gradient";
  case Role::SquaredNorm:
    return "squared_norm";
  case Role::SquaredNormReplicated:
    return "squared_norm_replicated";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(DeviceKind device) {
  switch (device) {
  case DeviceKind::Cpu:
    return "cpu";
  case DeviceKind::Gpu:
    return "gpu";
  }
  return "";
}

constexpr llvm::StringLiteral nameOf(StreamKind stream) {
  switch (stream) {
  case StreamKind::Compute:
    return "compute";
  case StreamKind::Exchange:
    return "exchange";
  }
  return "";
}

/// The enumerator with that name, or nothing.
template <typename Enum> constexpr std::optional<Enum> valueOf(llvm::StringRef name) {
  for (uint8_t i = 0; !nameOf(Enum(i)).empty(); ++i)
    if (nameOf(Enum(i)) == name)
      return Enum(i);
  return std::nullopt;
}

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CORE_PROGRAMNAMES_H
