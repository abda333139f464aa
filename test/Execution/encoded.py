# ===- encoded.py - Values of fewer bits, in NumPy ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""What bf16 and int8 make of values, bit by bit; and exchanges whose blocks are encoded so."""
import numpy as np

import philox


def _as_bf16(bits):
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def bf16(values):
    """To nearest, to even in the middle between two; f32."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return _as_bf16(bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1)))


def bf16_at_random(values, words):
    """Up with the probability of the distance from below; `words`: 32 random bits for each value."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return _as_bf16(bits + (words >> np.uint32(16)))


def _by_rows(values, quantised):
    """`quantised` of the multiples of the row's scale, which the largest value has 127 of."""
    values = np.asarray(values, np.float32)
    scale = np.abs(values).max(axis=-1, keepdims=True) / np.float32(127)
    multiples = np.divide(values, scale, out=np.zeros_like(values), where=scale != 0)
    return np.clip(quantised(multiples), -127, 127).astype(np.float32) * scale


def int8(values):
    return _by_rows(values, np.rint)


def int8_at_random(values, words):
    uniform = (words >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)
    return _by_rows(values, lambda multiples: np.floor(multiples + uniform))


TO_NEAREST = {"f32": lambda values: np.asarray(values, np.float32), "bf16": bf16, "int8": int8}
AT_RANDOM = {"bf16": bf16_at_random, "int8": int8_at_random}


SHORT_ROW = 4  # elements, of which int8 with its scale takes no fewer bytes than bf16


class Exchanges:
    """The exchanges of a function's runs. Where it makes gradients, `step` counts its runs from 1, and reductions round
    at random."""

    def __init__(self, encoding, seed=0):
        self.encoding, self.key = encoding, philox.stream_key(seed, "dropout")
        self.begin(None)

    def begin(self, step):
        self.step, self.site = step, 2**31

    def gather(self, blocks):
        """[p, rows, columns], a block of each rank."""
        return TO_NEAREST[self._encoding(blocks)](blocks)

    def reduce(self, parts):
        """[p, p, rows, columns], the parts of each rank -> [p, rows, columns], added in the order of the ranks."""
        sums = np.zeros(parts.shape[1:], np.float32)
        for rank, part in enumerate(parts):
            sums += self._decoded(rank, part)
        self.site += 1
        return sums

    def all_reduce(self, parts):
        """[p, rows, columns] -> [rows, columns]"""
        ranks, rows, columns = parts.shape
        blocks = self.reduce(parts.reshape(ranks, ranks, rows // ranks, columns))
        return self.gather(blocks).reshape(rows, columns)

    def _encoding(self, blocks):
        return "bf16" if self.encoding == "int8" and blocks.shape[-1] <= SHORT_ROW else self.encoding

    def _decoded(self, rank, part):
        encoding = self._encoding(part)
        if self.step is None or encoding == "f32":
            return TO_NEAREST[encoding](part)
        index = np.arange(rank * part.size, (rank + 1) * part.size, dtype=np.uint64)
        mask = np.uint64(philox.MASK32)
        counter = (index & mask, index >> np.uint64(32), np.uint64(self.step), np.uint64(self.site))
        words = philox.philox(counter, self.key)[0].astype(np.uint32).reshape(part.shape)
        return AT_RANDOM[encoding](part, words)
