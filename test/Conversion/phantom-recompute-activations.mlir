// RUN: phantom-opt %s --phantom-recompute-activations | FileCheck %s
// RUN: phantom-opt %s --phantom-recompute-activations -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: @kept: computes 1 activations again instead of keeping them: 128 bytes
// REMARK-NOT: remark

#id = affine_map<(i, j) -> (i, j)>

// The weight's gradient reads a copy, since what it is made of is kept for the gradient of the activation.
// CHECK-LABEL: func @kept
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<8x4xf32>
func.func @kept(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %d: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %e2 = tensor.empty() : tensor<8x4xf32>
  %e3 = tensor.empty() : tensor<4x4xf32>
  // CHECK: %[[Z:.+]] = phantom.gemm ins(%[[X]]
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK: %[[Y:.+]] = linalg.generic {{.*}} ins(%[[Z]]
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%z : tensor<8x4xf32>) outs(%e2 : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = math.tanh %a : f32
    linalg.yield %t : f32
  } -> tensor<8x4xf32>
  // CHECK: %[[O:.+]] = phantom.gemm ins(%[[Y]]
  %o = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %o2 = phantom.gemm ins(%o, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK: %[[E:.+]] = tensor.empty
  // CHECK: %[[AGAIN:.+]] = linalg.generic {{.*}} ins(%[[Z]] : tensor<8x4xf32>) outs(%[[E]]
  // CHECK: math.tanh
  // CHECK: phantom.gemm ins(%{{.*}}, %[[AGAIN]]
  %dw = phantom.gemm ins(%d, %y : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e3 : tensor<4x4xf32>) {transpose_a} -> tensor<4x4xf32>
  %dz = arith.mulf %z, %d : tensor<8x4xf32>
  return %o2, %dw, %dz : tensor<8x4xf32>, tensor<4x4xf32>, tensor<8x4xf32>
}

// What it is made of would have to live longer: no memory is saved.
// CHECK-LABEL: func @operand_dies
func.func @operand_dies(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %d: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<4x4xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %e2 = tensor.empty() : tensor<8x4xf32>
  %e3 = tensor.empty() : tensor<4x4xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  // CHECK-COUNT-1: math.tanh
  // CHECK-NOT: math.tanh
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%z : tensor<8x4xf32>) outs(%e2 : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = math.tanh %a : f32
    linalg.yield %t : f32
  } -> tensor<8x4xf32>
  %o = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %o2 = phantom.gemm ins(%o, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %dw = phantom.gemm ins(%d, %y : tensor<8x4xf32>, tensor<8x4xf32>) outs(%e3 : tensor<4x4xf32>) {transpose_a} -> tensor<4x4xf32>
  return %o2, %dw : tensor<8x4xf32>, tensor<4x4xf32>
}

// Readers that follow each other do not wait.
// CHECK-LABEL: func @near
func.func @near(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  %e = tensor.empty() : tensor<8x4xf32>
  %e2 = tensor.empty() : tensor<8x4xf32>
  // CHECK-COUNT-1: math.tanh
  // CHECK-NOT: math.tanh
  %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x4xf32>) outs(%e2 : tensor<8x4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %t = math.tanh %a : f32
    linalg.yield %t : f32
  } -> tensor<8x4xf32>
  %o = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %p = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  return %o, %p : tensor<8x4xf32>, tensor<8x4xf32>
}
