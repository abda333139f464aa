# ===- roundtrip_cases.py - import(export(model)) is the same IR ----------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""Import, export, import: the same IR, byte for byte, and the same weights, bit for bit; on the importer's test models,
the examples and all of ONNX's test models that are imported.

Left out of the comparison is what belongs to the file: places in it, how nodes without a name are called, and what an
exporter called a parameter that had lost its name. A node that becomes several ops is exported as several, of which one
has its name, and the others have it with something behind.
"""
import glob
import inspect
import os
import re
import shutil

import onnx

import safetensors
from harness import EXAMPLES, Scratch, check
from onnx_cases import good_models

TEST_DATA = "/usr/share/libonnx-testdata/data"
SHARDS = 8
FILE_PLACE = re.compile(r'"[^"\n]*\.onnx":\d+:\d+')
UNNAMED_NODE = re.compile(r'loc\((fused\[)?"#\d+ \w+"')
SOURCE = re.compile(r'source = <"[^"]*"(, "(?:[^"\\]|\\.)*"| at \d+ : \d+)')
DERIVED_NAME = re.compile(r'(_[A-Z][A-Za-z]*)?(_\d+)?"')
PARAMETER = re.compile(r'(@([\w.$]+)(?:}| :[^\n]*?)) loc\("([^"]*)"\)')
LOST_NAME = re.compile(r"\d+|onnx::.*|/.*|val_\d+")
CONSTANT = re.compile(r"((?:arith\.constant|phantom\.broadcast %cst) ?.*) loc\(.*\)$", re.MULTILINE)
LOCATION = re.compile(r'loc\(.*\)$', re.MULTILINE)

# Models whose IR says what a graph of theirs cannot: see the reasons.
EXCEPTIONS = {
    "layer_norm_moments": "a parameter that only an unused output needed is not exported",
    "microsoft_norms": "before opset 23 the epsilon of RMS normalisation is a constant, rounded to f32",
}


def _translate(scratch, *arguments):
    process = scratch.tool("phantom-translate", *arguments)
    return process.returncode == 0, process.stderr


def _parameter_place(match):
    return match[1] + " parameter" if match[3] == match[2] or LOST_NAME.fullmatch(match[3]) else match[0]


def _text(scratch, path):
    """The IR with its locations in place, without what belongs to the file."""
    process = scratch.tool("phantom-opt", path, "--mlir-print-debuginfo", "--mlir-print-local-scope")
    check(process.returncode == 0, process.stderr)
    text = SOURCE.sub("source = <", FILE_PLACE.sub("file", process.stdout))
    text = CONSTANT.sub(r"\1", text)  # one, and its broadcast, may serve several nodes
    text = PARAMETER.sub(_parameter_place, text)
    text = UNNAMED_NODE.sub(lambda m: f'loc({m[1] or ""}"#"', text)
    return LOCATION.sub(lambda m: DERIVED_NAME.sub('"', m[0]), text)


def round_trip(options, path):
    """False if the model is not imported."""
    with Scratch(options) as scratch:
        folders = [scratch.path("first"), scratch.path("second")]
        shutil.copytree(os.path.dirname(path), folders[0], ignore=shutil.ignore_patterns("test_data_set_*"))
        os.mkdir(folders[1])
        os.replace(os.path.join(folders[0], os.path.basename(path)), f"{folders[0]}/model.onnx")
        imported, _ = _translate(scratch, "--import-onnx", "first/model.onnx", "-o", "first/model.mlir")
        if not imported:
            return False
        for arguments in (["--export-onnx", "first/model.mlir", "-o", "second/model.onnx"],
                          ["--import-onnx", "second/model.onnx", "-o", "second/model.mlir"]):
            done, errors = _translate(scratch, *arguments)
            check(done, f"{path}: {arguments[0]}: {errors}")
        model = onnx.load(scratch.path("second/model.onnx"))
        if model.opset_import[0].version <= onnx.defs.onnx_opset_version():
            onnx.checker.check_model(model)
        texts = [_text(scratch, f"{folder}/model.mlir") for folder in folders]
        for first, second in zip(*(text.splitlines() for text in texts)):
            check(first == second, f"{path}: other IR\n    {first}\n    {second}")
        check(texts[0] == texts[1], f"{path}: other IR:\n{texts[0]}\n{texts[1]}")
        if os.path.exists(f"{folders[0]}/model.safetensors") and "external" not in path:
            first, second = (safetensors.load(f"{folder}/model.safetensors") for folder in folders)
            check(sorted(first) == sorted(second), f"{path}: other weights")
            for name, value in first.items():
                check(value.tobytes() == second[name].tobytes(), f"{path}: other values of {name}")
        return True


def _good(options, name):
    with Scratch(options) as scratch:
        model = getattr(good_models, name)(scratch.folder)
        with open(scratch.path(f"{name}.onnx"), "wb") as file:
            file.write(model.SerializeToString())
        check(round_trip(options, scratch.path(f"{name}.onnx")), "the model is not imported")


def _example(options, path):
    check(round_trip(options, path), "the model is not imported")


def _test_data(options, shard):
    paths = sorted(glob.glob(f"{TEST_DATA}/*/*/model.onnx"))[shard::SHARDS]
    done = sum(round_trip(options, path) for path in paths)
    check(done > 0, "no model was imported and exported")


def cases(options):
    for name, function in inspect.getmembers(good_models, inspect.isfunction):
        is_model = list(inspect.signature(function).parameters) in (["_"], ["folder"])
        if function.__module__ == "good_models" and is_model and name not in EXCEPTIONS:
            yield f"roundtrip/{name}", lambda o, n=name: _good(o, n)
    for path in glob.glob(os.path.join(EXAMPLES, "*", "*.onnx")):
        yield f"roundtrip/{os.path.basename(path)}", lambda o, p=path: _example(o, p)
    if os.path.isdir(TEST_DATA) and not options.sanitize:
        for shard in range(SHARDS):
            yield f"roundtrip/testdata-{shard}", lambda o, s=shard: _test_data(o, s)
