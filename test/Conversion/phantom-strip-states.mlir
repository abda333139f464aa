// RUN: phantom-opt %s --phantom-strip-states | FileCheck %s

#s1 = #phantom.state<"phantom" = shard(1)>
phantom.mesh @mesh = [<"phantom" = 2>]

// CHECK-NOT: #phantom.state
// CHECK-LABEL: func @states
// CHECK-SAME: (%{{.*}}: tensor<8x4xf32>) -> tensor<8x8xf32>
func.func @states(%x: tensor<8x4xf32, #s1>) -> tensor<8x8xf32> {
  // CHECK: arith.constant dense<[{{.*}}]> : tensor<2xf32>
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32, #phantom.state<"phantom" = shard(0)>>
  // CHECK: arith.constant dense<2.000000e+00> : tensor<8x4xf32>
  %s = arith.constant dense<2.0> : tensor<8x4xf32, #s1>
  // CHECK: phantom.activation <relu> %{{.*}} : tensor<8x4xf32>
  %r = phantom.activation <relu> %x : tensor<8x4xf32, #s1>
  %t = arith.addf %r, %s : tensor<8x4xf32, #s1>
  // CHECK: phantom.all_gather %{{.*}} : tensor<8x4xf32> -> tensor<8x8xf32>
  %g = phantom.all_gather %t dim 1 on @mesh "phantom" : tensor<8x4xf32, #s1> -> tensor<8x8xf32>
  return %g : tensor<8x8xf32>
}
