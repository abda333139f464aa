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
