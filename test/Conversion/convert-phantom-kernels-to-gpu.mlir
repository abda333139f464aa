// RUN: phantom-opt %s --convert-phantom-kernels-to-gpu | FileCheck %s
// RUN: phantom-opt %s --convert-phantom-kernels-to-gpu="block-reduction=64 chips=sm_120,sm_90" | FileCheck %s --check-prefix=TREE

// TREE: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90", features = "+ptx80">, #nvvm.target<O = 3, chip = "sm_120", features = "+ptx87">]
// CHECK: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80", features = "+ptx80">, #nvvm.target<O = 3, chip = "sm_90", features = "+ptx80">, #nvvm.target<O = 3, chip = "sm_100", features = "+ptx86">, #nvvm.target<O = 3, chip = "sm_120", features = "+ptx87">]
module {
  module @kernels {
    // 10 * 30 elements are two blocks of 256 threads; transposed, they are at (i, j) and (j, i).
    // CHECK-LABEL: gpu.func @elementwise
    // CHECK-SAME: (%[[X:.+]]: memref<10x30xf32> {llvm.noalias}, %[[Y:.+]]: memref<30x10xf32> {llvm.noalias}) kernel
    // CHECK-SAME: known_block_size = array<i32: 256, 1, 1>, known_grid_size = array<i32: 2, 1, 1>
    // CHECK-DAG: %[[BLOCK:.+]] = gpu.block_id x
    // CHECK-DAG: %[[THREAD:.+]] = gpu.thread_id x
    // CHECK-DAG: %[[THREADS:.+]] = gpu.block_dim x
    // CHECK-DAG: %[[BLOCKS:.+]] = gpu.grid_dim x
    // CHECK-DAG: %[[BASE:.+]] = arith.muli %[[BLOCK]], %[[THREADS]]
    // CHECK-DAG: %[[FIRST:.+]] = arith.addi %[[BASE]], %[[THREAD]]
    // CHECK-DAG: %[[STEP:.+]] = arith.muli %[[BLOCKS]], %[[THREADS]]
    // CHECK: scf.for %[[E:.+]] = %[[FIRST]] to %{{.*}} step %[[STEP]]
    // CHECK-DAG: %[[J:.+]] = arith.remui %[[E]], %[[C30:.+]] : index
    // CHECK-DAG: %[[I:.+]] = arith.divui %[[E]], %[[C30]] : index
    // CHECK: memref.load %[[X]][%[[I]], %[[J]]]
    // CHECK-NOT: math.exp
    // CHECK: memref.store %{{.*}}, %[[Y]][%[[J]], %[[I]]]
    // CHECK: gpu.return
    func.func @elementwise(%x: memref<10x30xf32> {llvm.noalias}, %y: memref<30x10xf32> {llvm.noalias}) {
      linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>], iterator_types = ["parallel", "parallel"]}
          ins(%x : memref<10x30xf32>) outs(%y : memref<30x10xf32>) {
      ^bb0(%a: f32, %b: f32):
        %e = math.exp %a : f32
        linalg.yield %e : f32
      }
      return
    }

    // Each thread has a sum of its own, which starts as it was.
    // CHECK-LABEL: gpu.func @sums
    // CHECK-SAME: known_block_size = array<i32: 32, 1, 1>, known_grid_size = array<i32: 1, 1, 1>
    // CHECK: scf.for %[[I:.+]] =
    // CHECK: %[[START:.+]] = memref.load %[[S:.+]][%[[I]]]
    // CHECK: %[[SUM:.+]] = scf.for %[[K:.+]] = %{{.*}} iter_args(%[[BEFORE:.+]] = %[[START]])
    // CHECK-NEXT: %[[A:.+]] = memref.load %{{.*}}[%[[I]], %[[K]]]
    // CHECK-NEXT: %[[AFTER:.+]] = arith.addf %[[BEFORE]], %[[A]]
    // CHECK-NEXT: scf.yield %[[AFTER]]
    // CHECK: memref.store %[[SUM]], %[[S]][%[[I]]]
    // Of 64 elements and more, a block makes it: parts in workgroup memory, added in a fixed order.
    // TREE-LABEL: gpu.func @sums
    // TREE-SAME: workgroup(%[[PARTS:.+]] : memref<128xf32, #gpu.address_space<workgroup>>)
    // TREE-SAME: known_block_size = array<i32: 128, 1, 1>, known_grid_size = array<i32: 20, 1, 1>
    // TREE: scf.for %[[I:.+]] =
    // TREE: %[[PART:.+]] = scf.for %[[K:.+]] = %[[THREAD:.+]] to %{{.*}} iter_args(%{{.*}} = %{{.*}}) -> (f32)
    // TREE: memref.store %[[PART]], %[[PARTS]][%[[THREAD]]]
    // TREE-COUNT-7: gpu.barrier
    // TREE: memref.store
    // TREE: gpu.barrier
    // TREE-NOT: gpu.barrier
    // TREE: %[[OLD:.+]] = memref.load %[[S:.+]][%[[I]]]
    // TREE: %[[TOTAL:.+]] = memref.load %[[PARTS]]
    // TREE: %[[NEW:.+]] = arith.addf %[[OLD]], %[[TOTAL]]
    // TREE: memref.store %[[NEW]], %[[S]][%[[I]]]
    func.func @sums(%x: memref<20x100xf32>, %s: memref<20xf32>) {
      linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]}
          ins(%x : memref<20x100xf32>) outs(%s : memref<20xf32>) {
      ^bb0(%a: f32, %b: f32):
        %e = arith.addf %b, %a : f32
        linalg.yield %e : f32
      }
      return
    }

    // A sum that its next term depends on is no tree.
    // TREE-LABEL: gpu.func @sequence
    // TREE-NOT: workgroup
    // TREE: gpu.return
    func.func @sequence(%x: memref<100xf32>, %s: memref<f32>) {
      linalg.generic {indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> ()>], iterator_types = ["reduction"]}
          ins(%x : memref<100xf32>) outs(%s : memref<f32>) {
      ^bb0(%a: f32, %b: f32):
        %e = arith.mulf %b, %a : f32
        %f = arith.addf %b, %e : f32
        linalg.yield %f : f32
      }
      return
    }

    // A constant, and the place in the loops.
    // What is no sum is written in each iteration.
    // TREE-LABEL: gpu.func @update
    // TREE-SAME: workgroup(%[[PARTS:.+]] : memref<128xf64, #gpu.address_space<workgroup>>)
    // TREE-SAME: known_block_size = array<i32: 128, 1, 1>, known_grid_size = array<i32: 4, 1, 1>
    // TREE: %[[SUM:.+]] = scf.for
    // TREE: memref.store %{{.+}}, %arg1[
    // TREE: scf.yield
    // TREE: memref.store %[[SUM]], %[[PARTS]]
    // TREE: gpu.barrier
    func.func @update(%g: memref<4x128xf32>, %w: memref<4x128xf32>, %s: memref<4xf64>) {
      linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]}
        ins(%g : memref<4x128xf32>) outs(%w, %s : memref<4x128xf32>, memref<4xf64>) {
      ^bb0(%x: f32, %old: f32, %sum: f64):
        %new = arith.subf %old, %x : f32
        %wide = arith.extf %x : f32 to f64
        %next = arith.addf %sum, %wide : f64
        linalg.yield %new, %next : f32, f64
      }
      return
    }
    // Threads beside each other read elements beside each other: here, those of sums beside each other.
    // TREE-LABEL: gpu.func @columns
    // TREE-NOT: workgroup
    // TREE: return
    func.func @columns(%x: memref<128x4xf32>, %s: memref<4xf32>) {
      linalg.generic {indexing_maps = [affine_map<(k, i) -> (k, i)>, affine_map<(k, i) -> (i)>], iterator_types = ["reduction", "parallel"]}
        ins(%x : memref<128x4xf32>) outs(%s : memref<4xf32>) {
      ^bb0(%a: f32, %sum: f32):
        %next = arith.addf %sum, %a : f32
        linalg.yield %next : f32
      }
      return
    }
    // What a fill in front wrote is a constant: nothing reads the buffer.
    // CHECK-LABEL: gpu.func @from_one
    // CHECK-SAME: (%{{[^ ]+}}: memref<20x8xf32>, %[[S:[^ ]+]]: memref<20xf32>)
    // CHECK: %[[ONE:.+]] = arith.constant 1.000000e+00 : f32
    // CHECK-NOT: memref.load %[[S]]
    // CHECK: scf.for {{.*}} iter_args(%{{[^ ]+}} = %[[ONE]])
    // CHECK: memref.store %{{[^ ]+}}, %[[S]][
    func.func @from_one(%x: memref<20x8xf32>, %s: memref<20xf32>) {
      %one = arith.constant 1.0 : f32
      linalg.fill ins(%one : f32) outs(%s : memref<20xf32>)
      linalg.generic {indexing_maps = [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>], iterator_types = ["parallel", "reduction"]}
          ins(%x : memref<20x8xf32>) outs(%s : memref<20xf32>) {
      ^bb0(%a: f32, %b: f32):
        %e = arith.addf %b, %a : f32
        linalg.yield %e : f32
      }
      return
    }
    // CHECK-LABEL: gpu.func @fill
    // CHECK: arith.constant 2.000000e+00
    // CHECK: arith.index_cast
    func.func @fill(%y: memref<8xi64>, %z: memref<8xf32>) {
      %two = arith.constant 2.0 : f32
      linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
          outs(%y, %z : memref<8xi64>, memref<8xf32>) {
      ^bb0(%a: i64, %b: f32):
        %i = linalg.index 0 : index
        %c = arith.index_cast %i : index to i64
        linalg.yield %c, %two : i64, f32
      }
      return
    }

    // Rows of the table may be those of several places: the loop over places stays, columns have threads.
    // CHECK-LABEL: gpu.func @scatter
    // CHECK: scf.for %[[J:.+]] =
    // CHECK: scf.for %[[I:.+]] =
    // CHECK: %[[PLACE:.+]] = arith.index_cast
    // CHECK-NOT: scf.for
    // CHECK: memref.store %{{.*}}, %{{.*}}[%[[PLACE]], %[[J]]]
    func.func @scatter(%x: memref<6x4xf32> {llvm.noalias}, %n: memref<6xi64> {llvm.noalias}, %t: memref<9x4xf32> {llvm.noalias}) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : index
      %c6 = arith.constant 6 : index
      scf.for %i = %c0 to %c6 step %c1 {
        %number = memref.load %n[%i] : memref<6xi64>
        %place = arith.index_cast %number : i64 to index
        scf.for %j = %c0 to %c4 step %c1 {
          %a = memref.load %x[%i, %j] : memref<6x4xf32>
          %b = memref.load %t[%place, %j] : memref<9x4xf32>
          %s = arith.addf %a, %b : f32
          memref.store %s, %t[%place, %j] : memref<9x4xf32>
        }
      }
      return
    }

    // Buffers that may overlap: one thread, in order.
    // CHECK-LABEL: gpu.func @overlapping
    // CHECK: scf.for %{{.*}} = %{{.*}} to %c1
    // CHECK: scf.for
    // CHECK: gpu.return
    func.func @overlapping(%x: memref<6xf32>, %t: memref<6xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c6 = arith.constant 6 : index
      scf.for %i = %c0 to %c6 step %c1 {
        %a = memref.load %x[%i] : memref<6xf32>
        memref.store %a, %t[%i] : memref<6xf32>
      }
      return
    }
  }
}
