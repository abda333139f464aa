//===- Rapl.cpp - The energy of CPU packages ------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Energy.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <vector>

using namespace llvm;

namespace phantom::rt {

namespace {

/// More than a package draws for long. A counter that says so was reset.
constexpr double mostWatts = 2000;

struct Zone {
  std::string energyFile;
  uint64_t range = 0; ///< microjoules; the counter starts again from zero there
  uint64_t last = 0;
};

class Rapl final : public EnergySource {
public:
  Rapl(StringRef folder, SecondsClock clock) : clock(std::move(clock)) { reason = open(folder); }

  StringRef name() const override { return "rapl"; }
  EnergyReading read() override;

private:
  std::string open(StringRef folder);
  std::string openZone(StringRef folder);
  std::string readZone(Zone &zone, double seconds);

  SecondsClock clock;
  std::vector<Zone> zones;
  double microjoules = 0; ///< of all zones, since the source was made
  double lastTime = 0;
  std::string reason; ///< why nothing can be read, from now on
};

std::string readText(const Twine &path, std::string &text) {
  auto buffer = MemoryBuffer::getFileAsStream(path);
  if (!buffer)
    return ("RAPL: cannot read '" + path + "': " + buffer.getError().message() +
            (buffer.getError() == std::errc::permission_denied ? "; an administrator can allow it" : ""))
        .str();
  text = (*buffer)->getBuffer().trim().str();
  return "";
}

std::string readNumber(const Twine &path, uint64_t &number) {
  std::string text;
  if (std::string problem = readText(path, text); !problem.empty())
    return problem;
  if (StringRef(text).getAsInteger(10, number))
    return ("RAPL: '" + path + "' holds no number").str();
  return "";
}

/// "intel-rapl:0", also on AMD; "intel-rapl:0:1" is a part of it.
bool isZone(StringRef name) {
  unsigned number = 0;
  return name.consume_front("intel-rapl:") && !name.getAsInteger(10, number);
}

std::string Rapl::open(StringRef folder) {
  std::error_code code;
  std::vector<std::string> folders;
  for (sys::fs::directory_iterator at(folder, code), end; at != end && !code; at.increment(code))
    if (isZone(sys::path::filename(at->path())))
      folders.push_back(at->path());
  if (code && code != std::errc::no_such_file_or_directory)
    return "RAPL: cannot read '" + folder.str() + "': " + code.message();
  llvm::sort(folders);
  for (const std::string &zone : folders)
    if (std::string problem = openZone(zone); !problem.empty())
      return problem;
  if (zones.empty())
    return "RAPL: '" + folder.str() + "' has no CPU package; virtual machines have none";
  lastTime = clock();
  return "";
}

std::string Rapl::openZone(StringRef folder) {
  std::string name;
  if (std::string problem = readText(folder + "/name", name); !problem.empty())
    return problem;
  if (!StringRef(name).starts_with("package"))
    return "";
  Zone zone;
  zone.energyFile = (folder + "/energy_uj").str();
  if (std::string problem = readNumber(folder + "/max_energy_range_uj", zone.range); !problem.empty())
    return problem;
  if (std::string problem = readNumber(zone.energyFile, zone.last); !problem.empty())
    return problem;
  zones.push_back(std::move(zone));
  return "";
}

/// Adds what the zone has counted in `seconds`.
std::string Rapl::readZone(Zone &zone, double seconds) {
  uint64_t now = 0;
  if (std::string problem = readNumber(zone.energyFile, now); !problem.empty())
    return problem;
  const bool isBeyond = now > zone.range || zone.last > zone.range;
  const uint64_t counted = now >= zone.last ? now - zone.last : zone.range - zone.last + now;
  if (isBeyond || double(counted) > 1e6 * mostWatts * (seconds + 1))
    return "RAPL: '" + zone.energyFile + "' went from " + std::to_string(zone.last) + " to " +
           std::to_string(now) + ": the counter was reset";
  zone.last = now;
  microjoules += double(counted);
  return "";
}

EnergyReading Rapl::read() {
  const double now = clock();
  for (Zone &zone : zones)
    if (reason.empty())
      reason = readZone(zone, now - lastTime);
  lastTime = now;
  if (!reason.empty())
    return {std::nullopt, reason};
  return {microjoules * 1e-6, ""};
}

} // namespace

std::unique_ptr<EnergySource> createRapl(StringRef folder, SecondsClock clock) {
  return std::make_unique<Rapl>(folder, std::move(clock));
}

} // namespace phantom::rt
