//===- External.cpp - Energy that another program counts ------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Energy.h"

#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace phantom::rt {

namespace {

/// A line is shorter than this; only the end of a long file is read.
constexpr uint64_t longestLine = 4096;

class ExternalEnergy final : public EnergySource {
public:
  explicit ExternalEnergy(StringRef file) : file(file) {}

  StringRef name() const override { return "external"; }
  EnergyReading read() override;

private:
  EnergyReading fail(const Twine &why) const { return {std::nullopt, ("'" + file + "': " + why).str()}; }

  std::string file;
};

std::optional<double> joulesOf(StringRef line) {
  Expected<json::Value> value = json::parse(line);
  if (!value) {
    consumeError(value.takeError());
    return std::nullopt;
  }
  const json::Object *object = value->getAsObject();
  const std::optional<double> joules = object ? object->getNumber("joules") : value->getAsNumber();
  return joules && std::isfinite(*joules) && *joules >= 0 ? joules : std::nullopt;
}

EnergyReading ExternalEnergy::read() {
  uint64_t size = 0;
  if (std::error_code code = sys::fs::file_size(file, size))
    return fail("cannot be read: " + code.message());
  const uint64_t tail = std::min(size, longestLine);
  auto buffer = tail ? MemoryBuffer::getFileSlice(file, tail, size - tail) : MemoryBuffer::getMemBuffer("");
  if (!buffer)
    return fail("cannot be read: " + buffer.getError().message());
  StringRef text = (*buffer)->getBuffer();
  if (!text.contains('\n'))
    return fail("has no whole line");
  // What is behind the last end of a line is still being written.
  text = text.rsplit('\n').first;
  if (!text.contains('\n') && size > tail)
    return fail("the last line is too long");
  StringRef line = text.substr(text.rfind('\n') + 1); // the whole text, where there is one line
  if (std::optional<double> joules = joulesOf(line))
    return {joules, ""};
  return fail("the last line, '" + line.take_front(80) +
              "', is no number of joules and no JSON object with a member \"joules\"");
}

} // namespace

std::unique_ptr<EnergySource> createExternalEnergy(StringRef file) {
  return std::make_unique<ExternalEnergy>(file);
}

} // namespace phantom::rt
