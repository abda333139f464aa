// RUN: phantom-opt %s --phantom-partition="strategy=megatron ranks=2" --verify-diagnostics | FileCheck %s
// RUN: phantom-opt %s --phantom-partition="strategy=megatron ranks=2 select=q" 2>/dev/null | FileCheck %s --check-prefix=SELECT

// A gated feed-forward block beside attention is divided; queries and the head are not, unless they are named.

phantom.parameter @q.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @gate.weight : tensor<16x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @up.weight : tensor<16x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @down.weight : tensor<8x16xf32> init <uniform, fan_in = 16> trainable
phantom.parameter @head.weight : tensor<4x8xf32> init <uniform, fan_in = 8> trainable

// CHECK-DAG: phantom.parameter @q.weight : tensor<8x8xf32> init
// CHECK-DAG: phantom.parameter @gate.weight : tensor<8x8xf32> layout <shard(0)>
// CHECK-DAG: phantom.parameter @up.weight : tensor<8x8xf32> layout <shard(0)>
// CHECK-DAG: phantom.parameter @down.weight : tensor<8x8xf32> layout <shard(1)>
// CHECK-DAG: phantom.parameter @head.weight : tensor<4x8xf32> init
// CHECK-LABEL: func @forward
// CHECK: phantom.matmul
// CHECK: %[[A:.+]] = phantom.activation <silu> %{{.*}} : tensor<2x3x8xf32, #shard2>
// CHECK: %[[P:.+]] = arith.mulf %[[A]], %{{.*}} : tensor<2x3x8xf32, #shard2>
// CHECK: phantom.linear %[[P]], {{.*}} -> tensor<2x3x8xf32, #partial>
// CHECK: phantom.all_reduce

// SELECT-DAG: phantom.parameter @q.weight : tensor<8x4xf32> layout <shard(1)>
// SELECT-DAG: phantom.parameter @gate.weight : tensor<16x8xf32> init
func.func @forward(%x: tensor<2x3x8xf32> {phantom.input = "x"}, %q: tensor<8x8xf32> {phantom.parameter = @q.weight},
                   %g: tensor<16x8xf32> {phantom.parameter = @gate.weight}, %u: tensor<16x8xf32> {phantom.parameter = @up.weight},
                   %d: tensor<8x16xf32> {phantom.parameter = @down.weight}, %h: tensor<4x8xf32> {phantom.parameter = @head.weight}) -> tensor<2x3x4xf32> {
  // expected-remark @+1 {{layer 'q' stays replicated: it is in no feed-forward block; name it in select to divide it}}
  %0 = phantom.linear %x, %q : (tensor<2x3x8xf32>, tensor<8x8xf32>) -> tensor<2x3x8xf32>
  %1 = phantom.transpose %0 [0, 2, 1] : tensor<2x3x8xf32> -> tensor<2x8x3xf32>
  %2 = phantom.matmul %x, %1 : (tensor<2x3x8xf32>, tensor<2x8x3xf32>) -> tensor<2x3x3xf32>
  %3 = phantom.softmax %2 dim 2 : tensor<2x3x3xf32>
  %4 = phantom.matmul %3, %x : (tensor<2x3x3xf32>, tensor<2x3x8xf32>) -> tensor<2x3x8xf32>
  %5 = arith.addf %4, %x : tensor<2x3x8xf32>
  // expected-remark @+1 {{layer 'gate' is column parallel}}
  %6 = phantom.linear %5, %g : (tensor<2x3x8xf32>, tensor<16x8xf32>) -> tensor<2x3x16xf32>
  %7 = phantom.activation <silu> %6 : tensor<2x3x16xf32>
  // expected-remark @+1 {{layer 'up' is column parallel}}
  %8 = phantom.linear %5, %u : (tensor<2x3x8xf32>, tensor<16x8xf32>) -> tensor<2x3x16xf32>
  %9 = arith.mulf %7, %8 : tensor<2x3x16xf32>
  // expected-remark @+1 {{layer 'down' is row parallel}}
  %10 = phantom.linear %9, %d : (tensor<2x3x16xf32>, tensor<8x16xf32>) -> tensor<2x3x8xf32>
  %11 = arith.addf %10, %5 : tensor<2x3x8xf32>
  // expected-remark @+1 {{layer 'head' stays replicated}}
  %12 = phantom.linear %11, %h : (tensor<2x3x8xf32>, tensor<4x8xf32>) -> tensor<2x3x4xf32>
  return %12 : tensor<2x3x4xf32>
}
