//===- SafeTensors.h - Reading and writing .safetensors files ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_SAFETENSORS_H
#define PHANTOM_RT_SAFETENSORS_H

#include "phantom-rt/HostTensor.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <functional>
#include <map>

namespace phantom::rt {

/// A mapped .safetensors file: 8 bytes header length, a JSON header, the data.
/// Everything the header says is checked when the file is opened.
class SafeTensorsFile {
public:
  static llvm::Expected<SafeTensorsFile> open(llvm::StringRef path);

  const std::string &path() const { return file; }
  const std::map<std::string, FileTensor> &tensors() const { return entries; }

  /// The tensor `name`; the error says which names there are.
  llvm::Expected<FileTensor> tensor(llvm::StringRef name) const;

private:
  std::string file;
  std::map<std::string, FileTensor> entries;
};

/// A tensor to be written: its bytes are read when the file is written.
struct NamedTensor {
  std::string name;
  TensorType type;
  const void *data = nullptr;
  /// Instead of `data`: appends the bytes.
  std::function<llvm::Error(llvm::raw_ostream &)> write = {};
};

/// Writes the tensors, in the order given, atomically. `metadata` becomes the
/// header's `__metadata__`.
llvm::Error writeSafeTensors(llvm::StringRef path, llvm::ArrayRef<NamedTensor> tensors,
                             const std::map<std::string, std::string> &metadata = {});

} // namespace phantom::rt

#endif // PHANTOM_RT_SAFETENSORS_H
