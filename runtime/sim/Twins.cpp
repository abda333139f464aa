//===- Twins.cpp - Kernels run by their twins -----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Twins.h"

#include "Fibers.h"
#include "phantom-rt/GpuSim.h"
#include "llvm/ADT/Twine.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <mutex>
#include <numeric>

using namespace llvm;

namespace phantom::rt {

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

static constexpr char magic[16] = "phantom twins";

static std::mutex imagesMutex;
static std::deque<std::shared_ptr<const std::vector<KernelTwin>>> &images() {
  static std::deque<std::shared_ptr<const std::vector<KernelTwin>>> all;
  return all;
}

std::vector<char> registerTwins(std::vector<KernelTwin> twins) {
  std::lock_guard<std::mutex> lock(imagesMutex);
  const uint64_t index = images().size();
  images().push_back(std::make_shared<const std::vector<KernelTwin>>(std::move(twins)));
  std::vector<char> image(std::begin(magic), std::end(magic));
  const char *begin = reinterpret_cast<const char *>(&index);
  image.insert(image.end(), begin, begin + sizeof(index));
  return image;
}

namespace sim {

std::shared_ptr<const std::vector<KernelTwin>> findTwins(const void *image) {
  if (!image || std::memcmp(image, magic, sizeof(magic)) != 0)
    return nullptr;
  uint64_t index = 0;
  std::memcpy(&index, static_cast<const char *>(image) + sizeof(magic), sizeof(index));
  std::lock_guard<std::mutex> lock(imagesMutex);
  return index < images().size() ? images()[index] : nullptr;
}

//===----------------------------------------------------------------------===//
// Copies of the arguments
//===----------------------------------------------------------------------===//

// Bytes on both sides of a copy, which nobody may change.
static constexpr size_t redZone = 4096;
static constexpr std::byte redByte{0xfb};
// Copies have addresses that are as aligned as those of device memory.
static constexpr size_t alignment = 256;
// What a kernel finds where it may only write, in its two runs.
static constexpr std::byte fillers[2] = {std::byte{0xa5}, std::byte{0x5a}};

namespace {

/// Bytes of a piece that a kernel uses alike.
struct Segment {
  size_t begin = 0, size = 0;
  bool reads = false, writes = false;
};

/// Bytes of device memory that arguments share, and what a run did to a copy of them.
struct Piece {
  uintptr_t begin = 0, end = 0;
  std::vector<Segment> segments;
  std::vector<std::byte> storage;
  std::vector<std::byte> results[2]; ///< by run

  size_t size() const { return end - begin; }
  std::byte *copy() {
    const auto start = reinterpret_cast<uintptr_t>(storage.data()) + redZone;
    const uintptr_t shift = (begin % alignment + alignment - start % alignment) % alignment;
    return reinterpret_cast<std::byte *>(start + shift);
  }
};

class TwinRun {
public:
  TwinRun(const TwinLaunch &launch, const std::function<std::byte *(const void *)> &host)
      : launch(launch), host(host) {
    findPieces();
  }

  std::string run(int number, bool fill, std::mt19937_64 &random);
  std::string compareRuns() const;
  void copyBack(bool twice);

private:
  void findPieces();
  void findSegments(Piece &piece);
  std::string runBlocks(std::mt19937_64 &random);
  std::byte *original(const Piece &piece) const { return host(reinterpret_cast<const void *>(piece.begin)); }

  const TwinLaunch &launch;
  const std::function<std::byte *(const void *)> &host;
  std::vector<Piece> pieces;
};

} // namespace

void TwinRun::findPieces() {
  std::vector<std::pair<uintptr_t, uintptr_t>> ranges;
  for (auto [argument, address] : llvm::zip(launch.twin->arguments, launch.arguments))
    ranges.emplace_back(reinterpret_cast<uintptr_t>(address),
                        reinterpret_cast<uintptr_t>(address) + uintptr_t(argument.bytes));
  llvm::sort(ranges);
  for (auto [begin, end] : ranges) {
    if (pieces.empty() || begin >= pieces.back().end) {
      pieces.emplace_back();
      pieces.back().begin = begin;
    }
    pieces.back().end = std::max(pieces.back().end, end);
  }
  for (Piece &piece : pieces)
    findSegments(piece);
}

// Splits a piece where an argument begins or ends.
void TwinRun::findSegments(Piece &piece) {
  std::vector<uintptr_t> borders;
  for (auto [argument, address] : llvm::zip(launch.twin->arguments, launch.arguments))
    for (uintptr_t border : {reinterpret_cast<uintptr_t>(address),
                             reinterpret_cast<uintptr_t>(address) + uintptr_t(argument.bytes)})
      if (argument.bytes > 0 && border >= piece.begin && border <= piece.end)
        borders.push_back(border);
  llvm::sort(borders);
  borders.erase(llvm::unique(borders), borders.end());
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    Segment segment = {borders[i] - piece.begin, borders[i + 1] - borders[i]};
    for (auto [argument, address] : llvm::zip(launch.twin->arguments, launch.arguments)) {
      const auto begin = reinterpret_cast<uintptr_t>(address);
      if (borders[i] < begin || borders[i] >= begin + uintptr_t(argument.bytes))
        continue;
      segment.reads |= argument.reads;
      segment.writes |= argument.writes;
    }
    piece.segments.push_back(segment);
  }
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

std::string TwinRun::runBlocks(std::mt19937_64 &random) {
  std::vector<void *> addresses = launch.arguments;
  for (auto [argument, address] : llvm::zip(launch.twin->arguments, addresses))
    for (Piece &piece : pieces) {
      const auto begin = reinterpret_cast<uintptr_t>(address);
      const bool inside = begin >= piece.begin && begin + uintptr_t(argument.bytes) <= piece.end;
      if (inside && (argument.bytes > 0 || piece.size() == 0)) {
        address = piece.copy() + (begin - piece.begin);
        break;
      }
    }
  std::vector<int64_t> order(size_t(launch.blocks));
  std::iota(order.begin(), order.end(), int64_t(0));
  std::shuffle(order.begin(), order.end(), random);

  const size_t workgroupBytes = size_t(launch.twin->workgroupBytes + launch.dynamicBytes);
  std::vector<std::byte> workgroup(alignment + workgroupBytes + redZone);
  auto *begin = reinterpret_cast<std::byte *>(
      (reinterpret_cast<uintptr_t>(workgroup.data()) + alignment - 1) / alignment * alignment);
  BlockRunner runner(*launch.twin, launch.threads);
  for (int64_t block : order) {
    std::fill(workgroup.begin(), workgroup.end(), redByte);
    TwinThread thread;
    thread.block = block;
    thread.blocks = launch.blocks;
    thread.workgroup = begin;
    switch (runner.run(addresses.data(), thread, random)) {
    case BlockRunner::Outcome::Done:
      break;
    case BlockRunner::Outcome::Diverged:
      return ("some threads of block " + Twine(block) + " end while others wait at a barrier").str();
    case BlockRunner::Outcome::UnknownBarrier:
      return "it has a barrier, and its table says that it has none";
    }
    const auto isRed = [](std::byte byte) { return byte == redByte; };
    if (!std::all_of(workgroup.data(), begin, isRed) ||
        !std::all_of(begin + workgroupBytes, workgroup.data() + workgroup.size(), isRed))
      return ("block " + Twine(block) + " writes outside of its " + Twine(workgroupBytes) +
              " bytes of workgroup memory")
          .str();
  }
  return "";
}

std::string TwinRun::run(int number, bool fill, std::mt19937_64 &random) {
  for (Piece &piece : pieces) {
    piece.storage.assign(piece.size() + 2 * redZone + alignment, redByte);
    if (piece.size() > 0)
      std::memcpy(piece.copy(), original(piece), piece.size());
    for (const Segment &segment : piece.segments)
      if (fill && !segment.reads)
        std::fill_n(piece.copy() + segment.begin, segment.size, fillers[number]);
    piece.results[number].assign(piece.copy(), piece.copy() + piece.size());
  }
  if (std::string problem = runBlocks(random); !problem.empty())
    return problem;
  for (Piece &piece : pieces) {
    const auto isRed = [](std::byte byte) { return byte == redByte; };
    std::byte *begin = piece.copy(), *end = begin + piece.size();
    if (!std::all_of(piece.storage.data(), begin, isRed) ||
        !std::all_of(end, piece.storage.data() + piece.storage.size(), isRed))
      return "it writes outside of the bytes that its table gives it";
    for (const Segment &segment : piece.segments)
      if (!segment.writes &&
          std::memcmp(begin + segment.begin, piece.results[number].data() + segment.begin, segment.size) != 0)
        return "it writes an argument that its table says it only reads";
    piece.results[number].assign(begin, end);
  }
  return "";
}

// Whether a byte is as it was filled before both runs: nobody wrote it.
static bool isUntouched(const Piece &piece, const Segment &segment, size_t byte) {
  return !segment.reads && piece.results[0][byte] == fillers[0] && piece.results[1][byte] == fillers[1];
}

static bool runsAgree(const Piece &piece, const Segment &segment) {
  return std::memcmp(piece.results[0].data() + segment.begin, piece.results[1].data() + segment.begin,
                     segment.size) == 0;
}

std::string TwinRun::compareRuns() const {
  for (const Piece &piece : pieces)
    for (const Segment &segment : piece.segments) {
      if (!segment.writes || runsAgree(piece, segment))
        continue;
      for (size_t byte = segment.begin; byte < segment.begin + segment.size; ++byte)
        if (piece.results[0][byte] != piece.results[1][byte] && !isUntouched(piece, segment, byte))
          return "its result depends on the order of its threads, or on an argument that its table says it "
                 "only writes";
    }
  return "";
}

void TwinRun::copyBack(bool twice) {
  for (const Piece &piece : pieces)
    for (const Segment &segment : piece.segments) {
      std::byte *to = original(piece) + segment.begin;
      const std::byte *from = piece.results[0].data() + segment.begin;
      if (!segment.writes)
        continue;
      if (!twice || runsAgree(piece, segment)) {
        std::memcpy(to, from, segment.size);
        continue;
      }
      for (size_t byte = 0; byte < segment.size; ++byte)
        if (!isUntouched(piece, segment, segment.begin + byte))
          to[byte] = from[byte];
    }
}

std::string runTwin(const TwinLaunch &launch, const std::function<std::byte *(const void *)> &host,
                    bool twice, std::mt19937_64 &random) {
  TwinRun run(launch, host);
  std::string problem = run.run(0, twice, random);
  if (problem.empty() && twice)
    problem = run.run(1, twice, random);
  if (problem.empty() && twice)
    problem = run.compareRuns();
  if (problem.empty())
    run.copyBack(twice);
  return problem;
}

} // namespace sim
} // namespace phantom::rt
