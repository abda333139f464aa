// RUN: phantom-opt %s --canonicalize --split-input-file | FileCheck %s

// A sum of cotangents becomes a GEMM that accumulates.
// CHECK-LABEL: func @accumulate
// CHECK-SAME: %[[G:.+]]: tensor<2x5xf32>, %[[W:.+]]: tensor<2x4xf32>, %[[A:.+]]: tensor<5x4xf32>
func.func @accumulate(%g: tensor<2x5xf32>, %w: tensor<2x4xf32>, %a: tensor<5x4xf32>) -> tensor<5x4xf32> {
  // CHECK-NEXT: %[[Z:.+]] = phantom.decompress %[[G]], %[[W]] acc %[[A]]
  // CHECK-NEXT: return %[[Z]]
  %d = phantom.decompress %g, %w : (tensor<2x5xf32>, tensor<2x4xf32>) -> tensor<5x4xf32>
  %s = arith.addf %a, %d : tensor<5x4xf32>
  return %s : tensor<5x4xf32>
}

// -----

// Not if the product is used elsewhere.
// CHECK-LABEL: func @used_twice
func.func @used_twice(%g: tensor<2x5xf32>, %w: tensor<2x4xf32>, %a: tensor<5x4xf32>) -> (tensor<5x4xf32>, tensor<5x4xf32>) {
  // CHECK: arith.addf
  %d = phantom.decompress %g, %w : (tensor<2x5xf32>, tensor<2x4xf32>) -> tensor<5x4xf32>
  %s = arith.addf %a, %d : tensor<5x4xf32>
  return %s, %d : tensor<5x4xf32>, tensor<5x4xf32>
}

// -----

// CHECK-LABEL: func @folds
// CHECK-SAME: %[[X:.+]]: tensor<4x8xf32>
func.func @folds(%x: tensor<4x8xf32>) -> (tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<32xf32>, tensor<4x8xf32>) {
  %a = phantom.dropout %x ratio 0.0 : tensor<4x8xf32>
  %b = phantom.transpose %x [0, 1] : tensor<4x8xf32> -> tensor<4x8xf32>
  %c = phantom.broadcast %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  // CHECK: %[[R:.+]] = phantom.reshape %[[X]] : tensor<4x8xf32> -> tensor<32xf32>
  %d = phantom.reshape %x : tensor<4x8xf32> -> tensor<2x16xf32>
  %e = phantom.reshape %d : tensor<2x16xf32> -> tensor<32xf32>
  %f = phantom.reshape %e : tensor<32xf32> -> tensor<4x8xf32>
  // CHECK: return %[[X]], %[[X]], %[[X]], %[[R]], %[[X]]
  return %a, %b, %c, %e, %f : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<32xf32>, tensor<4x8xf32>
}

// -----

// CHECK-LABEL: func @like
func.func @like(%x: tensor<8xf32>, %y: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // CHECK: phantom.broadcast %{{.*}} : (tensor<8xf32>) -> tensor<4x8xf32>
  %a = phantom.broadcast %x like %y : (tensor<8xf32>, tensor<4x8xf32>) -> tensor<4x8xf32>
  return %a : tensor<4x8xf32>
}

// -----

// Exchanges are neither merged nor removed, nor moved past each other.
#s0 = #phantom.state<"phantom" = shard(0)>
phantom.mesh @mesh = [<"phantom" = 2>]
// CHECK-LABEL: func @exchanges_stay
func.func @exchanges_stay(%x: tensor<4x8xf32, #s0>) -> tensor<8x8xf32> {
  // CHECK-COUNT-3: phantom.all_gather
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<4x8xf32, #s0> -> tensor<8x8xf32>
  %b = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<4x8xf32, #s0> -> tensor<8x8xf32>
  %unused = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<4x8xf32, #s0> -> tensor<8x8xf32>
  %c = arith.addf %a, %b : tensor<8x8xf32>
  return %c : tensor<8x8xf32>
}
