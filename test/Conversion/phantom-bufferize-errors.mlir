// RUN: phantom-opt %s --phantom-bufferize --verify-diagnostics --split-input-file

phantom.parameter @w : tensor<8xf32> init <zeros> trainable

// expected-error @below {{parameter @w cannot be updated in place: its old value is used after the update; move the uses before it}}
func.func @old_value_used(%x: tensor<8xf32> {phantom.input = "x"}, %w: tensor<8xf32> {phantom.parameter = @w})
    -> (tensor<8xf32> {phantom.updated = @w}, tensor<8xf32> {phantom.output = "old"}) {
  %u = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%w : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.subf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %u, %w : tensor<8xf32>, tensor<8xf32>
}

// -----

func.func @dynamic(%dy: tensor<?x4xf32>, %indices: tensor<?xi64>) -> tensor<9x4xf32> {
  // expected-error @below {{has a dynamic shape: run phantom-specialize-batch before}}
  %g = phantom.gather_gradient %dy, %indices dim 0 : (tensor<?x4xf32>, tensor<?xi64>) -> tensor<9x4xf32>
  return %g : tensor<9x4xf32>
}
