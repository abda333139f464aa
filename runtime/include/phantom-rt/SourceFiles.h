//===- SourceFiles.h - Files that hold dense tensors -----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_SOURCEFILES_H
#define PHANTOM_RT_SOURCEFILES_H

#include "phantom-rt/Program.h"
#include "phantom-rt/SafeTensors.h"
#include "llvm/Support/Error.h"

#include <map>

namespace phantom::rt {

/// The checksum that a Source of these bytes has.
uint64_t checksum(const FileTensor &tensor);

/// Opens the tensors, or the parts of them, that `Source`s refer to. Bytes are mapped, not read; what a
/// source says is checked.
class SourceFiles {
public:
  llvm::Expected<FileTensor> open(const Source &source);

private:
  llvm::Expected<FileTensor> openWhole(const Source &source);

  std::map<std::string, SafeTensorsFile> files;
};

} // namespace phantom::rt

#endif // PHANTOM_RT_SOURCEFILES_H
