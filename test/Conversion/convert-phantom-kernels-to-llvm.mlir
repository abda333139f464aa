// RUN: phantom-opt %s --convert-phantom-kernels-to-llvm | FileCheck %s

// Only the kernels change.
// CHECK-LABEL: func.func @main
func.func @main(%x: memref<32xf32>, %y: memref<32xf32>) {
  // CHECK: phantom.launch @kernels::@tanh
  phantom.launch @kernels::@tanh ins(%x : memref<32xf32>) outs(%y : memref<32xf32>)
  return
}

module @kernels {
  // Bare pointers; a polynomial in f32.
  // CHECK-LABEL: llvm.func @tanh(%{{.*}}: !llvm.ptr {llvm.noalias}, %{{.*}}: !llvm.ptr {llvm.noalias})
  // CHECK-NOT: @tanhf
  // CHECK-COUNT-5: llvm.intr.fma
  // CHECK: llvm.return
  func.func @tanh(%x: memref<32xf32> {llvm.noalias}, %y: memref<32xf32> {llvm.noalias}) {
    linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : memref<32xf32>) outs(%y : memref<32xf32>) {
    ^bb0(%a: f32, %b: f32):
      %t = math.tanh %a : f32
      linalg.yield %t : f32
    }
    return
  }

  // f64 is left to the C library; strides of a window's slot are constants.
  // CHECK-LABEL: llvm.func @strided
  // CHECK: llvm.mlir.constant(16 : index)
  // CHECK: llvm.intr.tanh({{.*}}) : (f64) -> f64
  func.func @strided(%x: memref<4x4xf64, strided<[16, 1]>>) {
    linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
        outs(%x : memref<4x4xf64, strided<[16, 1]>>) {
    ^bb0(%a: f64):
      %t = math.tanh %a : f64
      linalg.yield %t : f64
    }
    return
  }

  // Conversions of bf16 are integer arithmetic: the C library of most systems has no function for them.
  // What is left is moved as bits.
  // CHECK-LABEL: llvm.func @narrow
  // CHECK-NOT: llvm.fptrunc
  // CHECK-NOT: llvm.fpext
  // CHECK-NOT: bf16
  // CHECK: llvm.return
  func.func @narrow(%x: memref<32xf32> {llvm.noalias}, %y: memref<32xbf16> {llvm.noalias}, %z: memref<32xf32> {llvm.noalias}) {
    linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
        ins(%x : memref<32xf32>) outs(%y, %z : memref<32xbf16>, memref<32xf32>) {
    ^bb0(%a: f32, %b: bf16, %c: f32):
      %n = arith.truncf %a : f32 to bf16
      %w = arith.extf %n : bf16 to f32
      linalg.yield %n, %w : bf16, f32
    }
    return
  }
}
