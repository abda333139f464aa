//===- Program.h - The step program: command lists and tables ---*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The compiler's output and the runtime's input. One program serves all ranks:
// everything that depends on the rank is an address computed when the program
// is bound (`BufferRef::rankStride`) or a value in a buffer (`Role::Rank`).
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PROGRAM_H
#define PHANTOM_RT_PROGRAM_H

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace phantom::rt {

/// BF16 is a type of what lies between commands: of factors of GEMMs, buffers of kernels and exchanges that
/// only move data. It is never that of an argument, result or parameter.
enum class ElementType : uint8_t { F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool, BF16 };

/// Size of one element in bytes.
int64_t byteWidth(ElementType type);

/// Element type and shape; row-major and dense wherever it describes storage.
struct TensorType {
  ElementType element = ElementType::F32;
  std::vector<int64_t> shape;

  int64_t elements() const;
  int64_t bytes() const { return elements() * byteWidth(element); }

  bool operator==(const TensorType &) const = default;
};

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// How a parameter's global storage divides over the ranks.
enum class Layout : uint8_t {
  Replicated, ///< every rank holds the whole tensor
  Shard,      ///< rank j holds block j along `shardDim`
  Stacked,    ///< the storage has a leading dimension of size p; rank j holds [j]
};

/// How a parameter gets its first value (docs/Dialects: #phantom.init).
enum class InitKind : uint8_t {
  Load,                ///< the source tensor (Replicated), or this rank's block of it (Shard)
  DiagonalBlock,       ///< block (j, j) of the p×p blocks of the source W [n_out, n_in]
  LowRankCompressor,   ///< C of the truncated SVD start (math.md)
  LowRankDecompressor, ///< D of the same start; the own block is zero
  Uniform,             ///< uniform in ±1/sqrt(fanIn), Philox, by global storage index
  Zeros,
};

/// The `count` slices from `from` on along dimension `dim` of a tensor.
struct TensorPart {
  int64_t dim = 0, from = 0, count = 0;

  bool operator==(const TensorPart &) const = default;
};

/// Bytes in a file: a tensor of a .safetensors file (`tensor` not empty), or a
/// raw little-endian range of any file.
struct Source {
  std::string file; ///< as the compiler resolved it
  std::string tensor;
  int64_t offset = 0; ///< of the raw range, bytes
  int64_t length = 0;
  TensorType type;                               ///< of the stored dense tensor
  std::optional<TensorPart> part = std::nullopt; ///< all of it where there is none
  /// XXH3 of the raw range, where a program that was compiled earlier must find the same bytes.
  std::optional<uint64_t> checksum = std::nullopt;

  bool operator==(const Source &) const = default;
};

struct Init {
  InitKind kind = InitKind::Zeros;
  std::optional<Source> source;
  bool transposed = false;   ///< the source is stored [n_in, n_out]
  int64_t ghostWidth = 0;    ///< k of the low-rank start
  int64_t fanIn = 0;         ///< of Uniform
  bool zeroOwnBlock = false; ///< Uniform decompressor [p, k, m_out]: entry [rank] stays zero

  bool operator==(const Init &) const = default;
};

struct Parameter {
  std::string name;                 ///< e.g. "fc1.local"; names the tensor in files
  TensorType type;                  ///< what one rank holds, as the program sees it
  std::vector<int64_t> storedShape; ///< one rank's part as files show it (same elements)
  Layout layout = Layout::Replicated;
  int64_t shardDim = 0; ///< in storedShape, where layout is Shard
  Init init;
  bool trainable = true;
  std::string stateOf; ///< optimizer state: the parameter it belongs to

  bool operator==(const Parameter &) const = default;
};

//===----------------------------------------------------------------------===//
// Buffers
//===----------------------------------------------------------------------===//

enum class Region : uint8_t {
  Argument, ///< function argument `index`
  Arena,    ///< the rank's scratch memory; `index` is 0
  Window,   ///< window `index`: one allocation that all ranks of the axis see
  Constant, ///< constant `index` of the program, read-only
};

/// An address: base(region, index) + offset + rank * rankStride. Only windows
/// have a rank stride.
struct BufferRef {
  Region region = Region::Arena;
  uint32_t index = 0;
  int64_t offset = 0;     ///< bytes
  int64_t rankStride = 0; ///< bytes

  bool operator==(const BufferRef &) const = default;
};

/// Shared memory of one exchange, outside the arena. All-gather: the gathered
/// tensor; rank j's slot starts at j * rankStride of the refs that write it.
/// Others: p private parts of `bytes / p` each, which the peers read.
struct Window {
  std::string name;
  int64_t bytes = 0; ///< of all ranks together; of GPU programs, of each rank (see CollectiveCommand)

  bool operator==(const Window &) const = default;
};

//===----------------------------------------------------------------------===//
// Commands
//===----------------------------------------------------------------------===//

/// A queue of a GPU: its commands run in order; commands of different streams as events order them. On the
/// CPU, all commands are of one stream.
enum class StreamKind : uint8_t { Compute, Exchange };

/// Relu to Silu are activations. The others are of GPU programs: `...Aux` also writes what the gradient needs
/// to `GemmCommand::aux` (relu: one bit per element, gelu: its operand), `...Gradient` multiplies by the
/// derivative that `aux` gives.
enum class Epilogue : uint8_t {
  None,
  Relu,
  LeakyRelu,
  Elu,
  Sigmoid,
  Tanh,
  GeluErf,
  GeluTanh,
  Silu,
  ReluAux,
  GeluTanhAux,
  ReluGradient,
  GeluTanhGradient,
};

/// c[m,n] = epilogue(a[m,k] · b[k,n] + bias[n] (+ c where accumulate)). Strides in elements:
/// a(i,l) is at a + i*aRow + l*aCol; one of the two is 1. c is row-major with leading dimension cRow.
/// BF16 factors are widened: their products are exact and summed in `element`.
struct GemmCommand {
  BufferRef a, b, c;
  std::optional<BufferRef> bias;
  int64_t m = 0, n = 0, k = 0;
  int64_t aRow = 0, aCol = 1, bRow = 0, bCol = 1, cRow = 0;
  ElementType element = ElementType::F32; ///< of c, bias and aux
  ElementType factors = ElementType::F32; ///< of a and b: `element` or BF16
  bool accumulate = false;
  Epilogue epilogue = Epilogue::None;
  double alpha = 0; ///< of LeakyRelu and Elu
  std::string location;
  // Of GPU programs:
  StreamKind stream = StreamKind::Compute;
  std::optional<BufferRef> aux;          ///< of an Aux or Gradient epilogue
  int64_t auxRow = 0;                    ///< its leading dimension: bits (relu) or elements (gelu)
  std::optional<BufferRef> biasGradient; ///< [n]: the sum over rows of the result of a Gradient epilogue

  bool operator==(const GemmCommand &) const = default;
};

/// Blocks, and threads of a block, of a kernel on a GPU; 0 on the CPU.
struct LaunchShape {
  int64_t blocks = 0, threads = 0;

  bool operator==(const LaunchShape &) const = default;
};

/// What a kernel of a GPU program does with the buffer of one argument: it touches no more than the first
/// `bytes` of it.
struct KernelArgument {
  bool reads = false, writes = false;
  int64_t bytes = 0;

  bool operator==(const KernelArgument &) const = default;
};

/// Calls kernel `kernel` of the object code with the addresses of `arguments`.
struct KernelCommand {
  uint32_t kernel = 0;
  std::vector<BufferRef> arguments;
  std::string location;
  // Of GPU programs:
  StreamKind stream = StreamKind::Compute;
  LaunchShape shape = {};

  bool operator==(const KernelCommand &) const = default;
};

/// Publishes this rank's part of exchange `exchange`; does not block.
struct ExchangeStartCommand {
  uint32_t exchange = 0;

  bool operator==(const ExchangeStartCommand &) const = default;
};

/// Blocks until the exchange's result may be read (and, for reductions, makes it).
struct ExchangeWaitCommand {
  uint32_t exchange = 0;

  bool operator==(const ExchangeWaitCommand &) const = default;
};

/// A whole exchange on a GPU, queued on `stream`. Blocks are contiguous (Exchange::outer is 1):
///  - AllGather: `send` is this rank's slot, of `count` elements, in place in `receive`, the window's p
///  slots.
///  - ReduceScatter: `send` is p blocks of `count` elements, `receive` the sum of block `rank`.
///  - AllReduce: `send` and `receive` have `count` elements.
///  - AllToAll: `send` and `receive` are p blocks of `count` elements; block j of `receive` is block `rank`
///  of rank j's `send`. `receive` is outside of the window.
/// A window is one rank's own memory here: of all but gathers one part is in it, and only slots have a rank
/// stride.
struct CollectiveCommand {
  uint32_t exchange = 0;
  StreamKind stream = StreamKind::Exchange;
  BufferRef send, receive;
  int64_t count = 0;
  ElementType element = ElementType::F32;

  bool operator==(const CollectiveCommand &) const = default;
};

/// Marks the work that is queued on `stream` so far. Events are numbered within a function; each is recorded
/// once.
struct EventRecordCommand {
  uint32_t event = 0;
  StreamKind stream = StreamKind::Compute;

  bool operator==(const EventRecordCommand &) const = default;
};

/// What follows on `stream` runs after what `event` marks. The event is recorded before it in the list.
struct EventWaitCommand {
  uint32_t event = 0;
  StreamKind stream = StreamKind::Compute;

  bool operator==(const EventWaitCommand &) const = default;
};

/// On the CPU exchanges are starts and waits; on a GPU, collectives on a stream of their own, and events. A
/// function of a GPU program begins on the compute stream and ends there: its last commands wait for what
/// other streams do.
using Command = std::variant<GemmCommand, KernelCommand, ExchangeStartCommand, ExchangeWaitCommand,
                             CollectiveCommand, EventRecordCommand, EventWaitCommand>;

enum class ExchangeKind : uint8_t { AllGather, ReduceScatter, AllReduce, AllToAll };

/// A collective over the mesh axis. The full tensor is seen as [outer, p, inner]:
/// rank j's block is [:, j, :]. (Concatenation on dimension 0 has outer = 1.)
///  - AllGather: the window holds the full tensor; nothing is copied.
///  - ReduceScatter: part j of the window is rank j's full partial tensor; the
///    wait writes the sum over ranks, in rank order, of block `rank` to `destination` [outer, inner].
///  - AllReduce: likewise, the sum of all of it, to `destination` [outer * inner]; p does not divide it.
///  - AllToAll: outer is 1, and part j of the window is rank j's full tensor; the
///    wait writes block `rank` of each part j to block j of `destination`
///    [p, inner].
/// Reductions are of f32 or f64, the others of any type.
struct Exchange {
  std::string name;
  ExchangeKind kind = ExchangeKind::AllGather;
  uint32_t window = 0;
  ElementType element = ElementType::F32;
  int64_t outer = 1, inner = 1;
  std::optional<BufferRef> destination; ///< not of GPU programs, whose collectives say where results go
  std::string location;

  bool operator==(const Exchange &) const = default;
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

enum class Role : uint8_t {
  Input,                 ///< model input; replicated, shared by all ranks
  Target,                ///< training target; as Input
  Parameter,             ///< parameter or optimizer state `name`; updated in place
  LearningRate,          ///< scalar of the program's float type
  Step,                  ///< i64 scalar, 1 in the first step
  ValidCount,            ///< i64 scalar: the leading rows of the batch that count
  Rank,                  ///< i64 scalar
  DropoutKey,            ///< i64 scalar, of the run's seed
  Output,                ///< (result) model output, replicated
  Loss,                  ///< (result) scalar, replicated
  Gradient,              ///< (result) of parameter `name`
  SquaredNorm,           ///< (result) f64 scalar, of this rank's sharded and stacked gradients
  SquaredNormReplicated, ///< (result) f64 scalar, of the replicated gradients; count it once
};

struct Argument {
  Role role = Role::Input;
  std::string name;
  TensorType type;
  int64_t indexed = 0; ///< not 0: an input of indices, which must be in [-indexed, indexed)

  bool operator==(const Argument &) const = default;
};

struct Result {
  Role role = Role::Output;
  std::string name;
  TensorType type;
  BufferRef buffer; ///< valid until the next run of the function

  bool operator==(const Result &) const = default;
};

/// A straight-line command list. Every rank runs the same one.
struct Function {
  /// "infer", "evaluate", "gradients" or "train_step"; where a step takes several batches, "accumulate" and
  /// "update" instead of the last.
  std::string name;
  std::vector<Argument> arguments;
  std::vector<Result> results;
  std::vector<Command> commands;
  int64_t arenaBytes = 0;
  int64_t events = 0; ///< of GPU programs

  bool updatesParameters() const { return name == "train_step" || name == "update"; }

  bool operator==(const Function &) const = default;
};

/// What the cost model says of one train step of one rank (math.md names).
struct Costs {
  int64_t parameters = 0;    ///< trainable, of all ranks together (replicated ones once)
  double formulaFlops = 0;   ///< GEMM flops, without an own zero block
  double executedFlops = 0;  ///< GEMM flops as issued
  double modelCommBytes = 0; ///< sent, ring model

  bool operator==(const Costs &) const = default;
};

/// What runs a program's commands.
enum class DeviceKind : uint8_t { Cpu, Gpu };

struct Program {
  std::string model;
  DeviceKind device = DeviceKind::Cpu;
  std::string strategy; ///< "none", "phantom", "tensor" or "megatron"
  int64_t ranks = 1;
  int64_t ghostWidth = 0;                 ///< as asked for; 0 where nothing was
  int64_t batch = 0;                      ///< rows of one run of a function
  int64_t accumulation = 1;               ///< batches whose gradients a training step sums
  ElementType element = ElementType::F32; ///< of activations and parameters
  std::string loss;                       ///< "", "cross-entropy", "mse" or "bce"
  int64_t classes = 0;                    ///< of cross-entropy: targets are 0 to classes - 1; 0: not known
  std::vector<Parameter> parameters;
  std::vector<Window> windows;
  std::vector<Exchange> exchanges;
  std::vector<std::vector<uint8_t>> constants;
  std::vector<std::string> kernels;                         ///< symbols of the object code, in index order
  std::vector<std::vector<KernelArgument>> kernelArguments; ///< of GPU programs: one list per kernel
  std::vector<Function> functions;
  Costs trainCosts;

  const Function *function(const std::string &name) const;

  /// Rows that a training step takes.
  int64_t stepRows() const { return batch * accumulation; }
  /// The functions of a training step, in order, and how often it runs each; none if it is not there.
  std::vector<std::pair<const Function *, int64_t>> stepFunctions() const;

  bool operator==(const Program &) const = default;
};

/// A kernel: called with the addresses of its buffers.
using KernelFunction = void (*)(void *const *arguments);

/// A program with its kernels resolved, ready to run on the CPU.
struct Executable {
  Program program;
  std::vector<KernelFunction> kernels; ///< one per Program::kernels
};

} // namespace phantom::rt

#endif // PHANTOM_RT_PROGRAM_H
