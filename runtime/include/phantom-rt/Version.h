//===- Version.h - The version of this project -----------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_VERSION_H
#define PHANTOM_RT_VERSION_H

namespace phantom::rt {

/// "major.minor.patch"
const char *version();

} // namespace phantom::rt

#endif // PHANTOM_RT_VERSION_H
