// RUN: phantom-opt %s --phantom-optimize-exchanges --split-input-file --verify-diagnostics | FileCheck %s
// RUN: phantom-opt %s --phantom-optimize-exchanges --split-input-file 2>/dev/null | phantom-opt --phantom-verify-partition --split-input-file

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]

// What nothing uses, and what only removed exchanges used.
// CHECK-LABEL: func @dead
// CHECK-NEXT: return
// expected-remark @+1 {{@dead: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @dead(%x: tensor<2x8xf32, #s0>) {
  // expected-remark @+1 {{nothing uses this all-gather, which is removed: 192 bytes fewer sent per rank and call of @dead}}
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  return
}

// CHECK-LABEL: func @twice
// CHECK: %[[A:.+]] = phantom.all_gather %arg0
// CHECK-NOT: phantom.all_gather
// CHECK: return %[[A]], %[[A]]
// expected-remark @+1 {{@twice: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @twice(%x: tensor<2x8xf32, #s0>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  // expected-remark @+1 {{the same all-gather was made before, and serves again: 192 bytes}}
  %b = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  return %a, %b : tensor<8x8xf32>, tensor<8x8xf32>
}

// One gathered for uses that differ per rank, and one for uses that do not, in either order.
// CHECK-LABEL: func @both_states
// CHECK: %[[A:.+]] = phantom.all_gather %arg0 {{.*}} -> tensor<8x8xf32>
// CHECK: %[[R:.+]] = phantom.replicate %[[A]]
// CHECK-NOT: phantom.all_gather
// CHECK: phantom.linear %[[R]]
// CHECK: return {{.*}}, %[[A]]
// expected-remark @+1 {{@both_states: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @both_states(%x: tensor<2x8xf32, #s0>, %w: tensor<4x8xf32, #s0>) -> (tensor<8x4xf32, #s1>, tensor<8x8xf32>) {
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32, #per_rank>
  %y = phantom.linear %a, %w : (tensor<8x8xf32, #per_rank>, tensor<4x8xf32, #s0>) -> tensor<8x4xf32, #s1>
  // expected-remark @+1 {{the same all-gather was made before}}
  %b = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  return %y, %b : tensor<8x4xf32, #s1>, tensor<8x8xf32>
}

// CHECK-LABEL: func @replicated_first
// CHECK: %[[A:.+]] = phantom.all_gather %arg0 {{.*}} -> tensor<8x8xf32>
// CHECK: %[[R:.+]] = phantom.replicate %[[A]]
// CHECK-NOT: phantom.all_gather
// CHECK: phantom.linear %[[R]]
// expected-remark @+1 {{@replicated_first: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @replicated_first(%x: tensor<2x8xf32, #s0>, %w: tensor<4x8xf32, #s0>) -> (tensor<8x4xf32, #s1>, tensor<8x8xf32>) {
  %b = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  // expected-remark @+1 {{the same all-gather was made before}}
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32, #per_rank>
  %y = phantom.linear %a, %w : (tensor<8x8xf32, #per_rank>, tensor<4x8xf32, #s0>) -> tensor<8x4xf32, #s1>
  return %y, %b : tensor<8x4xf32, #s1>, tensor<8x8xf32>
}

// Each rank keeps its block of a sum.
// CHECK-LABEL: func @own_block
// CHECK-NEXT: %[[S:.+]] = phantom.reduce_scatter %arg0 dim 1
// CHECK-NEXT: return %[[S]]
// expected-remark @+1 {{@own_block: 1 exchanges removed, shared or merged: 48 bytes fewer sent per rank and call}}
func.func @own_block(%x: tensor<2x8xf32, #partial>) -> tensor<2x2xf32, #s1> {
  // expected-remark @+1 {{this all-reduce becomes a reduce-scatter: 48 bytes fewer sent per rank}}
  %a = phantom.all_reduce %x on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %b = phantom.local_slice %a dim 1 on @mesh "phantom" : tensor<2x8xf32> -> tensor<2x2xf32, #s1>
  return %b : tensor<2x2xf32, #s1>
}

// Not where all of it is used, too.
// CHECK-LABEL: func @all_of_it
// CHECK: phantom.all_reduce
// CHECK: phantom.local_slice
func.func @all_of_it(%x: tensor<2x8xf32, #partial>) -> (tensor<2x2xf32, #s1>, tensor<2x8xf32>) {
  %a = phantom.all_reduce %x on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %b = phantom.local_slice %a dim 1 on @mesh "phantom" : tensor<2x8xf32> -> tensor<2x2xf32, #s1>
  return %b, %a : tensor<2x2xf32, #s1>, tensor<2x8xf32>
}

// CHECK-LABEL: func @there_and_back
// CHECK-NEXT: return %arg0
// expected-remark @+1 {{@there_and_back: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @there_and_back(%x: tensor<2x8xf32, #s0>) -> tensor<2x8xf32, #s0> {
  // expected-remark @+1 {{nothing uses this all-gather}}
  %a = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  %b = phantom.local_slice %a dim 0 on @mesh "phantom" : tensor<8x8xf32> -> tensor<2x8xf32, #s0>
  return %b : tensor<2x8xf32, #s0>
}

// Sums of three, with something else between; other shapes and kinds stay apart.
// CHECK-LABEL: func @sums
// CHECK: %[[AB:.+]] = arith.addf %arg0, %arg1 : tensor<2x8xf32, #partial>
// CHECK: %[[ABC:.+]] = arith.addf %[[AB]], %arg2
// CHECK: %[[S:.+]] = phantom.all_reduce %[[ABC]]
// CHECK: %[[G:.+]] = phantom.all_gather %arg4
// CHECK: %[[T:.+]] = arith.addf %arg3, %[[S]]
// CHECK: %[[U:.+]] = arith.addf %[[G]], %[[T]]
// CHECK: return %[[U]]
// expected-remark @+1 {{@sums: 1 exchanges removed, shared or merged: 192 bytes fewer sent per rank and call}}
func.func @sums(%x: tensor<2x8xf32, #partial>, %y: tensor<2x8xf32, #partial>, %z: tensor<2x8xf32, #partial>,
                %r: tensor<2x8xf32>, %g: tensor<2x2xf32, #s1>) -> tensor<2x8xf32> {
  %a = phantom.all_reduce %x on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %0 = arith.addf %r, %a : tensor<2x8xf32>
  %b = phantom.all_reduce %y on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %1 = arith.addf %0, %b : tensor<2x8xf32>
  // expected-remark @+1 {{one all-reduce of a sum serves instead of 3: 192 bytes fewer sent per rank and call of @sums}}
  %c = phantom.all_reduce %z on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %d = phantom.all_gather %g dim 1 on @mesh "phantom" : tensor<2x2xf32, #s1> -> tensor<2x8xf32>
  %2 = arith.addf %c, %d : tensor<2x8xf32>
  %3 = arith.addf %1, %2 : tensor<2x8xf32>
  return %3 : tensor<2x8xf32>
}

// Results that something else uses, too.
// CHECK-LABEL: func @used_otherwise
// CHECK-COUNT-2: phantom.all_reduce
func.func @used_otherwise(%x: tensor<2x8xf32, #partial>, %y: tensor<2x8xf32, #partial>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %a = phantom.all_reduce %x on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %b = phantom.all_reduce %y on @mesh "phantom" : tensor<2x8xf32, #partial> -> tensor<2x8xf32>
  %s = arith.addf %a, %b : tensor<2x8xf32>
  return %s, %a : tensor<2x8xf32>, tensor<2x8xf32>
}
