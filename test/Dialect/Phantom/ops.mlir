// RUN: phantom-opt %s | phantom-opt | FileCheck %s

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#per_rank = #phantom.state<"phantom" = per_rank>

phantom.mesh @mesh = [<"phantom" = 4>]
phantom.parameter @fc2.local : tensor<128x128xf32> layout <stacked> init
    <diagonal_block, source = <"digits.safetensors", "fc2.weight", tensor<512x512xf32>>> trainable
phantom.parameter @fc2.decompressor : tensor<16x128xf32> layout <stacked as [4, 4, 128]> init
    <low_rank_decompressor, source = <"m.onnx.data" at 64 : 1048576, tensor<512x512xf32>>, transposed = true, ghost_width = 4> trainable
// CHECK: phantom.parameter @w1 {{.*}} tensor<512x512xf32> part(0, 128, 64)>
phantom.parameter @w1 : tensor<64x512xf32> init <load, source = <"m.safetensors", "w", tensor<512x512xf32> part(0, 128, 64)>>
phantom.parameter @bias : tensor<128xf32> layout <shard(0)> init <uniform, fan_in = 128>

// CHECK-LABEL: func @phantom_layer
func.func @phantom_layer(%y: tensor<64x128xf32, #s1>, %l: tensor<128x128xf32, #block>, %c: tensor<4x128xf32, #block>,
                         %d: tensor<16x128xf32, #s1>) -> tensor<64x128xf32, #s1> {
  // CHECK: %[[G:.+]] = phantom.compress %{{.*}}, %{{.*}} : (tensor<64x128xf32, #{{.*}}>, tensor<4x128xf32, #{{.*}}>) -> tensor<4x64xf32, #{{.*}}>
  %g = phantom.compress %y, %c : (tensor<64x128xf32, #s1>, tensor<4x128xf32, #block>) -> tensor<4x64xf32, #s0>
  // CHECK: phantom.all_gather %[[G]] dim 0 on @mesh "phantom"
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<4x64xf32, #s0> -> tensor<16x64xf32, #per_rank>
  %z = phantom.linear %y, %l : (tensor<64x128xf32, #s1>, tensor<128x128xf32, #block>) -> tensor<64x128xf32, #s1>
  // CHECK: phantom.decompress %{{.*}}, %{{.*}} acc %{{.*}} zero_own on @mesh "phantom"
  %o = phantom.decompress %a, %d acc %z zero_own on @mesh "phantom"
      : (tensor<16x64xf32, #per_rank>, tensor<16x128xf32, #s1>, tensor<64x128xf32, #s1>) -> tensor<64x128xf32, #s1>
  // CHECK: phantom.activation <relu>
  %r = phantom.activation <relu> %o : tensor<64x128xf32, #s1>
  return %r : tensor<64x128xf32, #s1>
}

// CHECK-LABEL: func @gemm
func.func @gemm(%a: tensor<8x64xf32>, %b: tensor<512x64xf32>, %v: tensor<512xf32>, %c: tensor<8x512xf32>) -> tensor<8x512xf32> {
  // CHECK: phantom.gemm ins(%{{.*}}, %{{.*}} : tensor<8x64xf32>, tensor<512x64xf32>) bias(%{{.*}} : tensor<512xf32>) outs(%{{.*}} : tensor<8x512xf32>) {epilogue = #phantom.epilogue<relu>, transpose_b} -> tensor<8x512xf32>
  %z = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<512x64xf32>) bias(%v : tensor<512xf32>) outs(%c : tensor<8x512xf32>)
      {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x512xf32>
  return %z : tensor<8x512xf32>
}

// CHECK-LABEL: func @gemm_backward
func.func @gemm_backward(%a: tensor<8x64xf32>, %b: tensor<64x20xf32>, %c: tensor<8x20xf32>, %m: tensor<8x16xi8>, %g: tensor<8x24xf32>, %v: tensor<20xf32>)
    -> (tensor<8x20xf32>, tensor<20xf32>) {
  // CHECK: %[[Y:[^ ]+]]:2 = phantom.gemm ins({{.*}}) outs({{.*}}) aux(%{{[^ ]+}} : tensor<8x16xi8>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x20xf32>, tensor<8x16xi8>
  %y, %bits = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<64x20xf32>) outs(%c : tensor<8x20xf32>) aux(%m : tensor<8x16xi8>)
      {epilogue = #phantom.epilogue<relu>} -> tensor<8x20xf32>, tensor<8x16xi8>
  // CHECK: phantom.gemm ins({{.*}}) saved(%[[Y]]#1 : tensor<8x16xi8>) outs({{.*}}) bias_gradient(%{{[^ ]+}} : tensor<20xf32>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x20xf32>, tensor<20xf32>
  %dz, %dv = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<64x20xf32>) saved(%bits : tensor<8x16xi8>) outs(%y : tensor<8x20xf32>)
      bias_gradient(%v : tensor<20xf32>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x20xf32>, tensor<20xf32>
  // CHECK: phantom.gemm ins({{.*}}) saved(%{{[^ ]+}} : tensor<8x24xf32>) outs({{.*}}) {accumulate, epilogue = #phantom.epilogue<gelu_tanh>} -> tensor<8x20xf32>
  %dx = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<64x20xf32>) saved(%g : tensor<8x24xf32>) outs(%dz : tensor<8x20xf32>)
      {accumulate, epilogue = #phantom.epilogue<gelu_tanh>} -> tensor<8x20xf32>
  return %dx, %dv : tensor<8x20xf32>, tensor<20xf32>
}

// CHECK-LABEL: func @model
func.func @model(%x: tensor<?x4x8xf32>, %w: tensor<8x6xf32>, %b: tensor<6xf32>, %t: tensor<2x3xi64>, %v: tensor<i64>,
                 %logits: tensor<2x3x6xf32>, %m: tensor<2x3x4xf32>, %n: tensor<2x4x5xf32>) -> tensor<?x4x6xf32> {
  // CHECK: phantom.linear %{{.*}}, %{{.*}} bias %{{.*}} io : (tensor<?x4x8xf32>, tensor<8x6xf32>, tensor<6xf32>) -> tensor<?x4x6xf32>
  %y = phantom.linear %x, %w bias %b io : (tensor<?x4x8xf32>, tensor<8x6xf32>, tensor<6xf32>) -> tensor<?x4x6xf32>
  // CHECK: phantom.activation <leaky_relu> %{{.*}} {alpha = 1.000000e-01 : f64} : tensor<?x4x6xf32>
  %a = phantom.activation <leaky_relu> %y {alpha = 0.1} : tensor<?x4x6xf32>
  // CHECK: phantom.softmax %{{.*}} dim 2
  %s = phantom.softmax %a dim 2 : tensor<?x4x6xf32>
  // CHECK: phantom.dropout %{{.*}} ratio 1.000000e-01
  %d = phantom.dropout %s ratio 0.1 : tensor<?x4x6xf32>
  // CHECK: phantom.broadcast %{{.*}} like %{{.*}} : (tensor<6xf32>, tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %c = phantom.broadcast %b like %d : (tensor<6xf32>, tensor<?x4x6xf32>) -> tensor<?x4x6xf32>
  %e = arith.addf %c, %d : tensor<?x4x6xf32>
  // CHECK: phantom.reshape %{{.*}} : tensor<?x4x6xf32> -> tensor<?x6xf32>
  %r = phantom.reshape %e : tensor<?x4x6xf32> -> tensor<?x6xf32>
  // CHECK: phantom.transpose %{{.*}} [1, 0] : tensor<?x6xf32> -> tensor<6x?xf32>
  %u = phantom.transpose %r [1, 0] : tensor<?x6xf32> -> tensor<6x?xf32>
  // CHECK: phantom.reduce_sum %{{.*}} [1] : tensor<6x?xf32> -> tensor<6xf32>
  %z = phantom.reduce_sum %u [1] : tensor<6x?xf32> -> tensor<6xf32>
  // CHECK: phantom.matmul %{{.*}}, %{{.*}} : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  %p = phantom.matmul %m, %n : (tensor<2x3x4xf32>, tensor<2x4x5xf32>) -> tensor<2x3x5xf32>
  // CHECK: phantom.loss <cross_entropy> %{{.*}}, %{{.*}} valid %{{.*}} : (tensor<2x3x6xf32>, tensor<2x3xi64>, tensor<i64>) -> tensor<f32>
  %l = phantom.loss <cross_entropy> %logits, %t valid %v : (tensor<2x3x6xf32>, tensor<2x3xi64>, tensor<i64>) -> tensor<f32>
  // CHECK: phantom.loss_gradient <cross_entropy>
  %g = phantom.loss_gradient <cross_entropy> %logits, %t : (tensor<2x3x6xf32>, tensor<2x3xi64>) -> tensor<2x3x6xf32>
  return %e : tensor<?x4x6xf32>
}

// CHECK-LABEL: func @backward
func.func @backward(%y: tensor<8x4xf32>, %dy: tensor<8x4xf32>, %x: tensor<8x6xf32>, %gh: tensor<2x8xf32>,
                    %w: tensor<4xf32>, %u: tensor<4xf32>, %lr: tensor<f32>, %step: tensor<i64>) -> tensor<f64> {
  // CHECK: phantom.activation_gradient <tanh> %{{.*}}, %{{.*}} from_result : tensor<8x4xf32>
  %dz = phantom.activation_gradient <tanh> %y, %dy from_result : tensor<8x4xf32>
  // CHECK: phantom.softmax_gradient %{{.*}}, %{{.*}} dim 1 : tensor<8x4xf32>
  %ds = phantom.softmax_gradient %y, %dy dim 1 : tensor<8x4xf32>
  // CHECK: phantom.weight_gradient %{{.*}}, %{{.*}} : (tensor<8x4xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %dw = phantom.weight_gradient %dz, %x : (tensor<8x4xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  // CHECK: phantom.ghost_weight_gradient %{{.*}}, %{{.*}} : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  %dc = phantom.ghost_weight_gradient %gh, %dz : (tensor<2x8xf32>, tensor<8x4xf32>) -> tensor<2x4xf32>
  // CHECK: phantom.update <momentum> %{{.*}}, %{{.*}}, (%{{.*}}) learning_rate %{{.*}} step %{{.*}} :
  %w1, %u1 = phantom.update <momentum> %w, %w, (%u) learning_rate %lr step %step
      : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>)
  // CHECK: phantom.squared_norm %{{.*}} : (tensor<4x6xf32>) -> tensor<f64>
  %n = phantom.squared_norm %dw : (tensor<4x6xf32>) -> tensor<f64>
  return %n : tensor<f64>
}

// CHECK-LABEL: func @exchanges
func.func @exchanges(%p: tensor<8x5xf32, #phantom.state<"phantom" = partial>>, %r: tensor<8x5xf32>, %b: tensor<4x2x5xf32>,
                     %n: tensor<i64>)
    -> tensor<8x5xf32> {
  // CHECK: phantom.reduce_scatter %{{.*}} dim 0 on @mesh "phantom" : tensor<8x5xf32, #partial> -> tensor<2x5xf32, #shard0>
  %s = phantom.reduce_scatter %p dim 0 on @mesh "phantom" : tensor<8x5xf32, #phantom.state<"phantom" = partial>> -> tensor<2x5xf32, #s0>
  // CHECK: phantom.all_reduce %{{.*}} on @mesh "phantom" : tensor<8x5xf32, #partial> -> tensor<8x5xf32>
  %a = phantom.all_reduce %p on @mesh "phantom" : tensor<8x5xf32, #phantom.state<"phantom" = partial>> -> tensor<8x5xf32>
  // CHECK: phantom.encode %{{.*}} <int8> counter(%{{.*}}, %{{.*}} : tensor<i64>, tensor<i64>) {site = 3 : i64} : tensor<4x2x5xf32> -> tensor<4x2x9xi8>
  %e = phantom.encode %b <int8> counter(%n, %n : tensor<i64>, tensor<i64>) {site = 3 : i64} : tensor<4x2x5xf32> -> tensor<4x2x9xi8>
  // CHECK: phantom.all_to_all %{{.*}} on @mesh "phantom" : tensor<4x2x9xi8>
  %t = phantom.all_to_all %e on @mesh "phantom" : tensor<4x2x9xi8>
  // CHECK: phantom.decode %{{.*}} <int8> : tensor<4x2x9xi8> -> tensor<4x2x5xf32>
  %d = phantom.decode %t <int8> : tensor<4x2x9xi8> -> tensor<4x2x5xf32>
  // CHECK: phantom.encode %{{.*}} <bf16> : tensor<4x2x5xf32> -> tensor<4x2x5xbf16>
  %f = phantom.encode %d <bf16> : tensor<4x2x5xf32> -> tensor<4x2x5xbf16>
  // CHECK: phantom.replicate %{{.*}} on @mesh "phantom" : tensor<8x5xf32> -> tensor<8x5xf32, #per_rank>
  %q = phantom.replicate %r on @mesh "phantom" : tensor<8x5xf32> -> tensor<8x5xf32, #per_rank>
  // CHECK: phantom.local_slice %{{.*}} dim 0 on @mesh "phantom" : tensor<8x5xf32> -> tensor<2x5xf32, #shard0>
  %l = phantom.local_slice %r dim 0 on @mesh "phantom" : tensor<8x5xf32> -> tensor<2x5xf32, #s0>
  // CHECK: phantom.mask_own_block %{{.*}} on @mesh "phantom" : tensor<8x5xf32>
  %m = phantom.mask_own_block %r on @mesh "phantom" : tensor<8x5xf32>
  return %a : tensor<8x5xf32>
}

// CHECK-LABEL: func @buffers
func.func @buffers(%c: memref<4x64xf32>, %b: memref<64x8xf32>, %d: memref<4x8xf32>) {
  // CHECK: %[[W:.+]] = phantom.window "fc2.ghosts" : memref<16x64xf32>
  %w = phantom.window "fc2.ghosts" : memref<16x64xf32>
  // CHECK: phantom.window_slot %[[W]] dim 0 : memref<16x64xf32> -> memref<4x64xf32>
  %s = phantom.window_slot %w dim 0 : memref<16x64xf32> -> memref<4x64xf32>
  // CHECK: phantom.gemm ins(%{{.*}}, %{{.*}} : memref<4x64xf32>, memref<64x8xf32>) outs(%{{.*}} : memref<4x8xf32>) {accumulate}
  phantom.gemm ins(%c, %b : memref<4x64xf32>, memref<64x8xf32>) outs(%d : memref<4x8xf32>) {accumulate}
  // CHECK: %[[T:.+]] = phantom.exchange_start <all_gather> %[[W]] dim 0 on @mesh "phantom" : memref<16x64xf32>
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>
  // CHECK: phantom.exchange_wait %[[T]], %[[W]] : memref<16x64xf32>
  phantom.exchange_wait %t, %w : memref<16x64xf32>
  %v = phantom.window "sum" : memref<4x4x8xf32>
  // CHECK: phantom.exchange <all_reduce> %{{.*}} dim 0 into %{{.*}} on @mesh "phantom" : memref<4x4x8xf32>, memref<4x8xf32>
  phantom.exchange <all_reduce> %v dim 0 into %d on @mesh "phantom" : memref<4x4x8xf32>, memref<4x8xf32>
  // CHECK: phantom.arena : memref<4096xi8>
  %a = phantom.arena : memref<4096xi8>
  // CHECK: phantom.launch @kernels::@k ins(%{{.*}} : memref<4x64xf32>) outs(%{{.*}} : memref<4x8xf32>)
  phantom.launch @kernels::@k ins(%c : memref<4x64xf32>) outs(%d : memref<4x8xf32>)
  return
}

// CHECK-LABEL: func @streams
func.func @streams(%s: memref<4x64xf32>) {
  %w = phantom.window "0" : memref<16x64xf32>
  %v = phantom.window "1" : memref<16x64xf32>
  // CHECK: %[[E:.+]] = phantom.event_record <compute>
  // CHECK-NEXT: phantom.event_wait %[[E]] <exchange>
  %e = phantom.event_record <compute>
  phantom.event_wait %e <exchange>
  // CHECK-NEXT: phantom.collective <all_gather> %{{.*}} on @mesh "phantom" : memref<16x64xf32>
  phantom.collective <all_gather> %w on @mesh "phantom" : memref<16x64xf32>
  // CHECK-NEXT: phantom.collective <reduce_scatter> %{{.*}} into %{{.*}} on @mesh "phantom" {stream = #phantom.stream<compute>} : memref<16x64xf32>, memref<4x64xf32>
  phantom.collective <reduce_scatter> %v into %s on @mesh "phantom" {stream = #phantom.stream<compute>} : memref<16x64xf32>, memref<4x64xf32>
  return
}
