// RUN: phantom-opt %s --phantom-verify-program | FileCheck %s

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @program
func.func @program(%x: memref<8x4xf32>, %d: memref<8x4xf32>) -> memref<8x4xf32> {
  %arena = phantom.arena : memref<128xi8>
  %c0 = arith.constant 0 : index
  %z = memref.view %arena[%c0][] : memref<128xi8> to memref<8x4xf32>
  %w = phantom.window "g" : memref<8x8xf32>
  %s = phantom.window_slot %w dim 0 : memref<8x8xf32> -> memref<2x8xf32>
  phantom.launch @kernels::@k outs(%s : memref<2x8xf32>)
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8x8xf32>
  phantom.exchange_wait %t, %w : memref<8x8xf32>
  phantom.gemm ins(%w, %d : memref<8x8xf32>, memref<8x4xf32>) outs(%z : memref<8x4xf32>)
  return %z : memref<8x4xf32>
}

module @kernels {
  func.func @k(%x: memref<2x8xf32>) { return }
}
