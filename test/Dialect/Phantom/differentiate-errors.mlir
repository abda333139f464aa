// RUN: phantom-opt %s --phantom-differentiate=loss=mse --split-input-file --verify-diagnostics

// expected-error @+1 {{the model has 2 outputs; training needs exactly one: export the model with one output}}
func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}) -> (tensor<5x3xf32>, tensor<5x3xf32>) {
  return %x, %x : tensor<5x3xf32>, tensor<5x3xf32>
}

// -----

phantom.parameter @w : tensor<5x3xf32> init <uniform, fan_in = 1> trainable
func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}, %w: tensor<5x3xf32> {phantom.parameter = @w}) -> tensor<5x3xf32> {
  // expected-error @+1 {{cannot differentiate 'math.floor', on the way from a trainable parameter to the loss}}
  %y = math.floor %w : tensor<5x3xf32>
  return %y : tensor<5x3xf32>
}

// -----

// expected-warning @+1 {{parameter 'w' does not influence the loss}}
phantom.parameter @w : tensor<3xf32> init <uniform, fan_in = 1> trainable
func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}, %w: tensor<3xf32> {phantom.parameter = @w}) -> tensor<5x3xf32> {
  return %x : tensor<5x3xf32>
}

// -----

// expected-error @+1 {{the module has @gradients already}}
module {
  func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}) -> tensor<5x3xf32> {
    return %x : tensor<5x3xf32>
  }
  func.func private @gradients()
}
