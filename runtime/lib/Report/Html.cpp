//===- Html.cpp - Text in pages -------------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Html.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace phantom::rt::report {

std::string escapeHtml(StringRef text) {
  std::string valid = json::fixUTF8(text);
  // No page may have them.
  for (char &c : valid)
    if ((static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t') || c == 0x7f)
      c = ' ';
  std::string escaped;
  raw_string_ostream stream(escaped);
  printHTMLEscaped(valid, stream);
  return escaped;
}

static bool isFirstByte(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

size_t lengthOf(StringRef text) { return size_t(count_if(text, isFirstByte)); }

std::string shorten(StringRef text, size_t length) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i)
    if (isFirstByte(text[i]) && characters++ == length)
      return (text.take_front(i) + "…").str();
  return text.str();
}

} // namespace phantom::rt::report
