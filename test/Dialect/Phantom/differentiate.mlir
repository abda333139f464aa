// RUN: phantom-opt %s --phantom-differentiate=loss=mse --canonicalize --cse --split-input-file | FileCheck %s
// RUN: phantom-opt %s --phantom-differentiate=loss=bce --split-input-file | FileCheck %s --check-prefix=BCE
// RUN: phantom-opt %s --phantom-differentiate=loss=cross-entropy --split-input-file | FileCheck %s --check-prefix=CE
// RUN: phantom-opt %s --phantom-differentiate="loss=cross-entropy label-smoothing=0.125" --split-input-file | FileCheck %s --check-prefix=SMOOTH

// SMOOTH: phantom.loss <cross_entropy> %{{.*}}, %{{.*}} valid %{{[a-z0-9]+}} :
// SMOOTH: phantom.loss <cross_entropy> %{{.*}}, %{{.*}} {label_smoothing = 1.250000e-01 : f64} :
// SMOOTH: phantom.loss_gradient <cross_entropy> %{{.*}}, %{{.*}} {label_smoothing = 1.250000e-01 : f64} :

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#b = #phantom.state<"phantom" = block>
#pr = #phantom.state<"phantom" = per_rank>

// A phantom layer: what is exchanged comes first, and what hides the exchange follows.
phantom.mesh @mesh = [<"phantom" = 4>]
phantom.parameter @local : tensor<4x4xf32> layout <stacked> init <uniform, fan_in = 4> trainable
phantom.parameter @compressor : tensor<2x4xf32> layout <stacked> init <uniform, fan_in = 4> trainable
phantom.parameter @decompressor : tensor<8x4xf32> layout <stacked as [4, 2, 4]> init <uniform, fan_in = 6, zero_own = true> trainable

// BCE: module attributes {phantom.loss_kind = "bce"}
// BCE: phantom.loss <bce>
// CE: phantom.loss <cross_entropy> {{.*}} (tensor<5x16xf32>, tensor<5xi64>, tensor<i64>)

// CHECK-LABEL: func @forward
// CHECK-LABEL: func @evaluate
// CHECK-SAME: %[[T:[a-z0-9]+]]: tensor<5x16xf32> {phantom.target}, %[[V:[a-z0-9]+]]: tensor<i64> {phantom.scalar = "valid"}
// CHECK-SAME: -> (tensor<5x16xf32> {phantom.output = "y"}, tensor<f32> {phantom.loss})
// CHECK: phantom.loss <mse> %{{.*}}, %[[T]] valid %[[V]]

// CHECK-LABEL: func @gradients
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<5x16xf32> {phantom.input = "x"}, %[[T:[a-z0-9]+]]: tensor<5x16xf32> {phantom.target}
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<4x4xf32, #block> {phantom.parameter = @local}
// CHECK-SAME: %[[C:[a-z0-9]+]]: tensor<2x4xf32, #block> {phantom.parameter = @compressor}
// CHECK-SAME: %[[D:[a-z0-9]+]]: tensor<8x4xf32, #shard1> {phantom.parameter = @decompressor}
// CHECK-SAME: -> (tensor<f32> {phantom.loss}, tensor<4x4xf32, #block> {phantom.gradient = @local}, tensor<2x4xf32, #block> {phantom.gradient = @compressor}, tensor<8x4xf32, #shard1> {phantom.gradient = @decompressor})
// CHECK: %[[S:.+]] = phantom.local_slice %[[X]] dim 1
// CHECK: %[[G:.+]] = phantom.all_gather
// CHECK: %[[Y:.+]] = phantom.all_gather {{.*}} dim 1 {{.*}} -> tensor<5x16xf32>
// CHECK: %[[SEED:.+]] = phantom.loss_gradient <mse> %[[Y]], %[[T]]
// The output was gathered to be used alike: its adjoint is this rank's slice.
// CHECK: %[[DELTA:.+]] = phantom.local_slice %[[SEED]] dim 1
// CHECK: %[[DZ:.+]] = phantom.activation_gradient <tanh> %{{.*}}, %[[DELTA]] from_result
// CHECK: %[[PART:.+]] = phantom.compress %[[DZ]], %[[D]] : {{.*}} -> tensor<8x5xf32, #partial>
// CHECK: %[[DD:.+]] = phantom.ghost_weight_gradient %[[G]], %[[DZ]]
// CHECK: %[[DDM:.+]] = phantom.mask_own_block %[[DD]]
// CHECK: %[[DL:.+]] = phantom.weight_gradient %[[DZ]], %[[S]] : {{.*}} -> tensor<4x4xf32, #block>
// CHECK: %[[GAMMA:.+]] = phantom.reduce_scatter %[[PART]] dim 0
// CHECK: %[[DC:.+]] = phantom.ghost_weight_gradient %[[GAMMA]], %[[S]] : {{.*}} -> tensor<2x4xf32, #block>
// No gradient for the input.
// CHECK-NOT: phantom.
// CHECK: return %{{.*}}, %[[DL]], %[[DC]], %[[DDM]]
func.func @forward(%x: tensor<5x16xf32> {phantom.input = "x"}, %l: tensor<4x4xf32, #b> {phantom.parameter = @local},
                   %c: tensor<2x4xf32, #b> {phantom.parameter = @compressor}, %d: tensor<8x4xf32, #s1> {phantom.parameter = @decompressor})
    -> (tensor<5x16xf32> {phantom.output = "y"}) {
  %s = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<5x16xf32> -> tensor<5x4xf32, #s1>
  %g = phantom.compress %s, %c : (tensor<5x4xf32, #s1>, tensor<2x4xf32, #b>) -> tensor<2x5xf32, #s0>
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<2x5xf32, #s0> -> tensor<8x5xf32, #pr>
  %z = phantom.linear %s, %l : (tensor<5x4xf32, #s1>, tensor<4x4xf32, #b>) -> tensor<5x4xf32, #s1>
  %o = phantom.decompress %a, %d acc %z zero_own on @mesh "phantom"
      : (tensor<8x5xf32, #pr>, tensor<8x4xf32, #s1>, tensor<5x4xf32, #s1>) -> tensor<5x4xf32, #s1>
  %h = phantom.activation <tanh> %o : tensor<5x4xf32, #s1>
  %y = phantom.all_gather %h dim 1 on @mesh "phantom" : tensor<5x4xf32, #s1> -> tensor<5x16xf32>
  return %y : tensor<5x16xf32>
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#pr = #phantom.state<"phantom" = per_rank>

// Megatron's pair: the bias of the row-parallel layer is replicated, and so is its gradient, which is not summed.
phantom.mesh @mesh = [<"phantom" = 2>]
phantom.parameter @fc1.weight : tensor<4x3xf32> layout <shard(0)> init <uniform, fan_in = 3> trainable
phantom.parameter @fc2.weight : tensor<6x4xf32> layout <shard(1)> init <uniform, fan_in = 8> trainable
phantom.parameter @fc2.bias : tensor<6xf32> init <uniform, fan_in = 8> trainable

// CHECK-LABEL: func @gradients
// CHECK: %[[SEED:.+]] = phantom.loss_gradient
// CHECK: %[[DB:.+]] = phantom.reduce_sum %[[SEED]] [0] : tensor<5x6xf32> -> tensor<6xf32>
// CHECK: %[[R:.+]] = phantom.replicate %[[SEED]]
// CHECK: phantom.linear %[[R]], %{{.*}} io
// CHECK: phantom.weight_gradient %[[R]]
// The saved value of gelu is its input.
// CHECK: phantom.activation_gradient <gelu_erf> %{{.*}}, %{{.*}} :
// CHECK-NOT: all_reduce
// CHECK: return {{.*}}, %[[DB]] :
func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}, %w1: tensor<4x3xf32, #s0> {phantom.parameter = @fc1.weight},
                   %w2: tensor<6x4xf32, #s1> {phantom.parameter = @fc2.weight}, %b2: tensor<6xf32> {phantom.parameter = @fc2.bias})
    -> (tensor<5x6xf32> {phantom.output = "y"}) {
  %r = phantom.replicate %x on @mesh "phantom" : tensor<5x3xf32> -> tensor<5x3xf32, #pr>
  %z = phantom.linear %r, %w1 : (tensor<5x3xf32, #pr>, tensor<4x3xf32, #s0>) -> tensor<5x4xf32, #s1>
  %h = phantom.activation <gelu_erf> %z : tensor<5x4xf32, #s1>
  %p = phantom.linear %h, %w2 : (tensor<5x4xf32, #s1>, tensor<6x4xf32, #s1>) -> tensor<5x6xf32, #phantom.state<"phantom" = partial>>
  %s = phantom.all_reduce %p on @mesh "phantom" : tensor<5x6xf32, #phantom.state<"phantom" = partial>> -> tensor<5x6xf32>
  %b = phantom.broadcast %b2 : (tensor<6xf32>) -> tensor<5x6xf32>
  %y = arith.addf %s, %b : tensor<5x6xf32>
  return %y : tensor<5x6xf32>
}

// -----

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#pr = #phantom.state<"phantom" = per_rank>

// A replicated parameter that each rank uses for its own part: its gradient is all-reduced.
phantom.mesh @mesh = [<"phantom" = 2>]
phantom.parameter @scale : tensor<1xf32> init <uniform, fan_in = 1> trainable
phantom.parameter @frozen : tensor<6xf32> init <uniform, fan_in = 1>

// CHECK-LABEL: func @gradients
// CHECK-SAME: -> (tensor<f32> {phantom.loss}, tensor<1xf32> {phantom.gradient = @scale})
// CHECK: %[[SUM:.+]] = phantom.reduce_sum {{.*}} -> tensor<f32, #partial>
// CHECK: %[[ONE:.+]] = phantom.reshape %[[SUM]] : tensor<f32, #partial> -> tensor<1xf32, #partial>
// CHECK: phantom.all_reduce %[[ONE]]
func.func @forward(%x: tensor<5x6xf32> {phantom.input = "x"}, %w: tensor<1xf32> {phantom.parameter = @scale},
                   %f: tensor<6xf32> {phantom.parameter = @frozen}) -> (tensor<5x6xf32> {phantom.output = "y"}) {
  %s = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<5x6xf32> -> tensor<5x3xf32, #s1>
  %r = phantom.replicate %w on @mesh "phantom" : tensor<1xf32> -> tensor<1xf32, #pr>
  %b = phantom.broadcast %r : (tensor<1xf32, #pr>) -> tensor<5x3xf32, #s1>
  %m = arith.mulf %s, %b : tensor<5x3xf32, #s1>
  %g = phantom.all_gather %m dim 1 on @mesh "phantom" : tensor<5x3xf32, #s1> -> tensor<5x6xf32>
  %c = phantom.broadcast %f : (tensor<6xf32>) -> tensor<5x6xf32>
  %y = arith.addf %g, %c : tensor<5x6xf32>
  return %y : tensor<5x6xf32>
}

// -----

// Dropout drops in @gradients only, there and on the way back at the same places; what is never dropped has no counter.
#s1 = #phantom.state<"phantom" = shard(1)>
phantom.mesh @mesh = [<"phantom" = 4>]
phantom.parameter @w : tensor<5x12xf32> layout <shard(1)> init <uniform, fan_in = 1> trainable
// CHECK-LABEL: func @evaluate
// CHECK-NOT: counter
// CHECK-LABEL: func @gradients
// CHECK-SAME: {phantom.target}, %[[KEY:[a-z0-9]+]]: tensor<i64> {phantom.scalar = "dropout_key"}, %[[STEP:[a-z0-9]+]]: tensor<i64> {phantom.scalar = "step"}
// CHECK: phantom.dropout %{{.*}} ratio 2.500000e-01 counter(%[[KEY]], %[[STEP]] : tensor<i64>, tensor<i64>) {site = 1 : i64, whole = array<i64: 5, 12>} : tensor<5x3xf32, #shard1>
// CHECK: phantom.dropout %{{.*}} ratio 5.000000e-01 counter(%[[KEY]], %[[STEP]] : tensor<i64>, tensor<i64>) {site = 2 : i64, whole = array<i64: 5, 12>} : tensor<5x12xf32>
// CHECK: %[[D:.+]] = phantom.dropout %{{.*}} ratio 5.000000e-01 counter({{.*}}) {site = 2 : i64, whole = array<i64: 5, 12>} : tensor<5x12xf32>
// CHECK: phantom.dropout %{{.*}} ratio 2.500000e-01 counter({{.*}}) {site = 1 : i64, whole = array<i64: 5, 12>} : tensor<5x3xf32, #shard1>
func.func @forward(%x: tensor<5x3xf32> {phantom.input = "x"}, %w: tensor<5x3xf32, #s1> {phantom.parameter = @w})
    -> (tensor<5x12xf32> {phantom.output = "y"}) {
  %e = phantom.dropout %w ratio 0.0 : tensor<5x3xf32, #s1>
  %d = phantom.dropout %e ratio 0.25 : tensor<5x3xf32, #s1>
  %g = phantom.all_gather %d dim 1 on @mesh "phantom" : tensor<5x3xf32, #s1> -> tensor<5x12xf32>
  %y = phantom.dropout %g ratio 0.5 : tensor<5x12xf32>
  return %y : tensor<5x12xf32>
}
