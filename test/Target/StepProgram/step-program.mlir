// RUN: phantom-opt %s --phantom-to-cpu-pipeline --mlir-print-debuginfo 2>/dev/null | phantom-translate --phantom-to-step-program | FileCheck %s
// RUN: phantom-opt %s --phantom-to-cpu-pipeline --mlir-print-debuginfo -o %t.mlir 2>/dev/null
// RUN: phantom-translate --phantom-to-step-program %t.mlir -o %t.json
// RUN: FileCheck %s < %t.json

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#partial = #phantom.state<"phantom" = partial>
#per_rank = #phantom.state<"phantom" = per_rank>

// CHECK: "model": "tiny"
// CHECK: "strategy": "phantom"
// CHECK: "ranks": 4
// CHECK-NEXT: "ghost_width": 0
// CHECK: "batch": 32
// CHECK: "element": "f32"
// CHECK: "loss": "mse"
// CHECK-NEXT: "classes": 0
module attributes {phantom.model = "tiny", phantom.strategy = "phantom", phantom.loss_kind = "mse"} {

phantom.mesh @mesh = [<"phantom" = 4>]

// CHECK-LABEL: "parameters": [
// CHECK: "name": "fc.compressor"
// CHECK-NEXT: "type": "f32[2, 16]"
// CHECK-NEXT: "stored": "f32[2, 16]"
// CHECK-NEXT: "layout": "stacked"
// CHECK: "kind": "low_rank_compressor"
// CHECK: "file": "tiny.safetensors"
// CHECK-NEXT: "tensor": "fc.weight"
// CHECK-NEXT: "type": "f32[64, 64]"
// CHECK: "ghost_width": 2
// CHECK: "trainable": true
phantom.parameter @fc.compressor : tensor<2x16xf32> layout <stacked> init
    <low_rank_compressor, source = <"tiny.safetensors", "fc.weight", tensor<64x64xf32>>, ghost_width = 2> trainable
// CHECK: "name": "fc.decompressor"
// CHECK-NEXT: "type": "f32[8, 16]"
// CHECK-NEXT: "stored": "f32[4, 2, 16]"
// CHECK: "zero_own_block": true
phantom.parameter @fc.decompressor : tensor<8x16xf32> layout <stacked as [4, 2, 16]> init <uniform, fan_in = 6, zero_own = true> trainable
// CHECK: "name": "fc.bias"
// CHECK: "layout": "shard"
// CHECK-NEXT: "dim": 0
phantom.parameter @fc.bias : tensor<16xf32> layout <shard(0)> init <zeros> trainable
phantom.parameter @out.weight : tensor<64x16xf32> layout <shard(1)> init <zeros> trainable
// CHECK: "name": "fc.bias.velocity"
// CHECK: "trainable": false
// CHECK-NEXT: "state_of": "fc.bias"
phantom.parameter @fc.bias.velocity : tensor<16xf32> layout <shard(0)> init <zeros> state_of @fc.bias

// CHECK-LABEL: "windows": [
// CHECK: "name": "forward.all_gather0"
// CHECK-NEXT: "bytes": 1024
// CHECK: "name": "forward.all_gather1"
// CHECK-NEXT: "bytes": 8192
// CHECK: "name": "train_step.reduce_scatter0"
// CHECK-NEXT: "bytes": 32768

// Gathered along columns: [32, 4, 16]. Reductions say where the sum goes.
// CHECK-LABEL: "exchanges": [
// CHECK: "kind": "all_gather"
// CHECK: "outer": 1
// CHECK-NEXT: "inner": 64
// CHECK: "kind": "all_gather"
// CHECK: "outer": 32
// CHECK-NEXT: "inner": 16
// CHECK: "kind": "reduce_scatter"
// CHECK: "outer": 32
// CHECK-NEXT: "inner": 16
// CHECK-NEXT: "destination": "arena+

// CHECK-LABEL: "constants": [
// CHECK-NEXT: "{{[A-Za-z0-9+/]+}}=="
// CHECK-NEXT: ]

// @forward is called infer.
// CHECK: "name": "infer"
// CHECK: "role": "input"
// CHECK-NEXT: "name": "x"
// CHECK-NEXT: "type": "f32[32, 64]"
// CHECK: "role": "rank"
// CHECK: "role": "output"
// CHECK-NEXT: "name": "y"
// CHECK-NEXT: "type": "f32[32, 64]"
// CHECK-NEXT: "buffer": "window1+0"
// CHECK: "op": "kernel"
// CHECK: "op": "gemm"
// CHECK-NEXT: "a": "argument1+0"
// CHECK-NEXT: "b": "arena+{{[0-9]+}}"
// CHECK-NEXT: "c": "window0+0+rank*256"
// CHECK: "op": "exchange_start"
// CHECK-NEXT: "exchange": 0
// CHECK: "op": "exchange_wait"
// CHECK-NEXT: "exchange": 0
// A GEMM on the gathered ghosts, transposed, with the bias, into a slot of strided rows.
// CHECK: "op": "gemm"
// CHECK-NEXT: "a": "window0+0"
// CHECK-NEXT: "b": "argument2+0"
// CHECK-NEXT: "c": "window1+0+rank*64"
// CHECK-NEXT: "bias": "argument3+0"
// CHECK-NEXT: "mnk": [
// CHECK-NEXT: 32,
// CHECK-NEXT: 16,
// CHECK-NEXT: 8
// CHECK-NEXT: ],
// CHECK-NEXT: "strides": [
// CHECK-NEXT: 1,
// CHECK-NEXT: 32,
// CHECK-NEXT: 16,
// CHECK-NEXT: 1,
// CHECK-NEXT: 64
// CHECK-NEXT: ],
// CHECK: "epilogue": "elu"
// CHECK-NEXT: "alpha": 1
// CHECK-NEXT: "location": "fc/Elu"
func.func @forward(%x: tensor<32x64xf32> {phantom.input = "x"},
                   %c: tensor<2x16xf32, #block> {phantom.parameter = @fc.compressor},
                   %d: tensor<8x16xf32, #s1> {phantom.parameter = @fc.decompressor},
                   %b: tensor<16xf32, #s0> {phantom.parameter = @fc.bias}) -> (tensor<32x64xf32> {phantom.output = "y"}) {
  %y = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<32x64xf32> -> tensor<32x16xf32, #s1>
  %scale = arith.constant dense<[1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0]> : tensor<16xf32, #s0>
  %scales = phantom.broadcast %scale : (tensor<16xf32, #s0>) -> tensor<32x16xf32, #s1>
  %m = arith.mulf %y, %scales : tensor<32x16xf32, #s1>
  %n = phantom.activation <relu> %m : tensor<32x16xf32, #s1>
  %g = phantom.compress %n, %c : (tensor<32x16xf32, #s1>, tensor<2x16xf32, #block>) -> tensor<2x32xf32, #s0>
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<2x32xf32, #s0> -> tensor<8x32xf32, #per_rank>
  %z = phantom.decompress %a, %d zero_own on @mesh "phantom"
      : (tensor<8x32xf32, #per_rank>, tensor<8x16xf32, #s1>) -> tensor<32x16xf32, #s1>
  %bias = phantom.broadcast %b : (tensor<16xf32, #s0>) -> tensor<32x16xf32, #s1>
  %s = arith.addf %z, %bias : tensor<32x16xf32, #s1>
  %r = phantom.activation <elu> %s {alpha = 1.0 : f64} : tensor<32x16xf32, #s1> loc("fc/Elu")
  %out = phantom.all_gather %r dim 1 on @mesh "phantom" : tensor<32x16xf32, #s1> -> tensor<32x64xf32>
  return %out : tensor<32x64xf32>
}

// CHECK: "name": "train_step"
// CHECK: "role": "learning_rate"
// CHECK-NEXT: "name": "learning_rate"
// CHECK-NEXT: "type": "f32[]"
// CHECK: "role": "step"
// CHECK: "role": "parameter"
// CHECK-NEXT: "name": "fc.bias"
// Updated parameters are no results: they are in their arguments.
// CHECK: "results": [
// CHECK: "role": "squared_norm"
// CHECK-NOT: "role": "parameter"
// CHECK: "commands": [
func.func @train_step(%x: tensor<32x64xf32> {phantom.input = "x"}, %lr: tensor<f32> {phantom.scalar = "learning_rate"},
                      %t: tensor<i64> {phantom.scalar = "step"}, %b: tensor<16xf32, #s0> {phantom.parameter = @fc.bias},
                      %u: tensor<16xf32, #s0> {phantom.parameter = @fc.bias.velocity},
                      %w: tensor<64x16xf32, #s1> {phantom.parameter = @out.weight})
    -> (tensor<f64, #partial> {phantom.squared_norm = "own"}, tensor<16xf32, #s0> {phantom.updated = @fc.bias},
        tensor<16xf32, #s0> {phantom.updated = @fc.bias.velocity}) {
  %y = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<32x64xf32> -> tensor<32x16xf32, #s1>
  %part = phantom.linear %y, %w : (tensor<32x16xf32, #s1>, tensor<64x16xf32, #s1>) -> tensor<32x64xf32, #partial>
  %s = phantom.reduce_scatter %part dim 1 on @mesh "phantom" : tensor<32x64xf32, #partial> -> tensor<32x16xf32, #s1>
  %g = phantom.reduce_sum %s [0] : tensor<32x16xf32, #s1> -> tensor<16xf32, #s0>
  %n = phantom.squared_norm %g : (tensor<16xf32, #s0>) -> tensor<f64, #partial>
  %new:2 = phantom.update <momentum> %b, %g, (%u) learning_rate %lr step %t
      : (tensor<16xf32, #s0>, tensor<16xf32, #s0>, tensor<16xf32, #s0>, tensor<f32>, tensor<i64>) -> (tensor<16xf32, #s0>, tensor<16xf32, #s0>)
  return %n, %new#0, %new#1 : tensor<f64, #partial>, tensor<16xf32, #s0>, tensor<16xf32, #s0>
}

// Zero blocks are no parameters: 4·2·16 + 4·3·2·16 + 64 + 64·64.
// CHECK: "train_costs": {
// CHECK-NEXT: "parameters": 4672
// CHECK-NEXT: "formula_flops": 65536
// CHECK-NEXT: "executed_flops": 65536
// CHECK-NEXT: "model_comm_bytes": 6144
}
