// RUN: phantom-opt %s --phantom-specialize-batch=batch-size=32 --split-input-file | FileCheck %s

// CHECK-LABEL: func @rows
// CHECK-SAME: tensor<32x64xf32> {phantom.input = "x"}
// CHECK-SAME: -> (tensor<32x10xf32> {phantom.output = "y"})
func.func @rows(%x: tensor<?x64xf32> {phantom.input = "x"}, %w: tensor<10x64xf32>, %b: tensor<10xf32>)
    -> (tensor<?x10xf32> {phantom.output = "y"}) {
  // CHECK: phantom.linear {{.*}} -> tensor<32x10xf32>
  %y = phantom.linear %x, %w : (tensor<?x64xf32>, tensor<10x64xf32>) -> tensor<?x10xf32>
  // CHECK: phantom.broadcast {{.*}} -> tensor<32x10xf32>
  %c = phantom.broadcast %b like %y : (tensor<10xf32>, tensor<?x10xf32>) -> tensor<?x10xf32>
  // CHECK: arith.addf {{.*}} : tensor<32x10xf32>
  %z = arith.addf %y, %c : tensor<?x10xf32>
  return %z : tensor<?x10xf32>
}

// -----

// A reshape may merge the batch with other dimensions.
// CHECK-LABEL: func @merged
func.func @merged(%x: tensor<?x4x8xf32> {phantom.input = "x"}) -> tensor<8x?xf32> {
  // CHECK: phantom.reshape {{.*}} : tensor<32x4x8xf32> -> tensor<128x8xf32>
  %y = phantom.reshape %x : tensor<?x4x8xf32> -> tensor<?x8xf32>
  // CHECK: phantom.activation <relu> %{{.*}} : tensor<128x8xf32>
  %z = phantom.activation <relu> %y : tensor<?x8xf32>
  // CHECK: phantom.transpose {{.*}} : tensor<128x8xf32> -> tensor<8x128xf32>
  %t = phantom.transpose %z [1, 0] : tensor<?x8xf32> -> tensor<8x?xf32>
  return %t : tensor<8x?xf32>
}
