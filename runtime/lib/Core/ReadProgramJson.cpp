//===- ReadProgramJson.cpp - Step programs from JSON ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Each `fromJSON` mirrors the function of WriteProgramJson.cpp for the same
// type. llvm::json finds them by the type's namespace.
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ProgramJson.h"

#include "JsonMembers.h"
#include "ProgramNames.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/HostTensor.h"
#include "phantom-rt/Json.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Base64.h"

using namespace llvm;
using json::Path;
using json::Value;

namespace phantom::rt {

namespace {

/// Bytes in base 64.
struct Bytes {
  std::vector<uint8_t> &value;
};

/// 64 bits as hexadecimal digits: JSON's numbers are too short for them.
struct Hexadecimal {
  std::optional<uint64_t> &value;
};

bool fromJSON(const Value &value, Bytes &out, Path path) {
  std::vector<char> bytes;
  std::optional<StringRef> text = value.getAsString();
  if (!text || errorToBool(decodeBase64(*text, bytes))) {
    path.report("expected bytes in base 64");
    return false;
  }
  out.value.assign(bytes.begin(), bytes.end());
  return true;
}

bool fromJSON(const Value &value, Hexadecimal &out, Path path) {
  uint64_t number = 0;
  std::optional<StringRef> text = value.getAsString();
  if (!text || text->getAsInteger(16, number)) {
    path.report("expected hexadecimal digits");
    return false;
  }
  out.value = number;
  return true;
}

/// Consumes a number that is not negative.
template <typename Integer> bool consumeCount(StringRef &text, Integer &out) {
  uint64_t number = 0;
  if (text.consumeInteger(10, number) || number > uint64_t(std::numeric_limits<Integer>::max()))
    return false;
  out = Integer(number);
  return true;
}

/// "f32[64, 128]"
std::optional<TensorType> parseType(StringRef text) {
  TensorType type;
  auto [element, dimensions] = text.split('[');
  std::optional<ElementType> known = valueOf<ElementType>(element);
  if (!known || !dimensions.consume_back("]"))
    return std::nullopt;
  type.element = *known;
  while (!dimensions.empty()) {
    if (!consumeCount(dimensions, type.shape.emplace_back()))
      return std::nullopt;
    if (!dimensions.empty() && (!dimensions.consume_front(", ") || dimensions.empty()))
      return std::nullopt;
  }
  return checkedElements(type.shape, byteWidth(type.element)) ? std::optional(type) : std::nullopt;
}

/// "arena+64", "window1+0+rank*256"
std::optional<BufferRef> parseBuffer(StringRef text) {
  BufferRef ref;
  std::optional<Region> region = valueOf<Region>(text.take_while([](char c) { return isAlpha(c); }));
  if (!region)
    return std::nullopt;
  ref.region = *region;
  text = text.drop_while([](char c) { return isAlpha(c); });
  if (ref.region != Region::Arena && !consumeCount(text, ref.index))
    return std::nullopt;
  if (!text.consume_front("+") || !consumeCount(text, ref.offset))
    return std::nullopt;
  if (text.consume_front("+rank*") && !consumeCount(text, ref.rankStride))
    return std::nullopt;
  return text.empty() ? std::optional(ref) : std::nullopt;
}

} // namespace

template <typename Enum>
static std::enable_if_t<std::is_enum_v<Enum>, bool> fromJSON(const Value &value, Enum &out, Path path) {
  std::optional<StringRef> text = value.getAsString();
  std::optional<Enum> known = text ? valueOf<Enum>(*text) : std::nullopt;
  if (!known) {
    path.report("unknown name");
    return false;
  }
  out = *known;
  return true;
}

static bool fromJSON(const Value &value, TensorType &out, Path path) {
  std::optional<StringRef> text = value.getAsString();
  std::optional<TensorType> type = text ? parseType(*text) : std::nullopt;
  if (!type) {
    path.report("expected a tensor type, such as \"f32[64, 128]\"");
    return false;
  }
  out = std::move(*type);
  return true;
}

static bool fromJSON(const Value &value, BufferRef &out, Path path) {
  std::optional<StringRef> text = value.getAsString();
  std::optional<BufferRef> ref = text ? parseBuffer(*text) : std::nullopt;
  if (!ref) {
    path.report("expected a buffer, such as \"arena+64\" or \"window1+0+rank*256\"");
    return false;
  }
  out = *ref;
  return true;
}

static bool fromJSON(const Value &value, TensorPart &out, Path path) {
  return Members(value, path)
      .required("dim", Count(out.dim))
      .required("from", Count(out.from))
      .required("count", Count(out.count))
      .finish();
}

static bool fromJSON(const Value &value, Source &out, Path path) {
  Members members(value, path);
  members.required("file", out.file).optional("tensor", out.tensor).required("type", out.type);
  if (out.tensor.empty())
    members.required("offset", Count(out.offset)).required("length", Count(out.length));
  return members.optional("part", out.part).optional("checksum", Hexadecimal{out.checksum}).finish();
}

static bool fromJSON(const Value &value, Init &out, Path path) {
  return Members(value, path)
      .required("kind", out.kind)
      .optional("source", out.source)
      .optional("transposed", out.transposed)
      .optional("ghost_width", Count(out.ghostWidth))
      .optional("fan_in", Count(out.fanIn))
      .optional("zero_own_block", out.zeroOwnBlock)
      .finish();
}

static bool fromJSON(const Value &value, Parameter &out, Path path) {
  TensorType stored;
  Members members(value, path);
  members.required("name", out.name)
      .required("type", out.type)
      .required("stored", stored)
      .required("layout", out.layout);
  if (out.layout == Layout::Shard)
    members.required("dim", Count(out.shardDim));
  members.required("init", out.init).required("trainable", out.trainable).optional("state_of", out.stateOf);
  if (members.isGood() && stored.element != out.type.element) {
    path.field("stored").report("expected the element type of \"type\"");
    return false;
  }
  out.storedShape = std::move(stored.shape);
  return members.finish();
}

static bool fromJSON(const Value &value, Window &out, Path path) {
  return Members(value, path).required("name", out.name).required("bytes", Count(out.bytes)).finish();
}

static bool fromJSON(const Value &value, KernelArgument &out, Path path) {
  return Members(value, path)
      .required("reads", out.reads)
      .required("writes", out.writes)
      .required("bytes", Count(out.bytes))
      .finish();
}

static bool fromJSON(const Value &value, Exchange &out, Path path) {
  return Members(value, path)
      .required("name", out.name)
      .required("kind", out.kind)
      .required("window", Count(out.window))
      .required("element", out.element)
      .required("outer", Count(out.outer))
      .required("inner", Count(out.inner))
      .optional("destination", out.destination)
      .required("location", out.location)
      .finish();
}

static bool fromJSON(const Value &value, Argument &out, Path path) {
  return Members(value, path)
      .required("role", out.role)
      .required("name", out.name)
      .required("type", out.type)
      .optional("indexed", Count(out.indexed))
      .finish();
}

static bool fromJSON(const Value &value, Result &out, Path path) {
  return Members(value, path)
      .required("role", out.role)
      .required("name", out.name)
      .required("type", out.type)
      .required("buffer", out.buffer)
      .finish();
}

static bool fromJSON(const Value &value, Costs &out, Path path) {
  return Members(value, path)
      .required("parameters", Count(out.parameters))
      .required("formula_flops", out.formulaFlops)
      .required("executed_flops", out.executedFlops)
      .required("model_comm_bytes", out.modelCommBytes)
      .finish();
}

namespace {

/// Commands name their kernels, which a program lists in one place.
class CommandReader {
public:
  explicit CommandReader(ArrayRef<std::string> kernels) {
    for (size_t i = 0; i < kernels.size(); ++i)
      numbers.try_emplace(kernels[i], uint32_t(i));
  }

  bool read(const Value &value, Command &out, Path path) const {
    const json::Object *object = value.getAsObject();
    StringRef op = object ? object->getString("op").value_or("") : "";
    if (op == "gemm")
      return readGemm(value, out.emplace<GemmCommand>(), path);
    if (op == "kernel")
      return readKernel(value, out.emplace<KernelCommand>(), path);
    if (op == "exchange_start")
      return readExchange(value, out.emplace<ExchangeStartCommand>().exchange, path);
    if (op == "exchange_wait")
      return readExchange(value, out.emplace<ExchangeWaitCommand>().exchange, path);
    if (op == "collective")
      return readCollective(value, out.emplace<CollectiveCommand>(), path);
    if (op == "event_record")
      return readEvent(value, out.emplace<EventRecordCommand>(), path);
    if (op == "event_wait")
      return readEvent(value, out.emplace<EventWaitCommand>(), path);
    path.field("op").report("expected \"gemm\", \"kernel\", \"exchange_start\", \"exchange_wait\", "
                            "\"collective\", \"event_record\" or \"event_wait\"");
    return false;
  }

private:
  /// An array of exactly these numbers.
  static bool readCounts(Members &members, StringLiteral name, Path path, ArrayRef<int64_t *> out) {
    std::vector<int64_t> values;
    members.array(name, values, [](const Value &value, int64_t &to, Path place) {
      Count<int64_t> count{to};
      return fromJSON(value, count, place);
    });
    if (!members.isGood())
      return false;
    if (values.size() != out.size()) {
      path.field(name).report("expected 3 sizes or 5 strides");
      return false;
    }
    for (size_t i = 0; i < out.size(); ++i)
      *out[i] = values[i];
    return true;
  }

  static bool readGemm(const Value &value, GemmCommand &out, Path path) {
    std::string op;
    Members members(value, path);
    members.required("op", op).required("a", out.a).required("b", out.b).required("c", out.c);
    members.optional("bias", out.bias);
    if (!readCounts(members, "mnk", path, {&out.m, &out.n, &out.k}) ||
        !readCounts(members, "strides", path, {&out.aRow, &out.aCol, &out.bRow, &out.bCol, &out.cRow}))
      return false;
    members.required("element", out.element);
    out.factors = out.element;
    return members.optional("factors", out.factors)
        .optional("accumulate", out.accumulate)
        .optional("epilogue", out.epilogue)
        .optional("alpha", out.alpha)
        .optional("aux", out.aux)
        .optional("aux_row", Count(out.auxRow))
        .optional("bias_gradient", out.biasGradient)
        .optional("stream", out.stream)
        .required("location", out.location)
        .finish();
  }

  bool readKernel(const Value &value, KernelCommand &out, Path path) const {
    std::string op, kernel;
    Members members(value, path);
    members.required("op", op)
        .required("kernel", kernel)
        .required("arguments", out.arguments)
        .optional("blocks", Count(out.shape.blocks))
        .optional("threads", Count(out.shape.threads))
        .optional("stream", out.stream)
        .required("location", out.location);
    if (!members.finish())
      return false;
    auto found = numbers.find(kernel);
    if (found == numbers.end()) {
      path.field("kernel").report("expected one of the program's kernels");
      return false;
    }
    out.kernel = found->second;
    return true;
  }

  static bool readExchange(const Value &value, uint32_t &out, Path path) {
    std::string op;
    return Members(value, path).required("op", op).required("exchange", Count(out)).finish();
  }

  static bool readCollective(const Value &value, CollectiveCommand &out, Path path) {
    std::string op;
    out.stream = StreamKind::Compute; // as all commands that name none
    return Members(value, path)
        .required("op", op)
        .required("exchange", Count(out.exchange))
        .required("send", out.send)
        .required("receive", out.receive)
        .required("count", Count(out.count))
        .required("element", out.element)
        .optional("stream", out.stream)
        .finish();
  }

  template <typename EventCommand> static bool readEvent(const Value &value, EventCommand &out, Path path) {
    std::string op;
    return Members(value, path)
        .required("op", op)
        .required("event", Count(out.event))
        .optional("stream", out.stream)
        .finish();
  }

  StringMap<uint32_t> numbers;
};

bool readFunction(const Value &value, Function &out, Path path, const CommandReader &commands) {
  return Members(value, path)
      .required("name", out.name)
      .required("arena_bytes", Count(out.arenaBytes))
      .optional("events", Count(out.events))
      .required("arguments", out.arguments)
      .required("results", out.results)
      .array("commands", out.commands,
             [&](const Value &element, Command &to, Path place) { return commands.read(element, to, place); })
      .finish();
}

bool readProgram(const Value &value, Program &out, Path path) {
  Members members(value, path);
  members.required("model", out.model)
      .optional("device", out.device)
      .required("strategy", out.strategy)
      .required("ranks", Count(out.ranks))
      .required("ghost_width", Count(out.ghostWidth))
      .required("batch", Count(out.batch))
      .optional("accumulation", out.accumulation)
      .required("element", out.element)
      .required("loss", out.loss)
      .required("classes", Count(out.classes))
      .required("parameters", out.parameters)
      .required("windows", out.windows)
      .required("exchanges", out.exchanges)
      .array("constants", out.constants,
             [](const Value &element, std::vector<uint8_t> &to, Path place) {
               Bytes bytes{to};
               return fromJSON(element, bytes, place);
             })
      .required("kernels", out.kernels);
  if (out.device == DeviceKind::Gpu)
    members.required("kernel_arguments", out.kernelArguments);
  const CommandReader commands(out.kernels);
  return members
      .array("functions", out.functions,
             [&](const Value &element, Function &to, Path place) {
               return readFunction(element, to, place, commands);
             })
      .required("train_costs", out.trainCosts)
      .finish();
}

} // namespace

Expected<Program> parseProgramJson(StringRef text, StringRef path) {
  Expected<Value> value = parseJson(text);
  if (!value)
    return makeError("'" + path + "' is no step program: " + toString(value.takeError()));
  Program program;
  Path::Root root("program");
  if (!readProgram(*value, program, root))
    return makeError("'" + path + "' is no step program: " + toString(root.getError()));
  return program;
}

} // namespace phantom::rt
