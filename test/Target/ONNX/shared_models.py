# ===- shared_models.py - Models whose modules share initializers ----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py; each takes the output folder."""
import numpy as np
from good_models import scoped
from make_model import model, node, tensors, weights


def shared_bias(_):
    """As torch.export merges them: three layers have equal biases, and the layer 'b' is called twice."""
    def gemm(inputs, output, module):
        return scoped(node("Gemm", inputs, output, transB=1), f"['', '{module}', 'linear']")
    return model([gemm("x a.weight b.bias", "h", "a"), gemm("h b.weight b.bias", "i", "b"),
                  gemm("i b.weight b.bias", "j", "b"), gemm("j c.weight b.bias", "y", "c")],
                 tensors(a__weight=weights(4, 4), b__weight=weights(4, 4, offset=1), c__weight=weights(4, 4, offset=2),
                         b__bias=weights(4)))


def shared_weight(_):
    """A weight of more elements than exporters merge, in two modules: tied on purpose."""
    return model([scoped(node("MatMul", "x w", "h"), "['', 'encoder', 'matmul']"),
                  scoped(node("MatMul", "h v", "i"), "['', 'middle', 'matmul']"),
                  scoped(node("MatMul", "i w", "y"), "['', 'decoder', 'matmul']")],
                 [*tensors(w=np.ones((4, 300), np.float32), v=np.ones((300, 4), np.float32))])


def shared_unnamed(_):
    """Without module paths nobody knows whether a layer is called twice."""
    return model([node("Gemm", "x a b", "h", "/a/Gemm", transB=1), node("Gemm", "h c b", "y", "/c/Gemm", transB=1)],
                 tensors(a=weights(4, 4), b=weights(4), c=weights(4, 4, offset=1)))


def shared_identity(_):
    """As TorchScript merges them: an Identity of an initializer."""
    return model([node("Identity", "a.bias", "c.bias", "/Identity"), node("Gemm", "x a a.bias", "h", "/a/Gemm", transB=1),
                  node("Gemm", "h c c.bias", "y", "/c/Gemm", transB=1)],
                 tensors(a=weights(4, 4), a__bias=weights(4), c=weights(4, 4, offset=1)))
