// RUN: phantom-opt %s --split-input-file --verify-diagnostics=only-expected --phantom-partition="strategy=phantom ranks=4 ghost-width=3"

phantom.parameter @fc1.weight : tensor<6x8xf32> init <uniform, fan_in = 8> trainable

func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %w: tensor<6x8xf32> {phantom.parameter = @fc1.weight},
                   %v: tensor<2x6xf32> {phantom.parameter = @fc2.weight}) -> tensor<5x2xf32> {
  // expected-error @+1 {{layer 'fc1': output width 6 is not divisible by 4 ranks; use another number of ranks, or exclude the layer with select}}
  %h = phantom.linear %x, %w : (tensor<5x8xf32>, tensor<6x8xf32>) -> tensor<5x6xf32>
  %y = phantom.linear %h, %v : (tensor<5x6xf32>, tensor<2x6xf32>) -> tensor<5x2xf32>
  return %y : tensor<5x2xf32>
}
phantom.parameter @fc2.weight : tensor<2x6xf32> init <uniform, fan_in = 6> trainable

// -----

// The last layer divides its input.
phantom.parameter @fc.weight : tensor<3x6xf32> init <uniform, fan_in = 6> trainable

func.func @forward(%x: tensor<5x6xf32> {phantom.input = "x"}, %w: tensor<3x6xf32> {phantom.parameter = @fc.weight}) -> tensor<5x3xf32> {
  // expected-error @+1 {{layer 'fc': input width 6 is not divisible by 4 ranks}}
  %y = phantom.linear %x, %w : (tensor<5x6xf32>, tensor<3x6xf32>) -> tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

phantom.parameter @a.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @b.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @c.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable

func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight},
                   %b: tensor<8x8xf32> {phantom.parameter = @b.weight}, %c: tensor<8x8xf32> {phantom.parameter = @c.weight}) -> tensor<5x8xf32> {
  %0 = phantom.linear %x, %a : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  // expected-error @+1 {{layer 'b': ghost-width 3 exceeds the width of a shard, 2 (of 8 on 4 ranks); use a smaller one}}
  %1 = phantom.linear %0, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %2 = phantom.linear %1, %c : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  return %2 : tensor<5x8xf32>
}

// -----

// What shares a weight with a phantom layer would part from it.
// expected-error @+1 {{parameter 'w.weight' is the weight of a phantom layer and is used otherwise, too: the two would part in training; exclude the layer with select}}
phantom.parameter @w.weight : tensor<16x16xf32> init <uniform, fan_in = 16> trainable

func.func @forward(%x: tensor<5x16xf32> {phantom.input = "x"}, %w: tensor<16x16xf32> {phantom.parameter = @w.weight}) -> tensor<5x16xf32> {
  %0 = phantom.linear %x, %w : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %1 = phantom.linear %0, %w : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %2 = phantom.linear %1, %w : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  return %2 : tensor<5x16xf32>
}

// -----

// expected-error @+1 {{@forward has dynamic shapes: run phantom-specialize-batch first}}
func.func @forward(%x: tensor<?x8xf32> {phantom.input = "x"}) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}

// -----

// expected-error @+1 {{the module has no function @forward of one block: import a model first}}
module {
}

// -----

// expected-warning @+1 {{select '*' matches no linear layer: the model stays replicated}}
func.func @forward(%x: tensor<4x8xf32> {phantom.input = "x"}) -> tensor<4x8xf32> {
  return %x : tensor<4x8xf32>
}

// -----

// The parameters of a phantom layer are named after it.
phantom.parameter @fc.up : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
phantom.parameter @fc.down : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
phantom.parameter @last.weight : tensor<16x16xf32> init <uniform, fan_in = 16> trainable

func.func @forward(%x: tensor<5x16xf32> {phantom.input = "x"}, %a: tensor<16x16xf32> {phantom.parameter = @last.weight},
                   %b: tensor<16x16xf32> {phantom.parameter = @fc.up}, %c: tensor<16x16xf32> {phantom.parameter = @fc.down}) -> tensor<5x16xf32> {
  %0 = phantom.linear %x, %a : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %1 = phantom.linear %0, %b : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  // expected-error @+1 {{the weights 'fc.up' and 'fc.down' are both of a layer 'fc'; give them names that differ before the last dot, or exclude one with select}}
  %2 = phantom.linear %1, %c : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %3 = phantom.linear %2, %a : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  return %3 : tensor<5x16xf32>
}

// -----

// A name of the model that the divided layer's parameters get.
phantom.parameter @fc.weight : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
phantom.parameter @first.weight : tensor<16x16xf32> init <uniform, fan_in = 16> trainable
// expected-error @+1 {{gets the name 'fc.decompressor' in the divided model, which another parameter has: rename one of them}}
phantom.parameter @fc.decompressor : tensor<16x16xf32> init <uniform, fan_in = 16> trainable

func.func @forward(%x: tensor<5x16xf32> {phantom.input = "x"}, %a: tensor<16x16xf32> {phantom.parameter = @first.weight},
                   %b: tensor<16x16xf32> {phantom.parameter = @fc.weight}, %c: tensor<16x16xf32> {phantom.parameter = @fc.decompressor}) -> tensor<5x16xf32> {
  %0 = phantom.linear %x, %a : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %1 = phantom.linear %0, %b : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  %2 = phantom.linear %1, %c : (tensor<5x16xf32>, tensor<16x16xf32>) -> tensor<5x16xf32>
  return %2 : tensor<5x16xf32>
}
