// RUN: phantom-opt %s --phantom-overlap-exchanges 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-overlap-exchanges=overlap=false 2>/dev/null | FileCheck %s --check-prefix=OFF
// RUN: phantom-opt %s --phantom-overlap-exchanges -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: phantom-opt %s --phantom-overlap-exchanges=overlap=false -o /dev/null 2>&1 | FileCheck %s --check-prefix=NOTHING

// NOTHING: remark: @hidden: nothing runs beside the 1 exchanges
// REMARK: remark: @hidden: 1 GEMMs and kernels, with 256 flops of GEMMs, run beside 1 of 1 exchanges
// REMARK: remark: @order: 1 GEMMs and kernels, with 256 flops of GEMMs, run beside 1 of 2 exchanges

phantom.mesh @mesh = [<"phantom" = 4>]

// The local product hides the exchange.
// CHECK-LABEL: func @hidden
// OFF-LABEL: func @hidden
func.func @hidden(%c: memref<2x4xf32>, %y: memref<8x4xf32>, %l: memref<4x4xf32>, %d: memref<8x4xf32>, %z: memref<8x4xf32>) {
  %w = phantom.window "g" : memref<8x8xf32>
  %s = phantom.window_slot %w dim 0 : memref<8x8xf32> -> memref<2x8xf32>
  // CHECK: phantom.gemm {{.*}} outs(%[[SLOT:.+]] : memref<2x8xf32>)
  // CHECK-NEXT: %[[T:.+]] = phantom.exchange_start <all_gather> %[[W:.+]] dim 0 on @mesh "phantom"
  // CHECK-NEXT: phantom.gemm
  // CHECK-NEXT: phantom.exchange_wait %[[T]], %[[W]] : memref<8x8xf32>
  // CHECK-NEXT: phantom.gemm ins(%[[W]]
  // OFF: phantom.gemm
  // OFF-NEXT: phantom.gemm
  // OFF-NEXT: phantom.exchange_start
  // OFF-NEXT: phantom.exchange_wait
  // OFF-NEXT: phantom.gemm
  phantom.gemm ins(%c, %y : memref<2x4xf32>, memref<8x4xf32>) outs(%s : memref<2x8xf32>) {transpose_b}
  phantom.gemm ins(%y, %l : memref<8x4xf32>, memref<4x4xf32>) outs(%z : memref<8x4xf32>) {transpose_b}
  phantom.exchange <all_gather> %w dim 0 on @mesh "phantom" : memref<8x8xf32>
  phantom.gemm ins(%w, %d : memref<8x8xf32>, memref<8x4xf32>) outs(%z : memref<8x4xf32>) {transpose_a, accumulate}
  return
}

// Starts keep their order though the second could go first; waits come where the results are used, through views, or at the end.
// CHECK-LABEL: func @order
func.func @order(%a: memref<8x4xf32>, %b: memref<4x4xf32>, %z: memref<8x4xf32>) -> (memref<8x4xf32>, memref<8x4xf32>) {
  %w0 = phantom.window "0" : memref<4x8x4xf32>
  %s0 = phantom.window_slot %w0 : memref<4x8x4xf32> -> memref<8x4xf32>
  %w1 = phantom.window "1" : memref<4x8x4xf32>
  %s1 = phantom.window_slot %w1 : memref<4x8x4xf32> -> memref<8x4xf32>
  %r0 = memref.alloc() : memref<8x4xf32>
  %r1 = memref.alloc() : memref<8x4xf32>
  // CHECK: phantom.gemm {{.*}} outs(%[[S1:.+]] :
  // CHECK: phantom.gemm {{.*}} outs(%[[S0:.+]] :
  // CHECK-NEXT: %[[T0:.+]] = phantom.exchange_start <all_reduce> %[[W0:.+]] dim 0
  // CHECK-NEXT: %[[T1:.+]] = phantom.exchange_start <all_reduce> %[[W1:.+]] dim 0
  // CHECK: phantom.exchange_wait %[[T0]], %[[W0]] into
  // CHECK-NEXT: phantom.gemm
  // CHECK-NEXT: phantom.exchange_wait %[[T1]], %[[W1]] into
  // CHECK-NEXT: return
  phantom.gemm ins(%a, %b : memref<8x4xf32>, memref<4x4xf32>) outs(%s1 : memref<8x4xf32>)
  phantom.gemm ins(%a, %b : memref<8x4xf32>, memref<4x4xf32>) outs(%s0 : memref<8x4xf32>)
  phantom.exchange <all_reduce> %w0 dim 0 into %r0 on @mesh "phantom" : memref<4x8x4xf32>, memref<8x4xf32>
  phantom.exchange <all_reduce> %w1 dim 0 into %r1 on @mesh "phantom" : memref<4x8x4xf32>, memref<8x4xf32>
  %v = memref.expand_shape %r0 [[0, 1], [2]] output_shape [2, 4, 4] : memref<8x4xf32> into memref<2x4x4xf32>
  %u = memref.collapse_shape %v [[0, 1], [2]] : memref<2x4x4xf32> into memref<8x4xf32>
  phantom.gemm ins(%u, %b : memref<8x4xf32>, memref<4x4xf32>) outs(%z : memref<8x4xf32>)
  return %z, %r1 : memref<8x4xf32>, memref<8x4xf32>
}

// The sum goes straight into the slot of the next exchange, which must not start before.
// CHECK-LABEL: func @chain
func.func @chain(%a: memref<8x4xf32>, %b: memref<4x4xf32>, %z: memref<2x4xf32>) -> memref<8x4xf32> {
  %w0 = phantom.window "0" : memref<4x8x4xf32>
  %s0 = phantom.window_slot %w0 : memref<4x8x4xf32> -> memref<8x4xf32>
  %w1 = phantom.window "1" : memref<8x4xf32>
  %s1 = phantom.window_slot %w1 dim 0 : memref<8x4xf32> -> memref<2x4xf32>
  // CHECK: phantom.gemm
  // CHECK-NEXT: %[[T0:.+]] = phantom.exchange_start <reduce_scatter>
  // CHECK-NEXT: phantom.exchange_wait %[[T0]], %{{.*}} into
  // CHECK-NEXT: %[[T1:.+]] = phantom.exchange_start <all_gather>
  // CHECK-NEXT: phantom.gemm
  // CHECK-NEXT: phantom.exchange_wait %[[T1]]
  phantom.gemm ins(%a, %b : memref<8x4xf32>, memref<4x4xf32>) outs(%s0 : memref<8x4xf32>)
  phantom.exchange <reduce_scatter> %w0 dim 0 into %s1 on @mesh "phantom" : memref<4x8x4xf32>, memref<2x4xf32>
  phantom.gemm ins(%s1, %b : memref<2x4xf32>, memref<4x4xf32>) outs(%z : memref<2x4xf32>)
  phantom.exchange <all_gather> %w1 dim 0 on @mesh "phantom" : memref<8x4xf32>
  return %w1 : memref<8x4xf32>
}
