// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=2" | FileCheck %s --check-prefixes=CHECK,PHANTOM
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=0" | FileCheck %s --check-prefix=ZERO
// RUN: phantom-opt %s --phantom-partition="strategy=tensor ranks=4" | FileCheck %s --check-prefixes=CHECK,TENSOR
// RUN: phantom-opt %s --phantom-partition="strategy=megatron ranks=4" | FileCheck %s --check-prefixes=CHECK,MEGATRON
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=2 init=random" | FileCheck %s --check-prefix=RANDOM
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=1 select=fc2" | FileCheck %s --check-prefix=SELECT
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=1 first-layer=phantom" | FileCheck %s --check-prefix=FIRST
// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=1 ghost-width=2" | FileCheck %s --check-prefix=ONE
// RUN: phantom-opt %s --phantom-partition="ranks=1 init=random select=fc[12]" | FileCheck %s --check-prefix=ONERANDOM

phantom.parameter @fc1.weight : tensor<16x8xf32> init <load, source = <"m.safetensors", "fc1.weight", tensor<16x8xf32>>> trainable
phantom.parameter @fc1.bias : tensor<16xf32> init <load, source = <"m.safetensors", "fc1.bias", tensor<16xf32>>> trainable
phantom.parameter @fc2.weight : tensor<16x16xf32> init <load, source = <"m.safetensors", "fc2.weight", tensor<16x16xf32>>> trainable
phantom.parameter @fc2.bias : tensor<16xf32> init <load, source = <"m.safetensors", "fc2.bias", tensor<16xf32>>> trainable
phantom.parameter @fc3.weight : tensor<3x16xf32> init <load, source = <"m.safetensors", "fc3.weight", tensor<3x16xf32>>> trainable
phantom.parameter @fc3.bias : tensor<3xf32> init <load, source = <"m.safetensors", "fc3.bias", tensor<3xf32>>> trainable


// CHECK: phantom.mesh @mesh = [<"phantom" = 4>]

// A first layer keeps its rows of the dense weight; a square one becomes its diagonal block, and the factors of the rest.
// PHANTOM: phantom.parameter @fc1.weight : tensor<4x8xf32> layout <shard(0)> init <load
// PHANTOM: phantom.parameter @fc1.bias : tensor<4xf32> layout <shard(0)> init <load
// PHANTOM: phantom.parameter @fc2.local : tensor<4x4xf32> layout <stacked> init <diagonal_block, source = <"m.safetensors", "fc2.weight"
// PHANTOM: phantom.parameter @fc2.compressor : tensor<2x4xf32> layout <stacked> init <low_rank_compressor, {{.*}} ghost_width = 2> trainable
// PHANTOM: phantom.parameter @fc2.decompressor : tensor<8x4xf32> layout <stacked as [4, 2, 4]> init <low_rank_decompressor
// PHANTOM: phantom.parameter @fc3.weight : tensor<3x4xf32> layout <shard(1)> init <load
// PHANTOM: phantom.parameter @fc3.bias : tensor<3xf32> init <load
// PHANTOM-LABEL: func @forward
// PHANTOM-SAME: %[[X:[a-z0-9]+]]: tensor<5x8xf32> {phantom.input = "x"}
// PHANTOM: %[[R:.+]] = phantom.replicate %[[X]]
// PHANTOM: phantom.linear %[[R]], %{{.*}} bias %{{.*}} -> tensor<5x4xf32, #shard1>
// PHANTOM: %[[A1:.+]] = phantom.activation <relu>
// PHANTOM: %[[G:.+]] = phantom.compress %[[A1]], %{{.*}} -> tensor<2x5xf32, #shard0>
// PHANTOM: %[[GS:.+]] = phantom.all_gather %[[G]] dim 0 on @mesh "phantom" {{.*}} -> tensor<8x5xf32, #per_rank>
// PHANTOM: %[[L:.+]] = phantom.linear %[[A1]], %{{.*}} : (tensor<5x4xf32, #shard1>, tensor<4x4xf32, #block>)
// PHANTOM: %[[D:.+]] = phantom.decompress %[[GS]], %{{.*}} acc %[[L]] zero_own on @mesh "phantom"
// PHANTOM: %[[B:.+]] = phantom.broadcast
// PHANTOM: arith.addf %[[D]], %[[B]] : tensor<5x4xf32, #shard1>
// The residual stays sharded.
// PHANTOM: arith.addf %[[A1]], %{{.*}} : tensor<5x4xf32, #shard1>
// PHANTOM: %[[P:.+]] = phantom.linear {{.*}} -> tensor<5x3xf32, #partial>
// PHANTOM: phantom.all_reduce %[[P]] {{.*}} -> tensor<5x3xf32>
// The bias of a row-parallel layer is added once, after the sum.
// PHANTOM: phantom.broadcast {{.*}} -> tensor<5x3xf32>

// Without ghosts nothing is exchanged but the output.
// ZERO-NOT: compressor
// ZERO-NOT: all_gather
// ZERO: phantom.linear %{{.*}}, %{{.*}} bias %{{.*}} : (tensor<5x4xf32, #shard1>, tensor<4x4xf32, #block>, tensor<4xf32, #shard0>)
// ZERO-NOT: all_gather
// ZERO: phantom.all_reduce

// TENSOR: phantom.parameter @fc2.weight : tensor<4x16xf32> layout <shard(0)> init <load
// TENSOR-LABEL: func @forward
// TENSOR: phantom.all_gather %{{.*}} dim 1 {{.*}} -> tensor<5x16xf32, #per_rank>
// TENSOR: phantom.linear {{.*}} : (tensor<5x16xf32, #per_rank>, tensor<4x16xf32, #shard0>, tensor<4xf32, #shard0>) -> tensor<5x4xf32, #shard1>
// TENSOR-NOT: all_gather
// TENSOR: phantom.all_reduce

// MEGATRON: phantom.parameter @fc2.weight : tensor<16x4xf32> layout <shard(1)> init <load
// MEGATRON-LABEL: func @forward
// MEGATRON-NOT: all_gather
// MEGATRON: phantom.all_reduce {{.*}} -> tensor<5x16xf32>
// MEGATRON: phantom.local_slice
// MEGATRON: phantom.all_reduce {{.*}} -> tensor<5x3xf32>

// On one rank too, only the layers that are selected start anew.
// ONERANDOM: @fc1.weight {{.*}} init <uniform, fan_in = 8>
// ONERANDOM: @fc1.bias {{.*}} init <uniform, fan_in = 8>
// ONERANDOM: @fc2.weight {{.*}} init <uniform, fan_in = 16>
// ONERANDOM: @fc2.bias {{.*}} init <uniform, fan_in = 16>
// ONERANDOM: @fc3.weight {{.*}} init <load
// ONERANDOM: @fc3.bias {{.*}} init <load

// RANDOM: @fc1.weight {{.*}} init <uniform, fan_in = 8>
// RANDOM: @fc2.local {{.*}} init <uniform, fan_in = 4>
// RANDOM: @fc2.compressor {{.*}} init <uniform, fan_in = 4>
// RANDOM: @fc2.decompressor {{.*}} init <uniform, fan_in = 6, zero_own = true>

// Only fc2 is divided: its replicated input makes it a first and a last layer at once.
// SELECT: phantom.parameter @fc1.weight : tensor<16x8xf32> init
// SELECT: phantom.parameter @fc2.weight : tensor<16x4xf32> layout <shard(1)>
// SELECT-LABEL: func @forward
// SELECT: phantom.local_slice
// SELECT: phantom.all_reduce
// SELECT-NOT: all_

// FIRST: phantom.parameter @fc1.local : tensor<4x2xf32>
// FIRST: phantom.parameter @fc1.compressor : tensor<1x2xf32>
// FIRST: phantom.local_slice %{{.*}} dim 1 {{.*}} -> tensor<5x2xf32, #shard1>
// FIRST: phantom.compress

// ONE-NOT: phantom.mesh
// ONE: phantom.parameter @fc1.weight : tensor<16x8xf32> init
// ONE-NOT: all_

func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"},
                   %w1: tensor<16x8xf32> {phantom.parameter = @fc1.weight}, %b1: tensor<16xf32> {phantom.parameter = @fc1.bias},
                   %w2: tensor<16x16xf32> {phantom.parameter = @fc2.weight}, %b2: tensor<16xf32> {phantom.parameter = @fc2.bias},
                   %w3: tensor<3x16xf32> {phantom.parameter = @fc3.weight}, %b3: tensor<3xf32> {phantom.parameter = @fc3.bias})
    -> (tensor<5x3xf32> {phantom.output = "y"}) {
  %h1 = phantom.linear %x, %w1 bias %b1 : (tensor<5x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<5x16xf32>
  %a1 = phantom.activation <relu> %h1 : tensor<5x16xf32>
  %h2 = phantom.linear %a1, %w2 bias %b2 : (tensor<5x16xf32>, tensor<16x16xf32>, tensor<16xf32>) -> tensor<5x16xf32>
  %a2 = phantom.activation <relu> %h2 : tensor<5x16xf32>
  %r = arith.addf %a1, %a2 : tensor<5x16xf32>
  %y = phantom.linear %r, %w3 bias %b3 : (tensor<5x16xf32>, tensor<3x16xf32>, tensor<3xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}
