//===- StreamOrder.cpp - What may run beside a collective -------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "StreamOrder.h"

#include "phantom/Dialect/Phantom/IR/Phantom.h"

using namespace mlir;
using namespace mlir::phantom;

llvm::DenseMap<Operation *, CollectiveSpan> mlir::phantom::collectiveSpans(Block &block) {
  llvm::DenseMap<Operation *, CollectiveSpan> spans;
  llvm::DenseMap<Operation *, SmallVector<Operation *>> marked; // by event: the collectives before its record
  SmallVector<Operation *> open;                                // not yet waited for
  Operation *known = &block.front(); // the latest record of compute that the exchange stream has waited for
  for (Operation &op : block) {
    if (auto collective = dyn_cast<CollectiveOp>(op);
        collective && collective.getStream() == StreamKind::Exchange) {
      spans[&op] = {known, block.getTerminator()};
      open.push_back(&op);
    } else if (auto record = dyn_cast<EventRecordOp>(op);
               record && record.getStream() == StreamKind::Exchange) {
      marked[&op] = open;
    } else if (auto wait = dyn_cast<EventWaitOp>(op)) {
      Operation *event = wait.getEvent().getDefiningOp();
      if (wait.getStream() == StreamKind::Exchange) {
        if (known->isBeforeInBlock(event))
          known = event;
        continue;
      }
      for (Operation *collective : marked.lookup(event))
        if (auto *found = llvm::find(open, collective); found != open.end()) {
          spans[collective].end = &op;
          open.erase(found);
        }
    }
  }
  return spans;
}
