//===- Json.cpp - JSON files of any content -------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Json.h"

#include "phantom-rt/Error.h"

using namespace llvm;

namespace phantom::rt {

Expected<json::Value> parseJson(StringRef text) {
  constexpr int mostLevels = 64;
  int level = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      i += c == '\\'; // what it escapes ends no string
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++level > mostLevels)
        return makeError("it is nested more than " + Twine(mostLevels) + " levels deep");
    } else if (c == ']' || c == '}') {
      --level;
    }
  }
  return json::parse(text);
}

} // namespace phantom::rt
