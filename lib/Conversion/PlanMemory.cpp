//===- PlanMemory.cpp - One arena for all buffers of a function -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BufferAliases.h"
#include "ByteSize.h"
#include "StreamOrder.h"

#include "phantom/Conversion/Passes.h"
#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::phantom {
#define GEN_PASS_DEF_PHANTOMPLANMEMORY
#include "phantom/Conversion/Passes.h.inc"
} // namespace mlir::phantom

using namespace mlir;
using namespace mlir::phantom;

namespace {

constexpr int64_t kAlignment = 64;

struct Buffer {
  memref::AllocOp alloc;
  int64_t bytes = 0;           ///< rounded up to the alignment
  int64_t first = 0, last = 0; ///< positions in the block of its first and last use
  int64_t offset = 0;
};

/// One after the other. Returns the arena's size.
int64_t assignOwnMemory(MutableArrayRef<Buffer> buffers) {
  int64_t size = 0;
  for (Buffer &buffer : buffers) {
    buffer.offset = size;
    size += buffer.bytes;
  }
  return size;
}

bool liveTogether(const Buffer &a, const Buffer &b) { return a.first <= b.last && b.first <= a.last; }

/// Largest first, each at the lowest offset that is free throughout its life. Returns the arena's size.
int64_t assignSharedMemory(MutableArrayRef<Buffer> buffers) {
  SmallVector<Buffer *> order;
  for (Buffer &buffer : buffers)
    order.push_back(&buffer);
  llvm::sort(order, [](const Buffer *a, const Buffer *b) {
    return a->bytes != b->bytes ? a->bytes > b->bytes : a < b; // ties in program order
  });
  SmallVector<const Buffer *> placed; // by offset
  int64_t size = 0;
  for (Buffer *buffer : order) {
    int64_t offset = 0;
    for (const Buffer *other : placed) {
      if (!liveTogether(*buffer, *other))
        continue;
      if (offset + buffer->bytes <= other->offset)
        break;
      offset = std::max(offset, other->offset + other->bytes);
    }
    buffer->offset = offset;
    size = std::max(size, offset + buffer->bytes);
    placed.insert(llvm::upper_bound(placed, buffer,
                                    [](const Buffer *a, const Buffer *b) { return a->offset < b->offset; }),
                  buffer);
  }
  return size;
}

struct PlanMemoryPass : phantom::impl::PhantomPlanMemoryBase<PlanMemoryPass> {
  using PhantomPlanMemoryBase::PhantomPlanMemoryBase;

  void runOnOperation() override {
    FailureOr<SmallVector<func::FuncOp>> functions = straightLineFunctions(getOperation());
    if (failed(functions))
      return signalPassFailure();
    for (func::FuncOp function : *functions)
      if (failed(plan(function)))
        return signalPassFailure();
  }

private:
  LogicalResult plan(func::FuncOp function) {
    llvm::DenseMap<Operation *, int64_t> positions;
    for (Operation &op : function.getBody().front())
      positions[&op] = positions.size();
    const Spans spans = collectiveSpans(function.getBody().front());
    SmallVector<Buffer> buffers;
    int64_t unshared = 0;
    for (auto alloc : function.getOps<memref::AllocOp>()) {
      if (!alloc.getType().hasStaticShape() || !alloc.getType().getLayout().isIdentity())
        return alloc.emitOpError("must have a static shape and no layout to get a place in the arena");
      buffers.push_back(measure(alloc, positions, spans));
      unshared += buffers.back().bytes;
    }
    if (buffers.empty())
      return success();
    int64_t size = share ? assignSharedMemory(buffers) : assignOwnMemory(buffers);
    replace(function, buffers, size);
    InFlightDiagnostic remark = mlir::emitRemark(function.getLoc())
                                << "@" << function.getName() << ": arena of " << size << " bytes for "
                                << buffers.size() << " buffers of " << unshared << " bytes";
    if (size == unshared)
      remark << ", which share none";
    return success();
  }

  using Spans = llvm::DenseMap<Operation *, CollectiveSpan>;

  static Buffer measure(memref::AllocOp alloc, const llvm::DenseMap<Operation *, int64_t> &positions,
                        const Spans &spans) {
    Buffer buffer;
    buffer.alloc = alloc;
    MemRefType type = alloc.getType();
    buffer.bytes = llvm::alignTo(std::max<int64_t>(byteSize(type), 1), kAlignment);
    buffer.first = positions.size();
    for (const BufferUse &use : usesOf(alloc.getResult(), alloc->getBlock())) {
      CollectiveSpan span = {use.op, use.op};
      if (auto collective = spans.find(use.op); collective != spans.end())
        span = collective->second;
      buffer.first = std::min(buffer.first, positions.lookup(span.begin));
      buffer.last = std::max(buffer.last, positions.lookup(span.end));
    }
    return buffer;
  }

  static void replace(func::FuncOp function, ArrayRef<Buffer> buffers, int64_t size) {
    OpBuilder builder = OpBuilder::atBlockBegin(&function.getBody().front());
    auto arenaType = MemRefType::get({size}, builder.getI8Type());
    Value arena = ArenaOp::create(builder, function.getLoc(), arenaType);
    for (const Buffer &buffer : buffers) {
      memref::AllocOp alloc = buffer.alloc;
      builder.setInsertionPoint(alloc);
      Value offset = arith::ConstantIndexOp::create(builder, alloc.getLoc(), buffer.offset);
      Value view =
          memref::ViewOp::create(builder, alloc.getLoc(), alloc.getType(), arena, offset, ValueRange());
      alloc.replaceAllUsesWith(view);
      alloc.erase();
    }
  }
};

} // namespace
