// RUN: phantom-opt %s --phantom-partition="strategy=megatron ranks=2" --split-input-file --verify-diagnostics | FileCheck %s
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=2 ghost-width=1 first-layer=phantom last-layer=phantom select=w12" --split-input-file 2>/dev/null | FileCheck %s --check-prefix=PHANTOM

// Gate and up projection in one layer: each rank gets the same neurons of both.

phantom.parameter @w12.weight : tensor<16x8xf32> init <load, source = <"m.safetensors", "w12.weight", tensor<16x8xf32>>> trainable
phantom.parameter @w12.bias : tensor<16xf32> init <load, source = <"m.bin" at 64 : 64, tensor<16xf32>>> trainable
phantom.parameter @w3.weight : tensor<8x8xf32> init <load, source = <"m.safetensors", "w3.weight", tensor<8x8xf32>>> trainable

// CHECK-NOT: @w12.weight
// CHECK-DAG: phantom.parameter @w12.part0.weight : tensor<4x8xf32> layout <shard(0)> init <load, source = <"m.safetensors", "w12.weight", tensor<16x8xf32> part(0, 0, 8)>> trainable
// CHECK-DAG: phantom.parameter @w12.part1.weight : tensor<4x8xf32> layout <shard(0)> init <load, source = <"m.safetensors", "w12.weight", tensor<16x8xf32> part(0, 8, 8)>> trainable
// CHECK-DAG: phantom.parameter @w12.part1.bias : tensor<4xf32> layout <shard(0)> init <load, source = <"m.bin" at 64 : 64, tensor<16xf32> part(0, 8, 8)>> trainable
// CHECK-LABEL: func @forward
// CHECK-NOT: phantom.slice
// CHECK: %[[GATE:.+]] = phantom.linear {{.*}} -> tensor<2x4xf32, #[[SHARD:.+]]>
// CHECK: %[[UP:.+]] = phantom.linear {{.*}} -> tensor<2x4xf32, #[[SHARD]]>
// CHECK-NOT: phantom.all_gather
// CHECK: %[[A:.+]] = phantom.activation <silu> %[[GATE]]
// CHECK: arith.mulf %[[A]], %[[UP]]

// PHANTOM-DAG: phantom.parameter @w12.part0.local : tensor<4x4xf32> layout <stacked> init <diagonal_block, source = <"m.safetensors", "w12.weight", tensor<16x8xf32> part(0, 0, 8)>> trainable
// PHANTOM-DAG: phantom.parameter @w12.part1.compressor {{.*}} init <low_rank_compressor, source = <"m.safetensors", "w12.weight", tensor<16x8xf32> part(0, 8, 8)>, ghost_width = 1> trainable
func.func @forward(%x: tensor<2x8xf32> {phantom.input = "x"}, %w: tensor<16x8xf32> {phantom.parameter = @w12.weight},
                   %b: tensor<16xf32> {phantom.parameter = @w12.bias}, %d: tensor<8x8xf32> {phantom.parameter = @w3.weight}) -> tensor<2x8xf32> {
  // expected-remark @+3 {{layer 'w12' packs 2 projections: each becomes a layer of its own}}
  // expected-remark @+2 {{layer 'w12.part0' is column parallel}}
  // expected-remark @+1 {{layer 'w12.part1' is column parallel}}
  %0 = phantom.linear %x, %w bias %b : (tensor<2x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<2x16xf32>
  %1 = phantom.slice %0 [0, 0] by [1, 1] : tensor<2x16xf32> -> tensor<2x8xf32>
  %2 = phantom.slice %0 [0, 8] by [1, 1] : tensor<2x16xf32> -> tensor<2x8xf32>
  %3 = phantom.activation <silu> %1 : tensor<2x8xf32>
  %4 = arith.mulf %3, %2 : tensor<2x8xf32>
  // expected-remark @+1 {{layer 'w3' is row parallel}}
  %5 = phantom.linear %4, %d : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  return %5 : tensor<2x8xf32>
}

// -----

// A weight [in, out] is taken apart along its columns; names without a dot; three parts of two sizes.

phantom.parameter @w : tensor<4x16xf32> init <load, source = <"m.safetensors", "w", tensor<4x16xf32>>> trainable

// CHECK: {{^// -}}----
// CHECK-DAG: phantom.parameter @w.part0.weight : tensor<4x2xf32> layout <shard(1)> init <load, source = <"m.safetensors", "w", tensor<4x16xf32> part(1, 0, 4)>> trainable
// CHECK-DAG: phantom.parameter @w.part1.weight : tensor<4x2xf32> layout <shard(1)> init <load, source = <"m.safetensors", "w", tensor<4x16xf32> part(1, 4, 4)>> trainable
// CHECK-DAG: phantom.parameter @w.part2.weight : tensor<2x8xf32> layout <shard(0)> init <load, source = <"m.safetensors", "w", tensor<4x16xf32> part(1, 8, 8)>> trainable
func.func @forward(%x: tensor<2x4xf32> {phantom.input = "x"}, %w: tensor<4x16xf32> {phantom.parameter = @w},
                   %v: tensor<4x4xf32> {phantom.parameter = @v}) -> (tensor<2x4xf32>, tensor<2x8xf32>) {
  // expected-remark @+4 {{layer 'w' packs 3 projections}}
  // expected-remark @+3 {{layer 'w.part0' is column parallel}}
  // expected-remark @+2 {{layer 'w.part1' is column parallel}}
  // expected-remark @+1 {{layer 'w.part2' is row parallel}}
  %0 = phantom.linear %x, %w io : (tensor<2x4xf32>, tensor<4x16xf32>) -> tensor<2x16xf32>
  %1 = phantom.slice %0 [0, 8] by [1, 1] : tensor<2x16xf32> -> tensor<2x8xf32>
  %2 = phantom.slice %0 [0, 0] by [1, 1] : tensor<2x16xf32> -> tensor<2x4xf32>
  %3 = phantom.slice %0 [0, 4] by [1, 1] : tensor<2x16xf32> -> tensor<2x4xf32>
  %4 = arith.mulf %2, %3 : tensor<2x4xf32>
  // expected-remark @+1 {{layer 'v' is row parallel}}
  %5 = phantom.linear %4, %v : (tensor<2x4xf32>, tensor<4x4xf32>) -> tensor<2x4xf32>
  return %5, %1 : tensor<2x4xf32>, tensor<2x8xf32>
}
phantom.parameter @v : tensor<4x4xf32> init <uniform, fan_in = 4> trainable

// -----

// Tied weights stay whole, and so do parts that overlap.

phantom.parameter @a.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @b.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable

// CHECK: {{^// -}}----
// CHECK-DAG: phantom.parameter @a.weight : tensor<4x8xf32> layout <shard(0)>
// CHECK-DAG: phantom.parameter @b.weight : tensor<4x8xf32> layout <shard(0)>
// CHECK-NOT: part0
func.func @forward(%x: tensor<2x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight},
                   %b: tensor<8x8xf32> {phantom.parameter = @b.weight}) -> tensor<2x8xf32> {
  // expected-remark @+2 {{layer 'a' packs several projections, but stays one: something else uses its parameters}}
  // expected-remark @+1 {{layer 'a' is column parallel}}
  %0 = phantom.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = phantom.slice %0 [0, 0] by [1, 1] : tensor<2x8xf32> -> tensor<2x4xf32>
  %2 = phantom.slice %0 [0, 4] by [1, 1] : tensor<2x8xf32> -> tensor<2x4xf32>
  %3 = phantom.concat %2, %1 dim 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{layer 'b' is column parallel}}
  %4 = phantom.linear %3, %b : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %5 = phantom.slice %4 [0, 0] by [1, 1] : tensor<2x8xf32> -> tensor<2x4xf32>
  %6 = phantom.slice %4 [0, 2] by [1, 1] : tensor<2x8xf32> -> tensor<2x4xf32>
  %7 = phantom.concat %5, %6 dim 1 : (tensor<2x4xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  // expected-remark @+1 {{layer 'a' is}}
  %8 = phantom.linear %7, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  return %8 : tensor<2x8xf32>
}

// -----

// A part without elements is no layer.

phantom.parameter @a.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable

// CHECK: {{^// -}}----
// CHECK: phantom.parameter @a.weight : tensor<8x4xf32> layout <shard(1)>
// CHECK-NOT: part0
func.func @forward(%x: tensor<2x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight}) -> (tensor<2x8xf32>, tensor<2x0xf32>) {
  // expected-remark @+1 {{layer 'a' is row parallel}}
  %0 = phantom.linear %x, %a : (tensor<2x8xf32>, tensor<8x8xf32>) -> tensor<2x8xf32>
  %1 = phantom.slice %0 [0, 0] by [1, 1] : tensor<2x8xf32> -> tensor<2x8xf32>
  %2 = phantom.slice %0 [0, 8] by [1, 1] : tensor<2x8xf32> -> tensor<2x0xf32>
  return %1, %2 : tensor<2x8xf32>, tensor<2x0xf32>
}
