//===- Html.h - Text in pages -----------------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_REPORT_HTML_H
#define PHANTOM_RT_LIB_REPORT_HTML_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace phantom::rt::report {

/// Any bytes, as text of a page or as a value between quotes.
std::string escapeHtml(llvm::StringRef text);

/// The first `length` characters of UTF-8 text, and "…" where there are more.
std::string shorten(llvm::StringRef text, size_t length);

/// The number of characters of UTF-8 text.
size_t lengthOf(llvm::StringRef text);

} // namespace phantom::rt::report

#endif // PHANTOM_RT_LIB_REPORT_HTML_H
