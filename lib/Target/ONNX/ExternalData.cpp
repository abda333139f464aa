//===- ExternalData.cpp - Weights beside the model --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ExternalData.h"

#include <filesystem>

namespace fs = std::filesystem;
using namespace llvm;

namespace phantom::onnx {

static Error makeError(const Twine &message) { return createStringError(inconvertibleErrorCode(), message); }

/// The folder with symbolic links resolved; empty where that fails.
static fs::path canonicalFolder(const fs::path &folder) {
  std::error_code error;
  fs::path canonical = fs::weakly_canonical(folder.empty() ? fs::path(".") : folder, error);
  return error ? fs::path() : canonical;
}

static bool isInside(const fs::path &file, const fs::path &folder) {
  if (folder.empty())
    return false;
  auto [end, rest] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return end == folder.end() || (std::next(end) == folder.end() && end->empty());
}

Expected<FileRange> resolveExternalData(const Tensor &tensor, StringRef modelPath, StringRef dataDir) {
  const ExternalData &external = *tensor.external;
  fs::path location(external.location);
  fs::path modelFolder = canonicalFolder(fs::path(modelPath.str()).parent_path());
  fs::path dataFolder = dataDir.empty() ? fs::path() : canonicalFolder(dataDir.str());
  std::string where = "external data " + quoteName(external.location);
  if (location.is_absolute())
    return makeError(where + " is an absolute path; it must be relative to the model's folder");

  std::error_code error;
  fs::path file = fs::weakly_canonical(modelFolder / location, error);
  if (!dataFolder.empty() && (error || !fs::exists(file, error)))
    file = fs::weakly_canonical(dataFolder / location, error);
  if (error)
    return makeError(where + ": " + error.message());
  if (!isInside(file, modelFolder) && !isInside(file, dataFolder))
    return makeError(where + " is outside the model's folder; allow its folder with --data-dir");
  if (!fs::is_regular_file(file, error))
    return makeError(where +
                     " does not exist, or is no file; it is expected beside the model or in --data-dir");
  uint64_t size = fs::file_size(file, error);
  if (error)
    return makeError(where + ": " + error.message());

  uint64_t needed = tensor.elements() * dataTypeWidth(tensor.type);
  if (external.length && *external.length != needed)
    return makeError(where + " has length " + Twine(*external.length) + ", but the tensor takes " +
                     Twine(needed) + " bytes");
  if (external.offset > size || needed > size - external.offset)
    return makeError(where + " is truncated: bytes " + Twine(external.offset) + " to " +
                     Twine(external.offset + needed) + " are needed, the file has " + Twine(size));
  return FileRange{file.string(), external.offset, needed};
}

std::string relativePath(StringRef file, StringRef base) {
  std::error_code error;
  fs::path canonicalFile = fs::weakly_canonical(file.str(), error);
  fs::path relative = canonicalFile.lexically_relative(canonicalFolder(base.str()));
  return relative.empty() ? canonicalFile.string() : relative.string();
}

} // namespace phantom::onnx
