// RUN: phantom-opt %s --phantom-fuse-gradient-epilogues 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-fuse-gradient-epilogues -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: @relu: fused 1 slopes and 1 bias gradients into GEMMs: up to 288 bytes fewer read and written
// REMARK: remark: @gelu: fused 1 slopes and 0 bias gradients into GEMMs: up to 288 bytes fewer read and written
// REMARK: remark: @other_activation: fused 0 slopes and 0 bias gradients into GEMMs, without effect

// A bit per element, in rows of 128.
// CHECK-LABEL: func @relu
// CHECK-SAME: %[[V:[^ ]+]]: tensor<3xf32>
func.func @relu(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %v: tensor<3xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>)
    -> (tensor<8x3xf32>, tensor<8x3xf32>, tensor<3xf32>) {
  // CHECK: %[[E:[^ ]+]] = tensor.empty() : tensor<8x16xi8>
  // CHECK: %[[Y:[^ ]+]]:2 = phantom.gemm ins({{.*}}) bias(%[[V]] : tensor<3xf32>) outs({{.*}}) aux(%[[E]] : tensor<8x16xi8>) {epilogue = #phantom.epilogue<relu>, transpose_b} -> tensor<8x3xf32>, tensor<8x16xi8>
  // CHECK: %[[S:[^ ]+]] = tensor.empty() : tensor<3xf32>
  // CHECK: %[[DZ:[^ ]+]]:2 = phantom.gemm ins({{.*}}) saved(%[[Y]]#1 : tensor<8x16xi8>) outs({{.*}}) bias_gradient(%[[S]] : tensor<3xf32>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x3xf32>, tensor<3xf32>
  // CHECK: return %[[Y]]#0, %[[DZ]]#0, %[[DZ]]#1
  %e = tensor.empty() : tensor<8x3xf32>
  %y = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) bias(%v : tensor<3xf32>) outs(%e : tensor<8x3xf32>) {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<8x3xf32>
  %db = phantom.reduce_sum %dz [0] : tensor<8x3xf32> -> tensor<3xf32>
  return %y, %dz, %db : tensor<8x3xf32>, tensor<8x3xf32>, tensor<3xf32>
}

// The activation's operand, in rows of 8, which is why the GEMM can apply the activation. The sum over columns is no bias's.
// CHECK-LABEL: func @gelu
func.func @gelu(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>, tensor<8xf32>) {
  // CHECK: %[[Y:[^ ]+]]:2 = phantom.gemm {{.*}} aux(%{{[^ ]+}} : tensor<8x8xf32>) {epilogue = #phantom.epilogue<gelu_tanh>, transpose_b}
  // CHECK-NOT: phantom.activation
  // CHECK: %[[DZ:[^ ]+]] = phantom.gemm {{.*}} saved(%[[Y]]#1 : tensor<8x8xf32>) outs({{.*}}) {epilogue = #phantom.epilogue<gelu_tanh>}
  // CHECK: phantom.reduce_sum %[[DZ]] [1]
  // CHECK: return %[[Y]]#0, %[[DZ]]
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %y = phantom.activation <gelu_tanh> %z : tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <gelu_tanh> %z, %dy : tensor<8x3xf32>
  %sum = phantom.reduce_sum %dz [1] : tensor<8x3xf32> -> tensor<8xf32>
  return %y, %dz, %sum : tensor<8x3xf32>, tensor<8x3xf32>, tensor<8xf32>
}

// Through the reshapes of N-D activations, and into the GEMM that accumulates; the bits serve two gradients.
// CHECK-LABEL: func @reshaped
func.func @reshaped(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %g: tensor<2x8xf32>, %c: tensor<2x3xf32>)
    -> (tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<3xf32>, tensor<2x4x3xf32>) {
  // CHECK: %[[Y:[^ ]+]]:2 = phantom.gemm {{.*}} aux(
  // CHECK: %[[N:[^ ]+]] = tensor.expand_shape %[[Y]]#0
  // CHECK: %[[P:[^ ]+]] = phantom.gemm
  // CHECK: %[[DZ:[^ ]+]]:2 = phantom.gemm {{.*}} saved(%[[Y]]#1 : tensor<8x16xi8>) outs(%[[P]] : tensor<8x3xf32>) bias_gradient({{.*}}) {accumulate, epilogue = #phantom.epilogue<relu>, formula_fraction = 5.000000e-01 : f64, transpose_a}
  // CHECK: %[[R:[^ ]+]] = tensor.expand_shape %[[DZ]]#0
  // CHECK: %[[Q:[^ ]+]] = phantom.gemm {{.*}} saved(%[[Y]]#1 : tensor<8x16xi8>)
  // CHECK: %[[T:[^ ]+]] = tensor.expand_shape %[[Q]]
  // CHECK: return %[[N]], %[[R]], %[[DZ]]#1, %[[T]]
  %e = tensor.empty() : tensor<8x3xf32>
  %m = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x3xf32>
  %y = tensor.expand_shape %m [[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %p = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %o = phantom.gemm ins(%g, %c : tensor<2x8xf32>, tensor<2x3xf32>) outs(%p : tensor<8x3xf32>) {transpose_a, accumulate, formula_fraction = 0.5 : f64} -> tensor<8x3xf32>
  %dy = tensor.expand_shape %o [[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<2x4x3xf32>
  %db = phantom.reduce_sum %dz [0, 1] : tensor<2x4x3xf32> -> tensor<3xf32>
  %q = phantom.gemm ins(%g, %c : tensor<2x8xf32>, tensor<2x3xf32>) outs(%e : tensor<8x3xf32>) {transpose_a} -> tensor<8x3xf32>
  %dq = tensor.expand_shape %q [[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %dt = phantom.activation_gradient <relu> %y, %dq from_result : tensor<2x4x3xf32>
  return %y, %dz, %db, %dt : tensor<2x4x3xf32>, tensor<2x4x3xf32>, tensor<3xf32>, tensor<2x4x3xf32>
}

// The cotangent has another use: its GEMM must leave it as it is.
// CHECK-LABEL: func @cotangent_used
func.func @cotangent_used(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>, tensor<8x3xf32>) {
  // CHECK-NOT: aux(
  // CHECK: phantom.activation_gradient
  %e = tensor.empty() : tensor<8x3xf32>
  %y = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<8x3xf32>
  return %y, %dy, %dz : tensor<8x3xf32>, tensor<8x3xf32>, tensor<8x3xf32>
}

// Something else takes the operand of gelu, which the aux keeps in rows of another length.
// CHECK-LABEL: func @operand_used
func.func @operand_used(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>, tensor<8x3xf32>) {
  // CHECK-NOT: aux(
  // CHECK: phantom.activation <gelu_tanh>
  // CHECK: phantom.activation_gradient
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %y = phantom.activation <gelu_tanh> %z : tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <gelu_tanh> %z, %dy : tensor<8x3xf32>
  return %z, %y, %dz : tensor<8x3xf32>, tensor<8x3xf32>, tensor<8x3xf32>
}

// What relu was applied to came out of an exchange: no GEMM has its sign.
// CHECK-LABEL: func @no_forward
func.func @no_forward(%y: tensor<8x3xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>) -> tensor<8x3xf32> {
  // CHECK: phantom.activation_gradient
  %e = tensor.empty() : tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<8x3xf32>
  return %dz : tensor<8x3xf32>
}

// CHECK-LABEL: func @other_activation
func.func @other_activation(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %d: tensor<8x5xf32>, %u: tensor<5x3xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>) {
  // CHECK: phantom.activation_gradient <silu>
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %y = phantom.activation <silu> %z : tensor<8x3xf32>
  %dy = phantom.gemm ins(%d, %u : tensor<8x5xf32>, tensor<5x3xf32>) outs(%e : tensor<8x3xf32>) -> tensor<8x3xf32>
  %dz = phantom.activation_gradient <silu> %z, %dy : tensor<8x3xf32>
  return %y, %dz : tensor<8x3xf32>, tensor<8x3xf32>
}
