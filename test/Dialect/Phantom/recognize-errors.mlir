// RUN: phantom-opt %s --phantom-recognize --split-input-file --verify-diagnostics

// Nothing here is wrong; remarks say why it was not recognised.

func.func @bias_of_shared_product(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>) -> (tensor<8x3xf32>, tensor<8x3xf32>) {
  %c = phantom.broadcast %b : (tensor<3xf32>) -> tensor<8x3xf32>
  // expected-note @+1 {{the layer}}
  %m = phantom.linear %x, %w : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  // expected-remark @+1 {{looks like the bias of a linear layer, but the product is used elsewhere, too}}
  %y = arith.addf %m, %c : tensor<8x3xf32>
  return %m, %y : tensor<8x3xf32>, tensor<8x3xf32>
}

// -----

func.func @bias_per_row(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %b: tensor<8x1xf32>) -> tensor<8x3xf32> {
  %c = phantom.broadcast %b : (tensor<8x1xf32>) -> tensor<8x3xf32>
  // expected-note @+1 {{the layer}}
  %m = phantom.linear %x, %w : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  // expected-remark @+1 {{but is of type 'tensor<8x1xf32>' and not a vector of the layer's columns}}
  %y = arith.addf %m, %c : tensor<8x3xf32>
  return %y : tensor<8x3xf32>
}

// -----

func.func @gelu_without_half(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %root = arith.constant dense<1.41421354> : tensor<8x4xf32>
  %d = arith.divf %x, %root : tensor<8x4xf32>
  %e = math.erf %d : tensor<8x4xf32>
  %p = arith.addf %e, %one : tensor<8x4xf32>
  // expected-remark @+1 {{looks like 'gelu_erf', but is multiplied by 1.000000e+00, not 5.000000e-01}}
  %y = arith.mulf %x, %p : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

func.func @shifted_silu(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %c = arith.constant dense<1.702> : tensor<8x4xf32>
  %u = arith.addf %x, %c : tensor<8x4xf32>
  %s = phantom.activation <sigmoid> %u : tensor<8x4xf32>
  // expected-remark @+1 {{looks like 'silu', but the argument of its gate has the coefficients 1.0}}
  %y = arith.mulf %x, %s : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

func.func @gelu_tanh_other_constant(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %c = arith.constant dense<0.05> : tensor<8x4xf32>
  %r = arith.constant dense<0.7978846> : tensor<8x4xf32>
  %x2 = arith.mulf %x, %x : tensor<8x4xf32>
  %x3 = arith.mulf %x, %x2 : tensor<8x4xf32>
  %cx = arith.mulf %c, %x3 : tensor<8x4xf32>
  %s = arith.addf %x, %cx : tensor<8x4xf32>
  %u = arith.mulf %s, %r : tensor<8x4xf32>
  %t = math.tanh %u : tensor<8x4xf32>
  %p = arith.addf %one, %t : tensor<8x4xf32>
  %m = arith.mulf %x, %p : tensor<8x4xf32>
  // expected-remark @+1 {{looks like 'gelu_tanh', but the argument of its gate has the coefficients}}
  %y = arith.mulf %half, %m : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
