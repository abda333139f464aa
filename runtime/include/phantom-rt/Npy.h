//===- Npy.h - Reading and writing NumPy's .npy files ----------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_NPY_H
#define PHANTOM_RT_NPY_H

#include "phantom-rt/HostTensor.h"
#include "llvm/Support/Error.h"

namespace phantom::rt {

/// Maps a .npy file (format 1.0 to 3.0): little-endian f2, f4, f8, i1, i2, i4,
/// i8, u1, u2, u4, u8 or bool in C order. Errors name the file and the byte of the header.
llvm::Expected<FileTensor> readNpy(llvm::StringRef path);

/// Writes a .npy file, atomically.
llvm::Error writeNpy(llvm::StringRef path, const TensorType &type, const void *data);

} // namespace phantom::rt

#endif // PHANTOM_RT_NPY_H
