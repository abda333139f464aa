// RUN: phantom-opt %s --convert-phantom-to-linalg=fuse=false | FileCheck %s
// RUN: phantom-opt %s --convert-phantom-to-linalg | FileCheck %s --check-prefix=FUSED
// RUN: phantom-opt %s --convert-phantom-to-linalg -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK
// RUN: phantom-opt %s --convert-phantom-to-linalg=reference-gemm | FileCheck %s --check-prefix=REFERENCE

// REMARK: remark: @activation: no two of 2 linalg ops are fused
// REMARK: remark: @fusion: fused 4 linalg ops into 2: 512 bytes fewer read and written

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @activation
func.func @activation(%x: tensor<8x4xf32>, %dy: tensor<8x4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]} ins(%{{.*}} : tensor<8x4xf32>)
  // CHECK: math.erf
  // CHECK: linalg.yield
  %y = phantom.activation <gelu_erf> %x : tensor<8x4xf32>
  // CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<8x4xf32>)
  // CHECK: arith.cmpf ogt
  // CHECK: arith.select
  %dx = phantom.activation_gradient <relu> %x, %dy from_result : tensor<8x4xf32>
  return %y, %dx : tensor<8x4xf32>, tensor<8x4xf32>
}

// The summed dimension is the outer loop.
// CHECK-LABEL: func @reduce_sum
func.func @reduce_sum(%x: tensor<8x4xf32>) -> (tensor<4xf32>, tensor<8xf32>) {
  // CHECK: linalg.fill
  // CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "parallel"]} ins(%{{.*}} : tensor<8x4xf32>) outs(%{{.*}} : tensor<4xf32>)
  // CHECK: arith.addf %{{.*}}, %{{.*}} : f32
  %a = phantom.reduce_sum %x [0] : tensor<8x4xf32> -> tensor<4xf32>
  // CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]} ins(%{{.*}} : tensor<8x4xf32>) outs(%{{.*}} : tensor<8xf32>)
  // CHECK: arith.addf {{.*}} fastmath<reassoc> : f32
  %b = phantom.reduce_sum %x [1] : tensor<8x4xf32> -> tensor<8xf32>
  return %a, %b : tensor<4xf32>, tensor<8xf32>
}

// CHECK-LABEL: func @shapes
func.func @shapes(%x: tensor<2x3x4xf32>) -> (tensor<4x2x3xf32>, tensor<6x4xf32>) {
  // CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<2x3x4xf32>) outs(%{{.*}} : tensor<4x2x3xf32>)
  %t = phantom.transpose %x [2, 0, 1] : tensor<2x3x4xf32> -> tensor<4x2x3xf32>
  // CHECK: tensor.collapse_shape
  // CHECK: tensor.expand_shape
  %f = phantom.reshape %x : tensor<2x3x4xf32> -> tensor<6x4xf32>
  return %t, %f : tensor<4x2x3xf32>, tensor<6x4xf32>
}

// The two share the maximum and the sum of exponentials.
// CHECK-LABEL: func @cross_entropy
func.func @cross_entropy(%y: tensor<8x4xf32>, %t: tensor<8xi64>, %v: tensor<i64>) -> (tensor<f32>, tensor<8x4xf32>) {
  // CHECK: arith.maximumf
  // CHECK: math.exp
  // CHECK: linalg.index 0
  // CHECK: tensor.extract
  // CHECK: arith.cmpi slt
  // CHECK: arith.addf {{.*}} fastmath<reassoc> : f64
  // CHECK: arith.divf {{.*}} : f64
  // CHECK-NOT: arith.maximumf
  // CHECK: math.exp
  // CHECK: return
  %l = phantom.loss <cross_entropy> %y, %t valid %v : (tensor<8x4xf32>, tensor<8xi64>, tensor<i64>) -> tensor<f32>
  %d = phantom.loss_gradient <cross_entropy> %y, %t : (tensor<8x4xf32>, tensor<8xi64>) -> tensor<8x4xf32>
  return %l, %d : tensor<f32>, tensor<8x4xf32>
}

// One op writes parameter and states; the corrections are 0-d, also with a single use.
// CHECK-LABEL: func @update
// CHECK-SAME: %[[W:.+]]: tensor<4xf32>, %[[G:.+]]: tensor<4xf32>, %[[M:.+]]: tensor<4xf32>, %[[V:.+]]: tensor<4xf32>
// FUSED-LABEL: func @update
func.func @update(%w: tensor<4xf32>, %g: tensor<4xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>, %lr: tensor<f32>, %t: tensor<i64>)
    -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  // CHECK: linalg.generic {{.*}} iterator_types = []}
  // CHECK: math.powf
  // CHECK: linalg.generic {{.*}} iterator_types = []}
  // CHECK: math.powf
  // CHECK: linalg.generic {{.*}} outs(%[[W]], %[[M]], %[[V]] : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  // FUSED-COUNT-2: math.powf
  // FUSED: linalg.generic {{.*}} iterator_types = ["parallel"]}
  // FUSED-NOT: math.powf
  // FUSED: return
  %n:3 = phantom.update <adam> %w, %g, (%m, %v) learning_rate %lr step %t
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
  return %n#0, %n#1, %n#2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// The norm of a gradient is summed up where the update reads it; a product's dimensions become one.
// CHECK-LABEL: func @norm
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel"]} ins(%{{.*}}, %{{.*}} : tensor<32xf32>, tensor<f32>) outs(%{{.*}} : tensor<32xf32>)
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction", "reduction"]} ins(%{{.*}} : tensor<4x8xf32>) outs(%{{.*}} : tensor<f64>)
// FUSED-LABEL: func @norm
// FUSED: linalg.generic {{.*}} iterator_types = ["reduction"]} ins(%{{.*}}, %{{.*}} : tensor<32xf32>, tensor<f32>) outs(%{{.*}}, %{{.*}} : tensor<32xf32>, tensor<f64>)
// FUSED-NOT: linalg.generic
// FUSED: return
func.func @norm(%w: tensor<4x8xf32>, %a: tensor<4x2xf32>, %b: tensor<2x8xf32>, %lr: tensor<f32>, %t: tensor<i64>) -> (tensor<f64>, tensor<4x8xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %g = phantom.gemm ins(%a, %b : tensor<4x2xf32>, tensor<2x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %u = phantom.update <sgd> %w, %g, () learning_rate %lr step %t : (tensor<4x8xf32>, tensor<4x8xf32>, tensor<f32>, tensor<i64>) -> tensor<4x8xf32>
  %n = phantom.squared_norm %g : (tensor<4x8xf32>) -> tensor<f64>
  return %n, %u : tensor<f64>, tensor<4x8xf32>
}

// The rank is a new argument, of those functions that need it.
// CHECK-LABEL: func @rank
// CHECK-SAME: %[[X:.+]]: tensor<8x16xf32>, %[[RANK:.+]]: tensor<i64> {phantom.scalar = "rank"}
func.func @rank(%x: tensor<8x16xf32>) -> (tensor<8x4xf32>, tensor<8x16xf32>) {
  // CHECK: linalg.generic {{.*}} ins(%[[RANK]] : tensor<i64>) outs(%{{.*}} : tensor<8x4xf32>)
  // CHECK: tensor.extract %[[X]]
  %s = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<8x16xf32> -> tensor<8x4xf32>
  // CHECK: linalg.generic {{.*}} ins(%[[RANK]] : tensor<i64>) outs(%[[X]] : tensor<8x16xf32>)
  // CHECK: arith.select
  %m = phantom.mask_own_block %x on @mesh "phantom" : tensor<8x16xf32>
  return %s, %m : tensor<8x4xf32>, tensor<8x16xf32>
}

// What has one user is fused into it; what has two, is computed once.
// FUSED-LABEL: func @fusion
func.func @fusion(%x: tensor<8x4xf32>, %b: tensor<4xf32>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // FUSED: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<8x4xf32>, tensor<4xf32>)
  // FUSED: arith.addf
  // FUSED: math.tanh
  // FUSED: linalg.yield
  // FUSED: linalg.generic
  // FUSED: math.exp
  // FUSED-NOT: math.tanh
  // FUSED: return
  %c = phantom.broadcast %b : (tensor<4xf32>) -> tensor<8x4xf32>
  %s = arith.addf %x, %c : tensor<8x4xf32>
  %y = math.tanh %s : tensor<8x4xf32>
  %z = math.exp %y : tensor<8x4xf32>
  return %y, %z : tensor<8x4xf32>, tensor<8x4xf32>
}

// GEMMs stay, unless as a reference.
// CHECK-LABEL: func @gemm
// REFERENCE-LABEL: func @gemm
func.func @gemm(%x: tensor<8x4xf32>, %w: tensor<3x4xf32>, %b: tensor<3xf32>, %c: tensor<8x3xf32>) -> tensor<8x3xf32> {
  // CHECK: phantom.gemm
  // REFERENCE-NOT: phantom.gemm
  // REFERENCE: linalg.generic {{.*}} iterator_types = ["parallel", "reduction", "parallel"]}
  // REFERENCE: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]}
  // REFERENCE: arith.maximumf
  %y = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<3x4xf32>) bias(%b : tensor<3xf32>) outs(%c : tensor<8x3xf32>)
      {transpose_b, accumulate, epilogue = #phantom.epilogue<relu>} -> tensor<8x3xf32>
  return %y : tensor<8x3xf32>
}

// Parts are found by their indices; what has no elements has no part in it.
// CHECK-LABEL: func @parts
// CHECK-SAME: %[[X:.+]]: tensor<4x6xf32>, %[[EMPTY:.+]]: tensor<4x0xf32>
func.func @parts(%x: tensor<4x6xf32>, %empty: tensor<4x0xf32>) -> (tensor<4x3xf32>, tensor<4x12xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
  // CHECK: linalg.generic
  // CHECK: %[[J:.+]] = linalg.index 1
  // CHECK: %[[TWICE:.+]] = arith.muli %[[J]], %{{.+}}
  // CHECK: %[[PLACE:.+]] = arith.addi %[[TWICE]], %{{.+}}
  // CHECK: tensor.extract %[[X]][%{{.+}}, %[[PLACE]]]
  %s = phantom.slice %x [0, 1] by [1, 2] : tensor<4x6xf32> -> tensor<4x3xf32>
  // CHECK: linalg.generic
  // CHECK: scf.if
  // CHECK: tensor.extract %[[X]]
  // CHECK: else
  // CHECK: tensor.extract %[[X]]
  // CHECK-NOT: scf.if
  %c = phantom.concat %x, %empty, %x dim 1 : (tensor<4x6xf32>, tensor<4x0xf32>, tensor<4x6xf32>) -> tensor<4x12xf32>
  // CHECK: linalg.generic
  // CHECK-NOT: scf.if
  // CHECK: tensor.extract %[[X]]
  %d = phantom.concat %empty, %x dim 1 : (tensor<4x0xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
  // CHECK: linalg.fill {{.*}} -> tensor<4x6xf32>
  // CHECK-NEXT: return
  %g = phantom.slice_gradient %empty [0, 6] by [1, 1] : tensor<4x0xf32> -> tensor<4x6xf32>
  return %s, %c, %d, %g : tensor<4x3xf32>, tensor<4x12xf32>, tensor<4x6xf32>, tensor<4x6xf32>
}

// The sum at indexed places is left for bufferization.
// CHECK-LABEL: func @gather
func.func @gather(%table: tensor<9x4xf32>, %tokens: tensor<3xi64>, %dy: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<9x4xf32>) {
  // CHECK: linalg.generic
  // CHECK: arith.index_cast
  // CHECK: tensor.extract %{{.+}}[%{{.+}}, %{{.+}}] : tensor<9x4xf32>
  %y = phantom.gather %table, %tokens dim 0 : (tensor<9x4xf32>, tensor<3xi64>) -> tensor<3x4xf32>
  // CHECK: phantom.gather_gradient
  %g = phantom.gather_gradient %dy, %tokens dim 0 : (tensor<3x4xf32>, tensor<3xi64>) -> tensor<9x4xf32>
  return %y, %g : tensor<3x4xf32>, tensor<9x4xf32>
}

// Of a block, the rank is part of an element's index; outside training nothing is left.
// CHECK-LABEL: func @dropout
// CHECK-SAME: %[[X:.+]]: tensor<8x4xf32>, %[[KEY:.+]]: tensor<i64>, %[[STEP:.+]]: tensor<i64>, %[[RANK:.+]]: tensor<i64> {phantom.scalar = "rank"}
func.func @dropout(%x: tensor<8x4xf32>, %key: tensor<i64>, %step: tensor<i64>) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
  // CHECK: %[[Y:.+]] = linalg.generic {{.*}} ins(%[[X]], %[[KEY]], %[[STEP]], %[[RANK]] : tensor<8x4xf32>, tensor<i64>, tensor<i64>, tensor<i64>)
  // CHECK-COUNT-20: arith.xori
  // CHECK: %[[KEPT:.+]] = arith.cmpi uge, %{{.*}}, %{{.*}} : i32
  // CHECK: arith.select %[[KEPT]]
  %y = phantom.dropout %x ratio 0.25 counter(%key, %step : tensor<i64>, tensor<i64>) {site = 1 : i64, whole = array<i64: 8, 16>} : tensor<8x4xf32>
  %z = phantom.dropout %x ratio 0.25 : tensor<8x4xf32>
  // CHECK: return %[[Y]], %[[X]]
  return %y, %z : tensor<8x4xf32>, tensor<8x4xf32>
}

// Gradients are scaled on their way, and their sums cleared.
// CHECK-LABEL: func @scaled_update
func.func @scaled_update(%w: tensor<4xf32>, %g: tensor<4xf32>, %lr: tensor<f32>, %t: tensor<i64>, %s: tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK: linalg.generic {{.*}} ins(%[[LR:.+]], %[[S:.+]] : tensor<f32>, tensor<f32>) outs(%{{.*}}, %[[G:.+]] : tensor<4xf32>, tensor<4xf32>)
  // CHECK: ^bb0(%[[RATE:.+]]: f32, %[[SCALE:.+]]: f32, %[[W:.+]]: f32, %[[GRADIENT:.+]]: f32):
  // CHECK: %[[SCALED:.+]] = arith.mulf %[[GRADIENT]], %[[SCALE]]
  // CHECK: %[[OWN:.+]] = arith.mulf %[[RATE]], %{{.*}}
  // CHECK: %[[MOVE:.+]] = arith.mulf %[[OWN]], %[[SCALED]]
  // CHECK: %[[NEW:.+]] = arith.subf %[[W]], %[[MOVE]]
  // CHECK: linalg.yield %[[NEW]], %{{.*}} : f32, f32
  %u:2 = phantom.update <sgd> %w, %g, () learning_rate %lr step %t scale %s {learning_rate_factor = 0.5, reset_gradient}
      : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> (tensor<4xf32>, tensor<4xf32>)
  return %u#0, %u#1 : tensor<4xf32>, tensor<4xf32>
}

// The bytes of a row, and those of its scale behind them. To the nearest.
// CHECK-LABEL: func @encode_int8
// CHECK-SAME: %[[X:[^:]+]]: tensor<2x4x8xf32>
func.func @encode_int8(%x: tensor<2x4x8xf32>) -> (tensor<2x4x12xi8>, tensor<2x4x8xf32>) {
  // CHECK: %[[LARGEST:.+]] = linalg.generic {{.*}}iterator_types = ["parallel", "parallel", "reduction"]} ins(%[[X]] : tensor<2x4x8xf32>)
  // CHECK: math.absf
  // CHECK: arith.maximumf
  // CHECK: %[[E:.+]] = linalg.generic
  // CHECK: %[[ROW:.+]] = tensor.extract %[[LARGEST]]
  // CHECK: %[[SCALE:.+]] = arith.divf %[[ROW]], %{{.+}} : f32
  // CHECK: %[[ISVALUE:.+]] = arith.cmpi slt
  // CHECK-NOT: arith.xori
  // CHECK: math.roundeven
  // CHECK: %[[NUMBER:.+]] = arith.fptosi
  // CHECK: %[[BYTE:.+]] = arith.select %[[ISVALUE]], %{{.+}}, %{{.+}} : i32
  // CHECK: arith.trunci %[[BYTE]] : i32 to i8
  %e = phantom.encode %x <int8> : tensor<2x4x8xf32> -> tensor<2x4x12xi8>
  // CHECK: %[[SCALES:.+]] = linalg.generic
  // CHECK-COUNT-4: tensor.extract %[[E]]
  // CHECK: arith.bitcast %{{.+}} : i32 to f32
  // CHECK: linalg.generic {{.*}} ins(%[[SCALES]] : tensor<2x4xf32>)
  // CHECK: %[[Q:.+]] = arith.sitofp %{{.+}} : i8 to f32
  // CHECK: arith.mulf %[[Q]], %{{.+}} : f32
  %d = phantom.decode %e <int8> : tensor<2x4x12xi8> -> tensor<2x4x8xf32>
  return %e, %d : tensor<2x4x12xi8>, tensor<2x4x8xf32>
}

// At random, with bits of the element among those of all ranks.
// CHECK-LABEL: func @encode_at_random
// CHECK-SAME: %[[RANK:[^:]+]]: tensor<i64> {phantom.scalar = "rank"}
func.func @encode_at_random(%x: tensor<2x4x8xf32>, %key: tensor<i64>, %step: tensor<i64>) -> (tensor<2x4x12xi8>, tensor<2x4x8xbf16>) {
  // CHECK: tensor.extract %[[RANK]][] : tensor<i64>
  // CHECK-COUNT-20: arith.xori
  // CHECK: math.floor
  %e = phantom.encode %x <int8> counter(%key, %step : tensor<i64>, tensor<i64>) {site = 0 : i64} : tensor<2x4x8xf32> -> tensor<2x4x12xi8>
  // CHECK-COUNT-20: arith.xori
  // CHECK: %[[RAW:.+]] = arith.bitcast %{{.+}} : f32 to i32
  // CHECK: %[[BITS:.+]] = arith.addi %[[RAW]], %{{.+}} : i32
  // CHECK: arith.shrui %[[BITS]]
  // CHECK: arith.bitcast %{{.+}} : i16 to bf16
  // CHECK: arith.cmpf uno
  %f = phantom.encode %x <bf16> counter(%key, %step : tensor<i64>, tensor<i64>) {site = 1 : i64} : tensor<2x4x8xf32> -> tensor<2x4x8xbf16>
  return %e, %f : tensor<2x4x12xi8>, tensor<2x4x8xbf16>
}

// CHECK-LABEL: func @encode_bf16
// FUSED-LABEL: func @encode_bf16
// FUSED: linalg.generic
// FUSED-NEXT: ^bb0
// FUSED-NEXT: arith.negf
// FUSED-NEXT: arith.truncf {{.*}} : f32 to bf16
func.func @encode_bf16(%x: tensor<2x4x8xf32>) -> (tensor<2x4x8xbf16>, tensor<2x4x8xf32>) {
  // CHECK: arith.negf
  %y = arith.negf %x : tensor<2x4x8xf32>
  // CHECK: arith.truncf %{{.+}} : f32 to bf16
  %e = phantom.encode %y <bf16> : tensor<2x4x8xf32> -> tensor<2x4x8xbf16>
  // CHECK: arith.extf %{{.+}} : bf16 to f32
  %d = phantom.decode %e <bf16> : tensor<2x4x8xbf16> -> tensor<2x4x8xf32>
  return %e, %d : tensor<2x4x8xbf16>, tensor<2x4x8xf32>
}

// Plain loops widen factors of bf16.
// REFERENCE-LABEL: func @gemm_bf16
// REFERENCE: %[[A:[^ ]+]] = arith.extf %{{.+}} : bf16 to f32
// REFERENCE: %[[B:[^ ]+]] = arith.extf %{{.+}} : bf16 to f32
// REFERENCE: %[[P:[^ ]+]] = arith.mulf %[[A]], %[[B]] : f32
// REFERENCE: arith.addf %{{.+}}, %[[P]] : f32
func.func @gemm_bf16(%a: tensor<2x3xbf16>, %b: tensor<3x5xbf16>) -> tensor<2x5xf32> {
  %e = tensor.empty() : tensor<2x5xf32>
  %c = phantom.gemm ins(%a, %b : tensor<2x3xbf16>, tensor<3x5xbf16>) outs(%e : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %c : tensor<2x5xf32>
}
