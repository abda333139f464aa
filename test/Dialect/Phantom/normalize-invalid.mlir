// RUN: phantom-opt %s --split-input-file --verify-diagnostics

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>, %s: tensor<4xf32>) {
  // expected-error @+1 {{scale and shift must be of a sample's shape, not}}
  %y = phantom.normalize <layer> %x scale %s epsilon 1.0e-5 : (tensor<2x8xf32>, tensor<4xf32>) -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{over 3 dimensions of an operand of rank 2}}
  %y = phantom.normalize <rms> %x over 3 epsilon 1.0e-5 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{epsilon -1.000000e+00 must be finite and not negative}}
  %y = phantom.normalize <rms> %x epsilon -1.0 : (tensor<2x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{result must be of the operand's type}}
  %y = phantom.normalize <rms> %x epsilon 0.0 : (tensor<2x8xf32>) -> tensor<8x2xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{has states that no normalisation has: see the table of phantom.normalize}}
  %y = phantom.normalize <rms> %x epsilon 0.0 : (tensor<2x8xf32, #s1>) -> tensor<2x8xf32, #s1>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s0>, %s: tensor<8xf32>) {
  // expected-error @+1 {{has states that no normalisation has}}
  %y = phantom.normalize <rms> %x scale %s epsilon 0.0 : (tensor<2x8xf32, #s0>, tensor<8xf32>) -> tensor<2x8xf32, #s0>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #partial>) {
  // expected-error @+1 {{has states that no normalisation has}}
  %y = phantom.normalize <rms> %x epsilon 0.0 : (tensor<2x8xf32, #partial>) -> tensor<2x8xf32, #partial>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>, %t: tensor<2x2xf32, #per_rank>) {
  // expected-error @+1 {{statistics 'tensor<2x2xf32, #phantom.state<"phantom" = per_rank>>' must be of shape 'tensor<3x2xf32>'}}
  %y = phantom.normalize <layer> %x statistics %t of 32 epsilon 0.0 : (tensor<2x8xf32, #s1>, tensor<2x2xf32, #per_rank>) -> tensor<2x8xf32, #s1>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>, %t: tensor<2xf32, #per_rank>) {
  // expected-error @+1 {{samples need at least one element}}
  %y = phantom.normalize <rms> %x statistics %t of 0 epsilon 0.0 : (tensor<2x8xf32, #s1>, tensor<2xf32, #per_rank>) -> tensor<2x8xf32, #s1>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>, %d: tensor<2x4xf32>) {
  // expected-error @+1 {{cotangent and result must be of the operand's type}}
  %y = phantom.normalize_gradient <rms> %x, %d epsilon 0.0 : (tensor<2x8xf32>, tensor<2x4xf32>) -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>, %t: tensor<3x2xf32, #per_rank>) {
  // expected-error @+1 {{result must hold 2 values for each sample}}
  %y = phantom.normalize_sums <layer> %x, %x statistics %t of 32 epsilon 0.0 : (tensor<2x8xf32, #s1>, tensor<2x8xf32, #s1>, tensor<3x2xf32, #per_rank>) -> tensor<1x2xf32, #partial>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>, %t: tensor<3x2xf32, #per_rank>) {
  // expected-error @+1 {{result must be partial}}
  %y = phantom.normalize_sums <layer> %x, %x statistics %t of 32 epsilon 0.0 : (tensor<2x8xf32, #s1>, tensor<2x8xf32, #s1>, tensor<3x2xf32, #per_rank>) -> tensor<2x2xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{result must be of shape 'tensor<1x3x2xf32>'}}
  %y = phantom.statistics <layer> %x [1] : tensor<2x8xf32, #s1> -> tensor<3x2xf32, #s0>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{must be over a sharded dimension and give a partial value}}
  %y = phantom.statistics <rms> %x [0] : tensor<2x8xf32, #s1> -> tensor<8xf32, #partial>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{names dimension 1 twice}}
  %y = phantom.statistics <rms> %x [1, 1] : tensor<2x8xf32> -> tensor<2xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<4x2xf32>) {
  // expected-error @+1 {{of 'rms': its sums are added by an all_reduce}}
  %y = phantom.merge_statistics <rms> %x parts_of 2 : tensor<4x2xf32> -> tensor<2xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<4x2x8xf32>) {
  // expected-error @+1 {{takes [parts, 3, samples…] and gives [3, samples…]}}
  %y = phantom.merge_statistics <layer> %x parts_of 2 : tensor<4x2x8xf32> -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<4x3x8xf32, #per_rank>) {
  // expected-error @+1 {{must be of replicated values}}
  %y = phantom.merge_statistics <layer> %x parts_of 2 : tensor<4x3x8xf32, #per_rank> -> tensor<3x8xf32, #per_rank>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s0>, %t: tensor<2x2xf32, #per_rank>) {
  // expected-error @+1 {{takes what ranks exchanged (per_rank) only along a sharded dimension}}
  %y = phantom.softmax %x dim 1 statistics %t : tensor<2x2xf32, #per_rank> : tensor<2x8xf32, #s0>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>, %t: tensor<3xf32>) {
  // expected-error @+1 {{sum must hold one value for each sample}}
  %y = phantom.softmax_gradient %x, %x dim 1 sum %t : tensor<3xf32> : tensor<2x8xf32>
  return
}
