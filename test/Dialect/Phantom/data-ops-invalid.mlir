// RUN: phantom-opt %s --split-input-file --verify-diagnostics

func.func @rounded(%x: tensor<8xf32>) {
  // expected-error @+1 {{rounds to a stored float type, but gives 'i8'}}
  %y = phantom.cast %x rounded <bf16> : tensor<8xf32> -> tensor<8xi8>
  return
}

// -----

func.func @offsets(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{needs one offset and one stride for each of 2 dimensions}}
  %y = phantom.slice %x [0] by [1] : tensor<2x8xf32> -> tensor<2x8xf32>
  return
}

// -----

func.func @outside(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{takes 4 elements from 2 by 2 of dimension 1, which has 8}}
  %y = phantom.slice %x [0, 2] by [1, 2] : tensor<2x8xf32> -> tensor<2x4xf32>
  return
}

// -----

func.func @dynamic(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{takes a part of dimension 0, which is dynamic or sharded}}
  %y = phantom.slice %x [1, 0] by [1, 1] : tensor<?x8xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @element(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{turns 'f32' into 'f64'}}
  %y = phantom.slice %x [0, 0] by [1, 1] : tensor<2x8xf32> -> tensor<2x8xf64>
  return
}

// -----

func.func @total(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{must give 16 along dimension 1, which may not be sharded}}
  %y = phantom.concat %x, %x dim 1 : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x15xf32>
  return
}

// -----

func.func @other(%x: tensor<2x8xf32>, %y: tensor<3x8xf32>) {
  // expected-error @+1 {{joins 'tensor<3x8xf32>' to 'tensor<2x16xf32>', which differ in dimension 0}}
  %z = phantom.concat %x, %y dim 1 : (tensor<2x8xf32>, tensor<3x8xf32>) -> tensor<2x16xf32>
  return
}

// -----

func.func @dimension(%table: tensor<9x4xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{has dimension 2, but the operand has rank 2}}
  %y = phantom.gather %table, %i dim 2 : (tensor<9x4xf32>, tensor<3xi64>) -> tensor<9x3xf32>
  return
}

// -----

func.func @shape(%table: tensor<9x4xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{gives 'tensor<3x4xf32>', not 'tensor<4x4xf32>'}}
  %y = phantom.gather %table, %i dim 0 : (tensor<9x4xf32>, tensor<3xi64>) -> tensor<4x4xf32>
  return
}

// -----

func.func @dynamic(%table: tensor<?x4xf32>, %i: tensor<3xi64>) {
  // expected-error @+1 {{along dimension 0, which is dynamic or sharded}}
  %y = phantom.gather %table, %i dim 0 : (tensor<?x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  return
}

// -----

func.func @gradient(%dy: tensor<3x4xf32>, %i: tensor<2xi64>) {
  // expected-error @+1 {{gives 'tensor<2x4xf32>', not 'tensor<3x4xf32>'}}
  %g = phantom.gather_gradient %dy, %i dim 0 : (tensor<3x4xf32>, tensor<2xi64>) -> tensor<9x4xf32>
  return
}
