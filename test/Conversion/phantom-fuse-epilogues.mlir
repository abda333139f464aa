// RUN: phantom-opt %s --phantom-fuse-epilogues 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-fuse-epilogues -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: phantom-opt %s --phantom-fuse-epilogues="bias=false activation=false" 2>/dev/null | FileCheck %s --check-prefix=OFF
// RUN: phantom-opt %s --phantom-fuse-epilogues=library=cublaslt 2>/dev/null | FileCheck %s --check-prefix=LT

// REMARK: remark: @both: fused 1 biases and 1 activations into GEMMs: up to 192 bytes fewer read and written
// REMARK: remark: @used_elsewhere: fused 0 biases and 0 activations into GEMMs, without effect

// CHECK-LABEL: func @both
// CHECK-SAME: %[[X:.+]]: tensor<8x4xf32>, %[[W:.+]]: tensor<3x4xf32>, %[[B:.+]]: tensor<3xf32>
// OFF-LABEL: func @both
func.func @both(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>) -> tensor<8x3xf32> {
  // CHECK: %[[Y:.+]] = phantom.gemm ins(%[[X]], %[[W]] : {{.*}}) bias(%[[B]] : tensor<3xf32>) outs(%{{.*}}) {epilogue = #phantom.epilogue<relu>, transpose_b}
  // CHECK-NOT: arith.addf
  // CHECK: return %[[Y]]
  // OFF: phantom.gemm
  // OFF-NOT: epilogue
  // OFF: arith.addf
  // OFF: phantom.activation
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %c = phantom.broadcast %b : (tensor<3xf32>) -> tensor<8x3xf32>
  %s = arith.addf %c, %z : tensor<8x3xf32>
  %y = phantom.activation <relu> %s : tensor<8x3xf32>
  return %y : tensor<8x3xf32>
}

// Through the reshape of an N-D activation, with a slope; and into the GEMM that accumulates, not the first one.
// CHECK-LABEL: func @accumulated
func.func @accumulated(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %g: tensor<2x8xf32>, %d: tensor<2x3xf32>, %b: tensor<3xf32>) -> tensor<2x4x3xf32> {
  // CHECK: %[[Z:.+]] = phantom.gemm ins(%{{.*}}) outs(%{{.*}}) {transpose_b}
  // CHECK: %[[Y:.+]] = phantom.gemm {{.*}} bias(%{{.*}}) outs(%[[Z]] : {{.*}}) {accumulate, epilogue = #phantom.epilogue<leaky_relu, 1.000000e-01 : f64>, transpose_a}
  // CHECK: %[[R:.+]] = tensor.expand_shape %[[Y]]
  // CHECK: return %[[R]]
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %o = phantom.gemm ins(%g, %d : tensor<2x8xf32>, tensor<2x3xf32>) outs(%z : tensor<8x3xf32>) {transpose_a, accumulate} -> tensor<8x3xf32>
  %n = tensor.expand_shape %o [[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %c = phantom.broadcast %b : (tensor<3xf32>) -> tensor<2x4x3xf32>
  %s = arith.addf %n, %c : tensor<2x4x3xf32>
  %y = phantom.activation <leaky_relu> %s {alpha = 0.1 : f64} : tensor<2x4x3xf32>
  return %y : tensor<2x4x3xf32>
}

// The backward pass reads z: the activation stays.
// CHECK-LABEL: func @used_elsewhere
func.func @used_elsewhere(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>) {
  // CHECK: %[[Z:.+]] = phantom.gemm
  // CHECK: %[[Y:.+]] = phantom.activation <gelu_erf> %[[Z]]
  // CHECK: return %[[Z]], %[[Y]]
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %y = phantom.activation <gelu_erf> %z : tensor<8x3xf32>
  return %z, %y : tensor<8x3xf32>, tensor<8x3xf32>
}

// What is added is no vector along the columns.
// CHECK-LABEL: func @no_bias
func.func @no_bias(%x: tensor<3x4xf32>, %w: tensor<3x4xf32>, %b: tensor<3x1xf32>) -> tensor<3x3xf32> {
  // CHECK-NOT: bias(
  // CHECK: arith.addf
  %e = tensor.empty() : tensor<3x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<3x4xf32>, tensor<3x4xf32>) outs(%e : tensor<3x3xf32>) {transpose_b} -> tensor<3x3xf32>
  %c = phantom.broadcast %b : (tensor<3x1xf32>) -> tensor<3x3xf32>
  %s = arith.addf %z, %c : tensor<3x3xf32>
  return %s : tensor<3x3xf32>
}

// Only what cuBLASLt has moves into its GEMMs.
// LT-LABEL: func @library
// CHECK-LABEL: func @library
func.func @library(%x: tensor<8x4xf32>, %w: tensor<6x4xf32>) -> (tensor<8x6xf32>, tensor<8x6xf32>, tensor<8x6xf32>) {
  // LT-DAG: phantom.gemm {{.*}} {epilogue = #phantom.epilogue<relu>
  // LT-DAG: phantom.gemm {{.*}} {epilogue = #phantom.epilogue<gelu_tanh>
  // LT-DAG: %[[Z:.+]] = phantom.gemm {{.*}} {transpose_b}
  // LT: phantom.activation <silu> %[[Z]]
  // CHECK-DAG: phantom.gemm {{.*}} {epilogue = #phantom.epilogue<relu>
  // CHECK-DAG: phantom.gemm {{.*}} {epilogue = #phantom.epilogue<gelu_tanh>
  // CHECK-DAG: phantom.gemm {{.*}} {epilogue = #phantom.epilogue<silu>
  %e = tensor.empty() : tensor<8x6xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<6x4xf32>) outs(%e : tensor<8x6xf32>) {transpose_b} -> tensor<8x6xf32>
  %b = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<6x4xf32>) outs(%e : tensor<8x6xf32>) {transpose_b} -> tensor<8x6xf32>
  %c = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<6x4xf32>) outs(%e : tensor<8x6xf32>) {transpose_b} -> tensor<8x6xf32>
  %r = phantom.activation <relu> %a : tensor<8x6xf32>
  %g = phantom.activation <gelu_tanh> %b : tensor<8x6xf32>
  %s = phantom.activation <silu> %c : tensor<8x6xf32>
  return %r, %g, %s : tensor<8x6xf32>, tensor<8x6xf32>, tensor<8x6xf32>
}
