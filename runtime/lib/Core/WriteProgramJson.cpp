//===- WriteProgramJson.cpp - Step programs to JSON -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ProgramJson.h"

#include "ProgramNames.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Base64.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;
using json::OStream;

namespace phantom::rt {

namespace {

/// "f32[64, 128]"
std::string textOf(const TensorType &type) {
  std::string text = nameOf(type.element).str() + "[";
  for (size_t i = 0; i < type.shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(type.shape[i]);
  return text + "]";
}

/// "arena+64", "window1+0+rank*256"
std::string textOf(const BufferRef &ref) {
  std::string text = nameOf(ref.region).str();
  if (ref.region != Region::Arena)
    text += std::to_string(ref.index);
  text += "+" + std::to_string(ref.offset);
  if (ref.rankStride)
    text += "+rank*" + std::to_string(ref.rankStride);
  return text;
}

void writeSource(OStream &json, const Source &source) {
  json.attribute("file", source.file);
  if (source.tensor.empty()) {
    json.attribute("offset", source.offset);
    json.attribute("length", source.length);
  } else {
    json.attribute("tensor", source.tensor);
  }
  json.attribute("type", textOf(source.type));
  if (const std::optional<TensorPart> &part = source.part)
    json.attributeObject("part", [&] {
      json.attribute("dim", part->dim);
      json.attribute("from", part->from);
      json.attribute("count", part->count);
    });
  if (source.checksum)
    json.attribute("checksum", formatv("{0:x-16}", *source.checksum).str());
}

void writeInit(OStream &json, const Init &init) {
  json.attribute("kind", nameOf(init.kind));
  if (init.source)
    json.attributeObject("source", [&] { writeSource(json, *init.source); });
  if (init.transposed)
    json.attribute("transposed", true);
  if (init.ghostWidth)
    json.attribute("ghost_width", init.ghostWidth);
  if (init.fanIn)
    json.attribute("fan_in", init.fanIn);
  if (init.zeroOwnBlock)
    json.attribute("zero_own_block", true);
}

void writeParameter(OStream &json, const Parameter &parameter) {
  json.attribute("name", parameter.name);
  json.attribute("type", textOf(parameter.type));
  json.attribute("stored", textOf({parameter.type.element, parameter.storedShape}));
  json.attribute("layout", nameOf(parameter.layout));
  if (parameter.layout == Layout::Shard)
    json.attribute("dim", parameter.shardDim);
  json.attributeObject("init", [&] { writeInit(json, parameter.init); });
  json.attribute("trainable", parameter.trainable);
  if (!parameter.stateOf.empty())
    json.attribute("state_of", parameter.stateOf);
}

void writeStream(OStream &json, StreamKind stream) {
  if (stream != StreamKind::Compute)
    json.attribute("stream", nameOf(stream));
}

void writeGemm(OStream &json, const GemmCommand &gemm) {
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
  if (gemm.factors != gemm.element)
    json.attribute("factors", nameOf(gemm.factors));
  if (gemm.accumulate)
    json.attribute("accumulate", true);
  if (gemm.epilogue != Epilogue::None)
    json.attribute("epilogue", nameOf(gemm.epilogue));
  if (gemm.alpha != 0)
    json.attribute("alpha", gemm.alpha);
  if (gemm.aux) {
    json.attribute("aux", textOf(*gemm.aux));
    json.attribute("aux_row", gemm.auxRow);
  }
  if (gemm.biasGradient)
    json.attribute("bias_gradient", textOf(*gemm.biasGradient));
  writeStream(json, gemm.stream);
  json.attribute("location", gemm.location);
}

void writeKernel(OStream &json, const KernelCommand &kernel, const Program &program) {
  json.attribute("op", "kernel");
  json.attribute("kernel", program.kernels[kernel.kernel]);
  json.attributeArray("arguments", [&] {
    for (const BufferRef &argument : kernel.arguments)
      json.value(textOf(argument));
  });
  if (program.device == DeviceKind::Gpu) {
    json.attribute("blocks", kernel.shape.blocks);
    json.attribute("threads", kernel.shape.threads);
  }
  writeStream(json, kernel.stream);
  json.attribute("location", kernel.location);
}

void writeCollective(OStream &json, const CollectiveCommand &collective) {
  json.attribute("op", "collective");
  json.attribute("exchange", collective.exchange);
  json.attribute("send", textOf(collective.send));
  json.attribute("receive", textOf(collective.receive));
  json.attribute("count", collective.count);
  json.attribute("element", nameOf(collective.element));
  writeStream(json, collective.stream);
}

void writeCommand(OStream &json, const Command &command, const Program &program) {
  auto write = [&](StringRef op, StringRef what, uint32_t number) {
    json.attribute("op", op);
    json.attribute(what, number);
  };
  if (auto *gemm = std::get_if<GemmCommand>(&command))
    writeGemm(json, *gemm);
  else if (auto *kernel = std::get_if<KernelCommand>(&command))
    writeKernel(json, *kernel, program);
  else if (auto *collective = std::get_if<CollectiveCommand>(&command))
    writeCollective(json, *collective);
  else if (auto *start = std::get_if<ExchangeStartCommand>(&command))
    write("exchange_start", "exchange", start->exchange);
  else if (auto *wait = std::get_if<ExchangeWaitCommand>(&command))
    write("exchange_wait", "exchange", wait->exchange);
  else if (auto *record = std::get_if<EventRecordCommand>(&command))
    write("event_record", "event", record->event), writeStream(json, record->stream);
  else if (auto *eventWait = std::get_if<EventWaitCommand>(&command))
    write("event_wait", "event", eventWait->event), writeStream(json, eventWait->stream);
}

void writeFunction(OStream &json, const Function &function, const Program &program) {
  json.attribute("name", function.name);
  json.attribute("arena_bytes", function.arenaBytes);
  if (function.events)
    json.attribute("events", function.events);
  json.attributeArray("arguments", [&] {
    for (const Argument &argument : function.arguments)
      json.object([&] {
        json.attribute("role", nameOf(argument.role));
        json.attribute("name", argument.name);
        json.attribute("type", textOf(argument.type));
        if (argument.indexed)
          json.attribute("indexed", argument.indexed);
      });
  });
  json.attributeArray("results", [&] {
    for (const Result &result : function.results)
      json.object([&] {
        json.attribute("role", nameOf(result.role));
        json.attribute("name", result.name);
        json.attribute("type", textOf(result.type));
        json.attribute("buffer", textOf(result.buffer));
      });
  });
  json.attributeArray("commands", [&] {
    for (const Command &command : function.commands)
      json.object([&] { writeCommand(json, command, program); });
  });
}

void writeKernelArguments(OStream &json, const Program &program) {
  for (const std::vector<KernelArgument> &arguments : program.kernelArguments)
    json.array([&] {
      for (const KernelArgument &argument : arguments)
        json.object([&] {
          json.attribute("reads", argument.reads);
          json.attribute("writes", argument.writes);
          json.attribute("bytes", argument.bytes);
        });
    });
}

void writeExchange(OStream &json, const Exchange &exchange) {
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

void writeCosts(OStream &json, const Costs &costs) {
  json.attribute("parameters", costs.parameters);
  json.attribute("formula_flops", costs.formulaFlops);
  json.attribute("executed_flops", costs.executedFlops);
  json.attribute("model_comm_bytes", costs.modelCommBytes);
}

} // namespace

void writeProgramJson(const Program &program, raw_ostream &out) {
  OStream json(out, /*IndentSize=*/2);
  auto array = [&](StringRef name, const auto &items, auto write) {
    json.attributeArray(name, [&] {
      for (const auto &item : items)
        json.object([&] { write(item); });
    });
  };
  json.object([&] {
    json.attribute("model", program.model);
    if (program.device != DeviceKind::Cpu)
      json.attribute("device", nameOf(program.device));
    json.attribute("strategy", program.strategy);
    json.attribute("ranks", program.ranks);
    json.attribute("ghost_width", program.ghostWidth);
    json.attribute("batch", program.batch);
    if (program.accumulation != 1)
      json.attribute("accumulation", program.accumulation);
    json.attribute("element", nameOf(program.element));
    json.attribute("loss", program.loss);
    json.attribute("classes", program.classes);
    array("parameters", program.parameters, [&](const Parameter &p) { writeParameter(json, p); });
    array("windows", program.windows, [&](const Window &window) {
      json.attribute("name", window.name);
      json.attribute("bytes", window.bytes);
    });
    array("exchanges", program.exchanges, [&](const Exchange &exchange) { writeExchange(json, exchange); });
    json.attributeArray("constants", [&] {
      for (const std::vector<uint8_t> &bytes : program.constants)
        json.value(encodeBase64(bytes));
    });
    json.attributeArray("kernels", [&] {
      for (const std::string &kernel : program.kernels)
        json.value(kernel);
    });
    if (program.device == DeviceKind::Gpu)
      json.attributeArray("kernel_arguments", [&] { writeKernelArguments(json, program); });
    array("functions", program.functions, [&](const Function &f) { writeFunction(json, f, program); });
    json.attributeObject("train_costs", [&] { writeCosts(json, program.trainCosts); });
  });
  out << "\n";
}

std::string hashOf(Program program) {
  for (Parameter &parameter : program.parameters)
    parameter.init = {};
  program.model.clear();
  std::string text;
  raw_string_ostream out(text);
  writeProgramJson(program, out);
  return utohexstr(xxh3_64bits(StringRef(text)), /*LowerCase=*/true);
}

} // namespace phantom::rt
