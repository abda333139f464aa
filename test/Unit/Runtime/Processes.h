//===- Processes.h - Groups of processes, played by threads -----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TEST_RUNTIME_PROCESSES_H
#define PHANTOM_TEST_RUNTIME_PROCESSES_H

#include "TestSupport.h"
#include "phantom-rt/ProcessGroup.h"

#include <arpa/inet.h>
#include <functional>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace phantom::rt::test {

/// A port of this machine that nobody uses.
inline uint16_t freePort() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  EXPECT_EQ(::bind(descriptor, reinterpret_cast<sockaddr *>(&address), size), 0);
  EXPECT_EQ(::getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size), 0);
  ::close(descriptor);
  return ntohs(address.sin_port);
}

inline ProcessGroupOptions processOptions(int64_t rank, int64_t size, uint16_t port,
                                          double timeoutSeconds = 20) {
  ProcessGroupOptions options;
  options.place = {"127.0.0.1", port, rank, size, rank};
  options.agreement = {{"--seed", "3"}, {"the compiled program", "ab"}};
  options.timeoutSeconds = timeoutSeconds;
  return options;
}

/// Calls job(rank) on a thread for each rank, and waits for all.
inline void onThreads(int64_t ranks, const std::function<void(int64_t)> &job) {
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&job, rank] { job(rank); });
  for (std::thread &thread : threads)
    thread.join();
}

/// The same with a group that all have joined; it ends with the job.
inline void onGroup(int64_t ranks, const std::function<void(ProcessGroup &)> &job,
                    double timeoutSeconds = 20) {
  const uint16_t port = freePort();
  onThreads(ranks, [&](int64_t rank) {
    std::unique_ptr<ProcessGroup> group =
        value(joinProcessGroup(processOptions(rank, ranks, port, timeoutSeconds)));
    job(*group);
  });
}

} // namespace phantom::rt::test

#endif // PHANTOM_TEST_RUNTIME_PROCESSES_H
