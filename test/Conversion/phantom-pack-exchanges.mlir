// RUN: phantom-opt %s --split-input-file --phantom-pack-exchanges 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --split-input-file --phantom-pack-exchanges -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK-NOT: @contiguous
// REMARK: remark: @gather: packed 1 exchanges, for which 2 transposes are left
// REMARK: remark: @scatter: packed 1 exchanges, for which 2 transposes are left
// REMARK: remark: @between_gemms: packed 2 exchanges, for which 2 transposes are left
// REMARK: remark: @product_of_own: packed 1 exchanges, for which 0 transposes are left

phantom.mesh @mesh = [<"phantom" = 4>]

// Nothing lies before the blocks, or only dimensions of one element.
// CHECK-LABEL: func @contiguous
// CHECK-NOT: phantom.transpose
// CHECK: return
func.func @contiguous(%x: tensor<2x4xf32>, %y: tensor<1x8x3xf32>) -> (tensor<8x4xf32>, tensor<1x2x3xf32>) {
  %g = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x4xf32> -> tensor<8x4xf32>
  %s = phantom.reduce_scatter %y dim 1 on @mesh "phantom" : tensor<1x8x3xf32> -> tensor<1x2x3xf32>
  return %g, %s : tensor<8x4xf32>, tensor<1x2x3xf32>
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @gather
// CHECK-SAME: %[[X:.+]]: tensor<8x3xf32>
// CHECK-NEXT: %[[T:.+]] = phantom.transpose %[[X]] [1, 0] : tensor<8x3xf32> -> tensor<3x8xf32>
// CHECK-NEXT: %[[G:.+]] = phantom.all_gather %[[T]] dim 0 on @mesh "phantom" : tensor<3x8xf32> -> tensor<12x8xf32>
// CHECK-NEXT: %[[R:.+]] = phantom.transpose %[[G]] [1, 0] : tensor<12x8xf32> -> tensor<8x12xf32>
// CHECK-NEXT: return %[[R]]
func.func @gather(%x: tensor<8x3xf32>) -> tensor<8x12xf32> {
  %g = phantom.all_gather %x dim 1 on @mesh "phantom" : tensor<8x3xf32> -> tensor<8x12xf32>
  return %g : tensor<8x12xf32>
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

// Dimensions before the blocks move as one, and so do those behind.
// CHECK-LABEL: func @scatter
// CHECK: tensor.collapse_shape %{{.*}} {{\[}}[0, 1], [2], [3, 4]{{\]}} : tensor<2x3x8x5x7xf32> into tensor<6x8x35xf32>
// CHECK: phantom.transpose %{{.*}} [1, 0, 2] : tensor<6x8x35xf32> -> tensor<8x6x35xf32>
// CHECK: phantom.reduce_scatter %{{.*}} dim 0 on @mesh "phantom" : tensor<8x6x35xf32> -> tensor<2x6x35xf32>
// CHECK: phantom.transpose %{{.*}} [1, 0, 2] : tensor<2x6x35xf32> -> tensor<6x2x35xf32>
// CHECK: tensor.expand_shape %{{.*}} {{\[}}[0, 1], [2], [3, 4]{{\]}} {{.*}} : tensor<6x2x35xf32> into tensor<2x3x2x5x7xf32>
func.func @scatter(%x: tensor<2x3x8x5x7xf32>) -> tensor<2x3x2x5x7xf32> {
  %s = phantom.reduce_scatter %x dim 2 on @mesh "phantom" : tensor<2x3x8x5x7xf32> -> tensor<2x3x2x5x7xf32>
  return %s : tensor<2x3x2x5x7xf32>
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

// A product without an epilogue is made transposed, and a GEMM takes the gathered blocks as they are. A bias needs rows.
// CHECK-LABEL: func @between_gemms
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<8x16xf32>, %[[W:[a-z0-9]+]]: tensor<3x16xf32>, %[[V:[a-z0-9]+]]: tensor<5x12xf32>
// CHECK: %[[E:.+]] = tensor.empty() : tensor<8x3xf32>
// CHECK: %[[Z:.+]] = phantom.gemm ins(%[[X]], %[[W]] : {{.*}}) bias({{.*}}) outs(%[[E]] : tensor<8x3xf32>)
// CHECK: %[[T:.+]] = phantom.transpose %[[Z]] [1, 0]
// CHECK: %[[G:.+]] = phantom.all_gather %[[T]] dim 0 {{.*}} -> tensor<12x8xf32>
// CHECK: %[[Q:.+]] = phantom.gemm ins(%[[G]], %[[V]] : tensor<12x8xf32>, tensor<5x12xf32>) outs(%{{.*}}) {transpose_a, transpose_b} -> tensor<8x5xf32>
// CHECK: %[[P:.+]] = phantom.gemm ins(%[[V]], %[[Q]] : tensor<5x12xf32>, tensor<8x5xf32>) outs(%{{.*}}) {transpose_a, transpose_b} -> tensor<12x8xf32>
// CHECK: %[[S:.+]] = phantom.reduce_scatter %[[P]] dim 0 {{.*}} -> tensor<3x8xf32>
// CHECK: phantom.transpose %[[S]] [1, 0] : tensor<3x8xf32> -> tensor<8x3xf32>
func.func @between_gemms(%x: tensor<8x16xf32>, %w: tensor<3x16xf32>, %v: tensor<5x12xf32>, %b: tensor<3xf32>) -> tensor<8x3xf32> {
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x16xf32>, tensor<3x16xf32>) bias(%b : tensor<3xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %g = phantom.all_gather %z dim 1 on @mesh "phantom" : tensor<8x3xf32> -> tensor<8x12xf32>
  %f = tensor.empty() : tensor<8x5xf32>
  %q = phantom.gemm ins(%g, %v : tensor<8x12xf32>, tensor<5x12xf32>) outs(%f : tensor<8x5xf32>) {transpose_b} -> tensor<8x5xf32>
  %d = tensor.empty() : tensor<8x12xf32>
  %p = phantom.gemm ins(%q, %v : tensor<8x5xf32>, tensor<5x12xf32>) outs(%d : tensor<8x12xf32>) -> tensor<8x12xf32>
  %s = phantom.reduce_scatter %p dim 1 on @mesh "phantom" : tensor<8x12xf32> -> tensor<8x3xf32>
  return %s : tensor<8x3xf32>
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @product_of_own
// CHECK-SAME: %[[X:.+]]: tensor<8x16xf32>, %[[W:.+]]: tensor<3x16xf32>, %[[V:.+]]: tensor<12x5xf32>
// CHECK: %[[Z:.+]] = phantom.gemm ins(%[[W]], %[[X]] : {{.*}}) outs(%{{.*}} : tensor<3x8xf32>) {transpose_b} -> tensor<3x8xf32>
// CHECK: %[[G:.+]] = phantom.all_gather %[[Z]] dim 0 {{.*}} : tensor<3x8xf32> -> tensor<12x8xf32>
// CHECK: phantom.gemm ins(%[[G]], %[[V]] : {{.*}}) outs(%{{.*}} : tensor<8x5xf32>) {transpose_a}
func.func @product_of_own(%x: tensor<8x16xf32>, %w: tensor<3x16xf32>, %v: tensor<12x5xf32>) -> tensor<8x5xf32> {
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x16xf32>, tensor<3x16xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %g = phantom.all_gather %z dim 1 on @mesh "phantom" : tensor<8x3xf32> -> tensor<8x12xf32>
  %f = tensor.empty() : tensor<8x5xf32>
  %q = phantom.gemm ins(%g, %v : tensor<8x12xf32>, tensor<12x5xf32>) outs(%f : tensor<8x5xf32>) -> tensor<8x5xf32>
  return %q : tensor<8x5xf32>
}
