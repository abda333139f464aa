//===- ProgramJson.h - Step programs as JSON -------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_PROGRAMJSON_H
#define PHANTOM_RT_PROGRAMJSON_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace phantom::rt {

/// The whole program as indented JSON, constants in base 64. Its strings are UTF-8.
void writeProgramJson(const Program &program, llvm::raw_ostream &out);

/// What `writeProgramJson` wrote. The error names `path` and the place in the text where something is
/// missing, unknown or of another type; whether the program makes sense is for `verifyProgram` to say.
llvm::Expected<Program> parseProgramJson(llvm::StringRef text, llvm::StringRef path);

/// A hash of all but where first values come from: programs that can go on with each other's parameters have
/// the same.
std::string hashOf(Program program);

} // namespace phantom::rt

#endif // PHANTOM_RT_PROGRAMJSON_H
