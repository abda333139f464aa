// RUN: phantom-opt %s --phantom-bufferize 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-bufferize --phantom-bufferize -o /dev/null 2>/dev/null
// RUN: phantom-opt %s --phantom-bufferize=elide-copies=false 2>/dev/null | FileCheck %s --check-prefix=COPIES
// RUN: phantom-opt %s --phantom-bufferize -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: @gather: 1 of 1 exchanges are written by their producer, without a copy
// REMARK: remark: @overwritten: 0 of 1 exchanges

phantom.mesh @mesh = [<"phantom" = 4>]
phantom.parameter @w : tensor<8xf32> init <zeros> trainable

// The GEMM writes the slot; the consumer reads the window.
// CHECK-LABEL: func @gather
// CHECK-SAME: (%[[C:.+]]: memref<2x4xf32>, %[[Y:.+]]: memref<8x4xf32>, %[[D:.+]]: memref<8x4xf32>) -> memref<8x4xf32>
// COPIES-LABEL: func @gather
func.func @gather(%c: tensor<2x4xf32>, %y: tensor<8x4xf32>, %d: tensor<8x4xf32>) -> tensor<8x4xf32> {
  // CHECK: %[[WINDOW:.+]] = phantom.window "gather.all_gather0" : memref<8x8xf32>
  // CHECK: %[[SLOT:.+]] = phantom.window_slot %[[WINDOW]] dim 0 : memref<8x8xf32> -> memref<2x8xf32>
  // CHECK: phantom.gemm ins(%[[C]], %[[Y]] : {{.*}}) outs(%[[SLOT]] : memref<2x8xf32>)
  // CHECK-NOT: memref.copy
  // CHECK: phantom.exchange <all_gather> %[[WINDOW]] dim 0 on @mesh "phantom" : memref<8x8xf32>
  // COPIES: memref.copy
  %e = tensor.empty() : tensor<2x8xf32>
  %g = phantom.gemm ins(%c, %y : tensor<2x4xf32>, tensor<8x4xf32>) outs(%e : tensor<2x8xf32>) {transpose_b} -> tensor<2x8xf32>
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<2x8xf32> -> tensor<8x8xf32>
  // CHECK: %[[OUT:.+]] = memref.alloc() {{.*}}: memref<8x4xf32>
  // CHECK: phantom.gemm ins(%[[WINDOW]], %[[D]] : {{.*}}) outs(%[[OUT]] : memref<8x4xf32>) {transpose_a}
  // CHECK: return %[[OUT]]
  %o = tensor.empty() : tensor<8x4xf32>
  %z = phantom.gemm ins(%a, %d : tensor<8x8xf32>, tensor<8x4xf32>) outs(%o : tensor<8x4xf32>) {transpose_a} -> tensor<8x4xf32>
  return %z : tensor<8x4xf32>
}

// A slot along the last dimension is strided, also through a reshape.
// CHECK-LABEL: func @strided
func.func @strided(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x4x12xf32> {
  // CHECK: %[[SLOT:.+]] = phantom.window_slot %{{.*}} dim 2 : memref<2x4x12xf32> -> memref<2x4x3xf32, strided<[48, 12, 1]>>
  // CHECK: %[[FLAT:.+]] = memref.collapse_shape %[[SLOT]] {{.*}} into memref<8x3xf32, strided<[12, 1]>>
  // CHECK: phantom.gemm {{.*}} outs(%[[FLAT]] : memref<8x3xf32, strided<[12, 1]>>)
  // CHECK-NOT: memref.copy
  // CHECK: return
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %n = tensor.expand_shape %z [[0, 1], [2]] output_shape [2, 4, 3] : tensor<8x3xf32> into tensor<2x4x3xf32>
  %a = phantom.all_gather %n dim 2 on @mesh "phantom" : tensor<2x4x3xf32> -> tensor<2x4x12xf32>
  return %a : tensor<2x4x12xf32>
}

// A later op overwrites what was exchanged: it must not be the slot, which peers read.
// CHECK-LABEL: func @overwritten
func.func @overwritten(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>) -> (tensor<32x3xf32>, tensor<8x3xf32>) {
  // CHECK: %[[Z:.+]] = memref.alloc
  // CHECK: phantom.gemm {{.*}} outs(%[[Z]]
  // CHECK: memref.copy %[[Z]], %{{.*}}
  // CHECK: phantom.exchange <all_gather>
  // CHECK: phantom.gemm {{.*}} outs(%[[Z]] : {{.*}}) {accumulate
  %e = tensor.empty() : tensor<8x3xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%e : tensor<8x3xf32>) {transpose_b} -> tensor<8x3xf32>
  %a = phantom.all_gather %z dim 0 on @mesh "phantom" : tensor<8x3xf32> -> tensor<32x3xf32>
  %s = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) outs(%z : tensor<8x3xf32>) {transpose_b, accumulate} -> tensor<8x3xf32>
  return %a, %s : tensor<32x3xf32>, tensor<8x3xf32>
}

// Nobody writes into a gathered window but the ranks, each its slot.
// CHECK-LABEL: func @window_not_written
func.func @window_not_written(%x: tensor<2x4xf32>, %a: tensor<8x2xf32>, %b: tensor<2x4xf32>) -> tensor<8x4xf32> {
  // CHECK: phantom.exchange <all_gather> %[[WINDOW:.+]] dim 0
  // CHECK: %[[ACC:.+]] = memref.alloc() {{.*}}: memref<8x4xf32>
  // CHECK: memref.copy %[[WINDOW]], %[[ACC]]
  // CHECK: phantom.gemm {{.*}} outs(%[[ACC]] : {{.*}}) {accumulate}
  %g = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x4xf32> -> tensor<8x4xf32>
  %z = phantom.gemm ins(%a, %b : tensor<8x2xf32>, tensor<2x4xf32>) outs(%g : tensor<8x4xf32>) {accumulate} -> tensor<8x4xf32>
  return %z : tensor<8x4xf32>
}

// CHECK-LABEL: func @reductions
func.func @reductions(%x: tensor<8x4xf32>, %w: tensor<16x4xf32>) -> (tensor<8x4xf32>, tensor<8x16xf32>) {
  // CHECK: %[[W0:.+]] = phantom.window "reductions.reduce_scatter0" : memref<4x8x16xf32>
  // CHECK: phantom.window_slot %[[W0]] : memref<4x8x16xf32> -> memref<8x16xf32>
  // CHECK: phantom.exchange <reduce_scatter> %[[W0]] dim 1 into %{{.*}} on @mesh "phantom" : memref<4x8x16xf32>, memref<8x4xf32>
  // CHECK: phantom.exchange <all_reduce> %{{.*}} dim 0 into %{{.*}} on @mesh "phantom" : memref<4x8x16xf32>, memref<8x16xf32>
  %e = tensor.empty() : tensor<8x16xf32>
  %z = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<16x4xf32>) outs(%e : tensor<8x16xf32>) {transpose_b} -> tensor<8x16xf32>
  %s = phantom.reduce_scatter %z dim 1 on @mesh "phantom" : tensor<8x16xf32> -> tensor<8x4xf32>
  %r = phantom.all_reduce %z on @mesh "phantom" : tensor<8x16xf32> -> tensor<8x16xf32>
  return %s, %r : tensor<8x4xf32>, tensor<8x16xf32>
}

// Parameters are updated where they are; inputs are not written.
// CHECK-LABEL: func @in_place
// CHECK-SAME: (%[[X:[a-z0-9]+]]: memref<8xf32> {{.*}}, %[[W:[a-z0-9]+]]: memref<8xf32> {
func.func @in_place(%x: tensor<8xf32> {phantom.input = "x"}, %w: tensor<8xf32> {phantom.parameter = @w})
    -> (tensor<8xf32> {phantom.output = "y"}, tensor<8xf32> {phantom.updated = @w}) {
  // CHECK: %[[Y:.+]] = memref.alloc
  // CHECK: memref.copy %[[X]], %[[Y]]
  // CHECK: linalg.generic {{.*}} outs(%[[Y]]
  // CHECK: linalg.generic {{.*}} ins(%[[X]] : {{.*}}) outs(%[[W]]
  // CHECK: return %[[Y]], %[[W]]
  %y = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%w : tensor<8xf32>) outs(%x : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.mulf %a, %b : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  %u = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%x : tensor<8xf32>) outs(%w : tensor<8xf32>) {
  ^bb0(%a: f32, %b: f32):
    %s = arith.subf %b, %a : f32
    linalg.yield %s : f32
  } -> tensor<8xf32>
  return %y, %u : tensor<8xf32>, tensor<8xf32>
}

// Two results of one fill, or of one tensor.empty, get buffers of their own without a copy.
// CHECK-LABEL: func @shared_fill
func.func @shared_fill(%x: tensor<8xf32>) -> (tensor<f32>, tensor<f32>) {
  // CHECK-COUNT-2: linalg.fill
  // CHECK-NOT: memref.copy
  // CHECK: return
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %a = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<8xf32>) outs(%f : tensor<f32>) {
  ^bb0(%v: f32, %acc: f32):
    %s = arith.addf %v, %acc : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  %b = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]}
      ins(%x : tensor<8xf32>) outs(%f : tensor<f32>) {
  ^bb0(%v: f32, %acc: f32):
    %s = arith.maximumf %v, %acc : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %a, %b : tensor<f32>, tensor<f32>
}

// A sum at indexed places visits each cotangent once, in order, whatever the table's extent is.
// CHECK-LABEL: func @scatter
// CHECK-SAME: (%[[DY:.+]]: memref<2x3x5x4xf32>, %[[INDICES:.+]]: memref<3x5xi64>) -> memref<2x100x4xf32>
func.func @scatter(%dy: tensor<2x3x5x4xf32>, %indices: tensor<3x5xi64>) -> tensor<2x100x4xf32> {
  // CHECK: %[[TABLE:.+]] = memref.alloc() {{.*}}: memref<2x100x4xf32>
  // CHECK: linalg.fill {{.*}} outs(%[[TABLE]] : memref<2x100x4xf32>)
  // CHECK: scf.for %{{.+}} = %{{.+}} to %[[ONE:.+]] step
  // CHECK: scf.for %[[I:.+]] = %{{.+}} to %[[TWO:.+]] step
  // CHECK: scf.for %[[J:.+]] = %{{.+}} to %[[THREE:.+]] step
  // CHECK: scf.for %[[K:.+]] = %{{.+}} to %[[FIVE:.+]] step
  // CHECK: %[[NUMBER:.+]] = memref.load %[[INDICES]][%[[J]], %[[K]]]
  // CHECK: arith.index_cast %[[NUMBER]]
  // CHECK: %[[VALID:.+]] = arith.andi
  // CHECK: %[[PLACE:.+]] = arith.select %[[VALID]], %{{.+}}, %{{.+}} : index
  // CHECK: scf.for %[[L:.+]] = %{{.+}} to %[[FOUR:.+]] step
  // CHECK: memref.load %[[DY]][%[[I]], %[[J]], %[[K]], %[[L]]]
  // CHECK: memref.load %[[TABLE]][%[[I]], %[[PLACE]], %[[L]]]
  // CHECK: memref.store %{{.+}}, %[[TABLE]][%[[I]], %[[PLACE]], %[[L]]]
  // CHECK: return %[[TABLE]]
  %g = phantom.gather_gradient %dy, %indices dim 1 : (tensor<2x3x5x4xf32>, tensor<3x5xi64>) -> tensor<2x100x4xf32>
  return %g : tensor<2x100x4xf32>
}

// A parameter that the function does not update must be the same in the next run.
// CHECK-LABEL: func @not_updated
// CHECK-SAME: (%[[W:.+]]: memref<8xf32> {phantom.parameter = @w})
func.func @not_updated(%w: tensor<8xf32> {phantom.parameter = @w}) -> tensor<8xf32> {
  // CHECK: %[[OUT:.+]] = memref.alloc()
  // CHECK: linalg.exp ins(%[[W]] : memref<8xf32>) outs(%[[OUT]] : memref<8xf32>)
  // CHECK: return %[[OUT]]
  %e = linalg.exp ins(%w : tensor<8xf32>) outs(%w : tensor<8xf32>) -> tensor<8xf32>
  return %e : tensor<8xf32>
}

// What nobody uses is no destination.
// CHECK-LABEL: func @unused
func.func @unused(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  return %x : tensor<8xf32>
}
