// RUN: phantom-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{init 'load' needs a source}}
phantom.parameter @w : tensor<4xf32> init <load>

// -----

// expected-error @+1 {{init 'uniform' needs a fan_in of at least 1}}
phantom.parameter @w : tensor<4xf32> init <uniform>

// -----

// expected-error @+1 {{stored shape has 6 elements, the type has 4}}
phantom.parameter @w : tensor<4xf32> layout <stacked as [2, 3]> init <zeros>

// -----

// expected-error @+1 {{is divided along dimension 7, but what is stored has rank 2}}
phantom.parameter @w : tensor<4x2xf32> layout <shard(7)> init <zeros>

// -----

// expected-error @+1 {{is divided along dimension 2, but what is stored has rank 2}}
phantom.parameter @w : tensor<8xf32> layout <shard(2) as [4, 2]> init <zeros>

// -----

// expected-error @+1 {{is state of @v, which is no parameter}}
phantom.parameter @w : tensor<4xf32> init <zeros> state_of @v

// -----

// expected-error @+1 {{type 'tensor<?xf32>' must have a static shape}}
phantom.parameter @w : tensor<?xf32> init <zeros>

// -----

// expected-error @+1 {{has two axes named 'a'}}
phantom.mesh @mesh = [<"a" = 2>, <"a" = 3>]

// -----

// expected-error @+2 {{mesh axis 'a' needs at least one rank, has 0}}
// expected-error @+1 {{failed to parse}}
phantom.mesh @mesh = [<"a" = 0>]

// -----

// expected-error @+1 {{sharded dimension 2 does not exist in a tensor of rank 2}}
func.func private @f(tensor<2x3xf32, #phantom.state<"a" = shard(2)>>)

// -----

func.func @refused(%x: tensor<2x8xf32>, %w: tensor<4x6xf32>) {
  // expected-error @+1 {{input has 8 columns, the weight takes 6}}
  %y = phantom.linear %x, %w : (tensor<2x8xf32>, tensor<4x6xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>) {
  // expected-error @+1 {{output has 5 columns, the weight gives 4}}
  %y = phantom.linear %x, %w : (tensor<2x8xf32>, tensor<4x8xf32>) -> tensor<2x5xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>) {
  // expected-error @+1 {{bias must be of shape [4]}}
  %y = phantom.linear %x, %w bias %b : (tensor<2x8xf32>, tensor<4x8xf32>, tensor<8xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %w: tensor<4x8xf64>) {
  // expected-error @+1 {{mixes element types 'f32' and 'f64'}}
  %y = phantom.linear %x, %w : (tensor<2x8xf32>, tensor<4x8xf64>) -> tensor<2x4xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32>, %w: tensor<4x8xf32, #s0>) {
  // expected-error @+1 {{has states that no kind of linear layer has}}
  %y = phantom.linear %x, %w : (tensor<2x8xf32>, tensor<4x8xf32, #s0>) -> tensor<2x4xf32, #s1>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>, %w: tensor<4x8xf32, #s1>, %b: tensor<4xf32>) {
  // expected-error @+1 {{is row parallel and has a bias, which every rank would add}}
  %y = phantom.linear %x, %w bias %b : (tensor<2x8xf32, #s1>, tensor<4x8xf32, #s1>, tensor<4xf32>) -> tensor<2x4xf32, #partial>
  return
}

// -----

func.func @refused(%d: tensor<2x4xf32>, %x: tensor<3x8xf32>) {
  // expected-error @+1 {{operands must have the same number of rows}}
  %w = phantom.weight_gradient %d, %x : (tensor<2x4xf32>, tensor<3x8xf32>) -> tensor<4x8xf32>
  return
}

// -----

func.func @refused(%a: tensor<2x4xf32>, %b: tensor<3x8xf32>) {
  // expected-error @+1 {{matrix sizes do not fit}}
  %c = phantom.matmul %a, %b : (tensor<2x4xf32>, tensor<3x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @refused(%a: tensor<5x2x4xf32>, %b: tensor<6x4x8xf32>) {
  // expected-error @+1 {{batch dimension 0 differs}}
  %c = phantom.matmul %a, %b : (tensor<5x2x4xf32>, tensor<6x4x8xf32>) -> tensor<5x2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #partial>) {
  // expected-error @+1 {{of a partial value: reduce it first}}
  %y = phantom.activation <relu> %x : tensor<2x8xf32, #partial>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{cannot use from_result: the result of 'gelu_erf' does not determine the slope}}
  %y = phantom.activation_gradient <gelu_erf> %x, %x from_result : tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{along a sharded dimension or of a partial value}}
  %y = phantom.softmax %x dim 1 : tensor<2x8xf32, #s1>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{has dimension 2, but the operand has rank 2}}
  %y = phantom.softmax %x dim 2 : tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{ratio 1.000000e+00 is not in [0, 1)}}
  %y = phantom.dropout %x ratio 1.0 : tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %k: tensor<i64>) {
  // expected-error @+1 {{with a counter needs the key, the step, 'site' and 'whole'}}
  %y = phantom.dropout %x ratio 0.5 counter(%k, %k : tensor<i64>, tensor<i64>) {site = 0 : i64} : tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %k: tensor<i64>) {
  // expected-error @+1 {{input must be a block of 'whole', of static shape}}
  %y = phantom.dropout %x ratio 0.5 counter(%k, %k : tensor<i64>, tensor<i64>) {site = 0 : i64, whole = array<i64: 2, 12>} : tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>, %k: tensor<i64>) {
  // expected-error @+1 {{input must be a block of 'whole' along one dimension}}
  %y = phantom.dropout %x ratio 0.5 counter(%k, %k : tensor<i64>, tensor<i64>) {site = 0 : i64, whole = array<i64: 4, 16>} : tensor<2x8xf32>
  return
}

// -----

func.func @refused(%y: tensor<2x8xf32>, %t: tensor<2xi64>) {
  // expected-error @+1 {{label_smoothing 1.000000e+00 is not in [0, 1)}}
  %l = phantom.loss <cross_entropy> %y, %t {label_smoothing = 1.0} : (tensor<2x8xf32>, tensor<2xi64>) -> tensor<f32>
  return
}

// -----

func.func @refused(%y: tensor<2x8xf32>, %t: tensor<2x8xf32>) {
  // expected-error @+1 {{label_smoothing is of cross-entropy only}}
  %g = phantom.loss_gradient <mse> %y, %t {label_smoothing = 0.1} : (tensor<2x8xf32>, tensor<2x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @refused(%w: tensor<4xf32>, %lr: tensor<f32>, %t: tensor<i64>) {
  // expected-error @+1 {{learning_rate_factor -1.000000e+00 must be at least 0}}
  %u = phantom.update <sgd> %w, %w, () learning_rate %lr step %t {learning_rate_factor = -1.0} : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> tensor<4xf32>
  return
}

// -----

func.func @refused(%w: tensor<4xf32>, %lr: tensor<f32>, %t: tensor<i64>) {
  // expected-error @+1 {{'sgd' keeps 0 states per parameter}}
  %u:2 = phantom.update <sgd> %w, %w, () learning_rate %lr step %t : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>)
  return
}

// -----

func.func @refused(%g: tensor<4xf32, #phantom.state<"phantom" = shard(0)>>) {
  // expected-error @+1 {{must be partial where the input is not replicated, and only there}}
  %n = phantom.squared_norm %g : (tensor<4xf32, #phantom.state<"phantom" = shard(0)>>) -> tensor<f64>
  return
}

// -----

func.func @refused(%x: tensor<3xf32>) {
  // expected-error @+1 {{dimension 0 of extent 3 does not align with 8}}
  %y = phantom.broadcast %x : (tensor<3xf32>) -> tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<8xf32>) {
  // expected-error @+1 {{needs 'like' for a dynamic result dimension}}
  %y = phantom.broadcast %x : (tensor<8xf32>) -> tensor<?x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<8xf32, #s0>) {
  // expected-error @+1 {{of a sharded operand must be sharded along the aligned dimension}}
  %y = phantom.broadcast %x : (tensor<8xf32, #s0>) -> tensor<2x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{from 16 to 15 elements}}
  %y = phantom.reshape %x : tensor<2x8xf32> -> tensor<3x5xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{needs a permutation of the operand's 2 dimensions}}
  %y = phantom.transpose %x [0, 0] : tensor<2x8xf32> -> tensor<2x2xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{result dimension 0 must have extent 8}}
  %y = phantom.transpose %x [1, 0] : tensor<2x8xf32> -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{over the sharded dimension must give a partial value}}
  %y = phantom.reduce_sum %x [1] : tensor<2x8xf32, #s1> -> tensor<2xf32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{sums over dimension 0 twice}}
  %y = phantom.reduce_sum %x [0, 0] : tensor<2x8xf32> -> tensor<8xf32>
  return
}

// -----

func.func @refused(%y: tensor<2x8xf32>, %t: tensor<2x7xf32>) {
  // expected-error @+1 {{must be of the prediction's type}}
  %l = phantom.loss <mse> %y, %t : (tensor<2x8xf32>, tensor<2x7xf32>) -> tensor<f32>
  return
}

// -----

func.func @refused(%y: tensor<2x8xf32>, %t: tensor<3xi64>) {
  // expected-error @+1 {{must hold one i64 class for each row of the prediction}}
  %l = phantom.loss <cross_entropy> %y, %t : (tensor<2x8xf32>, tensor<3xi64>) -> tensor<f32>
  return
}

// -----

func.func @refused(%y: tensor<2x0xf32>, %t: tensor<2xi64>) {
  // expected-error @+1 {{is a mean over 'tensor<2x0xf32>', which has no elements}}
  %l = phantom.loss <cross_entropy> %y, %t : (tensor<2x0xf32>, tensor<2xi64>) -> tensor<f32>
  return
}

// -----

func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{takes 0 elements from 9 by 1 of dimension 1, which has 8}}
  %y = phantom.slice %x [0, 9] by [1, 1] : tensor<2x8xf32> -> tensor<2x0xf32>
  return
}

// -----

func.func @refused(%y: tensor<5x8xf32>, %c: tensor<2x8xf32>) {
  // expected-error @+1 {{result must be [ghosts of the weight, rows of the input]}}
  %g = phantom.compress %y, %c : (tensor<5x8xf32>, tensor<2x8xf32>) -> tensor<5x2xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%y: tensor<5x8xf32, #s1>, %c: tensor<2x8xf32, #s0>) {
  // expected-error @+1 {{states must be shard(last)}}
  %g = phantom.compress %y, %c : (tensor<5x8xf32, #s1>, tensor<2x8xf32, #s0>) -> tensor<2x5xf32, #s0>
  return
}

// -----

func.func @refused(%g: tensor<3x5xf32>, %d: tensor<2x8xf32>) {
  // expected-error @+1 {{has 3 ghosts, the weight takes 2}}
  %z = phantom.decompress %g, %d : (tensor<3x5xf32>, tensor<2x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%g: tensor<2x5xf32, #per_rank>, %d: tensor<2x8xf32, #s1>, %a: tensor<5x8xf32>) {
  // expected-error @+1 {{accumulator 'tensor<5x8xf32>' must be of the result's type}}
  %z = phantom.decompress %g, %d acc %a : (tensor<2x5xf32, #per_rank>, tensor<2x8xf32, #s1>, tensor<5x8xf32>) -> tensor<5x8xf32, #s1>
  return
}

// -----

func.func @refused(%g: tensor<2x5xf32>, %d: tensor<2x8xf32>) {
  // expected-error @+1 {{zero_own needs a mesh axis}}
  %z = phantom.decompress %g, %d zero_own : (tensor<2x5xf32>, tensor<2x8xf32>) -> tensor<5x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%g: tensor<2x5xf32, #s0>, %d: tensor<2x8xf32, #s1>) {
  // expected-error @+1 {{states must be per_rank}}
  %z = phantom.decompress %g, %d : (tensor<2x5xf32, #s0>, tensor<2x8xf32, #s1>) -> tensor<5x8xf32, #s1>
  return
}

// -----

func.func @refused(%g: tensor<2x5xf32>, %y: tensor<6x8xf32>) {
  // expected-error @+1 {{ghosts and activation must have the same number of rows}}
  %w = phantom.ghost_weight_gradient %g, %y : (tensor<2x5xf32>, tensor<6x8xf32>) -> tensor<2x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
func.func @refused(%x: tensor<2x8xf32, #s0>) {
  // expected-error @+1 {{refers to @mesh, which is no phantom.mesh}}
  %y = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<8x8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<2x8xf32>) {
  // expected-error @+1 {{refers to axis 'data', which @mesh does not have}}
  %y = phantom.all_gather %x dim 0 on @mesh "data" : tensor<2x8xf32> -> tensor<8x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<2x8xf32, #s0>) {
  // expected-error @+1 {{dimension 0 of the whole must be 8 on 4 ranks, is 6}}
  %y = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<6x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<2x8xf32, #s0>) {
  // expected-error @+1 {{takes shard(1) and gives per_rank or replicated}}
  %y = phantom.all_gather %x dim 1 on @mesh "phantom" : tensor<2x8xf32, #s0> -> tensor<2x32xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<2x8xf32, #phantom.state<"data" = shard(0)>>) {
  // expected-error @+1 {{is on axis 'phantom', but a value has a state on 'data'}}
  %y = phantom.all_gather %x dim 0 on @mesh "phantom" : tensor<2x8xf32, #phantom.state<"data" = shard(0)>> -> tensor<8x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<8x8xf32, #per_rank>) {
  // expected-error @+1 {{takes a partial value and gives shard(0)}}
  %y = phantom.reduce_scatter %x dim 0 on @mesh "phantom" : tensor<8x8xf32, #per_rank> -> tensor<2x8xf32, #s0>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<8x8xf32, #s0>) {
  // expected-error @+1 {{takes a partial value and gives a replicated one}}
  %y = phantom.all_reduce %x on @mesh "phantom" : tensor<8x8xf32, #s0> -> tensor<8x8xf32>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<8x8xf32, #s0>) {
  // expected-error @+1 {{takes a replicated value and gives per_rank}}
  %y = phantom.replicate %x on @mesh "phantom" : tensor<8x8xf32, #s0> -> tensor<8x8xf32, #per_rank>
  return
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>
phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<8x8xf32, #per_rank>) {
  // expected-error @+1 {{takes a replicated value and gives shard(0)}}
  %y = phantom.local_slice %x dim 0 on @mesh "phantom" : tensor<8x8xf32, #per_rank> -> tensor<2x8xf32, #s0>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @refused(%x: tensor<6x8xf32>) {
  // expected-error @+1 {{dimension 0 of extent 6 does not divide into 4 blocks}}
  %y = phantom.mask_own_block %x on @mesh "phantom" : tensor<6x8xf32>
  return
}

// -----

func.func @refused(%w: tensor<4xf32>, %lr: tensor<f32>, %s: tensor<i64>) {
  // expected-error @+1 {{'adam' keeps 2 states per parameter, has 0}}
  %u = phantom.update <adam> %w, %w, () learning_rate %lr step %s : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> tensor<4xf32>
  return
}

// -----

func.func @refused(%w: tensor<4xf32>, %g: tensor<5xf32>, %lr: tensor<f32>, %s: tensor<i64>) {
  // expected-error @+1 {{gradient, states and results must be of the parameter's type}}
  %u = phantom.update <sgd> %w, %g, () learning_rate %lr step %s : (tensor<4xf32>, tensor<5xf32>, tensor<f32>, tensor<i64>) -> tensor<4xf32>
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<4x5xf32>, %c: memref<2x5xf32>) {
  // expected-error @+1 {{sizes do not fit: a gives 2x3, b gives 4x5, c is 2x5}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<4x5xf32>) outs(%c : memref<2x5xf32>)
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %v: memref<2xf32>, %c: memref<2x5xf32>) {
  // expected-error @+1 {{bias must have 5 elements}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) bias(%v : memref<2xf32>) outs(%c : memref<2x5xf32>)
  return
}

// -----

func.func @refused(%a: tensor<2x3xf32>, %b: tensor<3x5xf32>, %c: tensor<2x5xf32>) {
  // expected-error @+1 {{has results of the types of what it writes on tensors, and none on buffers}}
  phantom.gemm ins(%a, %b : tensor<2x3xf32>, tensor<3x5xf32>) outs(%c : tensor<2x5xf32>)
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x16xi8>) {
  // expected-error @+1 {{has an aux, which only the epilogues relu and gelu_tanh have}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) outs(%c : memref<2x5xf32>) aux(%m : memref<2x16xi8>) {epilogue = #phantom.epilogue<silu>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x1xi8>) {
  // expected-error @+1 {{needs an aux of the shape and type of 'tensor<2x16xi8>'}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) outs(%c : memref<2x5xf32>) aux(%m : memref<2x1xi8>) {epilogue = #phantom.epilogue<relu>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x5xf32>) {
  // expected-error @+1 {{needs an aux of the shape and type of 'tensor<2x8xf32>'}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) saved(%m : memref<2x5xf32>) outs(%c : memref<2x5xf32>) {epilogue = #phantom.epilogue<gelu_tanh>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x16xi8>) {
  // expected-error @+1 {{both keeps an aux and takes one}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) saved(%m : memref<2x16xi8>) outs(%c : memref<2x5xf32>) aux(%m : memref<2x16xi8>) {epilogue = #phantom.epilogue<relu>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x16xi8>, %v: memref<5xf32>) {
  // expected-error @+1 {{adds a bias, but takes an aux: it is a gradient}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) bias(%v : memref<5xf32>) saved(%m : memref<2x16xi8>) outs(%c : memref<2x5xf32>) {epilogue = #phantom.epilogue<relu>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %v: memref<5xf32>) {
  // expected-error @+1 {{has a bias gradient, but takes no aux: it is no gradient}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) outs(%c : memref<2x5xf32>) bias_gradient(%v : memref<5xf32>) {epilogue = #phantom.epilogue<relu>}
  return
}

// -----

func.func @refused(%a: memref<2x3xf32>, %b: memref<3x5xf32>, %c: memref<2x5xf32>, %m: memref<2x16xi8>, %v: memref<2xf32>) {
  // expected-error @+1 {{bias gradient must have 5 elements}}
  phantom.gemm ins(%a, %b : memref<2x3xf32>, memref<3x5xf32>) saved(%m : memref<2x16xi8>) outs(%c : memref<2x5xf32>) bias_gradient(%v : memref<2xf32>) {epilogue = #phantom.epilogue<relu>}
  return
}

// -----

func.func @refused(%w: memref<4x2x3xf32>) {
  // expected-error @+1 {{slot must have the window's shape without its leading dimension}}
  %s = phantom.window_slot %w : memref<4x2x3xf32> -> memref<3x2xf32>
  return
}

// -----

// expected-error @+2 {{failed to parse}}
// expected-error @+1 {{a part of a source is a dimension, the first slice and the number of slices, not 2 numbers}}
phantom.parameter @w : tensor<4x8xf32> init <load, source = <"m.safetensors", "w", tensor<8x8xf32> part(0, 4)>>

// -----

// expected-error @+2 {{failed to parse}}
// expected-error @+1 {{the part (1, 5, 4) is not inside 'tensor<8x8xf32>'}}
phantom.parameter @w : tensor<8x4xf32> init <load, source = <"m.safetensors", "w", tensor<8x8xf32> part(1, 5, 4)>>

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @collective_destination(%w: memref<8xf32>) {
  // expected-error @below {{needs a destination}}
  phantom.collective <all_reduce> %w on @mesh "phantom" : memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @collective_gather(%w: memref<8xf32>) {
  // expected-error @below {{of an all_gather has no destination}}
  phantom.collective <all_gather> %w into %w on @mesh "phantom" : memref<8xf32>, memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @collective_strided(%w: memref<8x4xf32, strided<[8, 1]>>) {
  // expected-error @below {{needs contiguous memory of static shape: run phantom-pack-exchanges}}
  phantom.collective <all_gather> %w on @mesh "phantom" : memref<8x4xf32, strided<[8, 1]>>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @collective_blocks(%w: memref<6xf32>) {
  // expected-error @below {{has a window of 6 elements, which are no 4 equal blocks}}
  phantom.collective <all_gather> %w on @mesh "phantom" : memref<6xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @collective_size(%w: memref<8xf32>, %s: memref<8xf32>) {
  // expected-error @below {{needs a destination of 2 elements, has 8}}
  phantom.collective <reduce_scatter> %w into %s on @mesh "phantom" : memref<8xf32>, memref<8xf32>
  return
}

// -----

func.func @collective_mesh(%w: memref<8xf32>) {
  // expected-error @below {{refers to @mesh, which is no phantom.mesh}}
  phantom.collective <all_gather> %w on @mesh "phantom" : memref<8xf32>
  return
}

// -----

func.func @event_stream() {
  %e = phantom.event_record <compute>
  // expected-error @below {{is on the stream that records its event}}
  phantom.event_wait %e <compute>
  return
}

// -----

func.func @event_argument(%e: !phantom.event) {
  // expected-error @below {{needs the event of an event_record}}
  phantom.event_wait %e <compute>
  return
}

// -----

func.func @refused(%a: tensor<2x3xbf16>, %b: tensor<3x5xf32>, %c: tensor<2x5xf32>) -> tensor<2x5xf32> {
  // expected-error @+1 {{multiplies 'bf16' by 'f32'}}
  %y = phantom.gemm ins(%a, %b : tensor<2x3xbf16>, tensor<3x5xf32>) outs(%c : tensor<2x5xf32>) -> tensor<2x5xf32>
  return %y : tensor<2x5xf32>
}

// -----

func.func @refused(%a: tensor<2x3xbf16>, %b: tensor<3x5xbf16>, %c: tensor<2x5xf64>) -> tensor<2x5xf64> {
  // expected-error @+1 {{makes 'f64' of factors of 'bf16'}}
  %y = phantom.gemm ins(%a, %b : tensor<2x3xbf16>, tensor<3x5xbf16>) outs(%c : tensor<2x5xf64>) -> tensor<2x5xf64>
  return %y : tensor<2x5xf64>
}

// -----

func.func @refused(%x: tensor<1x4x8xf32>) {
  // expected-error @+1 {{has encoding f32, which is that of values as they are}}
  %y = phantom.encode %x <f32> : tensor<1x4x8xf32> -> tensor<1x4x8xbf16>
  return
}

// -----

func.func @refused(%x: tensor<1x4x8xf32>) {
  // expected-error @+1 {{has 'tensor<1x4x8xi8>' for 'tensor<1x4x8xf32>' in int8, which is 'tensor<1x4x12xi8>'}}
  %y = phantom.encode %x <int8> : tensor<1x4x8xf32> -> tensor<1x4x8xi8>
  return
}

// -----

func.func @refused(%x: tensor<1x4x8xf32>, %key: tensor<i64>, %step: tensor<i64>) {
  // expected-error @+1 {{needs a key, a step and `site`, or none of them}}
  %y = phantom.encode %x <int8> counter(%key, %step : tensor<i64>, tensor<i64>) : tensor<1x4x8xf32> -> tensor<1x4x12xi8>
  return
}

// -----

func.func @refused(%x: tensor<1x4x8xbf16>) {
  // expected-error @+1 {{has 'tensor<1x4x8xbf16>' for 'tensor<1x4x8xf32>' in int8, which is 'tensor<1x4x12xi8>'}}
  %y = phantom.decode %x <int8> : tensor<1x4x8xbf16> -> tensor<1x4x8xf32>
  return
}

// -----

func.func @refused(%x: tensor<1x4x8xf32>, %key: tensor<i64>, %step: tensor<i64>) {
  // expected-error @+1 {{has `site` 4294967296, which is no number of 32 bits}}
  %y = phantom.encode %x <int8> counter(%key, %step : tensor<i64>, tensor<i64>) {site = 4294967296 : i64} : tensor<1x4x8xf32> -> tensor<1x4x12xi8>
  return
}

// -----

func.func @refused(%x: tensor<1x4x?xf32>) {
  // expected-error @+1 {{needs a static shape}}
  %y = phantom.encode %x <bf16> : tensor<1x4x?xf32> -> tensor<1x4x?xbf16>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @refused(%w: memref<4x12xi8>, %s: memref<4x12xi8>) {
  // expected-error @+1 {{sums 'i8'; f32 or f64 is needed}}
  phantom.collective <all_reduce> %w into %s on @mesh "phantom" : memref<4x12xi8>, memref<4x12xi8>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @refused(%w: memref<4x12xi8>, %s: memref<4x12xf32>) {
  // expected-error @+1 {{has a destination of 'f32' for 'i8'}}
  phantom.collective <all_to_all> %w into %s on @mesh "phantom" : memref<4x12xi8>, memref<4x12xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @refused(%x: tensor<3x4x12xi8>) {
  // expected-error @+1 {{needs a dimension 0 with a block for each of the 4 ranks}}
  %y = phantom.all_to_all %x on @mesh "phantom" : tensor<3x4x12xi8>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @refused(%x: tensor<4x8xf32, #phantom.state<"phantom" = per_rank>>) {
  // expected-error @+1 {{is of a value without a state}}
  %y = phantom.all_to_all %x on @mesh "phantom" : tensor<4x8xf32, #phantom.state<"phantom" = per_rank>>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]

func.func @refused(%w: memref<4x12xi8>, %s: memref<3x12xi8>) {
  // expected-error @+1 {{needs a destination of 48 elements, has 36}}
  phantom.collective <all_to_all> %w into %s on @mesh "phantom" : memref<4x12xi8>, memref<3x12xi8>
  return
}
