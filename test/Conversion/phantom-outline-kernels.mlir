// RUN: phantom-opt %s --phantom-outline-kernels | FileCheck %s
// RUN: phantom-opt %s --phantom-outline-kernels=merge-fills | FileCheck %s --check-prefix=MERGED
// RUN: phantom-opt %s --phantom-outline-kernels --mlir-print-debuginfo | FileCheck %s --check-prefix=LOC

#id = affine_map<(i) -> (i)>

// Equal ops share a kernel, constants go into it, and each launch keeps its location.
// CHECK-LABEL: func @shared
// CHECK-SAME: %[[A:.+]]: memref<8xf32>, %[[B:.+]]: memref<8xf32>
// LOC-DAG: phantom.launch @kernels::@elementwise_0 {{.*}} loc(#[[FIRST:.+]])
// LOC-DAG: phantom.launch @kernels::@elementwise_0 {{.*}} loc(#[[SECOND:.+]])
// LOC-DAG: #[[FIRST]] = loc("first")
// LOC-DAG: #[[SECOND]] = loc("second")
func.func @shared(%a: memref<8xf32>, %b: memref<8xf32>) {
  %two = arith.constant 2.0 : f32
  // CHECK: phantom.launch @kernels::@elementwise_0 ins(%[[A]] : memref<8xf32>) outs(%[[B]] : memref<8xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<8xf32>) outs(%b : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.mulf %x, %two : f32
    linalg.yield %s : f32
  } loc("first")
  // CHECK: phantom.launch @kernels::@elementwise_0 ins(%[[B]] : memref<8xf32>) outs(%[[A]] : memref<8xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%b : memref<8xf32>) outs(%a : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.mulf %x, %two : f32
    linalg.yield %s : f32
  } loc("second")
  // In place: one argument.
  // CHECK: phantom.launch @kernels::@elementwise_1 outs(%[[A]] : memref<8xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%a : memref<8xf32>) outs(%a : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.mulf %x, %two : f32
    linalg.yield %s : f32
  }
  return
}

// CHECK-LABEL: func @others
func.func @others(%a: memref<2x4xf32>, %b: memref<8xf32>, %i: memref<i64>, %s: memref<2x4xf32, strided<[8, 1]>>) {
  %zero = arith.constant 0.0 : f32
  // CHECK: phantom.launch @kernels::@fill_0 outs(%{{.*}} : memref<8xf32>)
  linalg.fill ins(%zero : f32) outs(%b : memref<8xf32>)
  // CHECK: phantom.launch @kernels::@move_0 ins(%{{.*}} : memref<2x4xf32>) outs(%{{.*}} : memref<2x4xf32, strided<[8, 1]>>)
  memref.copy %a, %s : memref<2x4xf32> to memref<2x4xf32, strided<[8, 1]>>
  // Two views of one buffer overlap.
  // CHECK: phantom.launch @kernels::@elementwise_2
  %v = memref.collapse_shape %a [[0, 1]] : memref<2x4xf32> into memref<8xf32>
  %u = memref.collapse_shape %a [[0, 1]] : memref<2x4xf32> into memref<8xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%u : memref<8xf32>) outs(%v : memref<8xf32>) {
  ^bb0(%x: f32, %y: f32):
    %n = arith.negf %x : f32
    linalg.yield %n : f32
  }
  // What the body reads is an input.
  // CHECK: phantom.launch @kernels::@elementwise_3 ins(%{{.*}}, %{{.*}} : memref<i64>, memref<2x4xf32>) outs(%{{.*}} : memref<8xf32>)
  linalg.generic {indexing_maps = [affine_map<(i) -> ()>, #id], iterator_types = ["parallel"]} ins(%i : memref<i64>) outs(%b : memref<8xf32>) {
  ^bb0(%x: i64, %y: f32):
    %index = arith.index_cast %x : i64 to index
    %value = memref.load %a[%index, %index] : memref<2x4xf32>
    linalg.yield %value : f32
  }
  return
}

// What has no elements to visit does nothing.
// CHECK-LABEL: func @nothing
// CHECK-NEXT: return
func.func @nothing(%a: memref<4x0xf32>, %b: memref<4xf32>, %c: memref<4x0xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%a : memref<4x0xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%x: f32, %y: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  }
  memref.copy %a, %c : memref<4x0xf32> to memref<4x0xf32>
  return
}

// A nest of loops is one kernel: its bounds go into it, and what it stores to is its output.
// CHECK-LABEL: func @loops
// CHECK-SAME: %[[A:.+]]: memref<8xf32>, %[[B:.+]]: memref<4x8xf32>
func.func @loops(%a: memref<8xf32>, %b: memref<4x8xf32>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %eight = arith.constant 8 : index
  // CHECK: phantom.launch @kernels::@loop_0 ins(%[[A]] : memref<8xf32>) outs(%[[B]] : memref<4x8xf32>)
  // CHECK-NEXT: return
  scf.for %i = %zero to %four step %one {
    scf.for %j = %zero to %eight step %one {
      %x = memref.load %a[%j] : memref<8xf32>
      memref.store %x, %b[%i, %j] : memref<4x8xf32>
    }
  }
  return
}

// A fill of a new buffer goes along with the sum that starts from it. One whose buffer is seen before that stays, and one that is seen by a view.
// CHECK-LABEL: func @sums
// CHECK-COUNT-3: phantom.launch @kernels::@fill_
// MERGED-LABEL: func @sums
// MERGED: phantom.launch @kernels::@[[SUM:reduce_[0-9]+]] ins(%arg0 : memref<4x8xf32>) outs(%[[MERGED:[^ ]+]] :
// MERGED: phantom.launch @kernels::@fill_{{[0-9]+}} outs(%[[SEEN:[^ ]+]] :
// MERGED: phantom.launch @kernels::@move_{{[0-9]+}} ins(%[[SEEN]] :
// MERGED: phantom.launch @kernels::@reduce_{{[0-9]+}} ins(%arg0 : memref<4x8xf32>) outs(%[[SEEN]] :
// MERGED: phantom.launch @kernels::@fill_{{[0-9]+}} outs(%[[VIEWED:[^ ]+]] :
// MERGED: phantom.launch @kernels::@reduce_{{[0-9]+}} ins(%arg0 : memref<4x8xf32>) outs(%[[VIEWED]] :
// MERGED: func.func @[[SUM]](
// MERGED: linalg.fill
// MERGED-NEXT: linalg.generic
func.func @sums(%x: memref<4x8xf32>, %y: memref<4xf32>) -> (memref<4xf32>, memref<4xf32>, memref<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %a = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%a : memref<4xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%a : memref<4xf32>) {
  ^bb0(%v: f32, %s: f32):
    %n = arith.addf %s, %v : f32
    linalg.yield %n : f32
  }
  %b = memref.alloc() : memref<4xf32>
  linalg.fill ins(%zero : f32) outs(%b : memref<4xf32>)
  memref.copy %b, %y : memref<4xf32> to memref<4xf32>
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%b : memref<4xf32>) {
  ^bb0(%v: f32, %s: f32):
    %n = arith.addf %s, %v : f32
    linalg.yield %n : f32
  }
  %c = memref.alloc() : memref<4xf32>
  %view = memref.expand_shape %c [[0, 1]] output_shape [2, 2] : memref<4xf32> into memref<2x2xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<4xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]}
      ins(%x : memref<4x8xf32>) outs(%c : memref<4xf32>) {
  ^bb0(%v: f32, %s: f32):
    %n = arith.addf %s, %v : f32
    linalg.yield %n : f32
  }
  return %a, %b, %c : memref<4xf32>, memref<4xf32>, memref<4xf32>
}

// CHECK: module @kernels
// CHECK: func.func @elementwise_0(%{{.*}}: memref<8xf32> {llvm.noalias}, %{{.*}}: memref<8xf32> {llvm.noalias})
// CHECK: arith.constant 2.000000e+00
// CHECK: func.func @elementwise_1(%{{.*}}: memref<8xf32> {llvm.noalias})
// CHECK: func.func @elementwise_2(%{{[a-z0-9]+}}: memref<8xf32>, %{{[a-z0-9]+}}: memref<8xf32>) {
// CHECK: func.func @loop_0(%{{.*}}: memref<8xf32> {llvm.noalias}, %{{.*}}: memref<4x8xf32> {llvm.noalias})
