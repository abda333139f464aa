// RUN: phantom-opt %s --split-input-file | phantom-opt --split-input-file | FileCheck %s
// RUN: phantom-opt %s --split-input-file --canonicalize | FileCheck %s --check-prefix=CANONICAL

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @whole
func.func @whole(%x: tensor<?x3x64xf32>, %s: tensor<64xf32>, %b: tensor<64xf32>, %m: tensor<3x64xf32>) -> tensor<?x3x64xf32> {
  // CHECK: phantom.normalize <layer> %{{.*}} scale %{{.*}} shift %{{.*}} epsilon 1.000000e-05 : (tensor<?x3x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<?x3x64xf32>
  %0 = phantom.normalize <layer> %x scale %s shift %b epsilon 1.0e-5 : (tensor<?x3x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<?x3x64xf32>
  // CHECK: phantom.normalize <rms> %{{.*}} scale %{{.*}} over 2 epsilon
  %1 = phantom.normalize <rms> %0 scale %m over 2 epsilon 0.0 : (tensor<?x3x64xf32>, tensor<3x64xf32>) -> tensor<?x3x64xf32>
  // CHECK: phantom.normalize_gradient <rms> %{{.*}}, %{{.*}} scale %{{.*}} over 2 epsilon
  %2 = phantom.normalize_gradient <rms> %0, %1 scale %m over 2 epsilon 0.0 : (tensor<?x3x64xf32>, tensor<?x3x64xf32>, tensor<3x64xf32>) -> tensor<?x3x64xf32>
  return %2 : tensor<?x3x64xf32>
}

// CHECK-LABEL: func @divided
func.func @divided(%x: tensor<8x16xf32, #s1>, %w: tensor<16xf32, #s0>) -> tensor<8x16xf32, #s1> {
  // CHECK: phantom.statistics <layer> %{{.*}} [1] : tensor<8x16xf32, #shard1> -> tensor<1x3x8xf32, #shard0>
  %s = phantom.statistics <layer> %x [1] : tensor<8x16xf32, #s1> -> tensor<1x3x8xf32, #s0>
  %g = phantom.all_gather %s dim 0 on @mesh "phantom" : tensor<1x3x8xf32, #s0> -> tensor<4x3x8xf32>
  // CHECK: phantom.merge_statistics <layer> %{{.*}} parts_of 16 : tensor<4x3x8xf32> -> tensor<3x8xf32>
  %m = phantom.merge_statistics <layer> %g parts_of 16 : tensor<4x3x8xf32> -> tensor<3x8xf32>
  %r = phantom.replicate %m on @mesh "phantom" : tensor<3x8xf32> -> tensor<3x8xf32, #per_rank>
  // CHECK: phantom.normalize <layer> %{{.*}} scale %{{.*}} statistics %{{.*}} of 64 epsilon
  %y = phantom.normalize <layer> %x scale %w statistics %r of 64 epsilon 1.0e-5 : (tensor<8x16xf32, #s1>, tensor<16xf32, #s0>, tensor<3x8xf32, #per_rank>) -> tensor<8x16xf32, #s1>
  // CHECK: phantom.normalize_sums <layer> %{{.*}}, %{{.*}} scale %{{.*}} statistics %{{.*}} of 64 epsilon {{.*}} -> tensor<2x8xf32, #partial>
  %p = phantom.normalize_sums <layer> %x, %y scale %w statistics %r of 64 epsilon 1.0e-5 : (tensor<8x16xf32, #s1>, tensor<8x16xf32, #s1>, tensor<16xf32, #s0>, tensor<3x8xf32, #per_rank>) -> tensor<2x8xf32, #partial>
  %t = phantom.all_reduce %p on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %q = phantom.replicate %t on @mesh "phantom" : tensor<2x8xf32> -> tensor<2x8xf32, #per_rank>
  // CHECK: phantom.normalize_gradient <layer> %{{.*}}, %{{.*}} scale %{{.*}} statistics %{{.*}} sums %{{.*}} of 64 epsilon
  %d = phantom.normalize_gradient <layer> %x, %y scale %w statistics %r sums %q of 64 epsilon 1.0e-5 : (tensor<8x16xf32, #s1>, tensor<8x16xf32, #s1>, tensor<16xf32, #s0>, tensor<3x8xf32, #per_rank>, tensor<2x8xf32, #per_rank>) -> tensor<8x16xf32, #s1>
  return %d : tensor<8x16xf32, #s1>
}

// CHECK-LABEL: func @softmax
func.func @softmax(%x: tensor<8x16xf32, #s1>, %told: tensor<2x8xf32, #per_rank>, %sum: tensor<8xf32, #per_rank>) -> tensor<8x16xf32, #s1> {
  // CHECK: phantom.statistics <softmax> %{{.*}} [1] : {{.*}} -> tensor<1x2x8xf32, #shard0>
  %s = phantom.statistics <softmax> %x [1] : tensor<8x16xf32, #s1> -> tensor<1x2x8xf32, #s0>
  // CHECK: phantom.statistics <rms> %{{.*}} [1] : {{.*}} -> tensor<8xf32, #partial>
  %q = phantom.statistics <rms> %x [1] : tensor<8x16xf32, #s1> -> tensor<8xf32, #partial>
  // CHECK: phantom.softmax %{{.*}} dim 1 statistics %{{.*}} : tensor<2x8xf32, #per_rank> : tensor<8x16xf32, #shard1>
  %y = phantom.softmax %x dim 1 statistics %told : tensor<2x8xf32, #per_rank> : tensor<8x16xf32, #s1>
  // CHECK: phantom.softmax_gradient %{{.*}}, %{{.*}} dim 1 sum %{{.*}} : tensor<8xf32, #per_rank> : tensor<8x16xf32, #shard1>
  %d = phantom.softmax_gradient %y, %x dim 1 sum %sum : tensor<8xf32, #per_rank> : tensor<8x16xf32, #s1>
  return %d : tensor<8x16xf32, #s1>
}

// A scale of ones and a shift of zeros do nothing.
// CANONICAL-LABEL: func @neutral
// CANONICAL-NEXT: %[[Y:.+]] = phantom.normalize <layer> %{{.*}} epsilon
// CANONICAL-NEXT: return %[[Y]]
func.func @neutral(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %one = arith.constant dense<1.0> : tensor<4xf32>
  %zero = arith.constant dense<0.0> : tensor<f32>
  %wide = phantom.broadcast %zero : (tensor<f32>) -> tensor<4xf32>
  %y = phantom.normalize <layer> %x scale %one shift %wide epsilon 1.0e-5 : (tensor<2x4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
