// RUN: phantom-opt %s --phantom-partition="ranks=2 strategy=tensor last-layer=phantom" | FileCheck %s --check-prefix=COLUMN
// RUN: phantom-opt %s --phantom-partition="ranks=2 strategy=tensor" | FileCheck %s --check-prefix=ROW
// RUN: phantom-opt %s --phantom-partition="ranks=2 strategy=phantom ghost-width=1 first-layer=phantom last-layer=phantom" | FileCheck %s --check-prefix=PHANTOM

// A bias that is no parameter is computed on all ranks, and divided where the layer's output is. What no op uses stays.

phantom.parameter @fc.weight : tensor<16x8xf32> init <load, source = <"m.safetensors", "fc.weight", tensor<16x8xf32>>> trainable
phantom.parameter @fc.bias : tensor<16xf32> init <load, source = <"m.safetensors", "fc.bias", tensor<16xf32>>> trainable
phantom.parameter @idle : tensor<4xf32> init <load, source = <"m.safetensors", "idle", tensor<4xf32>>> trainable

// COLUMN: phantom.parameter @fc.bias : tensor<16xf32> init <load
// COLUMN: phantom.parameter @idle : tensor<4xf32> init <load
// COLUMN: %[[BIAS:.+]] = arith.addf %[[ALL:[a-z0-9]+]], %[[ALL]] : tensor<16xf32>
// COLUMN: %[[PART:.+]] = phantom.local_slice %[[BIAS]] dim 0 {{.*}} -> tensor<8xf32, #shard0>
// COLUMN: phantom.linear {{.*}} bias %[[PART]]

// ROW: %[[BIAS:.+]] = arith.addf %[[ALL:[a-z0-9]+]], %[[ALL]] : tensor<16xf32>
// ROW: %[[SUM:.+]] = phantom.all_reduce
// ROW: %[[WIDE:.+]] = phantom.broadcast %[[BIAS]]
// ROW: arith.addf %[[SUM]], %[[WIDE]]

// PHANTOM: %[[BIAS:.+]] = arith.addf %[[ALL:[a-z0-9]+]], %[[ALL]] : tensor<16xf32>
// PHANTOM: %[[PART:.+]] = phantom.local_slice %[[BIAS]] dim 0
// PHANTOM: %[[Z:.+]] = phantom.decompress
// PHANTOM: %[[WIDE:.+]] = phantom.broadcast %[[PART]]
// PHANTOM: arith.addf %[[Z]], %[[WIDE]]
func.func @forward(%x: tensor<4x8xf32> {phantom.input = "x"}, %w: tensor<16x8xf32> {phantom.parameter = @fc.weight}, %b: tensor<16xf32> {phantom.parameter = @fc.bias}, %i: tensor<4xf32> {phantom.parameter = @idle}) -> (tensor<4x16xf32> {phantom.output = "y"}) {
  %twice = arith.addf %b, %b : tensor<16xf32>
  %y = phantom.linear %x, %w bias %twice : (tensor<4x8xf32>, tensor<16x8xf32>, tensor<16xf32>) -> tensor<4x16xf32>
  return %y : tensor<4x16xf32>
}
