//===- HappensBefore.cpp - What a command list orders ----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "HappensBefore.h"

#include <array>
#include <map>

using namespace llvm;
using namespace phantom::rt;

namespace phantom::mutation {

HappensBefore::HappensBefore(const std::vector<Command> &commands) {
  const size_t begin = commands.size();
  std::array<BitVector, 2> streams; // by StreamKind: all that is over when the stream's next command begins
  streams.fill(BitVector(unsigned(begin + 1)));
  streams[size_t(StreamKind::Compute)].set(unsigned(begin));
  std::map<uint32_t, BitVector> events;

  for (size_t i = 0; i < commands.size(); ++i) {
    auto work = [&](StreamKind kind) {
      BitVector &stream = streams[size_t(kind)];
      before.push_back(stream);
      stream.set(unsigned(i));
    };
    if (const auto *gemm = std::get_if<GemmCommand>(&commands[i]))
      work(gemm->stream);
    else if (const auto *kernel = std::get_if<KernelCommand>(&commands[i]))
      work(kernel->stream);
    else if (const auto *collective = std::get_if<CollectiveCommand>(&commands[i]))
      work(collective->stream);
    else if (const auto *record = std::get_if<EventRecordCommand>(&commands[i]))
      before.push_back(events[record->event] = streams[size_t(record->stream)]);
    else if (const auto *wait = std::get_if<EventWaitCommand>(&commands[i]))
      before.push_back(streams[size_t(wait->stream)] |=
                       events.try_emplace(wait->event, BitVector(unsigned(begin + 1))).first->second);
    else
      before.push_back(BitVector(unsigned(begin + 1))); // exchanges in halves are for CPUs
  }
  atEnd = streams[size_t(StreamKind::Compute)];
}

} // namespace phantom::mutation
