// RUN: phantom-opt %s --convert-phantom-to-gemm | FileCheck %s

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @linear
// CHECK-SAME: %[[X:.+]]: tensor<8x4xf32>, %[[W:.+]]: tensor<3x4xf32>, %[[V:.+]]: tensor<4x3xf32>, %[[B:.+]]: tensor<3xf32>
func.func @linear(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %v: tensor<4x3xf32>, %b: tensor<3xf32>)
    -> (tensor<8x3xf32>, tensor<8x3xf32>) {
  // CHECK: %[[E:.+]] = tensor.empty() : tensor<8x3xf32>
  // CHECK: %[[Y:.+]] = phantom.gemm ins(%[[X]], %[[W]] : {{.*}}) outs(%[[E]] : {{.*}}) {transpose_b}
  // CHECK: %[[C:.+]] = phantom.broadcast %[[B]]
  // CHECK: arith.addf %[[Y]], %[[C]]
  %y = phantom.linear %x, %w bias %b : (tensor<8x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<8x3xf32>
  // CHECK: phantom.gemm ins(%[[X]], %[[V]] : {{.*}}) outs(%{{.*}} : tensor<8x3xf32>) ->
  %z = phantom.linear %x, %v io : (tensor<8x4xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
  return %y, %z : tensor<8x3xf32>, tensor<8x3xf32>
}

// Leading dimensions are the batch.
// CHECK-LABEL: func @leading_dimensions
func.func @leading_dimensions(%x: tensor<2x4x8xf32>, %v: tensor<8xf32>, %w: tensor<3x8xf32>) -> (tensor<2x4x3xf32>, tensor<3xf32>) {
  // CHECK: %[[M:.+]] = tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2]] : tensor<2x4x8xf32> into tensor<8x8xf32>
  // CHECK: %[[G:.+]] = phantom.gemm ins(%[[M]], %{{.*}} : tensor<8x8xf32>, tensor<3x8xf32>)
  // CHECK: tensor.expand_shape %[[G]] {{\[}}[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %y = phantom.linear %x, %w : (tensor<2x4x8xf32>, tensor<3x8xf32>) -> tensor<2x4x3xf32>
  // CHECK: tensor.expand_shape %{{.*}} : tensor<8xf32> into tensor<1x8xf32>
  // CHECK: tensor.collapse_shape %{{.*}} : tensor<1x3xf32> into tensor<3xf32>
  %z = phantom.linear %v, %w : (tensor<8xf32>, tensor<3x8xf32>) -> tensor<3xf32>
  return %y, %z : tensor<2x4x3xf32>, tensor<3xf32>
}

// CHECK-LABEL: func @weight_gradient
// CHECK-SAME: %[[D:.+]]: tensor<8x3xf32>, %[[X:.+]]: tensor<8x4xf32>
func.func @weight_gradient(%d: tensor<8x3xf32>, %x: tensor<8x4xf32>) -> (tensor<3x4xf32>, tensor<4x3xf32>) {
  // CHECK: phantom.gemm ins(%[[D]], %[[X]] : {{.*}}) outs(%{{.*}} : tensor<3x4xf32>) {transpose_a}
  %w = phantom.weight_gradient %d, %x : (tensor<8x3xf32>, tensor<8x4xf32>) -> tensor<3x4xf32>
  // CHECK: phantom.gemm ins(%[[X]], %[[D]] : {{.*}}) outs(%{{.*}} : tensor<4x3xf32>) {transpose_a}
  %v = phantom.weight_gradient %d, %x io : (tensor<8x3xf32>, tensor<8x4xf32>) -> tensor<4x3xf32>
  return %w, %v : tensor<3x4xf32>, tensor<4x3xf32>
}

// The decompressor's own zero block is a quarter of three products.
// CHECK-LABEL: func @phantom_layer
// CHECK-SAME: %[[Y:.+]]: tensor<8x4xf32>, %[[C:.+]]: tensor<2x4xf32>, %[[D:.+]]: tensor<8x4xf32>, %[[ACC:.+]]: tensor<8x4xf32>, %[[DELTA:.+]]: tensor<8x4xf32>
func.func @phantom_layer(%y: tensor<8x4xf32>, %c: tensor<2x4xf32>, %d: tensor<8x4xf32>, %acc: tensor<8x4xf32>, %delta: tensor<8x4xf32>)
    -> (tensor<8x4xf32>, tensor<8x8xf32>, tensor<8x4xf32>, tensor<2x4xf32>) {
  // CHECK: %[[GHOSTS:.+]] = phantom.gemm ins(%[[C]], %[[Y]] : {{.*}}) outs(%{{.*}} : tensor<2x8xf32>) {transpose_b}
  %g = phantom.compress %y, %c : (tensor<8x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  // CHECK: %[[G:.+]] = phantom.all_gather %[[GHOSTS]]
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<2x8xf32> -> tensor<8x8xf32>
  // CHECK: phantom.gemm ins(%[[G]], %[[D]] : {{.*}}) outs(%[[ACC]] : tensor<8x4xf32>) {accumulate, formula_fraction = 7.500000e-01 : f64, transpose_a}
  %z = phantom.decompress %a, %d acc %acc zero_own on @mesh "phantom"
      : (tensor<8x8xf32>, tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK: phantom.gemm ins(%[[D]], %[[DELTA]] : {{.*}}) outs(%{{.*}} : tensor<8x8xf32>) {formula_fraction = 7.500000e-01 : f64, transpose_b}
  %gamma = phantom.compress %delta, %d : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x8xf32>
  // CHECK: phantom.gemm ins(%[[G]], %[[DELTA]] : {{.*}}) outs(%{{.*}} : tensor<8x4xf32>) {formula_fraction = 7.500000e-01 : f64} ->
  %dd = phantom.ghost_weight_gradient %a, %delta : (tensor<8x8xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>
  %masked = phantom.mask_own_block %dd on @mesh "phantom" : tensor<8x4xf32>
  // CHECK: phantom.gemm ins(%[[GHOSTS]], %[[Y]] : {{.*}}) outs(%{{.*}} : tensor<2x4xf32>) ->
  %dc = phantom.ghost_weight_gradient %g, %y : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  return %z, %gamma, %masked, %dc : tensor<8x4xf32>, tensor<8x8xf32>, tensor<8x4xf32>, tensor<2x4xf32>
}
