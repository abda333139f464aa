//===- Socket.h - TCP connections -------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_COMM_SOCKET_H
#define PHANTOM_RT_LIB_COMM_SOCKET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <utility>

namespace phantom::rt {

/// A socket that never blocks; closed in the end.
class Socket {
public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor(descriptor) {}
  Socket(Socket &&other) noexcept : descriptor(std::exchange(other.descriptor, -1)) {}
  Socket &operator=(Socket &&other) noexcept {
    std::swap(descriptor, other.descriptor);
    return *this;
  }
  ~Socket();

  int get() const { return descriptor; }
  explicit operator bool() const { return descriptor >= 0; }

  enum class Result : uint8_t {
    Done,   ///< all of it
    Blocks, ///< no more at the moment
    Closed, ///< by the other end, or by an error
  };
  /// Each moves `at` and `left` on by what went through.
  Result send(const std::byte *&at, size_t &left) const;
  Result receive(std::byte *&at, size_t &left) const;

  /// Copies what could be received next, up to `size` bytes, without taking it; 0 where the other end has
  /// closed, nothing where nothing has come yet.
  std::optional<size_t> peek(void *to, size_t size) const;

  /// Tells the other end that nothing more comes.
  void finish() const;

  /// The next connection to a listening socket; none where nobody waits.
  Socket accept() const;

private:
  int descriptor = -1;
};

/// A socket that listens: at HOST itself, where it is an address or this machine's own name for itself
/// ("localhost"); else at all addresses, since a machine's name may stand for one that others cannot reach.
llvm::Expected<Socket> listenAt(const std::string &host, uint16_t port);

/// Tries again until the deadline: the other end may start later.
llvm::Expected<Socket> connectTo(const std::string &host, uint16_t port,
                                 std::chrono::steady_clock::time_point deadline);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_COMM_SOCKET_H
