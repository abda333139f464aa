# ===- function_models.py - Models with functions of their own ------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Cases of make_model.py; each takes the output folder."""
from make_model import model, node, tensors, weights
from onnx import AttributeProto, FunctionProto, helper, numpy_helper


def function(name, inputs, outputs, nodes, attributes=(), opset=17, domain="local", overload="", defaults=()):
    """`overload` and `defaults` are newer than Debian's onnx package: they are appended in wire format."""
    result = FunctionProto(name=name, domain=domain, input=inputs.split(), output=outputs.split(), node=nodes,
                           attribute=attributes)
    result.opset_import.extend([helper.make_opsetid("", opset), helper.make_opsetid("local", 1)])
    fields = [(11, default.SerializeToString()) for default in defaults] + ([(13, overload.encode())] if overload else [])
    for number, content in fields:
        result.MergeFromString(bytes([number << 3 | 2, len(content)]) + content)
    return result


def call(name, inputs, outputs, label="", overload="", **attributes):
    result = node(name, inputs, outputs, label, domain="local", **attributes)
    if overload:
        result.MergeFromString(bytes([8 << 3 | 2, len(overload)]) + overload.encode())
    return result


def reference(target, op, name, referred, kind=AttributeProto.FLOAT):
    """`op` with its attribute `name` taken from the call's attribute `referred`."""
    target = node(op, *target)
    target.attribute.append(AttributeProto(name=name, ref_attr_name=referred, type=kind))
    return target


def with_functions(functions, nodes, initializers=()):
    result = model(nodes, initializers, domains=["local"])
    result.functions.extend(functions)
    return result


# --- Models that import --------------------------------------------------------------------------


def functions(_):
    """A function that calls one, twice; weights are arguments, and the inner names are the same in both calls."""
    linear = function("Linear", "x w b", "y", [node("MatMul", "x w", "m"), node("Add", "m b", "y")])
    block = function("Block", "x w b", "y", [call("Linear", "x w b", "h", "fc"), node("Relu", "h", "y", "act")])
    return with_functions(
        [linear, block],
        [call("Block", "x w1 b1", "h", "/first"), call("Block", "h w2 b2", "y", "/second")],
        tensors(w1=weights(4, 3), b1=weights(3), w2=weights(3, 2), b2=weights(2)))


def function_attributes(_):
    """Given by the call, by a default of the function, and by nobody: then the operator's own default holds."""
    slope = function("Slope", "x", "y", [reference(("x", "y"), "LeakyRelu", "alpha", "slope")],
                     defaults=[helper.make_attribute("slope", 0.25)])
    bare = function("Bare", "x", "y", [reference(("x", "y"), "Elu", "alpha", "steepness")], attributes=["steepness"])
    return with_functions([slope, bare], [call("Slope", "x", "a", slope=0.5), call("Slope", "a", "b"),
                                          call("Bare", "b", "c", steepness=2.0), call("Bare", "c", "y")])


def function_overloads(_):
    """Two functions of one name; an input that the call leaves out; an input that is an output."""
    two = function("Affine", "x w b", "y", [node("Gemm", "x w b", "y")])
    three = function("Affine", "x w b", "y", [node("Gemm", "x w b", "h"), node("Tanh", "h", "y")], overload="v2")
    passing = function("Pass", "x", "x", [])
    return with_functions([two, three, passing],
                          [call("Affine", "x w -", "h"), call("Affine", "h v b", "i", overload="v2"), call("Pass", "i", "y")],
                          tensors(w=weights(4, 3), v=weights(3, 2), b=weights(2)))


def function_constants(_):
    """A Constant inside a function belongs to each call; an older opset inside the function has its meaning."""
    half = function("Half", "x", "y", [node("Constant", "", "c", value=numpy_helper.from_array(weights(1) * 0 + 0.5)),
                                       node("Mul", "x c", "m"), node("Softmax", "m", "y")], opset=12)
    return with_functions([half], [call("Half", "x", "h", "a"), call("Half", "h", "y", "b")])


# --- Models that do not --------------------------------------------------------------------------


def function_recursive(_):
    even = function("Even", "x", "y", [call("Odd", "x", "y")])
    odd = function("Odd", "x", "y", [call("Even", "x", "y")])
    return with_functions([even, odd], [call("Even", "x", "y", "start")])


def function_bomb(_):
    """Forty functions that stand for 2^40 nodes."""
    levels = [function("F0", "x", "y", [node("Relu", "x", "y")])]
    for i in range(1, 40):
        levels.append(function(f"F{i}", "x", "y", [call(f"F{i - 1}", "x", "h"), call(f"F{i - 1}", "h", "y")]))
    return with_functions(levels, [call("F39", "x", "y", "boom")])


def function_twice(_):
    relu = function("F", "x", "y", [node("Relu", "x", "y")])
    return with_functions([relu, relu], [call("F", "x", "y")])


def function_arity(_):
    return with_functions([function("F", "x", "y", [node("Relu", "x", "y")])], [call("F", "x x", "y", "wide")])


def function_attribute(_):
    return with_functions([function("F", "x", "y", [node("Relu", "x", "y")])], [call("F", "x", "y", "odd", alpha=1.0)])


def function_undefined(_):
    return with_functions([function("F", "x", "y", [node("Relu", "z", "y")])], [call("F", "x", "y", "lost")])


def function_no_output(_):
    return with_functions([function("F", "x", "y", [node("Relu", "x", "z")])], [call("F", "x", "y", "empty")])


def function_overwrites(_):
    return with_functions([function("F", "x", "y", [node("Relu", "x", "x"), node("Relu", "x", "y")])],
                          [call("F", "x", "y", "ssa")])


def function_unsupported(_):
    return with_functions([function("F", "x", "y", [node("Conv", "x", "y", "inner")])], [call("F", "x", "y", "outer")])
