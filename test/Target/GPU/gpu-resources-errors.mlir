// RUN: not phantom-translate --phantom-gpu-resources %s 2>&1 | FileCheck %s --check-prefix=MODULE
// RUN: phantom-opt %s --phantom-to-cuda-pipeline -o %t.mlir 2>/dev/null
// RUN: env CUDA_HOME=%t.nowhere not phantom-translate --phantom-gpu-resources %t.mlir 2>&1 | FileCheck %s --check-prefix=TOOLKIT
// RUN: env CUDA_HOME= PATH=%t.nowhere not phantom-translate --phantom-gpu-resources %t.mlir 2>&1 | FileCheck %s --check-prefix=PATH

// MODULE: error: the module has no gpu.module @kernels with targets: run phantom-to-cuda-pipeline
// TOOLKIT: error: the CUDA toolkit in '{{.*}}nowhere' has no bin/ptxas, which code for GPUs needs; give the folder of another, or use PTX alone
// PATH: error: code for GPUs needs ptxas of the CUDA toolkit, which is not in PATH: set CUDA_HOME to the toolkit's folder, or use PTX alone
func.func @forward(%x: tensor<8xf32> {phantom.input = "x"}) -> (tensor<8xf32> {phantom.output = "y"}) {
  %y = phantom.activation <tanh> %x : tensor<8xf32>
  return %y : tensor<8xf32>
}
