//===- Frame.cpp - What processes send each other -------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Frame.h"

using namespace llvm;

namespace phantom::rt {

/// A stranger's header must not make us allocate what it says.
constexpr uint32_t mostTextBytes = 1 << 20;

FrameWriter::FrameWriter(FrameKind kind, uint32_t call, uint64_t sequence, StringRef text,
                         ArrayRef<std::byte> payload)
    : payload(payload) {
  text = text.take_front(mostTextBytes);
  FrameHeader header = {};
  header.magic = frameMagic;
  header.version = frameVersion;
  header.kind = uint32_t(kind);
  header.call = call;
  header.textBytes = uint32_t(text.size());
  header.sequence = sequence;
  header.payloadBytes = payload.size();
  head.assign(reinterpret_cast<const char *>(&header), sizeof(header));
  head += text;
}

Socket::Result FrameWriter::advance(const Socket &socket) {
  const auto *at = reinterpret_cast<const std::byte *>(head.data()) + sentHead;
  size_t left = head.size() - sentHead;
  Socket::Result result = socket.send(at, left);
  sentHead = head.size() - left;
  if (result != Socket::Result::Done)
    return result;
  at = payload.data();
  left = payload.size();
  result = socket.send(at, left);
  payload = payload.take_back(left);
  return result;
}

FrameReader::Result FrameReader::takeHeader() {
  if (header.magic != frameMagic || header.textBytes > mostTextBytes)
    return Result::Broken;
  stage = Stage::Text;
  body.resize(header.textBytes);
  at = reinterpret_cast<std::byte *>(body.data());
  left = body.size();
  return Result::Done;
}

void FrameReader::setDestination(std::byte *destination) {
  at = destination;
  left = size_t(payloadBytes());
}

FrameReader::Result FrameReader::advance(const Socket &socket) {
  if (stage == Stage::Header) {
    std::byte *to = reinterpret_cast<std::byte *>(&header) + (sizeof(header) - headerLeft);
    const Socket::Result result = socket.receive(to, headerLeft);
    if (result != Socket::Result::Done)
      return result == Socket::Result::Closed ? Result::Closed : Result::Blocks;
    if (Result taken = takeHeader(); taken == Result::Broken)
      return taken;
  }
  if (stage == Stage::Done)
    return Result::Done;
  const Socket::Result result = socket.receive(at, left);
  if (result != Socket::Result::Done)
    return result == Socket::Result::Closed ? Result::Closed : Result::Blocks;
  if (stage == Stage::Text) {
    stage = Stage::Payload;
    return Result::Head;
  }
  stage = Stage::Done;
  return Result::Done;
}

} // namespace phantom::rt
