// RUN: phantom-opt %s --phantom-recognize | FileCheck %s

// Normalisations as exporters spell them out, in every order of factors.

// CHECK-LABEL: func @layer_sqrt(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <layer> %[[X]] scale %{{[a-z0-9]+}} shift %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @layer_sqrt(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
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
  %y0 = arith.divf %z, %rw : tensor<8x16xf32>
  %sw = phantom.broadcast %s : (tensor<16xf32>) -> tensor<8x16xf32>
  %y1 = arith.mulf %sw, %y0 : tensor<8x16xf32>
  %bw = phantom.broadcast %b : (tensor<16xf32>) -> tensor<8x16xf32>
  %y2 = arith.addf %y1, %bw : tensor<8x16xf32>
  return %y2 : tensor<8x16xf32>
}

// CHECK-LABEL: func @layer_reciprocal(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <layer> %[[X]] scale %{{[a-z0-9]+}} shift %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @layer_reciprocal(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
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
  %ve = arith.addf %ek, %v : tensor<8x1xf32>
  %one = arith.constant dense<1.0> : tensor<8x1xf32>
  %r0 = math.sqrt %ve : tensor<8x1xf32>
  %r = arith.divf %one, %r0 : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %y0 = arith.mulf %z, %rw : tensor<8x16xf32>
  %sw = phantom.broadcast %s : (tensor<16xf32>) -> tensor<8x16xf32>
  %y1 = arith.mulf %sw, %y0 : tensor<8x16xf32>
  %bw = phantom.broadcast %b : (tensor<16xf32>) -> tensor<8x16xf32>
  %y2 = arith.addf %y1, %bw : tensor<8x16xf32>
  return %y2 : tensor<8x16xf32>
}

// CHECK-LABEL: func @layer_dynamic(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <layer> %[[X]] scale %{{[a-z0-9]+}} shift %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @layer_dynamic(%x: tensor<?x8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<?x8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %ms = phantom.reduce_sum %x [2] : tensor<?x8x16xf32> -> tensor<?x8xf32>
  %mk = phantom.reshape %ms : tensor<?x8xf32> -> tensor<?x8x1xf32>
  %mn = phantom.broadcast %n like %mk : (tensor<f32>, tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
  %m = arith.divf %mk, %mn : tensor<?x8x1xf32>
  %mw = phantom.broadcast %m like %x : (tensor<?x8x1xf32>, tensor<?x8x16xf32>) -> tensor<?x8x16xf32>
  %z = arith.subf %x, %mw : tensor<?x8x16xf32>
  %q = arith.mulf %z, %z : tensor<?x8x16xf32>
  %vs = phantom.reduce_sum %q [2] : tensor<?x8x16xf32> -> tensor<?x8xf32>
  %vk = phantom.reshape %vs : tensor<?x8xf32> -> tensor<?x8x1xf32>
  %vn = phantom.broadcast %n like %vk : (tensor<f32>, tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
  %v = arith.divf %vk, %vn : tensor<?x8x1xf32>
  %ek = phantom.broadcast %e like %v : (tensor<f32>, tensor<?x8x1xf32>) -> tensor<?x8x1xf32>
  %ve = arith.addf %v, %ek : tensor<?x8x1xf32>
  %r = math.sqrt %ve : tensor<?x8x1xf32>
  %rw = phantom.broadcast %r like %x : (tensor<?x8x1xf32>, tensor<?x8x16xf32>) -> tensor<?x8x16xf32>
  %y0 = arith.divf %z, %rw : tensor<?x8x16xf32>
  %sw = phantom.broadcast %s like %y0 : (tensor<16xf32>, tensor<?x8x16xf32>) -> tensor<?x8x16xf32>
  %y1 = arith.mulf %sw, %y0 : tensor<?x8x16xf32>
  %bw = phantom.broadcast %b like %y1 : (tensor<16xf32>, tensor<?x8x16xf32>) -> tensor<?x8x16xf32>
  %y2 = arith.addf %y1, %bw : tensor<?x8x16xf32>
  return %y2 : tensor<?x8x16xf32>
}

// CHECK-LABEL: func @rms_sqrt(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <rms> %[[X]] scale %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @rms_sqrt(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %vk = phantom.reshape %vs : tensor<8xf32> -> tensor<8x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %v = arith.divf %vk, %vn : tensor<8x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<8x1xf32>
  %ve = arith.addf %v, %ek : tensor<8x1xf32>
  %r = math.sqrt %ve : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %y0 = arith.divf %x, %rw : tensor<8x16xf32>
  %sw = phantom.broadcast %s : (tensor<16xf32>) -> tensor<8x16xf32>
  %y1 = arith.mulf %sw, %y0 : tensor<8x16xf32>
  return %y1 : tensor<8x16xf32>
}

// CHECK-LABEL: func @rms_rsqrt(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <rms> %[[X]] scale %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @rms_rsqrt(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %vk = phantom.reshape %vs : tensor<8xf32> -> tensor<8x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %v = arith.divf %vk, %vn : tensor<8x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<8x1xf32>
  %ve = arith.addf %v, %ek : tensor<8x1xf32>
  %r = math.rsqrt %ve : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %y0 = arith.mulf %rw, %x : tensor<8x16xf32>
  %sw = phantom.broadcast %s : (tensor<16xf32>) -> tensor<8x16xf32>
  %y1 = arith.mulf %sw, %y0 : tensor<8x16xf32>
  return %y1 : tensor<8x16xf32>
}

// CHECK-LABEL: func @rms_pow(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <rms> %[[X]] epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @rms_pow(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %vk = phantom.reshape %vs : tensor<8xf32> -> tensor<8x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %v = arith.divf %vk, %vn : tensor<8x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<8x1xf32>
  %ve = arith.addf %v, %ek : tensor<8x1xf32>
  %h = arith.constant dense<-0.5> : tensor<8x1xf32>
  %r = math.powf %ve, %h : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %y0 = arith.mulf %x, %rw : tensor<8x16xf32>
  return %y0 : tensor<8x16xf32>
}

// CHECK-LABEL: func @rms_shift(
// CHECK-SAME: %[[X:[a-z0-9]+]]:
// CHECK-NEXT: %[[Y:.+]] = phantom.normalize <rms> %[[X]] shift %{{[a-z0-9]+}} epsilon 9.99999974{{[0-9]*}}E-6
// CHECK-NEXT: return %[[Y]]
func.func @rms_shift(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<16.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %vk = phantom.reshape %vs : tensor<8xf32> -> tensor<8x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<8x1xf32>
  %v = arith.divf %vk, %vn : tensor<8x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<8x1xf32>
  %ve = arith.addf %v, %ek : tensor<8x1xf32>
  %r = math.sqrt %ve : tensor<8x1xf32>
  %rw = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %y0 = arith.divf %x, %rw : tensor<8x16xf32>
  %bw = phantom.broadcast %b : (tensor<16xf32>) -> tensor<8x16xf32>
  %y2 = arith.addf %y0, %bw : tensor<8x16xf32>
  return %y2 : tensor<8x16xf32>
}

// A scale between the input and the root is one, too; another factor stays outside.
// CHECK-LABEL: func @rms_inner_scale(
// CHECK: %[[Y:.+]] = phantom.normalize <rms> %{{.*}} scale %{{.*}} epsilon 0.000000e+00
// CHECK-NEXT: arith.mulf %[[Y]], %{{.*}} : tensor<8x16xf32>
func.func @rms_inner_scale(%x: tensor<8x16xf32>, %s: tensor<16xf32>, %o: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %n = arith.constant dense<6.250000e-02> : tensor<8x1xf32>
  %q = arith.mulf %x, %x : tensor<8x16xf32>
  %t = phantom.reduce_sum %q [1] : tensor<8x16xf32> -> tensor<8xf32>
  %k = phantom.reshape %t : tensor<8xf32> -> tensor<8x1xf32>
  %v = arith.mulf %n, %k : tensor<8x1xf32>
  %r = math.rsqrt %v : tensor<8x1xf32>
  %w = phantom.broadcast %r : (tensor<8x1xf32>) -> tensor<8x16xf32>
  %sw = phantom.broadcast %s : (tensor<16xf32>) -> tensor<8x16xf32>
  %0 = arith.mulf %x, %sw : tensor<8x16xf32>
  %1 = arith.mulf %0, %w : tensor<8x16xf32>
  %2 = arith.mulf %1, %o : tensor<8x16xf32>
  return %2 : tensor<8x16xf32>
}

// GPT-2 flattens its activations around every layer.
// CHECK-LABEL: func @conv1d(
// CHECK-NEXT: %[[H:.+]] = phantom.linear %{{[^ ]+}}, %{{[^ ]+}} bias %{{[^ ]+}} io : (tensor<?x6x4xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<?x6x8xf32>
// CHECK-NEXT: %[[A:.+]] = phantom.activation <relu> %[[H]]
// CHECK-NEXT: %[[Y:.+]] = phantom.linear %[[A]], %{{[^ ]+}} io : (tensor<?x6x8xf32>
// CHECK-NEXT: return %[[Y]]
func.func @conv1d(%x: tensor<?x6x4xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>, %v: tensor<8x4xf32>) -> tensor<?x6x4xf32> {
  %0 = phantom.reshape %x : tensor<?x6x4xf32> -> tensor<?x4xf32>
  %1 = phantom.linear %0, %w bias %b io : (tensor<?x4xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  %2 = phantom.reshape %1 : tensor<?x8xf32> -> tensor<?x6x8xf32>
  %3 = phantom.activation <relu> %2 : tensor<?x6x8xf32>
  %4 = phantom.reshape %3 : tensor<?x6x8xf32> -> tensor<?x8xf32>
  %5 = phantom.linear %4, %v io : (tensor<?x8xf32>, tensor<8x4xf32>) -> tensor<?x4xf32>
  %6 = phantom.reshape %5 : tensor<?x4xf32> -> tensor<?x6x4xf32>
  return %6 : tensor<?x6x4xf32>
}

// QuickGELU is a SiLU of the scaled input.
// CHECK-LABEL: func @quick_gelu(
// CHECK: %[[U:.+]] = arith.mulf %arg0
// CHECK: %[[A:.+]] = phantom.activation <silu> %[[U]]
// CHECK: %[[Y:.+]] = arith.mulf %[[A]]
// CHECK-NEXT: return %[[Y]]
func.func @quick_gelu(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %c = arith.constant dense<1.702> : tensor<f32>
  %w = phantom.broadcast %c like %x : (tensor<f32>, tensor<?x4xf32>) -> tensor<?x4xf32>
  %u = arith.mulf %x, %w : tensor<?x4xf32>
  %s = phantom.activation <sigmoid> %u : tensor<?x4xf32>
  %y = arith.mulf %x, %s : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// A factor per sample, which a reshape has put there, is no scale of the elements.
// CHECK-LABEL: func @reshaped_factor(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<4x4xf32>, %[[G:[a-z0-9]+]]: tensor<4xf32>
// CHECK-DAG: %[[N:.+]] = phantom.normalize <rms> %[[X]] epsilon
// CHECK-DAG: %[[K:.+]] = phantom.reshape %[[G]] : tensor<4xf32> -> tensor<4x1xf32>
// CHECK: %[[W:.+]] = phantom.broadcast %[[K]]
// CHECK: arith.mulf %[[N]], %[[W]]
func.func @reshaped_factor(%x: tensor<4x4xf32>, %g: tensor<4xf32>) -> tensor<4x4xf32> {
  %n = arith.constant dense<4.0> : tensor<f32>
  %e = arith.constant dense<9.99999974E-6> : tensor<f32>
  %q = arith.mulf %x, %x : tensor<4x4xf32>
  %vs = phantom.reduce_sum %q [1] : tensor<4x4xf32> -> tensor<4xf32>
  %vk = phantom.reshape %vs : tensor<4xf32> -> tensor<4x1xf32>
  %vn = phantom.broadcast %n : (tensor<f32>) -> tensor<4x1xf32>
  %v = arith.divf %vk, %vn : tensor<4x1xf32>
  %ek = phantom.broadcast %e : (tensor<f32>) -> tensor<4x1xf32>
  %ve = arith.addf %v, %ek : tensor<4x1xf32>
  %r = math.sqrt %ve : tensor<4x1xf32>
  %rw = phantom.broadcast %r : (tensor<4x1xf32>) -> tensor<4x4xf32>
  %y0 = arith.divf %x, %rw : tensor<4x4xf32>
  %gk = phantom.reshape %g : tensor<4xf32> -> tensor<4x1xf32>
  %gw = phantom.broadcast %gk : (tensor<4x1xf32>) -> tensor<4x4xf32>
  %y = arith.mulf %y0, %gw : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}
