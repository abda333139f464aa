#!/usr/bin/env python3
# ===- make_data.py - The digits data set as .npy files --------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Writes {train,test}_{images,labels}.npy beside this file.

Needs scikit-learn, which ships the data (README.md). The files are committed,
so that nobody else needs it.
"""
import os

import numpy as np
from sklearn.datasets import load_digits

TRAIN = 1437
SEED = 0


def main():
    digits = load_digits()
    images = (digits.data / 16.0).astype(np.float32)
    labels = digits.target.astype(np.int64)
    order = np.random.RandomState(SEED).permutation(len(images))
    here = os.path.dirname(os.path.abspath(__file__))
    for name, part in (("train", order[:TRAIN]), ("test", order[TRAIN:])):
        np.save(os.path.join(here, f"{name}_images.npy"), images[part])
        np.save(os.path.join(here, f"{name}_labels.npy"), labels[part])


if __name__ == "__main__":
    main()
