//===- Frame.h - What processes send each other -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_COMM_FRAME_H
#define PHANTOM_RT_LIB_COMM_FRAME_H

#include "Socket.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Endian.h"

#include <string>

namespace phantom::rt {

constexpr uint32_t frameMagic = 0x4d485050; // "PPHM"
/// To be raised with every change of what processes send.
constexpr uint32_t frameVersion = 1;

enum class FrameKind : uint32_t {
  Hello,   ///< the text says who it is
  Welcome, ///< all have come
  Abort,   ///< the text is the reason
  Call,    ///< of a process that is not rank 0; the text is the place
  Answer,  ///< of rank 0
};

/// A frame is a header, a text and a payload.
struct FrameHeader {
  llvm::support::ulittle32_t magic, version, kind, call, textBytes, reserved;
  llvm::support::ulittle64_t sequence, payloadBytes;
};
static_assert(sizeof(FrameHeader) == 40, "the same on all machines");

/// Sends one frame, bit by bit. `payload` outlives it.
class FrameWriter {
public:
  FrameWriter() = default;
  FrameWriter(FrameKind kind, uint32_t call, uint64_t sequence, llvm::StringRef text,
              llvm::ArrayRef<std::byte> payload = {});

  Socket::Result advance(const Socket &socket);
  bool isDone() const { return sentHead == head.size() && payload.empty(); }
  /// Part of it was sent, but not all.
  bool isInside() const { return sentHead > 0 && !isDone(); }

private:
  std::string head; ///< header and text
  size_t sentHead = 0;
  llvm::ArrayRef<std::byte> payload; ///< what is left of it
};

/// Receives one frame, bit by bit.
class FrameReader {
public:
  enum class Result : uint8_t {
    Blocks, ///< the rest has not come yet
    Head,   ///< header and text are there: `setDestination` goes before what follows
    Done,
    Closed, ///< by the other end
    Broken, ///< that is no frame of ours
  };
  Result advance(const Socket &socket);

  FrameKind kind() const { return FrameKind(uint32_t(header.kind)); }
  uint32_t call() const { return header.call; }
  uint32_t version() const { return header.version; }
  uint64_t sequence() const { return header.sequence; }
  uint64_t payloadBytes() const { return header.payloadBytes; }
  const std::string &text() const { return body; }

  /// Where the payload goes.
  void setDestination(std::byte *destination);

  /// Whether some of it has come.
  bool isInside() const { return headerLeft != sizeof(FrameHeader) || stage != Stage::Header; }

private:
  enum class Stage : uint8_t { Header, Text, Payload, Done };
  Result takeHeader();

  FrameHeader header = {};
  size_t headerLeft = sizeof(FrameHeader);
  Stage stage = Stage::Header;
  std::string body;
  std::byte *at = nullptr;
  size_t left = 0;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_COMM_FRAME_H
