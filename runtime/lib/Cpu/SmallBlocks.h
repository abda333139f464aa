//===- SmallBlocks.h - Keeps small blocks out of the way of large ones ----===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_SMALLBLOCKS_H
#define PHANTOM_RT_LIB_CPU_SMALLBLOCKS_H

namespace phantom::rt {

/// Fills what glibc's malloc keeps for the calling thread: seven blocks of each size up to 1032 bytes (see
/// tcache_count and tcache_max in its manual).
///
/// Libraries allocate large aligned blocks in the middle of a run, and small ones beside them. Where malloc
/// has no small block to hand out, it cuts one from the free memory that a large block has left, and keeps it
/// when it is freed. Then the next large block does not fit there: an aligned block is only taken from a
/// piece that has room to spare. So heaps would grow to several times what is ever in use.
void reserveSmallBlocks();

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_SMALLBLOCKS_H
