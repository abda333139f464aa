//===- Rendezvous.cpp - How processes find each other ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rendezvous.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <map>
#include <poll.h>

using namespace llvm;

namespace phantom::rt {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

bool awaitEvents(const Socket &socket, short events, double seconds) {
  pollfd waiting = {socket.get(), events, 0};
  return ::poll(&waiting, 1, int(std::clamp(seconds * 1000, 0.0, 1e9))) > 0;
}

void sendShortly(const Socket &socket, FrameWriter frame) {
  const auto end = Clock::now() + std::chrono::seconds(1);
  while (frame.advance(socket) == Socket::Result::Blocks) {
    const double left = Seconds(end - Clock::now()).count();
    if (left <= 0 || !awaitEvents(socket, POLLOUT, left))
      return;
  }
}

static std::string placeText(const ProcessPlace &place) {
  return place.host + ":" + std::to_string(place.port);
}

//===----------------------------------------------------------------------===//
// What a process says of itself
//===----------------------------------------------------------------------===//

/// Strings that each end in a zero byte: size, rank, then names and values.
static std::string helloText(const ProcessGroupOptions &options) {
  std::string text;
  auto add = [&](StringRef part) { text.append(part.begin(), part.end()).push_back('\0'); };
  add(std::to_string(*options.place.size));
  add(std::to_string(options.place.rank));
  for (const auto &[name, value] : options.agreement) {
    add(name);
    add(value);
  }
  return text;
}

static StringRef takePart(StringRef &text) {
  auto [part, rest] = text.split('\0');
  text = rest;
  return part;
}

/// What differs between what rank `rank` said and what rank 0 has; empty: nothing.
static std::string difference(int64_t rank, StringRef text, const Agreement &ours) {
  constexpr StringLiteral advice =
      ": start all processes with the same command line, but for --process-rank and --local-rank";
  std::map<StringRef, StringRef> theirs;
  while (!text.empty()) {
    const StringRef name = takePart(text);
    theirs[name] = takePart(text);
  }
  for (const auto &[name, value] : ours) {
    auto found = theirs.find(name);
    if (found == theirs.end())
      return formatv("rank 0 was started with {0}, and rank {1} without{2}", name, rank, advice);
    if (found->second != value)
      return formatv("rank {0} was started with {1} {2}, rank 0 with {3}{4}", rank, name, found->second,
                     value, advice);
    theirs.erase(found);
  }
  if (!theirs.empty())
    return formatv("rank {0} was started with {1}, and rank 0 without{2}", rank, theirs.begin()->first,
                   advice);
  return "";
}

//===----------------------------------------------------------------------===//
// Rank 0
//===----------------------------------------------------------------------===//

namespace {

/// Rank 0 while the others come.
class Reception {
public:
  explicit Reception(const ProcessGroupOptions &options)
      : options(options), size(*options.place.size), joined(size_t(size)) {}

  Expected<std::vector<Socket>> run();

private:
  /// Who has connected, but not yet said who it is.
  struct Guest {
    Socket socket;
    FrameReader reader;
  };

  Error receive(size_t index);
  Error admit(Guest &guest);
  Error checkJoined(int64_t rank);
  Error refuse(const Twine &reason, const Socket *guest = nullptr);
  std::string missing() const;

  const ProcessGroupOptions &options;
  const int64_t size;
  std::vector<Socket> joined; ///< by rank
  std::vector<Guest> guests;
};

} // namespace

std::string Reception::missing() const {
  std::vector<std::string> ranks;
  for (int64_t rank = 1; rank < size; ++rank)
    if (!joined[size_t(rank)])
      ranks.push_back(std::to_string(rank));
  return join(ranks, ", ");
}

/// Tells all that have come why there is no run.
Error Reception::refuse(const Twine &reason, const Socket *guest) {
  const std::string text = reason.str();
  const FrameWriter frame(FrameKind::Abort, 0, 0, text);
  if (guest)
    sendShortly(*guest, frame);
  for (const Socket &socket : joined)
    if (socket)
      sendShortly(socket, frame);
  return makeError(text);
}

Error Reception::admit(Guest &guest) {
  if (guest.reader.kind() != FrameKind::Hello)
    return Error::success();
  StringRef text = guest.reader.text();
  int64_t theirSize = 0, rank = 0;
  if (guest.reader.version() != frameVersion || takePart(text).getAsInteger(10, theirSize) ||
      takePart(text).getAsInteger(10, rank))
    return refuse("a process of another version of phantom-run wants to join; start the same one everywhere",
                  &guest.socket);
  if (theirSize != size)
    return refuse("rank " + Twine(rank) + " was started as one of " + Twine(theirSize) +
                      " processes, rank 0 as one of " + Twine(size) + ": start as many as --ranks says",
                  &guest.socket);
  if (rank < 1 || rank >= size)
    return refuse("a process wants to join as rank " + Twine(rank) + ", but this run has the ranks 0 to " +
                      Twine(size - 1),
                  &guest.socket);
  if (joined[size_t(rank)])
    return refuse("two processes are rank " + Twine(rank) + ": give each its own --process-rank",
                  &guest.socket);
  if (std::string different = difference(rank, text, options.agreement); !different.empty())
    return refuse(different, &guest.socket);
  joined[size_t(rank)] = std::move(guest.socket);
  return Error::success();
}

/// Who says nothing that we understand is no process of ours, and is let go.
Error Reception::receive(size_t index) {
  Guest &guest = guests[index];
  FrameReader::Result result = guest.reader.advance(guest.socket);
  if (result == FrameReader::Result::Blocks)
    return Error::success();
  Error error = result == FrameReader::Result::Head ? admit(guest) : Error::success();
  guests.erase(guests.begin() + int64_t(index));
  return error;
}

/// Nothing comes from a process that has joined but its end.
Error Reception::checkJoined(int64_t rank) {
  FrameReader reader;
  if (reader.advance(joined[size_t(rank)]) == FrameReader::Result::Head && reader.kind() == FrameKind::Abort)
    return refuse(reader.text());
  joined[size_t(rank)] = Socket();
  return refuse("the process of rank " + Twine(rank) + " has ended before all had joined");
}

Expected<std::vector<Socket>> Reception::run() {
  Expected<Socket> listener = listenAt(options.place.host, options.place.port);
  if (!listener)
    return listener.takeError();
  const auto deadline = Clock::now() + Seconds(options.timeoutSeconds);
  while (!missing().empty()) {
    std::vector<pollfd> waiting = {{listener->get(), POLLIN, 0}};
    for (const Guest &guest : guests)
      waiting.push_back({guest.socket.get(), POLLIN, 0});
    for (const Socket &socket : joined)
      waiting.push_back({socket.get(), POLLIN, 0}); // those of no socket are passed over
    const double left = Seconds(deadline - Clock::now()).count();
    if (left <= 0)
      return refuse("rank 0 waited " + formatv("{0}", options.timeoutSeconds).str() + " s at " +
                    placeText(options.place) +
                    " for the other processes; ranks that did not come: " + missing());
    if (::poll(waiting.data(), waiting.size(), int(std::min(left * 1000 + 1, 1e9))) <= 0)
      continue;
    const size_t present = guests.size();
    for (int64_t rank = 1; rank < size; ++rank)
      if (waiting[1 + present + size_t(rank)].revents)
        if (Error error = checkJoined(rank))
          return error;
    for (size_t i = present; i-- > 0;)
      if (waiting[1 + i].revents)
        if (Error error = receive(i))
          return error;
    if (waiting[0].revents)
      if (Socket accepted = listener->accept())
        guests.push_back({std::move(accepted), FrameReader()});
  }
  for (const Socket &socket : joined)
    if (socket)
      sendShortly(socket, FrameWriter(FrameKind::Welcome, 0, 0, ""));
  return std::move(joined);
}

//===----------------------------------------------------------------------===//
// The others
//===----------------------------------------------------------------------===//

static Expected<std::vector<Socket>> visit(const ProcessGroupOptions &options) {
  const ProcessPlace &place = options.place;
  const auto begin = Clock::now();
  Expected<Socket> socket =
      connectTo(place.host, place.port,
                begin + std::chrono::duration_cast<Clock::duration>(Seconds(options.timeoutSeconds)));
  if (!socket)
    return socket.takeError();
  sendShortly(*socket, FrameWriter(FrameKind::Hello, 0, 0, helloText(options)));
  FrameReader reader;
  FrameReader::Result result = FrameReader::Result::Blocks;
  while (result == FrameReader::Result::Blocks) {
    const double left = secondsOfOthers(options.timeoutSeconds) - Seconds(Clock::now() - begin).count();
    if (left <= 0 || !awaitEvents(*socket, POLLIN, left))
      return makeError("rank " + Twine(place.rank) + " waited " +
                       formatv("{0}", options.timeoutSeconds).str() + " s for rank 0 at " + placeText(place) +
                       " to say that all have joined");
    result = reader.advance(*socket);
  }
  if (result == FrameReader::Result::Head && reader.kind() == FrameKind::Abort)
    return makeError(reader.text());
  if (result == FrameReader::Result::Closed)
    return makeError("the process of rank 0 at " + placeText(place) + " has ended before all had joined");
  if (result != FrameReader::Result::Head || reader.kind() != FrameKind::Welcome)
    return makeError("what answers at " + placeText(place) +
                     " is not rank 0 of a phantom-run; give --rendezvous the port of rank 0");
  std::vector<Socket> sockets;
  sockets.push_back(std::move(*socket));
  return sockets;
}

Expected<std::vector<Socket>> meet(const ProcessGroupOptions &options) {
  if (*options.place.size == 1)
    return std::vector<Socket>(1);
  return options.place.rank == 0 ? Reception(options).run() : visit(options);
}

} // namespace phantom::rt
