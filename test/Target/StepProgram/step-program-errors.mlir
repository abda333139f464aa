// RUN: split-file %s %t
// RUN: not phantom-translate --phantom-to-step-program %t/tensor.mlir 2>&1 | FileCheck %s --check-prefix=TENSOR
// RUN: not phantom-translate --phantom-to-step-program %t/unnamed.mlir 2>&1 | FileCheck %s --check-prefix=UNNAMED
// RUN: not phantom-translate --phantom-to-step-program %t/alloc.mlir 2>&1 | FileCheck %s --check-prefix=ALLOC
// RUN: not phantom-translate --phantom-to-step-program %t/narrow.mlir 2>&1 | FileCheck %s --check-prefix=NARROW
// RUN: not phantom-translate --phantom-to-step-program %t/window.mlir 2>&1 | FileCheck %s --check-prefix=WINDOW
// RUN: not phantom-translate --phantom-to-step-program %t/missing.mlir 2>&1 | FileCheck %s --check-prefix=MISSING

// MISSING: missing.mlir

//--- tensor.mlir
// TENSOR: error: takes or returns 'tensor<8xf32>', not a buffer of static shape: run phantom-to-cpu-pipeline
func.func @forward(%x: tensor<8xf32> {phantom.input = "x"}) -> (tensor<8xf32> {phantom.output = "y"}) {
  return %x : tensor<8xf32>
}

//--- unnamed.mlir
// UNNAMED: error: argument 0 has no phantom attribute that says what it is
func.func @forward(%x: memref<8xf32>) -> (memref<8xf32> {phantom.output = "y"}) {
  return %x : memref<8xf32>
}

//--- alloc.mlir
// ALLOC: error: 'memref.alloc' op cannot be part of a step program: run phantom-to-cpu-pipeline
func.func @forward(%x: memref<8xf32> {phantom.input = "x"}) -> (memref<8xf32> {phantom.output = "y"}) {
  %y = memref.alloc() : memref<8xf32>
  return %y : memref<8xf32>
}

//--- narrow.mlir
// NARROW: error: 'func.func' op has an argument, result or parameter of bf16, which is a type of buffers between commands only
func.func @forward(%x: memref<8xbf16> {phantom.input = "x"}) -> (memref<8xbf16> {phantom.output = "y"}) {
  return %x : memref<8xbf16>
}

//--- window.mlir
// WINDOW: error: 'phantom.exchange_start' op is on no phantom.window
phantom.mesh @mesh = [<"phantom" = 2>]
func.func @forward(%x: memref<8xf32> {phantom.input = "x"}) -> (memref<8xf32> {phantom.output = "y"}) {
  %t = phantom.exchange_start <all_gather> %x dim 0 on @mesh "phantom" : memref<8xf32>
  phantom.exchange_wait %t, %x : memref<8xf32>
  return %x : memref<8xf32>
}
