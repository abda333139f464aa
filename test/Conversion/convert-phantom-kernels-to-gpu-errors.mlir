// RUN: phantom-opt %s --convert-phantom-kernels-to-gpu --split-input-file --verify-diagnostics
// RUN: not phantom-opt %s --split-input-file --convert-phantom-kernels-to-gpu=chips=sm_13 2>&1 | FileCheck %s

// CHECK: error: cannot compile kernels for 'sm_13'; the chips are sm_80, sm_90, sm_100, sm_120

module {
module @kernels {
  func.func @two(%x: memref<4xf32>) {
    %zero = arith.constant 0.0 : f32
    linalg.fill ins(%zero : f32) outs(%x : memref<4xf32>)
    // expected-error @below {{is the second op of a kernel; a kernel has one, and fills before it}}
    linalg.fill ins(%zero : f32) outs(%x : memref<4xf32>)
    return
  }
}
}

// -----

module {
module @kernels {
  func.func @other(%x: memref<4xf32>, %y: memref<4xf32>) {
    // expected-error @below {{cannot become a kernel for a GPU: run phantom-outline-kernels}}
    memref.copy %x, %y : memref<4xf32> to memref<4xf32>
    return
  }
}
}

// -----

module {
module @kernels {
  func.func @dynamic(%x: memref<?xf32>) {
    %zero = arith.constant 0.0 : f32
    // expected-error @below {{must be on buffers of static shape}}
    linalg.fill ins(%zero : f32) outs(%x : memref<?xf32>)
    return
  }
}
}

// -----

module {
module @kernels {
  func.func @race(%x: memref<4xf32>, %y: memref<f32>) {
    // expected-error @below {{writes an element in several parallel iterations}}
    linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["parallel"]}
        ins(%x : memref<4xf32>) outs(%y : memref<f32>) {
    ^bb0(%a: f32, %b: f32):
      linalg.yield %a : f32
    }
    return
  }
}
}

// -----

module {
module @kernels {
  // expected-error @below {{is no kernel: it must have one block of ops}}
  func.func private @declared(memref<4xf32>)
}
}
