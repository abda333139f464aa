//===- VectorWidths.h - Functions for the CPU's widest vectors --*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CORE_VECTORWIDTHS_H
#define PHANTOM_RT_LIB_CORE_VECTORWIDTHS_H

#include <cstdlib> // defines __GLIBC__

/// Compiles a function, with what is inlined into it, once per width of vectors; the loader takes what the
/// CPU has. GCC knows these names since version 12; ThreadSanitizer does not start with such functions.
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__) && __GNUC__ >= 12 &&                    \
    !defined(__SANITIZE_THREAD__)
#define PHANTOM_VECTOR_WIDTHS [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define PHANTOM_VECTOR_WIDTHS
#endif

#endif // PHANTOM_RT_LIB_CORE_VECTORWIDTHS_H
