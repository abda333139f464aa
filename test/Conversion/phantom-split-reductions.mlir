// RUN: phantom-opt %s --phantom-split-reductions --split-input-file 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK --input-file=%t

// Blocks make sums along rows: a whole loop becomes parallel where it has about as many iterations as there should be blocks.
// CHECK-LABEL: func @norm
// CHECK: %[[Z:.+]] = linalg.fill {{.*}} -> tensor<f64>
// CHECK: %[[P0:.+]] = linalg.fill {{.*}} -> tensor<1024xf64>
// CHECK: %[[P:.+]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%arg0 : tensor<1024x1000xf32>) outs(%[[P0]] :
// CHECK: arith.addf {{.*}} fastmath<reassoc> : f64
// CHECK: %[[S:.+]] = linalg.generic {{.*}}iterator_types = ["reduction"]} ins(%[[P]] : tensor<1024xf64>) outs(%[[Z]] :
// CHECK: arith.addf %{{.+}}, %{{.+}} fastmath<reassoc> : f64
// CHECK: return %[[S]]
// REMARK: remark: @norm: 1 large sums are made in parts
func.func @norm(%g: tensor<1024x1000xf32>) -> tensor<f64> {
  %c = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<f64>
  %z = linalg.fill ins(%c : f64) outs(%e : tensor<f64>) -> tensor<f64>
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> ()>], iterator_types = ["reduction", "reduction"]}
      ins(%g : tensor<1024x1000xf32>) outs(%z : tensor<f64>) {
  ^bb0(%x: f32, %a: f64):
    %w = arith.extf %x : f32 to f64
    %q = arith.mulf %w, %w : f64
    %n = arith.addf %a, %q fastmath<reassoc> : f64
    linalg.yield %n : f64
  } -> tensor<f64>
  return %s : tensor<f64>
}

// -----

// Threads make sums along columns, beside each other.
// CHECK-LABEL: func @bias
// CHECK: %[[X:.+]] = tensor.expand_shape %arg0 {{\[\[}}0, 1], [2]] output_shape [32, 64, 512]
// CHECK: %[[P:.+]] = linalg.generic {{.*}}iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[X]] : tensor<32x64x512xf32>) outs(%{{.+}} : tensor<32x512xf32>)
// CHECK: linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]} ins(%[[P]] : tensor<32x512xf32>) outs(%arg1 : tensor<512xf32>)
func.func @bias(%g: tensor<2048x512xf32>, %b: tensor<512xf32>) -> tensor<512xf32> {
  %s = linalg.generic {indexing_maps = [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d1)>], iterator_types = ["reduction", "parallel"]}
      ins(%g : tensor<2048x512xf32>) outs(%b : tensor<512xf32>) {
  ^bb0(%x: f32, %a: f32):
    %n = arith.addf %a, %x : f32
    linalg.yield %n : f32
  } -> tensor<512xf32>
  return %s : tensor<512xf32>
}

// -----

// The nearest number of parts that divides 99990. What is no sum is written as before, and an index is that of the whole loop.
// CHECK: #map{{[0-9]*}} = affine_map<(d0, d1) -> (d0 * 505 + d1)>
// CHECK-LABEL: func @update
// CHECK-DAG: %[[G:.+]] = tensor.expand_shape %arg0 {{\[\[}}0, 1]] output_shape [198, 505]
// CHECK-DAG: %[[W:.+]] = tensor.expand_shape %arg1 {{\[\[}}0, 1]] output_shape [198, 505]
// CHECK: %[[R:.+]]:2 = linalg.generic {{.*}}iterator_types = ["parallel", "reduction"]} ins(%[[G]] : tensor<198x505xf32>) outs(%[[W]], %{{.+}} : tensor<198x505xf32>, tensor<198xf64>)
// CHECK: %[[I:.+]] = linalg.index 0
// CHECK: %[[J:.+]] = linalg.index 1
// CHECK: affine.apply #map{{[0-9]*}}(%[[I]], %[[J]])
// CHECK: %[[NEW:.+]] = tensor.collapse_shape %[[R]]#0
// CHECK: %[[S:.+]] = linalg.generic {{.*}} ins(%[[R]]#1 : tensor<198xf64>) outs(%arg2 : tensor<f64>)
// CHECK: return %[[NEW]], %[[S]]
func.func @update(%g: tensor<99990xf32>, %w: tensor<99990xf32>, %z: tensor<f64>) -> (tensor<99990xf32>, tensor<f64>) {
  %s:2 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%g : tensor<99990xf32>) outs(%w, %z : tensor<99990xf32>, tensor<f64>) {
  ^bb0(%x: f32, %p: f32, %a: f64):
    %i = linalg.index 0 : index
    %j = arith.index_cast %i : index to i32
    %k = arith.sitofp %j : i32 to f32
    %d = arith.subf %p, %k : f32
    %v = arith.extf %x : f32 to f64
    %n = arith.addf %a, %v : f64
    linalg.yield %d, %n : f32, f64
  } -> (tensor<99990xf32>, tensor<f64>)
  return %s#0, %s#1 : tensor<99990xf32>, tensor<f64>
}

// -----

// Left alone: a small sum, one of a prime number of terms, one whose terms depend on the sum so far, and one that moves along a window.
// CHECK-LABEL: func @left_alone
// CHECK-NOT: tensor.expand_shape
// CHECK-COUNT-4: linalg.generic
// CHECK-NOT: linalg.generic
// CHECK: return
#one = affine_map<(d0) -> (d0)>
#none = affine_map<(d0) -> ()>
func.func @left_alone(%small: tensor<4000xf32>, %prime: tensor<65537xf32>, %x: tensor<8192xf32>, %window: tensor<8193xf32>, %z: tensor<f32>)
    -> (tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>) {
  %0 = linalg.generic {indexing_maps = [#one, #none], iterator_types = ["reduction"]} ins(%small : tensor<4000xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %n = arith.addf %s, %a : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [#one, #none], iterator_types = ["reduction"]} ins(%prime : tensor<65537xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %n = arith.addf %s, %a : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %2 = linalg.generic {indexing_maps = [#one, #none], iterator_types = ["reduction"]} ins(%x : tensor<8192xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %s: f32):
    %t = arith.mulf %s, %a : f32
    %n = arith.addf %s, %t : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  %3 = linalg.generic {indexing_maps = [affine_map<(d0) -> (d0 + 1)>, #one, #none], iterator_types = ["reduction"]}
      ins(%window, %x : tensor<8193xf32>, tensor<8192xf32>) outs(%z : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %s: f32):
    %t = arith.mulf %a, %b : f32
    %n = arith.addf %s, %t : f32
    linalg.yield %n : f32
  } -> tensor<f32>
  return %0, %1, %2, %3 : tensor<f32>, tensor<f32>, tensor<f32>, tensor<f32>
}
