// RUN: phantom-opt %s --phantom-partition="strategy=tensor ranks=4" --phantom-verify-partition | FileCheck %s
// RUN: phantom-opt %s --phantom-partition="strategy=tensor ranks=4" --phantom-differentiate="loss=mse" --phantom-verify-partition | FileCheck %s --check-prefix=GRADIENT

// Of divided samples, statistics travel, never activations.

phantom.parameter @fc1.weight : tensor<16x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @norm.weight : tensor<16xf32> init <uniform, fan_in = 16> trainable
phantom.parameter @norm.bias : tensor<16xf32> init <zeros> trainable
phantom.parameter @fc2.weight : tensor<4x16xf32> init <uniform, fan_in = 16> trainable

// CHECK: phantom.parameter @norm.weight : tensor<4xf32> layout <shard(0)>
// CHECK: phantom.parameter @norm.bias : tensor<4xf32> layout <shard(0)>
// CHECK-LABEL: func @forward
// CHECK: %[[X:.+]] = phantom.linear %{{.*}} -> tensor<5x4xf32, #shard1>
// CHECK: %[[S:.+]] = phantom.statistics <layer> %[[X]] [1] : tensor<5x4xf32, #shard1> -> tensor<1x3x5xf32, #shard0>
// CHECK: %[[G:.+]] = phantom.all_gather %[[S]] dim 0 on @mesh "phantom" : tensor<1x3x5xf32, #shard0> -> tensor<4x3x5xf32>
// CHECK: %[[M:.+]] = phantom.merge_statistics <layer> %[[G]] parts_of 4
// CHECK: %[[R:.+]] = phantom.replicate %[[M]]
// CHECK: %[[Y:.+]] = phantom.normalize <layer> %[[X]] scale %{{.*}} shift %{{.*}} statistics %[[R]] of 16 epsilon
// The same samples again need no exchange.
// CHECK-NOT: phantom.statistics <layer>
// CHECK: %[[Z:.+]] = phantom.normalize <layer> %[[X]] statistics %[[R]] of 16
// CHECK: %[[Q:.+]] = phantom.statistics <rms> %[[A:.+]] [1] : tensor<5x4xf32, #shard1> -> tensor<5xf32, #partial>
// CHECK: %[[QS:.+]] = phantom.all_reduce %[[Q]]
// CHECK: %[[QR:.+]] = phantom.replicate %[[QS]]
// CHECK: %[[N:.+]] = phantom.normalize <rms> %[[A]] statistics %[[QR]] of 16
// CHECK: %[[T:.+]] = phantom.statistics <softmax> %[[N]] [1]
// CHECK: %[[TG:.+]] = phantom.all_gather %[[T]] dim 0 {{.*}} -> tensor<4x2x5xf32>
// CHECK: %[[TM:.+]] = phantom.merge_statistics <softmax> %[[TG]] parts_of 4
// CHECK: %[[TR:.+]] = phantom.replicate %[[TM]]
// CHECK: phantom.softmax %[[N]] dim 1 statistics %[[TR]]

// GRADIENT-LABEL: func @gradients
// GRADIENT: phantom.loss_gradient
// GRADIENT: %[[DY:.+]] = phantom.linear
// GRADIENT: %[[P:.+]] = phantom.reduce_sum %{{.*}} [1] : tensor<5x4xf32, #shard1> -> tensor<5xf32, #partial>
// GRADIENT: %[[PS:.+]] = phantom.all_reduce %[[P]]
// GRADIENT: %[[PR:.+]] = phantom.replicate %[[PS]]
// GRADIENT: phantom.softmax_gradient %{{.*}}, %[[DY]] dim 1 sum %[[PR]]
// GRADIENT: %[[RS:.+]] = phantom.normalize_sums <rms> {{.*}} -> tensor<1x5xf32, #partial>
// GRADIENT: %[[RA:.+]] = phantom.all_reduce %[[RS]]
// GRADIENT: %[[RR:.+]] = phantom.replicate %[[RA]]
// GRADIENT: phantom.normalize_gradient <rms> {{.*}} sums %[[RR]] of 16
// GRADIENT: %[[LS:.+]] = phantom.normalize_sums <layer> {{.*}} -> tensor<2x5xf32, #partial>
// GRADIENT: phantom.normalize_gradient <layer>
// GRADIENT: phantom.reduce_sum %{{.*}} [0] : tensor<5x4xf32, #shard1> -> tensor<4xf32, #shard0>
func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %w1: tensor<16x8xf32> {phantom.parameter = @fc1.weight},
                   %s: tensor<16xf32> {phantom.parameter = @norm.weight}, %b: tensor<16xf32> {phantom.parameter = @norm.bias},
                   %w2: tensor<4x16xf32> {phantom.parameter = @fc2.weight}) -> (tensor<5x4xf32> {phantom.output = "y"}) {
  %0 = phantom.linear %x, %w1 : (tensor<5x8xf32>, tensor<16x8xf32>) -> tensor<5x16xf32>
  %1 = phantom.normalize <layer> %0 scale %s shift %b epsilon 1.0e-5 : (tensor<5x16xf32>, tensor<16xf32>, tensor<16xf32>) -> tensor<5x16xf32>
  %2 = phantom.normalize <layer> %0 epsilon 1.0e-5 : (tensor<5x16xf32>) -> tensor<5x16xf32>
  %3 = arith.addf %1, %2 : tensor<5x16xf32>
  %4 = phantom.normalize <rms> %3 epsilon 1.0e-5 : (tensor<5x16xf32>) -> tensor<5x16xf32>
  %5 = phantom.softmax %4 dim 1 : tensor<5x16xf32>
  %6 = phantom.linear %5, %w2 : (tensor<5x16xf32>, tensor<4x16xf32>) -> tensor<5x4xf32>
  return %6 : tensor<5x4xf32>
}
