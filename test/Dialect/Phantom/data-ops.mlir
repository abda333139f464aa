// RUN: phantom-opt %s | phantom-opt | FileCheck %s
// RUN: phantom-opt %s --canonicalize | FileCheck %s --check-prefix=FOLD

#s1 = #phantom.state<"phantom" = shard(1)>
#s2 = #phantom.state<"phantom" = shard(2)>
phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: func @parts
func.func @parts(%x: tensor<?x10xf32>, %y: tensor<?x3xf32>, %s: tensor<6x4xf32, #s1>)
    -> (tensor<?x3xf32>, tensor<?x0xf32>, tensor<2x4xf32, #s1>, tensor<?x10xf32>, tensor<?x13xf32>) {
  // CHECK: phantom.slice %{{.+}} [0, 4] by [1, 2] : tensor<?x10xf32> -> tensor<?x3xf32>
  %a = phantom.slice %x [0, 4] by [1, 2] : tensor<?x10xf32> -> tensor<?x3xf32>
  // Nothing, from behind the last column.
  // CHECK: phantom.slice %{{.+}} [0, 10] by [1, 1] : tensor<?x10xf32> -> tensor<?x0xf32>
  %b = phantom.slice %x [0, 10] by [1, 1] : tensor<?x10xf32> -> tensor<?x0xf32>
  // CHECK: phantom.slice %{{.+}} [5, 0] by [-3, 1] : tensor<6x4xf32, #{{.+}}> -> tensor<2x4xf32, #{{.+}}>
  %c = phantom.slice %s [5, 0] by [-3, 1] : tensor<6x4xf32, #s1> -> tensor<2x4xf32, #s1>
  // CHECK: phantom.slice_gradient %{{.+}} [0, 4] by [1, 2] : tensor<?x3xf32> -> tensor<?x10xf32>
  %d = phantom.slice_gradient %y [0, 4] by [1, 2] : tensor<?x3xf32> -> tensor<?x10xf32>
  // CHECK: phantom.concat %{{.+}}, %{{.+}} dim 1 : (tensor<?x10xf32>, tensor<?x3xf32>) -> tensor<?x13xf32>
  %e = phantom.concat %x, %y dim 1 : (tensor<?x10xf32>, tensor<?x3xf32>) -> tensor<?x13xf32>
  return %a, %b, %c, %d, %e : tensor<?x3xf32>, tensor<?x0xf32>, tensor<2x4xf32, #s1>, tensor<?x10xf32>, tensor<?x13xf32>
}

// The width of a table may be sharded: its dimension moves with the indices' shape.
// CHECK-LABEL: func @gathers
func.func @gathers(%table: tensor<9x4xf32, #s1>, %tokens: tensor<5x3xi64>, %dy: tensor<5x3x4xf32, #s2>)
    -> (tensor<5x3x4xf32, #s2>, tensor<9x4xf32, #s1>) {
  // CHECK: phantom.gather %{{.+}}, %{{.+}} dim 0 : (tensor<9x4xf32, #{{.+}}>, tensor<5x3xi64>) -> tensor<5x3x4xf32, #{{.+}}>
  %y = phantom.gather %table, %tokens dim 0 : (tensor<9x4xf32, #s1>, tensor<5x3xi64>) -> tensor<5x3x4xf32, #s2>
  // CHECK: phantom.gather_gradient %{{.+}}, %{{.+}} dim 0 : (tensor<5x3x4xf32, #{{.+}}>, tensor<5x3xi64>) -> tensor<9x4xf32, #{{.+}}>
  %g = phantom.gather_gradient %dy, %tokens dim 0 : (tensor<5x3x4xf32, #s2>, tensor<5x3xi64>) -> tensor<9x4xf32, #s1>
  return %y, %g : tensor<5x3x4xf32, #s2>, tensor<9x4xf32, #s1>
}

// CHECK-LABEL: func @casts
func.func @casts(%i: tensor<8xi8>, %x: tensor<8xf32>) -> (tensor<8xf32>, tensor<8xi8>, tensor<8xf32>) {
  // CHECK: phantom.cast %{{.+}} {unsigned_input} : tensor<8xi8> -> tensor<8xf32>
  %a = phantom.cast %i {unsigned_input} : tensor<8xi8> -> tensor<8xf32>
  // CHECK: phantom.cast %{{.+}} : tensor<8xf32> -> tensor<8xi8>
  %b = phantom.cast %x : tensor<8xf32> -> tensor<8xi8>
  // CHECK: phantom.cast %{{.+}} rounded <bf16> : tensor<8xf32> -> tensor<8xf32>
  %c = phantom.cast %x rounded <bf16> : tensor<8xf32> -> tensor<8xf32>
  return %a, %b, %c : tensor<8xf32>, tensor<8xi8>, tensor<8xf32>
}

// What changes nothing goes away; what reverses or rounds does not.
// FOLD-LABEL: func @nothing
// FOLD-SAME: %[[X:.+]]: tensor<4x6xf32>
func.func @nothing(%x: tensor<4x6xf32>) -> (tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>) {
  // FOLD-NEXT: %[[BACK:.+]] = phantom.slice %[[X]] [0, 5] by [1, -1]
  // FOLD-NEXT: %[[ROUNDED:.+]] = phantom.cast %[[X]] rounded <f16>
  // FOLD-NEXT: return %[[X]], %[[X]], %[[X]], %[[BACK]], %[[ROUNDED]]
  %a = phantom.slice %x [0, 0] by [1, 1] : tensor<4x6xf32> -> tensor<4x6xf32>
  %b = phantom.concat %x dim 0 : (tensor<4x6xf32>) -> tensor<4x6xf32>
  %c = phantom.cast %x : tensor<4x6xf32> -> tensor<4x6xf32>
  %d = phantom.slice %x [0, 5] by [1, -1] : tensor<4x6xf32> -> tensor<4x6xf32>
  %e = phantom.cast %x rounded <f16> : tensor<4x6xf32> -> tensor<4x6xf32>
  return %a, %b, %c, %d, %e : tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>, tensor<4x6xf32>
}
