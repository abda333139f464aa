// RUN: phantom-opt %s --phantom-merge-gemms 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-merge-gemms -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: phantom-opt %s --phantom-to-cpu-pipeline=merge-gemms=false -o /dev/null 2>&1 | FileCheck %s --check-prefix=OFF

// REMARK: remark: @chain: 2 sums of two products are accumulated by the second: up to 1024 bytes fewer read and written
// REMARK: remark: @reshaped: 1 sums of two products are accumulated by the second: up to 256 bytes
// REMARK: remark: @order: 1 sums
// REMARK: remark: @used_otherwise: no sum of two products to accumulate
// REMARK: remark: @accumulates: no sum
// REMARK: remark: @epilogue: no sum
// OFF-NOT: sums of two products

// CHECK-LABEL: func @chain
// CHECK-SAME: %[[X:.+]]: tensor<8x4xf32>, %[[W:.+]]: tensor<4x8xf32>
func.func @chain(%x: tensor<8x4xf32>, %w: tensor<4x8xf32>, %y: tensor<8x4xf32>, %z: tensor<8x4xf32>) -> tensor<8x8xf32> {
  // CHECK: %[[A:.+]] = phantom.gemm ins(%arg0, {{.*}} outs(%{{.*}}) -> tensor<8x8xf32>
  // CHECK-NEXT: %[[B:.+]] = phantom.gemm ins(%arg2, {{.*}} outs(%[[A]] : tensor<8x8xf32>) {accumulate}
  // CHECK-NEXT: %[[C:.+]] = phantom.gemm ins(%arg3, {{.*}} outs(%[[B]] : tensor<8x8xf32>) {accumulate}
  // CHECK-NEXT: return %[[C]]
  %e = tensor.empty() : tensor<8x8xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %b = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %s = arith.addf %a, %b : tensor<8x8xf32>
  %c = phantom.gemm ins(%z, %w : tensor<8x4xf32>, tensor<4x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %t = arith.addf %s, %c : tensor<8x8xf32>
  return %t : tensor<8x8xf32>
}

// N-D activations; the second GEMM keeps its transposes.
// CHECK-LABEL: func @reshaped
func.func @reshaped(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %y: tensor<8x4xf32>) -> tensor<2x4x4xf32> {
  // CHECK: %[[A:.+]] = phantom.gemm
  // CHECK-NEXT: %[[B:.+]] = phantom.gemm {{.*}} outs(%[[A]] : tensor<8x4xf32>) {accumulate, transpose_b}
  // CHECK-NEXT: %[[R:.+]] = tensor.expand_shape %[[B]]
  // CHECK-NEXT: return %[[R]]
  %e = tensor.empty() : tensor<8x4xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %m = tensor.expand_shape %a [[0, 1], [2]] output_shape [2, 4, 4] : tensor<8x4xf32> into tensor<2x4x4xf32>
  %b = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) {transpose_b} -> tensor<8x4xf32>
  %n = tensor.expand_shape %b [[0, 1], [2]] output_shape [2, 4, 4] : tensor<8x4xf32> into tensor<2x4x4xf32>
  %s = arith.addf %m, %n : tensor<2x4x4xf32>
  return %s : tensor<2x4x4xf32>
}

// No GEMM moves over the exchange, whatever the order of the operands: the one behind it accumulates.
// CHECK-LABEL: func @order
func.func @order(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %y: tensor<2x4xf32>) -> tensor<8x4xf32> {
  // CHECK: %[[A:.+]] = phantom.gemm ins(%arg0
  // CHECK: %[[G:.+]] = phantom.all_gather
  // CHECK: %[[B:.+]] = phantom.gemm ins(%[[G]], {{.*}} outs(%[[A]] : tensor<8x4xf32>) {accumulate}
  // CHECK: return %[[B]]
  %e = tensor.empty() : tensor<8x4xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %g = phantom.all_gather %y dim 0 on @mesh "phantom" : tensor<2x4xf32> -> tensor<8x4xf32>
  %b = phantom.gemm ins(%g, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %s = arith.addf %b, %a : tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// CHECK-LABEL: func @used_otherwise
func.func @used_otherwise(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %y: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK: arith.addf
  %e = tensor.empty() : tensor<8x4xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %b = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %s = arith.addf %a, %b : tensor<8x4xf32>
  return %s, %a : tensor<8x4xf32>, tensor<8x4xf32>
}

// CHECK-LABEL: func @accumulates
func.func @accumulates(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %y: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: arith.addf
  %e = tensor.empty() : tensor<8x4xf32>
  %z = arith.mulf %x, %y : tensor<8x4xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %b = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%z : tensor<8x4xf32>) {accumulate} -> tensor<8x4xf32>
  %s = arith.addf %a, %b : tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

// The activation is not of the sum.
// CHECK-LABEL: func @epilogue
func.func @epilogue(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>, %y: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: arith.addf
  %e = tensor.empty() : tensor<8x4xf32>
  %a = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %b = phantom.gemm ins(%y, %w : tensor<8x4xf32>, tensor<4x4xf32>) outs(%e : tensor<8x4xf32>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x4xf32>
  %s = arith.addf %a, %b : tensor<8x4xf32>
  return %s : tensor<8x4xf32>
}

phantom.mesh @mesh = [<"phantom" = 4>]

// A product that is added to a sum which the function takes and returns is added there.
// CHECK-LABEL: func @accumulate
// CHECK-SAME: %[[SUM:[a-z0-9]+]]: tensor<8x16xf32> {phantom.parameter = @sum}
phantom.parameter @sum : tensor<8x16xf32> init <zeros>
func.func @accumulate(%d: tensor<4x8xf32>, %x: tensor<4x16xf32>, %sum: tensor<8x16xf32> {phantom.parameter = @sum},
                      %other: tensor<8x16xf32>) -> (tensor<8x16xf32> {phantom.updated = @sum}, tensor<8x16xf32>) {
  // CHECK: %[[NEW:.+]] = phantom.gemm {{.*}} outs(%[[SUM]] : tensor<8x16xf32>) {accumulate, transpose_a}
  %e = tensor.empty() : tensor<8x16xf32>
  %g = phantom.gemm ins(%d, %x : tensor<4x8xf32>, tensor<4x16xf32>) outs(%e : tensor<8x16xf32>) {transpose_a} -> tensor<8x16xf32>
  %h = phantom.gemm ins(%d, %x : tensor<4x8xf32>, tensor<4x16xf32>) outs(%e : tensor<8x16xf32>) {transpose_a} -> tensor<8x16xf32>
  %s = arith.addf %sum, %g : tensor<8x16xf32>
  // What is no parameter stays.
  // CHECK: %[[T:.+]] = arith.addf
  %t = arith.addf %other, %h : tensor<8x16xf32>
  // CHECK: return %[[NEW]], %[[T]]
  return %s, %t : tensor<8x16xf32>, tensor<8x16xf32>
}
