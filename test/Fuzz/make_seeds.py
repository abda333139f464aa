# ===- make_seeds.py - Where the fuzz targets start ------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #
"""usage: make_seeds.py DIR   writes DIR/import/*.onnx and DIR/pipeline/*.mlir

Models: those of the importer's tests and the small ones of ONNX's own test data. IR: that of the passes' tests, split as
they are, under a few options of the train pipeline.
"""
import glob
import os
import shutil
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DATA = "/usr/share/libonnx-testdata/data"
LARGEST = 16384
OPTIONS = ("batch-size=4 loss=mse", "batch-size=4 ranks=2 ghost-width=1 loss=mse",
           "batch-size=4 ranks=2 strategy=tensor loss=cross-entropy", "batch-size=4 ranks=2 strategy=megatron optimizer=adam")


def write_models(folder):
    sys.path.insert(0, os.path.join(TESTS, "Target", "ONNX"))
    import bad_models
    import function_models
    import good_models
    import make_model
    import shared_models

    for module in (good_models, bad_models, function_models, shared_models):
        for name, make in vars(module).items():
            if not callable(make) or make.__module__ != module.__name__ or name[0] == "_" or hasattr(make_model, name):
                continue
            try:
                result = make(folder)
            except TypeError:  # a helper
                continue
            data = result if isinstance(result, bytes) else getattr(result, "SerializeToString", bytes)()
            if 0 < len(data) <= LARGEST:
                with open(os.path.join(folder, name + ".onnx"), "wb") as file:
                    file.write(data)
    for path in sorted(glob.glob(os.path.join(DATA, "*", "*", "model.onnx"))):
        if os.path.getsize(path) <= LARGEST:
            shutil.copy(path, os.path.join(folder, os.path.basename(os.path.dirname(path)) + ".onnx"))


def write_ir(folder):
    for path in sorted(glob.glob(os.path.join(TESTS, "Dialect", "**", "*.mlir"), recursive=True)):
        with open(path) as file:
            parts = file.read().split("// -----")
        for i, part in enumerate(parts):
            text = "\n".join(line for line in part.split("\n") if not line.lstrip().startswith("//")).strip()
            if not text or len(text) > LARGEST:
                continue
            name = os.path.basename(path)[:-len(".mlir")]
            for k, options in enumerate(OPTIONS):
                with open(os.path.join(folder, f"{name}-{i}-{k}.mlir"), "w") as file:
                    file.write(f"// {options}\n{text}\n")


def main():
    for part, write in (("import", write_models), ("pipeline", write_ir)):
        folder = os.path.join(sys.argv[1], part)
        os.makedirs(folder, exist_ok=True)
        write(folder)
        print(f"{part}: {len(os.listdir(folder))} seeds")


if __name__ == "__main__":
    main()
