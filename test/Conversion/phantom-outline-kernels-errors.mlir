// RUN: phantom-opt %s --phantom-outline-kernels --verify-diagnostics --split-input-file

func.func @tensors(%x: tensor<8xf32>) -> tensor<8xf32> {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{works on tensors: run phantom-bufferize before}}
  %y = linalg.fill ins(%zero : f32) outs(%x : tensor<8xf32>) -> tensor<8xf32>
  return %y : tensor<8xf32>
}

// -----

func.func @scalar(%x: memref<8xf32>, %s: f32) {
  // expected-error @below {{uses a value that is neither a buffer nor a constant: it cannot become a kernel}}
  linalg.fill ins(%s : f32) outs(%x : memref<8xf32>)
  return
}

// -----

func.func @carried(%x: tensor<8xf32>) -> tensor<8xf32> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  // expected-error @below {{works on tensors: run phantom-bufferize before}}
  %y = scf.for %i = %zero to %one step %one iter_args(%acc = %x) -> tensor<8xf32> {
    scf.yield %acc : tensor<8xf32>
  }
  return %y : tensor<8xf32>
}

// -----

func.func @bound(%x: memref<8xf32>, %n: index) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %value = arith.constant 0.0 : f32
  // expected-error @below {{uses a value that is neither a buffer nor a constant: it cannot become a kernel}}
  scf.for %i = %zero to %n step %one {
    memref.store %value, %x[%i] : memref<8xf32>
  }
  return
}
