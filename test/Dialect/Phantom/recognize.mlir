// RUN: phantom-opt %s --phantom-recognize --split-input-file | FileCheck %s

//===----------------------------------------------------------------------===//
// Linear layers
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @bias_after_product
// CHECK-SAME: %[[X:.+]]: tensor<?x4xf32>, %[[W:.+]]: tensor<4x3xf32>, %[[B:.+]]: tensor<3xf32>
func.func @bias_after_product(%x: tensor<?x4xf32>, %w: tensor<4x3xf32>, %b: tensor<3xf32>) -> tensor<?x3xf32> {
  // CHECK-NEXT: %[[Y:.+]] = phantom.linear %[[X]], %[[W]] bias %[[B]] io : (tensor<?x4xf32>, tensor<4x3xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  // CHECK-NEXT: return %[[Y]]
  %m = phantom.linear %x, %w io : (tensor<?x4xf32>, tensor<4x3xf32>) -> tensor<?x3xf32>
  %c = phantom.broadcast %b like %m : (tensor<3xf32>, tensor<?x3xf32>) -> tensor<?x3xf32>
  %y = arith.addf %m, %c : tensor<?x3xf32>
  return %y : tensor<?x3xf32>
}

// -----

// CHECK-LABEL: func @bias_before_product
func.func @bias_before_product(%x: tensor<2x8x4xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>) -> tensor<2x8x3xf32> {
  // CHECK-NEXT: phantom.linear %{{.*}}, %{{.*}} bias %{{.*}} : (tensor<2x8x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<2x8x3xf32>
  // CHECK-NEXT: return
  %c = phantom.broadcast %b : (tensor<3xf32>) -> tensor<2x8x3xf32>
  %m = phantom.linear %x, %w : (tensor<2x8x4xf32>, tensor<3x4xf32>) -> tensor<2x8x3xf32>
  %y = arith.addf %c, %m : tensor<2x8x3xf32>
  return %y : tensor<2x8x3xf32>
}

// -----

// A residual is no bias.
// CHECK-LABEL: func @residual
func.func @residual(%x: tensor<8x4xf32>, %w: tensor<4x4xf32>) -> tensor<8x4xf32> {
  // CHECK: phantom.linear %{{[^ ]+}}, %{{[^ ]+}} :
  // CHECK: arith.addf
  %m = phantom.linear %x, %w : (tensor<8x4xf32>, tensor<4x4xf32>) -> tensor<8x4xf32>
  %y = arith.addf %x, %m : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// CHECK-LABEL: func @transposed_weight
func.func @transposed_weight(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>) -> tensor<8x3xf32> {
  // CHECK-NEXT: phantom.linear %{{[^ ]+}}, %{{[^ ]+}} : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  %t = phantom.transpose %w [1, 0] : tensor<3x4xf32> -> tensor<4x3xf32>
  %m = phantom.linear %x, %t io : (tensor<8x4xf32>, tensor<4x3xf32>) -> tensor<8x3xf32>
  return %m : tensor<8x3xf32>
}

// -----

//===----------------------------------------------------------------------===//
// GELU with erf
//===----------------------------------------------------------------------===//

// nn.GELU() of the TorchScript exporter.
// CHECK-LABEL: func @gelu_erf_div
func.func @gelu_erf_div(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK-NEXT: %[[Y:.+]] = phantom.activation <gelu_erf> %{{.*}} : tensor<?x4xf32>
  // CHECK-NEXT: return %[[Y]]
  %half = arith.constant dense<0.5> : tensor<f32>
  %one = arith.constant dense<1.0> : tensor<f32>
  %root = arith.constant dense<1.41421354> : tensor<f32>
  %r = phantom.broadcast %root like %x : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %o = phantom.broadcast %one like %x : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %h = phantom.broadcast %half like %x : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %d = arith.divf %x, %r : tensor<?x4xf32>
  %e = math.erf %d : tensor<?x4xf32>
  %p = arith.addf %e, %o : tensor<?x4xf32>
  %m = arith.mulf %x, %p : tensor<?x4xf32>
  %y = arith.mulf %m, %h : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// The 0.5 on the inner factor, one first, and a product instead of a quotient.
// CHECK-LABEL: func @gelu_erf_inner
func.func @gelu_erf_inner(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: phantom.activation <gelu_erf>
  // CHECK-NEXT: return
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %root = arith.constant dense<0.707106769> : tensor<8x4xf32>
  %d = arith.mulf %root, %x : tensor<8x4xf32>
  %e = math.erf %d : tensor<8x4xf32>
  %p = arith.addf %one, %e : tensor<8x4xf32>
  %m = arith.mulf %half, %p : tensor<8x4xf32>
  %y = arith.mulf %m, %x : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// x/2 · (1 + erf …), and 0.5 + 0.5·erf.
// CHECK-LABEL: func @gelu_erf_distributed
func.func @gelu_erf_distributed(%x: tensor<8x4xf32>, %z: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK-NEXT: phantom.activation <gelu_erf>
  // CHECK-NEXT: phantom.activation <gelu_erf>
  // CHECK-NEXT: return
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %two = arith.constant dense<2.0> : tensor<8x4xf32>
  %root = arith.constant dense<0.707106769> : tensor<8x4xf32>
  %d = arith.mulf %x, %root : tensor<8x4xf32>
  %e = math.erf %d : tensor<8x4xf32>
  %p = arith.addf %one, %e : tensor<8x4xf32>
  %h = arith.divf %x, %two : tensor<8x4xf32>
  %y = arith.mulf %h, %p : tensor<8x4xf32>
  %zd = arith.mulf %z, %root : tensor<8x4xf32>
  %ze = math.erf %zd : tensor<8x4xf32>
  %zh = arith.mulf %half, %ze : tensor<8x4xf32>
  %zp = arith.addf %half, %zh : tensor<8x4xf32>
  %zy = arith.mulf %z, %zp : tensor<8x4xf32>
  return %y, %zy : tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

// Gated, and of an input that is a product itself.
// CHECK-LABEL: func @gelu_erf_gated
// CHECK-SAME: %[[A:.+]]: tensor<8x4xf32>, %[[S:.+]]: tensor<8x4xf32>, %[[V:.+]]: tensor<8x4xf32>)
func.func @gelu_erf_gated(%a: tensor<8x4xf32>, %s: tensor<8x4xf32>, %v: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: %[[X:.+]] = arith.mulf %[[A]], %[[S]]
  // CHECK-NEXT: %[[G:.+]] = phantom.activation <gelu_erf> %[[X]]
  // CHECK-NEXT: %[[Y:.+]] = arith.mulf %[[G]], %[[V]]
  // CHECK-NEXT: return %[[Y]]
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %root = arith.constant dense<1.41421354> : tensor<8x4xf32>
  %x = arith.mulf %a, %s : tensor<8x4xf32>
  %d = arith.divf %x, %root : tensor<8x4xf32>
  %e = math.erf %d : tensor<8x4xf32>
  %p = arith.addf %e, %one : tensor<8x4xf32>
  %q = arith.mulf %p, %v : tensor<8x4xf32>
  %m = arith.mulf %x, %q : tensor<8x4xf32>
  %y = arith.mulf %m, %half : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

//===----------------------------------------------------------------------===//
// GELU with tanh
//===----------------------------------------------------------------------===//

// nn.GELU("tanh") of the TorchScript exporter: x³ by nested products.
// CHECK-LABEL: func @gelu_tanh_nested
func.func @gelu_tanh_nested(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: phantom.activation <gelu_tanh>
  // CHECK-NEXT: return
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %c = arith.constant dense<0.044715> : tensor<8x4xf32>
  %r = arith.constant dense<0.7978846> : tensor<8x4xf32>
  %x2 = arith.mulf %x, %x : tensor<8x4xf32>
  %x3 = arith.mulf %x, %x2 : tensor<8x4xf32>
  %cx = arith.mulf %c, %x3 : tensor<8x4xf32>
  %s = arith.addf %x, %cx : tensor<8x4xf32>
  %u = arith.mulf %s, %r : tensor<8x4xf32>
  %t = phantom.activation <tanh> %u : tensor<8x4xf32>
  %p = arith.addf %one, %t : tensor<8x4xf32>
  %m = arith.mulf %x, %p : tensor<8x4xf32>
  %y = arith.mulf %half, %m : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// GPT-2's, with the 0.5 first; and √(2/π)·x·(1 + 0.044715·x²).
// CHECK-LABEL: func @gelu_tanh_variants
func.func @gelu_tanh_variants(%x: tensor<8x4xf32>, %z: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK-NEXT: phantom.activation <gelu_tanh>
  // CHECK-NEXT: phantom.activation <gelu_tanh>
  // CHECK-NEXT: return
  %half = arith.constant dense<0.5> : tensor<8x4xf32>
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %c = arith.constant dense<0.044715> : tensor<8x4xf32>
  %r = arith.constant dense<0.7978846> : tensor<8x4xf32>
  %h = arith.mulf %x, %half : tensor<8x4xf32>
  %x2 = arith.mulf %x, %x : tensor<8x4xf32>
  %x3 = arith.mulf %x2, %x : tensor<8x4xf32>
  %cx = arith.mulf %x3, %c : tensor<8x4xf32>
  %s = arith.addf %x, %cx : tensor<8x4xf32>
  %u = arith.mulf %r, %s : tensor<8x4xf32>
  %t = math.tanh %u : tensor<8x4xf32>
  %p = arith.addf %t, %one : tensor<8x4xf32>
  %y = arith.mulf %h, %p : tensor<8x4xf32>
  %z2 = arith.mulf %z, %z : tensor<8x4xf32>
  %cz = arith.mulf %z2, %c : tensor<8x4xf32>
  %zs = arith.addf %one, %cz : tensor<8x4xf32>
  %zr = arith.mulf %z, %r : tensor<8x4xf32>
  %zu = arith.mulf %zr, %zs : tensor<8x4xf32>
  %zt = math.tanh %zu : tensor<8x4xf32>
  %zp = arith.addf %zt, %one : tensor<8x4xf32>
  %zh = arith.mulf %zp, %half : tensor<8x4xf32>
  %zy = arith.mulf %z, %zh : tensor<8x4xf32>
  return %y, %zy : tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

//===----------------------------------------------------------------------===//
// SiLU
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @silu
// CHECK-SAME: %[[X:.+]]: tensor<8x4xf32>, %[[V:.+]]: tensor<8x4xf32>)
func.func @silu(%x: tensor<8x4xf32>, %v: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: %[[A:.+]] = phantom.activation <silu> %[[X]]
  // CHECK-NEXT: arith.mulf %[[A]], %[[V]]
  // CHECK-NEXT: return
  %s = phantom.activation <sigmoid> %x : tensor<8x4xf32>
  %a = arith.mulf %s, %x : tensor<8x4xf32>
  %y = arith.mulf %a, %v : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// x / (1 + e⁻ˣ)
// CHECK-LABEL: func @silu_quotient
func.func @silu_quotient(%x: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: phantom.activation <silu>
  // CHECK-NEXT: return
  %one = arith.constant dense<1.0> : tensor<8x4xf32>
  %n = arith.negf %x : tensor<8x4xf32>
  %e = math.exp %n : tensor<8x4xf32>
  %d = arith.addf %one, %e : tensor<8x4xf32>
  %y = arith.divf %x, %d : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}

// -----

// A gated linear unit multiplies by another value: its sigmoid stays.
// CHECK-LABEL: func @glu
func.func @glu(%x: tensor<8x4xf32>, %v: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK-NEXT: phantom.activation <sigmoid>
  // CHECK-NEXT: arith.mulf
  %s = phantom.activation <sigmoid> %x : tensor<8x4xf32>
  %y = arith.mulf %s, %v : tensor<8x4xf32>
  return %y : tensor<8x4xf32>
}
