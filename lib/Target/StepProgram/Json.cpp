//===- Json.cpp - Step programs as JSON -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/StepProgram/StepProgram.h"

#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace rt = phantom::rt;
using llvm::json::OStream;

namespace {

/// The name of an enum's value; the enum ends with `last`.
template <auto last, size_t count>
llvm::StringRef nameIn(const llvm::StringLiteral (&names)[count], decltype(last) value) {
  static_assert(count == static_cast<size_t>(last) + 1, "there must be one name for each value");
  return names[static_cast<size_t>(value)];
}

llvm::StringRef nameOf(rt::ElementType type) {
  static constexpr llvm::StringLiteral names[] = {"f32", "f64", "i8",  "i16", "i32", "i64",
                                                  "u8",  "u16", "u32", "u64", "bool"};
  return nameIn<rt::ElementType::Bool>(names, type);
}

llvm::StringRef nameOf(rt::Layout layout) {
  static constexpr llvm::StringLiteral names[] = {"replicated", "shard", "stacked"};
  return nameIn<rt::Layout::Stacked>(names, layout);
}

llvm::StringRef nameOf(rt::InitKind kind) {
  static constexpr llvm::StringLiteral names[] = {
      "load", "diagonal_block", "low_rank_compressor", "low_rank_decompressor", "uniform", "zeros"};
  return nameIn<rt::InitKind::Zeros>(names, kind);
}

llvm::StringRef nameOf(rt::Region region) {
  static constexpr llvm::StringLiteral names[] = {"argument", "arena", "window", "constant"};
  return nameIn<rt::Region::Constant>(names, region);
}

llvm::StringRef nameOf(rt::Epilogue epilogue) {
  static constexpr llvm::StringLiteral names[] = {"none", "relu",     "leaky_relu", "elu", "sigmoid",
                                                  "tanh", "gelu_erf", "gelu_tanh",  "silu"};
  return nameIn<rt::Epilogue::Silu>(names, epilogue);
}

llvm::StringRef nameOf(rt::ExchangeKind kind) {
  static constexpr llvm::StringLiteral names[] = {"all_gather", "reduce_scatter", "all_reduce"};
  return nameIn<rt::ExchangeKind::AllReduce>(names, kind);
}

llvm::StringRef nameOf(rt::Role role) {
  static constexpr llvm::StringLiteral names[] = {
      "input", "target", "parameter", "learning_rate", "step",         "valid",
      "rank",  "output", "loss",      "gradient",      "squared_norm", "squared_norm_replicated"};
  return nameIn<rt::Role::SquaredNormReplicated>(names, role);
}

/// "f32[64, 128]"
std::string textOf(const rt::TensorType &type) {
  std::string text = nameOf(type.element).str() + "[";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(type.shape[i]);
  return text + "]";
}

/// "arena+64", "window1+0+rank*256"
std::string textOf(const rt::BufferRef &ref) {
  std::string text = nameOf(ref.region).str();
  if (ref.region != rt::Region::Arena)
    text += std::to_string(ref.index);
  text += "+" + std::to_string(ref.offset);
  if (ref.rankStride)
    text += "+rank*" + std::to_string(ref.rankStride);
  return text;
}

void writeInit(OStream &json, const rt::Init &init) {
  json.attribute("kind", nameOf(init.kind));
  if (init.source)
    json.attributeObject("source", [&] {
      json.attribute("file", init.source->file);
      if (init.source->tensor.empty()) {
        json.attribute("offset", init.source->offset);
        json.attribute("length", init.source->length);
      } else {
        json.attribute("tensor", init.source->tensor);
      }
      json.attribute("type", textOf(init.source->type));
      if (const auto &part = init.source->part)
        json.attributeArray("part", [&] {
          for (int64_t number : {part->dim, part->from, part->count})
            json.value(number);
        });
    });
  if (init.transposed)
    json.attribute("transposed", true);
  if (init.ghostWidth)
    json.attribute("ghost_width", init.ghostWidth);
  if (init.fanIn)
    json.attribute("fan_in", init.fanIn);
  if (init.zeroOwnBlock)
    json.attribute("zero_own_block", true);
}

void writeParameter(OStream &json, const rt::Parameter &parameter) {
  json.attribute("name", parameter.name);
  json.attribute("type", textOf(parameter.type));
  json.attribute("stored", textOf({parameter.type.element, parameter.storedShape}));
  json.attribute("layout", nameOf(parameter.layout));
  if (parameter.layout == rt::Layout::Shard)
    json.attribute("dim", parameter.shardDim);
  json.attributeObject("init", [&] { writeInit(json, parameter.init); });
  json.attribute("trainable", parameter.trainable);
  if (!parameter.stateOf.empty())
    json.attribute("state_of", parameter.stateOf);
}

void writeGemm(OStream &json, const rt::GemmCommand &gemm) {
  json.attribute("op", "gemm");
  json.attribute("a", textOf(gemm.a));
  json.attribute("b", textOf(gemm.b));
  json.attribute("c", textOf(gemm.c));
  if (gemm.bias)
    json.attribute("bias", textOf(*gemm.bias));
  json.attributeArray("mnk", [&] {
    for (int64_t size : {gemm.m, gemm.n, gemm.k})
      json.value(size);
  });
  json.attributeArray("strides", [&] {
    for (int64_t stride : {gemm.aRow, gemm.aCol, gemm.bRow, gemm.bCol, gemm.cRow})
      json.value(stride);
  });
  json.attribute("element", nameOf(gemm.element));
  if (gemm.accumulate)
    json.attribute("accumulate", true);
  if (gemm.epilogue != rt::Epilogue::None) {
    json.attribute("epilogue", nameOf(gemm.epilogue));
    if (gemm.alpha != 0)
      json.attribute("alpha", gemm.alpha);
  }
  json.attribute("location", gemm.location);
}

void writeCommand(OStream &json, const rt::Command &command, const rt::Program &program) {
  if (auto *gemm = std::get_if<rt::GemmCommand>(&command))
    return writeGemm(json, *gemm);
  if (auto *kernel = std::get_if<rt::KernelCommand>(&command)) {
    json.attribute("op", "kernel");
    json.attribute("kernel", program.kernels[kernel->kernel]);
    json.attributeArray("arguments", [&] {
      for (const rt::BufferRef &argument : kernel->arguments)
        json.value(textOf(argument));
    });
    return json.attribute("location", kernel->location);
  }
  auto *start = std::get_if<rt::ExchangeStartCommand>(&command);
  json.attribute("op", start ? "exchange_start" : "exchange_wait");
  json.attribute("exchange", start ? start->exchange : std::get<rt::ExchangeWaitCommand>(command).exchange);
}

void writeFunction(OStream &json, const rt::Function &function, const rt::Program &program) {
  json.attribute("name", function.name);
  json.attribute("arena_bytes", function.arenaBytes);
  json.attributeArray("arguments", [&] {
    for (const rt::Argument &argument : function.arguments)
      json.object([&] {
        json.attribute("role", nameOf(argument.role));
        json.attribute("name", argument.name);
        json.attribute("type", textOf(argument.type));
      });
  });
  json.attributeArray("results", [&] {
    for (const rt::Result &result : function.results)
      json.object([&] {
        json.attribute("role", nameOf(result.role));
        json.attribute("name", result.name);
        json.attribute("type", textOf(result.type));
        json.attribute("buffer", textOf(result.buffer));
      });
  });
  json.attributeArray("commands", [&] {
    for (const rt::Command &command : function.commands)
      json.object([&] { writeCommand(json, command, program); });
  });
}

void writeExchange(OStream &json, const rt::Exchange &exchange) {
  json.attribute("name", exchange.name);
  json.attribute("kind", nameOf(exchange.kind));
  json.attribute("window", exchange.window);
  json.attribute("element", nameOf(exchange.element));
  json.attribute("outer", exchange.outer);
  json.attribute("inner", exchange.inner);
  if (exchange.destination)
    json.attribute("destination", textOf(*exchange.destination));
  json.attribute("location", exchange.location);
}

} // namespace

void mlir::phantom::writeStepProgramJson(const rt::Program &program, llvm::raw_ostream &os) {
  OStream json(os, /*IndentSize=*/2);
  auto array = [&](llvm::StringRef name, const auto &items, auto write) {
    json.attributeArray(name, [&] {
      for (const auto &item : items)
        json.object([&] { write(item); });
    });
  };
  json.object([&] {
    json.attribute("model", program.model);
    json.attribute("strategy", program.strategy);
    json.attribute("ranks", program.ranks);
    json.attribute("batch", program.batch);
    json.attribute("element", nameOf(program.element));
    json.attribute("loss", program.loss);
    array("parameters", program.parameters, [&](const rt::Parameter &p) { writeParameter(json, p); });
    array("windows", program.windows, [&](const rt::Window &window) {
      json.attribute("name", window.name);
      json.attribute("bytes", window.bytes);
    });
    array("exchanges", program.exchanges,
          [&](const rt::Exchange &exchange) { writeExchange(json, exchange); });
    json.attributeArray("constants", [&] {
      for (const auto &bytes : program.constants)
        json.value(static_cast<int64_t>(bytes.size()));
    });
    json.attributeArray("kernels", [&] {
      for (const std::string &kernel : program.kernels)
        json.value(kernel);
    });
    array("functions", program.functions, [&](const rt::Function &f) { writeFunction(json, f, program); });
    json.attributeObject("train_costs", [&] {
      json.attribute("parameters", program.trainCosts.parameters);
      json.attribute("formula_flops", program.trainCosts.formulaFlops);
      json.attribute("executed_flops", program.trainCosts.executedFlops);
      json.attribute("model_comm_elements", program.trainCosts.modelCommElements);
    });
  });
  os << "\n";
}
