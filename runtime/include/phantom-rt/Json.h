//===- Json.h - JSON files of any content ----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_JSON_H
#define PHANTOM_RT_JSON_H

#include "llvm/Support/JSON.h"

namespace phantom::rt {

/// llvm::json::parse, which recurses, for text that may be nested without end: more than 64 levels are an
/// error.
llvm::Expected<llvm::json::Value> parseJson(llvm::StringRef text);

} // namespace phantom::rt

#endif // PHANTOM_RT_JSON_H
