//===- ScheduleStreams.cpp - Exchanges on a stream of their own -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Commands are taken in their order. Each stream knows, as a vector clock does,
// how many commands of the other have run before its next one. Where a command
// conflicts with a later one than that, its stream waits.
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <array>

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMSCHEDULESTREAMS
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

/// A part of the memory of a root. Of a gathered window: the rank's own slot, or those of the others.
enum class Part { All, Own, Others };

struct Access {
  Value root;
  Part part = Part::All;
  bool writes = false;
};

bool conflict(const Access &a, const Access &b) {
  bool apart =
      (a.part == Part::Own && b.part == Part::Others) || (a.part == Part::Others && b.part == Part::Own);
  return a.root == b.root && !apart && (a.writes || b.writes);
}

Access accessTo(Value buffer, bool writes) {
  auto slot = rootOrSlotOf(buffer).getDefiningOp<WindowSlotOp>();
  return {rootOf(buffer), slot && slot.getDim() ? Part::Own : Part::All, writes};
}

SmallVector<Access> accessesOf(Operation *op) {
  SmallVector<Access> accesses;
  if (auto collective = dyn_cast<CollectiveOp>(op)) {
    bool gathers = collective.getKind() == ExchangeKind::AllGather;
    Value window = rootOf(collective.getWindow());
    accesses.push_back({window, gathers ? Part::Own : Part::All, false});
    if (gathers)
      accesses.push_back({window, Part::Others, true});
    else
      accesses.push_back(accessTo(collective.getDestination(), true));
    return accesses;
  }
  for (Value operand : op->getOperands())
    if (isa<MemRefType>(operand.getType()))
      accesses.push_back(accessTo(operand, mayWrite(op, operand)));
  return accesses;
}

constexpr size_t indexOf(StreamKind stream) { return static_cast<size_t>(stream); }

struct Command {
  Operation *op;
  SmallVector<Access> accesses;
  std::array<size_t, 2> clock; ///< by stream: how many of its commands have run when this one has
};

/// Orders the streams of one block.
class Scheduler {
public:
  explicit Scheduler(Block &block) : block(block) {}

  /// `waits` says which collective an exchange_wait waits for.
  void run(const llvm::DenseMap<Operation *, Operation *> &waits) {
    size_t awaited = 0; // by the compute stream, from its next command on
    for (Operation &op : block.without_terminator()) {
      if (Operation *collective = waits.lookup(&op))
        awaited = std::max(awaited, numbers.lookup(collective));
      else if (isa<CollectiveOp>(op))
        add(&op, StreamKind::Exchange, 0);
      else if (isa<GemmOp, LaunchOp>(op))
        add(&op, StreamKind::Compute, awaited);
    }
    waitFor(queued[indexOf(StreamKind::Exchange)].size(), StreamKind::Compute, block.getTerminator());
  }

  int64_t waitsOf(StreamKind stream) const { return waitCounts[indexOf(stream)]; }

private:
  /// Queues `op`, behind the first `needed` commands of the other stream and all that it conflicts with.
  void add(Operation *op, StreamKind stream, size_t needed) {
    const size_t own = indexOf(stream), other = 1 - own;
    SmallVector<Access> accesses = accessesOf(op);
    auto conflicts = [&](const Command &command) {
      return llvm::any_of(command.accesses, [&](const Access &before) {
        return llvm::any_of(accesses, [&](const Access &now) { return conflict(before, now); });
      });
    };
    for (size_t i = queued[other].size(); i > std::max(needed, known[own][other]); --i)
      if (conflicts(queued[other][i - 1]))
        needed = i;
    if (stream == StreamKind::Exchange && queued[own].empty() && needed == 0)
      fork(op);
    waitFor(needed, stream, op);
    known[own][own] = queued[own].size() + 1;
    queued[own].push_back({op, std::move(accesses), known[own]});
    numbers[op] = queued[own].size();
  }

  /// Makes `stream` wait, before `op`, for the first `count` commands of the other one, unless it did.
  void waitFor(size_t count, StreamKind stream, Operation *op) {
    const size_t own = indexOf(stream), other = 1 - own;
    if (count <= known[own][other])
      return;
    const Command &last = queued[other][count - 1];
    OpBuilder builder(op->getContext());
    builder.setInsertionPointAfter(last.op);
    wait(EventRecordOp::create(builder, last.op->getLoc(), static_cast<StreamKind>(other)), stream, op);
    for (size_t i = 0; i < known[own].size(); ++i)
      known[own][i] = std::max(known[own][i], last.clock[i]);
  }

  /// The exchange stream begins behind what ran before the function.
  void fork(Operation *op) {
    OpBuilder builder = OpBuilder::atBlockBegin(&block);
    wait(EventRecordOp::create(builder, op->getLoc(), StreamKind::Compute), StreamKind::Exchange, op);
  }

  void wait(EventRecordOp record, StreamKind stream, Operation *op) {
    OpBuilder builder(op);
    EventWaitOp::create(builder, op->getLoc(), record.getEvent(), stream);
    ++waitCounts[indexOf(stream)];
  }

  Block &block;
  std::array<std::vector<Command>, 2> queued;
  std::array<std::array<size_t, 2>, 2> known = {};
  std::array<int64_t, 2> waitCounts = {};
  llvm::DenseMap<Operation *, size_t> numbers; ///< of commands, in their stream, from 1 on
};

/// Moves what defines `buffer` before `op`, where it is behind it.
void defineBefore(Value buffer, Operation *op) {
  Operation *definition = buffer.getDefiningOp();
  if (!definition || definition->isBeforeInBlock(op))
    return;
  for (Value operand : definition->getOperands())
    defineBefore(operand, op);
  definition->moveBefore(op);
}

/// Whether the blocks along `dim` of a tensor of this shape are contiguous.
bool hasContiguousBlocks(ArrayRef<int64_t> shape, int64_t dim) {
  return llvm::all_of(shape.take_front(dim), [](int64_t extent) { return extent == 1; });
}

struct ScheduleStreamsPass : phantom::impl::PhantomScheduleStreamsBase<ScheduleStreamsPass> {
  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> functions = straightLineFunctions(getOperation());
    if (failed(functions))
      return signalPassFailure();
    for (func::FuncOp function : *functions)
      if (failed(schedule(function)))
        return signalPassFailure();
  }

private:
  static LogicalResult schedule(func::FuncOp function) {
    llvm::DenseMap<Operation *, Operation *> waits;
    SmallVector<Operation *> replaced;
    for (auto start : llvm::to_vector(function.getOps<ExchangeStartOp>()))
      if (failed(replaceStart(start, waits, replaced)))
        return failure();
    if (waits.empty())
      return success();
    Scheduler scheduler(function.getBody().front());
    scheduler.run(waits);
    report(function, scheduler);
    for (Operation *op : replaced)
      op->erase();
    return success();
  }

  static void report(func::FuncOp function, const Scheduler &scheduler) {
    double bytes = 0;
    for (auto collective : function.getOps<CollectiveOp>())
      bytes += collective.getRingElements() *
               (cast<MemRefType>(collective.getWindow().getType()).getElementTypeBitWidth() / 8);
    auto count = [](auto ops) { return llvm::range_size(ops); };
    mlir::emitRemark(function.getLoc())
        << "@" << function.getName() << ": " << count(function.getOps<GemmOp>()) << " GEMMs, "
        << count(function.getOps<LaunchOp>()) << " kernels and " << count(function.getOps<CollectiveOp>())
        << " exchanges, for which each rank sends " << static_cast<int64_t>(bytes)
        << " bytes; the compute stream waits " << scheduler.waitsOf(StreamKind::Compute)
        << " times, the exchange stream " << scheduler.waitsOf(StreamKind::Exchange) << " times";
  }

  /// Puts a collective before the start, and notes which wait is its, and what is then to be erased.
  static LogicalResult replaceStart(ExchangeStartOp start, llvm::DenseMap<Operation *, Operation *> &waits,
                                    SmallVectorImpl<Operation *> &replaced) {
    auto window = start.getWindow().getDefiningOp<WindowOp>();
    if (!window)
      return start.emitOpError("is on no phantom.window");
    if (!start.getToken().hasOneUse())
      return start.emitOpError("must have exactly one exchange_wait");
    auto wait = cast<ExchangeWaitOp>(*start.getToken().user_begin());
    ArrayRef<int64_t> shape = cast<MemRefType>(window.getWindow().getType()).getShape();
    bool gathers = start.getKind() == ExchangeKind::AllGather;
    if (start.getKind() != ExchangeKind::AllReduce &&
        !hasContiguousBlocks(gathers ? shape : shape.drop_front(), start.getDim()))
      return start.emitOpError("exchanges blocks that are not contiguous: run phantom-pack-exchanges");
    Value own = gathers ? window.getWindow() : ownPart(window);
    if (wait.getDestination())
      defineBefore(wait.getDestination(), start);
    OpBuilder builder(start);
    auto collective =
        CollectiveOp::create(builder, start.getLoc(), start.getKind(), own, wait.getDestination(),
                             start.getMesh(), start.getAxis(), StreamKind::Exchange);
    waits[wait] = collective;
    llvm::append_range(replaced, SmallVector<Operation *>{wait, start});
    if (!gathers)
      replaced.push_back(window);
    return success();
  }

  /// The one part that a window of another exchange than a gather has on a GPU, in place of the rank's slot.
  static Value ownPart(WindowOp window) {
    auto type = cast<MemRefType>(window.getWindow().getType());
    OpBuilder builder(window);
    Value part = WindowOp::create(builder, window.getLoc(),
                                  MemRefType::get(type.getShape().drop_front(), type.getElementType()),
                                  window.getName());
    for (Operation *user : llvm::make_early_inc_range(window.getWindow().getUsers()))
      if (auto slot = dyn_cast<WindowSlotOp>(user)) {
        slot.getSlot().replaceAllUsesWith(part);
        slot.erase();
      }
    return part;
  }
};

} // namespace
