// RUN: phantom-opt %s --phantom-specialize-batch=batch-size=4 --split-input-file --verify-diagnostics
// RUN: not phantom-opt %s --phantom-specialize-batch --split-input-file 2>&1 | FileCheck %s --check-prefix=MISSING

// MISSING: error: batch-size is 0; it must be at least 1

// expected-error @+1 {{input 0 has a fixed batch of 8, not 4: use that batch size, or export with a dynamic batch}}
func.func @forward(%x: tensor<8x3xf32> {phantom.input = "x"}) -> tensor<8x3xf32> {
  return %x : tensor<8x3xf32>
}

// -----

// expected-error @+1 {{has a dynamic dimension besides the first, the batch: export the model with it fixed}}
func.func @forward(%x: tensor<8x?xf32> {phantom.input = "x"}) -> tensor<8x?xf32> {
  return %x : tensor<8x?xf32>
}

// -----

func.func @forward(%x: tensor<?x3xf32> {phantom.input = "x"}) -> tensor<?x8xf32> {
  // expected-error @+1 {{cannot reshape 12 elements to 'tensor<?x8xf32>'}}
  %y = phantom.reshape %x : tensor<?x3xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
