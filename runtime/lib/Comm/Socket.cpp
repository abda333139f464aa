//===- Socket.cpp - TCP connections ---------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Socket.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

using namespace llvm;

namespace phantom::rt {

using Clock = std::chrono::steady_clock;
using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

Socket::~Socket() {
  if (descriptor >= 0)
    ::close(descriptor);
}

static Socket::Result resultOf(ssize_t count) {
  const bool later = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return later ? Socket::Result::Blocks : Socket::Result::Closed;
}

Socket::Result Socket::send(const std::byte *&at, size_t &left) const {
  while (left > 0) {
    const ssize_t count = ::send(descriptor, at, left, MSG_NOSIGNAL);
    if (count <= 0)
      return resultOf(count);
    at += count;
    left -= size_t(count);
  }
  return Result::Done;
}

Socket::Result Socket::receive(std::byte *&at, size_t &left) const {
  while (left > 0) {
    const ssize_t count = ::recv(descriptor, at, left, 0);
    if (count <= 0)
      return resultOf(count);
    at += count;
    left -= size_t(count);
  }
  return Result::Done;
}

std::optional<size_t> Socket::peek(void *to, size_t size) const {
  const ssize_t count = ::recv(descriptor, to, size, MSG_PEEK);
  if (count < 0 && resultOf(count) == Result::Blocks)
    return std::nullopt;
  return size_t(std::max<ssize_t>(count, 0));
}

void Socket::finish() const { (void)::shutdown(descriptor, SHUT_WR); }

/// Messages are short, and answers are waited for.
static void sendAtOnce(int descriptor) {
  const int on = 1;
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Socket Socket::accept() const {
  Socket accepted(::accept4(descriptor, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted)
    sendAtOnce(accepted.get());
  return accepted;
}

static std::string textOf(const std::string &host, uint16_t port) {
  return host + ":" + std::to_string(port);
}

/// Returns a status of getaddrinfo.
static int lookUp(const std::string &host, uint16_t port, int flags, Addresses &to) {
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo *found = nullptr;
  const int status =
      ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (status == 0)
    to.reset(found);
  return status;
}

static Error unknownMachine(const std::string &host, int status) {
  return makeError("cannot find the machine '" + host + "': " + ::gai_strerror(status));
}

static bool isAddress(const std::string &host) {
  Addresses numeric(nullptr, &::freeaddrinfo);
  return lookUp(host, 0, AI_NUMERICHOST, numeric) == 0;
}

static Socket openSocket(const addrinfo &address) {
  return Socket(
      ::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, address.ai_protocol));
}

/// Listens at one address; false with errno set if that cannot be.
static bool listenAt(const addrinfo &address, Socket &to) {
  to = openSocket(address);
  if (!to)
    return false;
  // A port of a run that has just ended may be used again.
  const int on = 1, off = 0;
  (void)::setsockopt(to.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (address.ai_family == AF_INET6)
    (void)::setsockopt(to.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  return ::bind(to.get(), address.ai_addr, address.ai_addrlen) == 0 && ::listen(to.get(), SOMAXCONN) == 0;
}

Expected<Socket> listenAt(const std::string &host, uint16_t port) {
  const bool isExact = host == "localhost" || isAddress(host);
  Addresses addresses(nullptr, &::freeaddrinfo);
  if (const int status = lookUp(isExact ? host : "", port, AI_PASSIVE, addresses))
    return unknownMachine(host, status);
  std::string problem = "it has no address";
  // An IPv6 socket of all addresses also takes connections of IPv4.
  const SmallVector<int> families =
      isExact ? SmallVector<int>{AF_UNSPEC} : SmallVector<int>{AF_INET6, AF_INET};
  for (int family : families)
    for (const addrinfo *address = addresses.get(); address; address = address->ai_next) {
      if (family != AF_UNSPEC && address->ai_family != family)
        continue;
      Socket socket;
      if (listenAt(*address, socket))
        return socket;
      problem = std::strerror(errno);
    }
  return makeError("rank 0 cannot listen at " + textOf(host, port) + ": " + problem +
                   "; --rendezvous names a free port of the machine where rank 0 runs");
}

/// Connects to one address, up to the deadline; false with errno set if that cannot be.
static bool connectTo(const addrinfo &address, Clock::time_point deadline, Socket &to) {
  to = openSocket(address);
  if (!to)
    return false;
  if (::connect(to.get(), address.ai_addr, address.ai_addrlen) == 0)
    return true;
  if (errno != EINPROGRESS)
    return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd waiting = {to.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, int(std::clamp<int64_t>(left, 0, 1000 * 1000))) <= 0) {
    errno = ETIMEDOUT;
    return false;
  }
  int status = 0;
  socklen_t size = sizeof(status);
  (void)::getsockopt(to.get(), SOL_SOCKET, SO_ERROR, &status, &size);
  errno = status;
  return status == 0;
}

/// A port that nobody listens at may be the one that the connecting end is given for itself.
static bool isConnectedToItself(const Socket &socket) {
  sockaddr_storage own = {}, peer = {};
  socklen_t ownSize = sizeof(own), peerSize = sizeof(peer);
  return ::getsockname(socket.get(), reinterpret_cast<sockaddr *>(&own), &ownSize) == 0 &&
         ::getpeername(socket.get(), reinterpret_cast<sockaddr *>(&peer), &peerSize) == 0 &&
         ownSize == peerSize && std::memcmp(&own, &peer, ownSize) == 0;
}

Expected<Socket> connectTo(const std::string &host, uint16_t port, Clock::time_point deadline) {
  // An address that swallows packets must not keep the others from their turn.
  constexpr auto longestTry = std::chrono::seconds(5);
  for (;;) {
    Addresses addresses(nullptr, &::freeaddrinfo);
    const int status = lookUp(host, port, 0, addresses);
    std::string problem;
    for (const addrinfo *address = addresses.get(); address; address = address->ai_next) {
      Socket socket;
      if (!connectTo(*address, std::min(deadline, Clock::now() + longestTry), socket)) {
        problem = std::strerror(errno);
      } else if (isConnectedToItself(socket)) {
        problem = std::strerror(ECONNREFUSED);
      } else {
        sendAtOnce(socket.get());
        return socket;
      }
    }
    // The name of a machine may be known only once that is up.
    const bool mayCome = status == 0 || status == EAI_AGAIN || status == EAI_NONAME;
    if (!mayCome || Clock::now() >= deadline) {
      if (status != 0)
        return unknownMachine(host, status);
      return makeError("cannot connect to rank 0 at " + textOf(host, port) + ": " + problem +
                       "; start rank 0 there, or give --rendezvous its machine and port");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

} // namespace phantom::rt
