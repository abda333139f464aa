// RUN: phantom-opt %s --split-input-file --verify-diagnostics --phantom-recognize | FileCheck %s --implicit-check-not=phantom.normalize

// CHECK-LABEL: func @unbiased
func.func @unbiased(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<15.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %ms = phantom.reduce_sum %x [1] : tensor<8x16xf32> -> tensor<8xf32>
  %mk = phantom.reshape %ms : tensor<8xf32> -> tensor<8x1xf32>
  %mn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %m = arith.divf %mk, %mn : tensor<8x1xf32>
  %mw = phantom.broadcast %m : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %z = arith.subf %x, %mw : tensor<8x16xf32>
  %q = arith.mulf %z, %z : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %vk = phantom.reshape %vs : tensor<8xf32> -> tensor<8x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %v = arith.divf %vk, %vn : tensor<8x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<8x1xf32>
  %ve = arith.addf %v, %ek : tensor<8x1xf32>
  %r = math.sqrt %ve : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  // expected-remark @+1 {{looks like a normalisation, but the squares are divided by another number than that of the elements}}
  %y0 = arith.divf %z, %rw : tensor<8x16xf32>
  return %y0 : tensor<8x16xf32>
}

// -----

// CHECK-LABEL: func @columns
func.func @columns(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<8.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [0] : tensor<8x16xf32> -> tensor<16xf32>
  %vk = phantom.reshape %vs : tensor<16xf32> -> tensor<1x16xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<1x16xf32>
  %v = arith.divf %vk, %vn : tensor<1x16xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<1x16xf32>
  %ve = arith.addf %v, %ek : tensor<1x16xf32>
  %r = math.sqrt %ve : tensor<1x16xf32>
  %rw = phantom.broadcast %r : (tensor<1x16xf32>) -> tensor<8x16xf32>
  // expected-remark @+1 {{looks like a normalisation, but it is not over the last dimensions}}
  %y0 = arith.divf %x, %rw : tensor<8x16xf32>
  return %y0 : tensor<8x16xf32>
}

// -----

// The statistics of one sample must not reach another.
// CHECK-LABEL: func @turned
func.func @turned(%x: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %n = arith.constant dense<4.0> : tensor<1x4xf32>
  %q = arith.mulf %x, %x : tensor<4x4xf32>
  %t = phantom.reduce_sum %q [1] : tensor<4x4xf32> -> tensor<4xf32>
  %k = phantom.reshape %t : tensor<4xf32> -> tensor<1x4xf32>
  %v = arith.divf %k, %n : tensor<1x4xf32>
  %r = math.rsqrt %v : tensor<1x4xf32>
  %w = phantom.broadcast %r : (tensor<1x4xf32>) -> tensor<4x4xf32>
  // expected-remark @+1 {{looks like a normalisation, but its statistics are reshaped to something else than one per sample}}
  %y = arith.mulf %x, %w : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
