// RUN: phantom-opt %s --phantom-partition="strategy=phantom ranks=4 ghost-width=2" | FileCheck %s --check-prefix=PHANTOM

phantom.parameter @fc1.weight : tensor<16x8xf32> init <load, source = <"m.safetensors", "fc1.weight", tensor<16x8xf32>>> trainable
phantom.parameter @fc1.bias : tensor<16xf32> init <load, source = <"m.safetensors", "fc1.bias", tensor<16xf32>>> trainable
phantom.parameter @fc2.weight : tensor<16x16xf32> init <load, source = <"m.safetensors", "fc2.weight", tensor<16x16xf32>>> trainable
phantom.parameter @fc2.bias : tensor<16xf32> init <load, source = <"m.safetensors", "fc2.bias", tensor<16xf32>>> trainable
phantom.parameter @fc3.weight : tensor<3x16xf32> init <load, source = <"m.safetensors", "fc3.weight", tensor<3x16xf32>>> trainable
phantom.parameter @fc3.bias : tensor<3xf32> init <load, source = <"m.safetensors", "fc3.bias", tensor<3xf32>>> trainable

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
