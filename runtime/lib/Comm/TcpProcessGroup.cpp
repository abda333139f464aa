//===- TcpProcessGroup.cpp - Processes that are connected over TCP --------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Rendezvous.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/FormatVariadic.h"

#include <poll.h>

using namespace llvm;

namespace phantom::rt {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

namespace {

/// A star around rank 0: in a call, all send it a frame, which says what they call, and rank 0 answers when
/// it has those of all. Between calls nothing comes but the reason for an end.
class TcpProcessGroup final : public ProcessGroup {
public:
  TcpProcessGroup(const ProcessGroupOptions &options, std::vector<Socket> sockets);
  ~TcpProcessGroup() override;

  void abort(StringRef reason) override;
  bool aborted() override;
  std::string reason() const override { return firstReason; }

private:
  struct Peer {
    int64_t rank;
    Socket socket;
    FrameReader reader;
    FrameWriter writer;
    bool isDone = false; ///< with this part of the call
  };

  Error run(const Round &round) override;

  // Rank 0.
  Error collect(const Round &round);
  Error take(Peer &peer, const Round &round);
  Error checkCall(Peer &peer, const Round &round);
  Error answer(const Round &round);

  // The others.
  Error sendCall(const Round &round);
  Error receiveAnswer(const Round &round);

  Error await(short events, short eventsOfDone, StringRef where);
  Error hear(Peer &peer);
  Error ended(const Peer &peer);
  Error broken(const Peer &peer);
  Error fail(const Twine &reason);
  void tell(StringRef reason);
  std::string missing() const;

  const double timeoutSeconds;
  std::vector<Peer> peers;     ///< all other ranks on rank 0; rank 0 on the others
  std::vector<pollfd> waiting; ///< by peer
  uint64_t sequence = 0;       ///< of the present call
  std::string place;           ///< of it, or of the last one
  bool hasFailed = false;
  std::string firstReason;
  Clock::time_point lastLook;
};

} // namespace

TcpProcessGroup::TcpProcessGroup(const ProcessGroupOptions &options, std::vector<Socket> sockets)
    : ProcessGroup(options.place.rank, *options.place.size, options.place.localRank),
      timeoutSeconds(isRoot() ? options.timeoutSeconds : secondsOfOthers(options.timeoutSeconds)),
      place("the start") {
  for (size_t rank = 0; rank < sockets.size(); ++rank)
    if (sockets[rank])
      peers.push_back({int64_t(rank), std::move(sockets[rank]), {}, {}, false});
  for (const Peer &peer : peers)
    waiting.push_back({peer.socket.get(), 0, 0});
}

/// After a failure, stays until the others have read the reason: a socket that is closed while something is
/// unread takes back what it sent.
TcpProcessGroup::~TcpProcessGroup() {
  const auto end = Clock::now() + std::chrono::seconds(1);
  for (const Peer &peer : peers) {
    std::byte rest[4096];
    Socket::Result result = hasFailed ? Socket::Result::Blocks : Socket::Result::Closed;
    while (result != Socket::Result::Closed && Clock::now() < end) {
      std::byte *at = rest;
      size_t left = sizeof(rest);
      result = peer.socket.receive(at, left);
      if (result == Socket::Result::Blocks)
        (void)awaitEvents(peer.socket, POLLIN, Seconds(end - Clock::now()).count());
    }
  }
}

//===----------------------------------------------------------------------===//
// Failures
//===----------------------------------------------------------------------===//

void TcpProcessGroup::tell(StringRef reason) {
  for (const Peer &peer : peers) {
    // In the middle of a frame, the end of the connection must do.
    if (!peer.writer.isInside())
      sendShortly(peer.socket, FrameWriter(FrameKind::Abort, 0, sequence, reason));
    peer.socket.finish();
  }
}

Error TcpProcessGroup::fail(const Twine &reason) {
  if (!hasFailed) {
    firstReason = reason.str();
    hasFailed = true;
    tell(firstReason);
  }
  return makeError(firstReason);
}

void TcpProcessGroup::abort(StringRef reason) {
  if (hasFailed)
    return;
  firstReason = reason.str();
  hasFailed = true;
  tell(("rank " + Twine(rank()) + " failed: " + reason).str());
}

Error TcpProcessGroup::ended(const Peer &peer) {
  return fail("the process of rank " + Twine(peer.rank) + " has ended, while rank " + Twine(rank()) +
              " was at " + place);
}

Error TcpProcessGroup::broken(const Peer &peer) {
  return fail("rank " + Twine(rank()) + " cannot read what rank " + Twine(peer.rank) + " sends at " + place +
              "; start the same phantom-run everywhere, and give each run its own port");
}

/// A peer that should be silent is not: it has ended, or says why it does.
Error TcpProcessGroup::hear(Peer &peer) {
  const auto end = Clock::now() + std::chrono::seconds(1);
  FrameReader reader;
  for (;;) {
    const FrameReader::Result result = reader.advance(peer.socket);
    if (result == FrameReader::Result::Head && reader.kind() == FrameKind::Abort)
      return fail(reader.text());
    if (result == FrameReader::Result::Closed)
      return ended(peer);
    const double left = Seconds(end - Clock::now()).count();
    if (result != FrameReader::Result::Blocks || left <= 0)
      return broken(peer);
    (void)awaitEvents(peer.socket, POLLIN, left);
  }
}

bool TcpProcessGroup::aborted() {
  // Who polls a GPU asks all the time.
  const auto now = Clock::now();
  if (hasFailed || now - lastLook < std::chrono::milliseconds(1))
    return hasFailed;
  lastLook = now;
  for (Peer &peer : peers) {
    FrameHeader header;
    const std::optional<size_t> size = peer.socket.peek(&header, sizeof(header));
    // Rank 0 may find the next call of another, which is ahead of it.
    if (size && (*size == 0 || (*size == sizeof(header) && header.kind == uint32_t(FrameKind::Abort))))
      consumeError(hear(peer));
  }
  return hasFailed;
}

//===----------------------------------------------------------------------===//
// Waits
//===----------------------------------------------------------------------===//

std::string TcpProcessGroup::missing() const {
  std::string ranks;
  for (const Peer &peer : peers)
    if (!peer.isDone)
      ranks += (ranks.empty() ? "" : ", ") + std::to_string(peer.rank);
  return ranks;
}

/// Waits for `events` of peers that are not done, or `eventsOfDone` of the others, up to the deadline.
Error TcpProcessGroup::await(short events, short eventsOfDone, StringRef where) {
  for (size_t i = 0; i < peers.size(); ++i) {
    waiting[i].events = peers[i].isDone ? eventsOfDone : events;
    // The end of a connection is an event, even where none is asked for.
    waiting[i].fd = waiting[i].events ? peers[i].socket.get() : -1;
  }
  const auto begin = Clock::now();
  RankPosition unseen;
  LongWait longWait(position ? *position : unseen);
  for (double seconds = 0; seconds < timeoutSeconds; seconds = Seconds(Clock::now() - begin).count()) {
    // Only who waits for long makes a text of it.
    const bool isLong = seconds >= 1e-3;
    if (isLong)
      longWait.show((where + "; ranks that have not come: " + missing()).str());
    const double most = isLong ? std::min(timeoutSeconds - seconds, 1e6) * 1000 + 1 : 1;
    if (::poll(waiting.data(), waiting.size(), int(most)) > 0)
      return Error::success();
  }
  return fail("rank " + Twine(rank()) + " waited " + formatv("{0}", timeoutSeconds).str() + " s at " + where +
              "; ranks that did not come: " + missing());
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

Error TcpProcessGroup::run(const Round &round) {
  if (hasFailed)
    return makeError(firstReason);
  ++sequence;
  place = round.where.str();
  for (Peer &peer : peers) {
    peer.reader = FrameReader();
    peer.isDone = false;
  }
  if (Error error = isRoot() ? collect(round) : sendCall(round))
    return error;
  return isRoot() ? answer(round) : receiveAnswer(round);
}

/// What a peer calls must be what this process calls.
Error TcpProcessGroup::checkCall(Peer &peer, const Round &round) {
  FrameReader &frame = peer.reader;
  if (frame.kind() == FrameKind::Abort)
    return fail(frame.text());
  if (frame.kind() != FrameKind::Call)
    return broken(peer);
  if (frame.sequence() != sequence || frame.call() != uint32_t(round.call) || frame.text() != round.where)
    return fail("the processes do different things: rank " + Twine(peer.rank) + " is at " + frame.text() +
                ", but rank 0 is at " + round.where);
  if (frame.payloadBytes() != round.up.size())
    return fail("the processes do different things: at " + round.where + ", rank " + Twine(peer.rank) +
                " sends " + Twine(frame.payloadBytes()) + " bytes, and rank 0 has " + Twine(round.up.size()));
  if (!round.up.empty())
    frame.setDestination(round.place(peer.rank));
  return Error::success();
}

/// What has come of a peer's call.
Error TcpProcessGroup::take(Peer &peer, const Round &round) {
  if (peer.isDone)
    return hear(peer);
  for (;;) {
    switch (peer.reader.advance(peer.socket)) {
    case FrameReader::Result::Blocks:
      return Error::success();
    case FrameReader::Result::Head:
      if (Error error = checkCall(peer, round))
        return error;
      continue;
    case FrameReader::Result::Done:
      peer.isDone = true;
      return Error::success();
    case FrameReader::Result::Closed:
      return ended(peer);
    case FrameReader::Result::Broken:
      return broken(peer);
    }
  }
}

Error TcpProcessGroup::collect(const Round &round) {
  while (any_of(peers, [](const Peer &peer) { return !peer.isDone; })) {
    // Who is done is silent, unless it ends.
    if (Error error = await(POLLIN, POLLIN, round.where))
      return error;
    for (size_t i = 0; i < peers.size(); ++i)
      if (waiting[i].revents)
        if (Error error = take(peers[i], round))
          return error;
  }
  return Error::success();
}

Error TcpProcessGroup::answer(const Round &round) {
  for (Peer &peer : peers) {
    peer.writer = FrameWriter(FrameKind::Answer, uint32_t(round.call), sequence, "", round.down);
    peer.isDone = false;
  }
  for (;;) {
    for (Peer &peer : peers) {
      if (peer.isDone)
        continue;
      const Socket::Result result = peer.writer.advance(peer.socket);
      if (result == Socket::Result::Closed)
        return hear(peer);
      peer.isDone = result == Socket::Result::Done;
    }
    if (all_of(peers, [](const Peer &peer) { return peer.isDone; }))
      return Error::success();
    if (Error error = await(POLLOUT, 0, round.where))
      return error;
  }
}

Error TcpProcessGroup::sendCall(const Round &round) {
  Peer &root = peers.front();
  root.writer = FrameWriter(FrameKind::Call, uint32_t(round.call), sequence, round.where, round.up);
  for (;;) {
    const Socket::Result result = root.writer.advance(root.socket);
    if (result == Socket::Result::Done)
      return Error::success();
    if (result == Socket::Result::Closed)
      return hear(root);
    if (Error error = await(POLLIN | POLLOUT, 0, round.where))
      return error;
    if (waiting.front().revents & POLLIN)
      return hear(root);
  }
}

Error TcpProcessGroup::receiveAnswer(const Round &round) {
  Peer &root = peers.front();
  for (;;) {
    switch (root.reader.advance(root.socket)) {
    case FrameReader::Result::Blocks:
      if (Error error = await(POLLIN, 0, round.where))
        return error;
      continue;
    case FrameReader::Result::Head:
      if (root.reader.kind() == FrameKind::Abort)
        return fail(root.reader.text());
      if (root.reader.kind() != FrameKind::Answer || root.reader.sequence() != sequence ||
          root.reader.payloadBytes() != round.down.size())
        return broken(root);
      if (!round.down.empty())
        root.reader.setDestination(round.down.data());
      continue;
    case FrameReader::Result::Done:
      return Error::success();
    case FrameReader::Result::Closed:
      return ended(root);
    case FrameReader::Result::Broken:
      return broken(root);
    }
  }
}

Expected<std::unique_ptr<ProcessGroup>> joinProcessGroup(const ProcessGroupOptions &options) {
  Expected<std::vector<Socket>> sockets = meet(options);
  if (!sockets)
    return sockets.takeError();
  return std::make_unique<TcpProcessGroup>(options, std::move(*sockets));
}

} // namespace phantom::rt
