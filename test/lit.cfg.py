# ===- lit.cfg.py - How the lit tests run ----------------------------------=== #
#
# Part of the Phantom project, under the Apache License v2.0 with LLVM
# Exceptions. See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------=== #

import os
import shutil

import lit.formats
from lit.llvm import llvm_config
from lit.llvm.subst import ToolSubst

config.name = "Phantom"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".onnxtxt", ".test"]
config.excludes = ["Unit", "Execution", "Docs", "Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.phantom_build_dir, "test")

# A FileCheck variable without '$' lives until the next CHECK-LABEL only.
config.environment["FILECHECK_OPTS"] = "-enable-var-scope -dump-input=fail"
for name in ("TSAN_OPTIONS", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
if config.phantom_sanitize:
    config.available_features.add("sanitizer")
    config.available_features.add(f"sanitizer-{config.phantom_sanitize}")

if shutil.which("ptxas"):
    config.available_features.add("cuda-toolkit")

llvm_config.use_default_substitutions()
llvm_config.with_environment("PATH", config.llvm_tools_dir, append_path=True)
config.substitutions += [
    ("%{source}", config.phantom_source_dir),
    ("%{examples}", os.path.join(config.phantom_source_dir, "examples")),
    ("%{inputs}", os.path.join(config.test_source_root, "Inputs")),
    ("%{python}", config.python_executable),
]

# With PHANTOM_VERIFY_ROUNDTRIP set, every IR in the suite also goes through
# text and bytecode and back.
roundtrip = bool(os.environ.get("PHANTOM_VERIFY_ROUNDTRIP"))
tools = [
    ToolSubst("phantom-opt", extra_args=["--verify-roundtrip"] if roundtrip else [], unresolved="ignore"),
    ToolSubst("phantom-translate", unresolved="ignore"),
    ToolSubst("phantom-run", unresolved="ignore"),
    ToolSubst("phantom-plan", unresolved="ignore"),
    ToolSubst("phantom-lsp-server", unresolved="ignore"),
]
llvm_config.add_tool_substitutions(tools, [config.phantom_tools_dir, config.llvm_tools_dir])
