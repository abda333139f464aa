# ===- philox.py - The random numbers of training, in NumPy ---------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
import numpy as np

MASK32, MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


def philox(counter, key):
    """Philox4x32-10 (Salmon et al., 2011). `counter`: four arrays of uint64 below 2³²; returns four such arrays."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k0, k1 = (int(word) for word in key)
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        high, low = (lambda p: p >> np.uint64(32)), (lambda p: p & np.uint64(MASK32))
        c = [high(p1) ^ c[1] ^ np.uint64(k0), low(p1), high(p0) ^ c[3] ^ np.uint64(k1), low(p0)]
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c


def _mix(value):
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK64
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK64
    return value ^ (value >> 31)


def stream_key(seed, name):
    """The key of the stream `name` of a run's seed."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 & MASK64
    key = _mix(value ^ _mix((seed + 0x9E3779B97F4A7C15) & MASK64))
    return key & MASK32, key >> 32


def dropout_factors(shape, ratio, seed, step, site):
    """What dropout multiplies a whole value with: 0 or 1/(1 - ratio)."""
    index = np.arange(np.prod(shape), dtype=np.uint64)
    counter = (index & np.uint64(MASK32), index >> np.uint64(32), np.uint64(step), np.uint64(site))
    words = philox(counter, stream_key(seed, "dropout"))[0]
    return np.where(words >= np.uint64(ratio * 2**32), 1 / (1 - ratio), 0).reshape(shape)


def permutation(size, seed, epoch):
    """The rows of an epoch, in order: a Feistel network on an even number of bits, walked until all are rows."""
    bits, key = 1, stream_key(seed, "shuffle")
    while bits < 31 and 1 << (2 * bits) < size:
        bits += 1
    half, mask = np.uint64(bits), np.uint64((1 << bits) - 1)
    rows = np.arange(size, dtype=np.uint64)
    pending = np.ones(size, bool)
    while pending.any():
        left, right = rows[pending] >> half, rows[pending] & mask
        for number in range(8):
            words = (number, epoch & MASK32, epoch >> 32)
            counter = (right, *(np.full_like(right, word) for word in words))
            left, right = right, left ^ (philox(counter, key)[0] & mask)
        rows[pending] = left << half | right
        pending = rows >= size
    return rows.astype(np.int64)
