// RUN: phantom-opt %s --convert-phantom-to-linalg --split-input-file --verify-diagnostics

func.func @linear(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>) -> tensor<8x3xf32> {
  // expected-error @below {{'phantom.linear' op has no lowering to linalg: run convert-phantom-to-gemm before, if it is a matrix product}}
  %y = phantom.linear %x, %w : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
  return %y : tensor<8x3xf32>
}

// -----

func.func @dynamic(%x: tensor<?x4x8xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{'phantom.reshape' op has a dynamic shape: run phantom-specialize-batch before}}
  %y = phantom.reshape %x : tensor<?x4x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
