// RUN: phantom-opt %s --phantom-encode-exchanges=encoding=int8 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-encode-exchanges=encoding=bf16 2>/dev/null | FileCheck %s --check-prefix=BF16
// RUN: phantom-opt %s --phantom-encode-exchanges=encoding=f32 | FileCheck %s --check-prefix=F32
// RUN: phantom-opt %s --phantom-encode-exchanges=encoding=int8 -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// 4 bytes of 3 blocks of 4·64, and 3·4·(64 + 4).
// REMARK: remark: @ghosts: 1 exchanges carry int8, 0 are as they were: 816 bytes sent per rank and call instead of 3072
// REMARK: remark: @gradients: 3 exchanges carry int8, 1 are as they were:
// REMARK: remark: @samples: 1 exchanges carry int8, 0 are as they were:
// REMARK: remark: @sums: 2 exchanges carry int8, 1 are as they were:
// REMARK: remark: @short_rows: 1 exchanges carry int8, 2 of short rows carry bf16, 0 are as they were: 252 bytes sent per rank and call instead of 528
// REMARK: remark: @left: 0 exchanges carry int8, 4 are as they were:
// REMARK: remark: @parameters: 0 exchanges carry int8, 3 are as they were:
// REMARK: remark: @sums_of_statistics: 1 exchanges carry int8, 2 are as they were:
// REMARK-NOT: remark

// F32-NOT: phantom.encode

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @ghosts
// CHECK-SAME: (%[[G:.+]]: tensor<4x64xf32>) -> tensor<16x64xf32>
// CHECK-NEXT: %[[B:.+]] = phantom.reshape %[[G]] : tensor<4x64xf32> -> tensor<1x4x64xf32>
// CHECK-NEXT: %[[E:.+]] = phantom.encode %[[B]] <int8> : tensor<1x4x64xf32> -> tensor<1x4x68xi8>
// CHECK-NEXT: %[[A:.+]] = phantom.all_gather %[[E]] dim 0 on @mesh "phantom" : tensor<1x4x68xi8> -> tensor<4x4x68xi8>
// CHECK-NEXT: %[[D:.+]] = phantom.decode %[[A]] <int8> : tensor<4x4x68xi8> -> tensor<4x4x64xf32>
// CHECK-NEXT: %[[R:.+]] = phantom.reshape %[[D]] : tensor<4x4x64xf32> -> tensor<16x64xf32>
// CHECK-NEXT: return %[[R]]
// BF16-LABEL: func @ghosts
// BF16: phantom.encode %{{.+}} <bf16> : tensor<1x4x64xf32> -> tensor<1x4x64xbf16>
// BF16: phantom.all_gather %{{.+}} dim 0 on @mesh "phantom" : tensor<1x4x64xbf16> -> tensor<4x4x64xbf16>
func.func @ghosts(%g: tensor<4x64xf32>) -> tensor<16x64xf32> {
  %y = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<4x64xf32> -> tensor<16x64xf32>
  return %y : tensor<16x64xf32>
}

// Where gradients are made, what is summed is rounded at random, each sum with bits of its own. What the optimizer
// takes stays exact.
// CHECK-LABEL: func @gradients
// CHECK-SAME: %[[STEP:[^:]+]]: tensor<i64> {phantom.scalar = "step"}
// CHECK-SAME: %[[KEY:[^:]+]]: tensor<i64> {phantom.scalar = "dropout_key"}
// CHECK: phantom.encode %{{.+}} <int8> : tensor<1x4x64xf32>
// CHECK: %[[B:.+]] = phantom.reshape %{{.+}} : tensor<16x64xf32> -> tensor<4x4x64xf32>
// CHECK-NEXT: %[[E:.+]] = phantom.encode %[[B]] <int8> counter(%[[KEY]], %[[STEP]] : tensor<i64>, tensor<i64>) {site = 2147483648 : i64} : tensor<4x4x64xf32> -> tensor<4x4x68xi8>
// CHECK-NEXT: %[[A:.+]] = phantom.all_to_all %[[E]] on @mesh "phantom" : tensor<4x4x68xi8>
// CHECK-NEXT: %[[D:.+]] = phantom.decode %[[A]] <int8> : tensor<4x4x68xi8> -> tensor<4x4x64xf32>
// CHECK-NEXT: phantom.reduce_sum %[[D]] [0] : tensor<4x4x64xf32> -> tensor<4x64xf32>
// CHECK: phantom.encode %{{.+}} <int8> counter(%[[KEY]], %[[STEP]] : tensor<i64>, tensor<i64>) {site = 2147483649 : i64}
// CHECK: phantom.all_reduce %{{.+}} : tensor<4x64xf32> -> tensor<4x64xf32>
func.func @gradients(%g: tensor<4x64xf32>, %t: tensor<16x64xf32>, %w: tensor<4x64xf32>, %step: tensor<i64> {phantom.scalar = "step"})
    -> (tensor<16x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32> {phantom.gradient = @w}) {
  %y = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<4x64xf32> -> tensor<16x64xf32>
  %s = phantom.reduce_scatter %t dim 0 on @mesh "phantom" : tensor<16x64xf32> -> tensor<4x64xf32>
  %u = phantom.reduce_scatter %t dim 0 on @mesh "phantom" : tensor<16x64xf32> -> tensor<4x64xf32>
  %d = phantom.all_reduce %w on @mesh "phantom" : tensor<4x64xf32> -> tensor<4x64xf32>
  return %y, %s, %u, %d : tensor<16x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>, tensor<4x64xf32>
}

// Of activations, a row is a sample.
// CHECK-LABEL: func @samples
// CHECK-NEXT: %[[B:.+]] = phantom.reshape %{{.+}} : tensor<2x5x16xf32> -> tensor<1x10x16xf32>
// CHECK-NEXT: phantom.encode %[[B]] <int8> : tensor<1x10x16xf32> -> tensor<1x10x20xi8>
// CHECK: %[[D:.+]] = phantom.decode
// CHECK-NEXT: %[[S:.+]] = phantom.reshape %[[D]] : tensor<4x10x16xf32> -> tensor<4x2x5x16xf32>
// CHECK-NEXT: %[[T:.+]] = phantom.transpose %[[S]] [1, 2, 0, 3] : tensor<4x2x5x16xf32> -> tensor<2x5x4x16xf32>
// CHECK-NEXT: phantom.reshape %[[T]] : tensor<2x5x4x16xf32> -> tensor<2x5x64xf32>
func.func @samples(%x: tensor<2x5x16xf32>) -> tensor<2x5x64xf32> {
  %y = phantom.all_gather %x dim 2 on @mesh "phantom" : tensor<2x5x16xf32> -> tensor<2x5x64xf32>
  return %y : tensor<2x5x64xf32>
}

// An all-reduce is both, along the first dimension that divides.
// CHECK-LABEL: func @sums
// CHECK: %[[B:.+]] = phantom.reshape %{{.+}} : tensor<6x64xf32> -> tensor<6x4x16xf32>
// CHECK-NEXT: %[[T:.+]] = phantom.transpose %[[B]] [1, 0, 2] : tensor<6x4x16xf32> -> tensor<4x6x16xf32>
// CHECK-NEXT: phantom.encode %[[T]] <int8> : tensor<4x6x16xf32> -> tensor<4x6x20xi8>
// CHECK-NEXT: phantom.all_to_all
// CHECK: phantom.encode %{{.+}} <int8> : tensor<1x6x16xf32> -> tensor<1x6x20xi8>
// CHECK-NEXT: phantom.all_gather
// CHECK: phantom.transpose %{{.+}} [1, 0, 2] : tensor<4x6x16xf32> -> tensor<6x4x16xf32>
// CHECK: phantom.encode %{{.+}} <int8> : tensor<4x2x64xf32> -> tensor<4x2x68xi8>
// CHECK: phantom.all_reduce %{{.+}} : tensor<3x5xf32>
func.func @sums(%x: tensor<6x64xf32>, %y: tensor<8x64xf32>, %z: tensor<3x5xf32>) -> (tensor<6x64xf32>, tensor<8x64xf32>, tensor<3x5xf32>) {
  %a = phantom.all_reduce %x on @mesh "phantom" : tensor<6x64xf32> -> tensor<6x64xf32>
  %b = phantom.all_reduce %y on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x64xf32>
  %c = phantom.all_reduce %z on @mesh "phantom" : tensor<3x5xf32> -> tensor<3x5xf32>
  %d = arith.negf %a : tensor<6x64xf32>
  %e = arith.negf %b : tensor<8x64xf32>
  %f = arith.negf %c : tensor<3x5xf32>
  return %d, %e, %f : tensor<6x64xf32>, tensor<8x64xf32>, tensor<3x5xf32>
}

// Of rows of 4 elements or fewer bf16 takes no more bytes than int8 with a scale.
// CHECK-LABEL: func @short_rows
// CHECK: phantom.encode %{{.+}} <bf16> : tensor<1x8x1xf32> -> tensor<1x8x1xbf16>
// CHECK: phantom.encode %{{.+}} <bf16> : tensor<4x2x4xf32> -> tensor<4x2x4xbf16>
// CHECK: phantom.encode %{{.+}} <bf16> : tensor<1x2x4xf32> -> tensor<1x2x4xbf16>
// CHECK: phantom.encode %{{.+}} <int8> : tensor<1x4x5xf32> -> tensor<1x4x9xi8>
func.func @short_rows(%x: tensor<8x1xf32>, %y: tensor<8x4xf32>, %z: tensor<4x5xf32>) -> (tensor<32x1xf32>, tensor<8x4xf32>, tensor<16x5xf32>) {
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<8x1xf32> -> tensor<32x1xf32>
  %b = phantom.all_reduce %y on @mesh "phantom" : tensor<8x4xf32> -> tensor<8x4xf32>
  %c = phantom.all_gather %z dim 0 on @mesh "phantom" : tensor<4x5xf32> -> tensor<16x5xf32>
  return %a, %b, %c : tensor<32x1xf32>, tensor<8x4xf32>, tensor<16x5xf32>
}

// Vectors, f64, integers and statistics.
// CHECK-LABEL: func @left
// CHECK-NOT: phantom.encode
// CHECK: return
func.func @left(%v: tensor<8xf32>, %d: tensor<2x8xf64>, %x: tensor<8x16xf32>, %i: tensor<2x8xi64>)
    -> (tensor<32xf32>, tensor<8x8xf64>, tensor<4x3x8xf32>, tensor<8x8xi64>) {
  %a = phantom.all_gather %v dim 0 on @mesh "phantom" : tensor<8xf32> -> tensor<32xf32>
  %b = phantom.all_gather %d dim 0 on @mesh "phantom" : tensor<2x8xf64> -> tensor<8x8xf64>
  %s = phantom.statistics <layer> %x [1] : tensor<8x16xf32> -> tensor<1x3x8xf32>
  %e = phantom.all_gather %s dim 0 on @mesh "phantom" : tensor<1x3x8xf32> -> tensor<4x3x8xf32>
  %g = phantom.all_gather %i dim 0 on @mesh "phantom" : tensor<2x8xi64> -> tensor<8x8xi64>
  return %a, %b, %e, %g : tensor<32xf32>, tensor<8x8xf64>, tensor<4x3x8xf32>, tensor<8x8xi64>
}

// Parameters and their gradients, of this batch or summed up over parts of a step, however they travel.
// CHECK-LABEL: func @parameters
// CHECK-NOT: phantom.encode
// CHECK: return
func.func @parameters(%w: tensor<8x64xf32> {phantom.parameter = @w}, %g: tensor<8x64xf32>, %d: tensor<8x64xf32>, %s: tensor<8x256xf32>)
    -> (tensor<256x8xf32>, tensor<8x256xf32> {phantom.updated = @w.gradient_sum}, tensor<8x64xf32> {phantom.gradient = @w}) {
  %t = phantom.transpose %w [1, 0] : tensor<8x64xf32> -> tensor<64x8xf32>
  %a = phantom.all_gather %t dim 0 on @mesh "phantom" : tensor<64x8xf32> -> tensor<256x8xf32>
  %b = phantom.all_gather %g dim 1 on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x256xf32>
  %c = arith.addf %s, %b : tensor<8x256xf32>
  %e = phantom.all_reduce %d on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x64xf32>
  return %a, %c, %e : tensor<256x8xf32>, tensor<8x256xf32>, tensor<8x64xf32>
}

// A sum of statistics is one, too; what an encoded reduction sums up is not.
// CHECK-LABEL: func @sums_of_statistics
// CHECK: phantom.all_reduce %{{.+}} : tensor<8x64xf32>
// CHECK: phantom.encode
// CHECK: phantom.all_to_all
// CHECK: phantom.all_gather %{{.+}} : tensor<32xf32>
func.func @sums_of_statistics(%x: tensor<8x64x4xf32>, %p: tensor<128x64xf32>) -> (tensor<8x64xf32>, tensor<32x64xf32>, tensor<128xf32>) {
  %a = phantom.reduce_sum %x [2] : tensor<8x64x4xf32> -> tensor<8x64xf32>
  %b = arith.addf %a, %a : tensor<8x64xf32>
  %c = phantom.all_reduce %b on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x64xf32>
  %s = phantom.reduce_scatter %p dim 0 on @mesh "phantom" : tensor<128x64xf32> -> tensor<32x64xf32>
  %v = phantom.reduce_sum %s [1] : tensor<32x64xf32> -> tensor<32xf32>
  %w = phantom.all_gather %v dim 0 on @mesh "phantom" : tensor<32xf32> -> tensor<128xf32>
  return %c, %s, %w : tensor<8x64xf32>, tensor<32x64xf32>, tensor<128xf32>
}

func.func private @declared(tensor<8xf32>) -> tensor<8xf32>
