// Weights are those of good_models.mlp.
module attributes {phantom.model = "shapes"} {
  phantom.parameter @b : tensor<3xf32> init <load, source = <"mlp.safetensors", "fc1.bias", tensor<3xf32>>> trainable
  func.func @forward(%x: tensor<?x2x3xf32> {phantom.input = "x"}, %b: tensor<3xf32> {phantom.parameter = @b})
      -> (tensor<?x6xf32> {phantom.output = "y"}, tensor<?x2x3xf32> {phantom.output = "wide"},
          tensor<?x3xf32> {phantom.output = "rows"}, tensor<?x3xf32> {phantom.output = "sum"},
          tensor<?x2x3xf32> {phantom.output = "same"}, tensor<3xf32> {phantom.output = "weight"}) {
    %wide = phantom.broadcast %b like %x : (tensor<3xf32>, tensor<?x2x3xf32>) -> tensor<?x2x3xf32>
    %s = arith.addf %x, %wide : tensor<?x2x3xf32>
    %y = phantom.reshape %s : tensor<?x2x3xf32> -> tensor<?x6xf32>
    %rows = phantom.reshape %x : tensor<?x2x3xf32> -> tensor<?x3xf32>
    %sum = phantom.reduce_sum %x [1] : tensor<?x2x3xf32> -> tensor<?x3xf32>
    return %y, %wide, %rows, %sum, %x, %b
        : tensor<?x6xf32>, tensor<?x2x3xf32>, tensor<?x3xf32>, tensor<?x3xf32>, tensor<?x2x3xf32>, tensor<3xf32>
  }
}
