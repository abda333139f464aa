// RUN: phantom-opt %s --split-input-file --verify-diagnostics=only-expected --phantom-expose-activations="layers=fc"

phantom.parameter @a.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable

// expected-error @+1 {{there is no linear layer 'fc' in @forward}}
func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight}) -> tensor<5x8xf32> {
  %0 = phantom.linear %x, %a : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}

// -----

phantom.parameter @fc.up : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @fc.down : tensor<8x8xf32> init <uniform, fan_in = 8> trainable

// expected-error @+1 {{several weights in @forward are of a layer 'fc'; give their parameters names that differ before the last dot}}
func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @fc.up},
                   %b: tensor<8x8xf32> {phantom.parameter = @fc.down}) -> tensor<5x8xf32> {
  %0 = phantom.linear %x, %a : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %1 = phantom.linear %0, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  return %1 : tensor<5x8xf32>
}

// -----

// expected-error @+1 {{@forward has dynamic shapes: run phantom-specialize-batch first}}
func.func @forward(%x: tensor<?x8xf32> {phantom.input = "x"}) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
