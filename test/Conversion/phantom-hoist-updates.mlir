// RUN: phantom-opt %s --phantom-hoist-updates --split-input-file 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t

#flat = affine_map<(d0) -> (d0)>

// The update goes to behind the GEMM that needs the old weight, with the reshapes of its operands.
// CHECK-LABEL: func @train_step
// CHECK: %[[G:.+]] = phantom.gemm ins(%arg0, %arg1
// CHECK-NEXT: phantom.gemm ins(%arg0, %arg3
// CHECK-NEXT: tensor.collapse_shape %[[G]]
// CHECK-NEXT: tensor.collapse_shape %arg3
// CHECK-NEXT: %[[U:.+]] = linalg.generic
// CHECK: math.exp
// CHECK: %[[W:.+]] = tensor.expand_shape %[[U]]
// CHECK: return %{{.+}}, %[[W]]
// REMARK: @train_step: 1 of 1 updates moved to where their gradients are made
func.func @train_step(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>, %lr: tensor<f32>,
                      %w: tensor<8x8xf32> {phantom.parameter = @w}) -> (tensor<8x8xf32>, tensor<8x8xf32> {phantom.updated = @w}) {
  %e = tensor.empty() : tensor<8x8xf32>
  %g = phantom.gemm ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %z = phantom.gemm ins(%a, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %y = math.exp %z : tensor<8x8xf32>
  %fw = tensor.collapse_shape %w [[0, 1]] : tensor<8x8xf32> into tensor<64xf32>
  %fg = tensor.collapse_shape %g [[0, 1]] : tensor<8x8xf32> into tensor<64xf32>
  %u = linalg.generic {indexing_maps = [#flat, #flat], iterator_types = ["parallel"]} ins(%fg : tensor<64xf32>) outs(%fw : tensor<64xf32>) {
  ^bb0(%x: f32, %old: f32):
    %d = arith.subf %old, %x : f32
    linalg.yield %d : f32
  } -> tensor<64xf32>
  %new = tensor.expand_shape %u [[0, 1]] output_shape [8, 8] : tensor<64xf32> into tensor<8x8xf32>
  return %y, %new : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
phantom.mesh @mesh = [<"phantom" = 2>]

// An exchanged gradient is used late, so that the GEMM hides the exchange.
// CHECK-LABEL: func @exchanged
// CHECK: phantom.all_reduce
// CHECK: phantom.gemm
// CHECK: linalg.generic
// REMARK: @exchanged: 0 of 1 updates moved
func.func @exchanged(%a: tensor<8x8xf32>, %b: tensor<8x8xf32>,
                     %w: tensor<8x8xf32> {phantom.parameter = @w}) -> (tensor<8x8xf32>, tensor<8x8xf32> {phantom.updated = @w}) {
  %e = tensor.empty() : tensor<8x8xf32>
  %g = phantom.all_reduce %a on @mesh "phantom" : tensor<8x8xf32> -> tensor<8x8xf32>
  %z = phantom.gemm ins(%a, %b : tensor<8x8xf32>, tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %u = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%g : tensor<8x8xf32>) outs(%w : tensor<8x8xf32>) {
  ^bb0(%x: f32, %old: f32):
    %d = arith.subf %old, %x : f32
    linalg.yield %d : f32
  } -> tensor<8x8xf32>
  return %z, %u : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

#id = affine_map<(d0, d1) -> (d0, d1)>
#scalar = affine_map<(d0, d1) -> ()>
#none = affine_map<() -> ()>

// A gradient that linalg ops make is waited for, however they are connected; what reads arguments only moves with the update.
// CHECK-LABEL: func @without_gemms
// CHECK: %[[H:.+]] = math.exp %arg0
// CHECK: %[[G:.+]] = linalg.generic {{.*}} ins(%[[H]] :
// CHECK: %[[C:.+]] = linalg.generic {{.*}} ins(%arg1 : tensor<f32>)
// CHECK: linalg.generic {{.*}} ins(%[[G]], %[[C]] : tensor<8x8xf32>, tensor<f32>) outs(%arg2 : tensor<8x8xf32>)
// CHECK: math.tanh
// REMARK: @without_gemms: 1 of 1 updates moved
func.func @without_gemms(%a: tensor<8x8xf32>, %step: tensor<f32>,
                         %w: tensor<8x8xf32> {phantom.parameter = @w}) -> (tensor<8x8xf32>, tensor<8x8xf32> {phantom.updated = @w}) {
  %h = math.exp %a : tensor<8x8xf32>
  %e = tensor.empty() : tensor<8x8xf32>
  %g = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%h : tensor<8x8xf32>) outs(%e : tensor<8x8xf32>) {
  ^bb0(%x: f32, %old: f32):
    %d = arith.mulf %x, %x : f32
    linalg.yield %d : f32
  } -> tensor<8x8xf32>
  %y = math.tanh %h : tensor<8x8xf32>
  %es = tensor.empty() : tensor<f32>
  %c = linalg.generic {indexing_maps = [#none, #none], iterator_types = []} ins(%step : tensor<f32>) outs(%es : tensor<f32>) {
  ^bb0(%x: f32, %old: f32):
    %d = arith.addf %x, %x : f32
    linalg.yield %d : f32
  } -> tensor<f32>
  %u = linalg.generic {indexing_maps = [#id, #scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%g, %c : tensor<8x8xf32>, tensor<f32>) outs(%w : tensor<8x8xf32>) {
  ^bb0(%x: f32, %s: f32, %old: f32):
    %p = arith.mulf %x, %s : f32
    %d = arith.subf %old, %p : f32
    linalg.yield %d : f32
  } -> tensor<8x8xf32>
  return %y, %u : tensor<8x8xf32>, tensor<8x8xf32>
}
