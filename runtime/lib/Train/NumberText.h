//===- NumberText.h - Numbers in messages -----------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_TRAIN_NUMBERTEXT_H
#define PHANTOM_RT_LIB_TRAIN_NUMBERTEXT_H

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <string>

namespace phantom::rt {

/// "1.5", "nan", "inf".
inline std::string numberText(double value) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%g", value);
  return text;
}

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_TRAIN_NUMBERTEXT_H
