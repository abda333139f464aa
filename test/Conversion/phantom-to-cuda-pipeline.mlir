// RUN: phantom-opt %s --phantom-train-pipeline="batch-size=32 ranks=4 ghost-width=2 loss=mse init=random" --phantom-to-cuda-pipeline -o %t.phantom.mlir 2>%t.phantom.txt
// RUN: FileCheck %s --check-prefix=PHANTOM < %t.phantom.mlir
// RUN: FileCheck %s --check-prefix=PHANTOM-COUNTS < %t.phantom.txt
// RUN: phantom-opt %s --phantom-train-pipeline="batch-size=32 ranks=4 strategy=tensor loss=mse init=random" --phantom-to-cuda-pipeline -o %t.tensor.mlir 2>%t.tensor.txt
// RUN: FileCheck %s --check-prefix=TENSOR < %t.tensor.mlir
// RUN: FileCheck %s --check-prefix=TENSOR-COUNTS < %t.tensor.txt
// RUN: phantom-opt %s --phantom-infer-pipeline="batch-size=32 ranks=4 ghost-width=2 init=random" --phantom-to-cuda-pipeline="overlap=false chips=sm_90 reference-gemm" 2>/dev/null | FileCheck %s --check-prefix=OPTIONS
// RUN: phantom-opt %s --phantom-train-pipeline="batch-size=32 ranks=4 ghost-width=2 loss=mse init=random" --phantom-to-cuda-pipeline=fuse-gradient-epilogues -o %t.slopes.mlir 2>%t.slopes.txt
// RUN: FileCheck %s --check-prefix=SLOPES-COUNTS < %t.slopes.txt
// RUN: phantom-translate --phantom-to-step-program %t.slopes.mlir | FileCheck %s --check-prefix=SLOPES
// RUN: phantom-opt %s --phantom-train-pipeline="batch-size=32 ranks=4 ghost-width=2 loss=mse init=random" --phantom-to-cuda-pipeline="fuse-gradient-epilogues reference-gemm" -o /dev/null
// RUN: phantom-translate --phantom-to-step-program %t.phantom.mlir | FileCheck %s --check-prefix=JSON

!batch = tensor<?x64xf32>
!weight = tensor<64x64xf32>
!bias = tensor<64xf32>
phantom.parameter @w0 : !weight init <uniform, fan_in = 64> trainable
phantom.parameter @w1 : !weight init <uniform, fan_in = 64> trainable
phantom.parameter @w2 : !weight init <uniform, fan_in = 64> trainable
phantom.parameter @w3 : !weight init <uniform, fan_in = 64> trainable
phantom.parameter @b1 : !bias init <zeros> trainable

func.func @forward(%x: !batch {phantom.input = "x"}, %w0: !weight {phantom.parameter = @w0}, %w1: !weight {phantom.parameter = @w1},
                   %w2: !weight {phantom.parameter = @w2}, %w3: !weight {phantom.parameter = @w3}, %b1: !bias {phantom.parameter = @b1})
    -> (!batch {phantom.output = "y"}) {
  %0 = phantom.linear %x, %w0 : (!batch, !weight) -> !batch
  %1 = phantom.activation <relu> %0 : !batch
  %2 = phantom.linear %1, %w1 bias %b1 : (!batch, !weight, !bias) -> !batch
  %3 = phantom.activation <relu> %2 : !batch
  %4 = phantom.linear %3, %w2 : (!batch, !weight) -> !batch
  %5 = phantom.activation <gelu_erf> %4 : !batch
  %6 = phantom.linear %5, %w3 : (!batch, !weight) -> !batch
  return %6 : !batch
}

// One exchange per phantom layer and direction, and one sum for the last layer. A rank sends 15360 bytes for them; with the tensor
// strategy, whose exchanges are activations, 36864.
// PHANTOM-COUNTS: remark: @train_step: 23 GEMMs, 18 kernels and 5 exchanges, for which each rank sends 15360 bytes; the compute stream waits 5 times, the exchange stream 5 times
// TENSOR-COUNTS: remark: @train_step: packed 4 exchanges, for which 4 transposes are left
// TENSOR-COUNTS: remark: @train_step: 11 GEMMs, 16 kernels and 5 exchanges, for which each rank sends 36864 bytes; the compute stream waits 5 times, the exchange stream 5 times

// On request GEMMs multiply by the slopes of relu, and sum the bias gradient; those of the reference have no such epilogue.
// SLOPES-COUNTS: remark: @train_step: fused 2 slopes and 1 bias gradients into GEMMs
// SLOPES-COUNTS: remark: @train_step: 23 GEMMs, 15 kernels and 5 exchanges
// SLOPES: "name": "train_step"
// SLOPES: "epilogue": "relu_aux"
// SLOPES: "aux": "[[BITS0:[^"]+]]"
// SLOPES-NEXT: "aux_row": 128
// SLOPES: "epilogue": "relu_aux"
// SLOPES: "aux": "[[BITS1:[^"]+]]"
// SLOPES: "epilogue": "relu_gradient"
// SLOPES: "aux": "[[BITS1]]"
// SLOPES-NEXT: "aux_row": 128
// SLOPES-NEXT: "bias_gradient": "arena
// SLOPES: "epilogue": "relu_gradient"
// SLOPES: "aux": "[[BITS0]]"

// The exchange of a layer starts behind the compressor, and is waited for behind the local product.
// PHANTOM-LABEL: func.func @train_step
// PHANTOM: phantom.gemm {{.*}} outs(%[[S0:.+]] : memref<2x32xf32>) {transpose_b}
// PHANTOM-NEXT: %[[E0:.+]] = phantom.event_record <compute>
// PHANTOM-NEXT: phantom.event_wait %[[E0]] <exchange>
// PHANTOM-NEXT: phantom.collective <all_gather> %[[W0:.+]] on @mesh "phantom" : memref<8x32xf32>
// PHANTOM-NEXT: %[[F0:.+]] = phantom.event_record <exchange>
// PHANTOM: phantom.gemm {{.*}} : memref<32x16xf32>, memref<16x16xf32>) outs(%[[Z:.+]] : memref<32x16xf32>) {transpose_b}
// PHANTOM-NEXT: phantom.event_wait %[[F0]] <compute>
// PHANTOM-NEXT: phantom.gemm ins(%[[W0]], {{.*}} bias({{.*}} outs(%[[Z]] : {{.*}} {accumulate, epilogue = #phantom.epilogue<relu>
// PHANTOM: phantom.collective <all_gather>
// PHANTOM-NEXT: %[[F1:.+]] = phantom.event_record <exchange>
// PHANTOM: phantom.gemm {{.*}} : memref<32x16xf32>, memref<16x16xf32>)
// PHANTOM-NEXT: phantom.event_wait %[[F1]] <compute>
// PHANTOM-NEXT: phantom.gemm
// Backward: beside the decompressor's gradient and both products of the local weight.
// PHANTOM: phantom.collective <all_reduce>
// PHANTOM: phantom.collective <reduce_scatter> %{{.*}} into %[[GAMMA:.+]] on @mesh "phantom" : memref<8x32xf32>, memref<2x32xf32>
// PHANTOM-NEXT: %[[F2:.+]] = phantom.event_record <exchange>
// PHANTOM: phantom.gemm {{.*}} outs(%{{.*}} : memref<8x16xf32>) {formula_fraction
// PHANTOM: phantom.gemm {{.*}} : memref<32x16xf32>, memref<16x16xf32>)
// PHANTOM: phantom.gemm {{.*}} outs(%{{.*}} : memref<16x16xf32>) {transpose_a}
// PHANTOM: phantom.event_wait %[[F2]] <compute>
// PHANTOM-NEXT: phantom.gemm ins(%[[GAMMA]],
// PHANTOM: phantom.collective <reduce_scatter>
// PHANTOM: phantom.event_wait %{{.*}} <compute>
// PHANTOM-NOT: phantom.collective
// PHANTOM: return
// PHANTOM: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_80"

// Gathered activations are exchanged by columns, which the next layer's GEMM takes as they are.
// TENSOR-LABEL: func.func @train_step
// TENSOR: phantom.gemm {{.*}} outs(%[[Y:.+]] : memref<32x16xf32>) {epilogue = #phantom.epilogue<relu>, transpose_b}
// TENSOR: phantom.launch @kernels::@move_0 ins(%[[Y]] : memref<32x16xf32>) outs(%{{.*}} : memref<16x32xf32>)
// TENSOR: phantom.collective <all_gather> %[[W:.+]] on @mesh "phantom" : memref<64x32xf32>
// TENSOR: phantom.gemm ins(%[[W]], %{{.*}} : memref<64x32xf32>, memref<16x64xf32>) {{.*}}transpose_a, transpose_b}
// TENSOR-COUNT-4: phantom.collective
// TENSOR-NOT: phantom.collective
// TENSOR: return

// OPTIONS-LABEL: func.func @forward
// OPTIONS-NOT: phantom.gemm
// OPTIONS: phantom.collective <all_gather>
// OPTIONS-NEXT: %[[E:.+]] = phantom.event_record <exchange>
// OPTIONS-NOT: phantom.launch
// OPTIONS: phantom.event_wait %[[E]] <compute>
// OPTIONS: gpu.module @kernels [#nvvm.target<O = 3, chip = "sm_90", features = "+ptx80">]

// JSON: "device": "gpu"
// JSON: "windows": [
// JSON: "name": "forward.all_reduce0"
// JSON-NEXT: "bytes": 8192
// JSON: "kind": "all_gather"
// JSON: "outer": 1
// JSON-NEXT: "inner": 64
// JSON-NOT: "destination"
// JSON: "kernels": [
// JSON: "kernel_arguments": [
// JSON: "reads": true,
// JSON-NEXT: "writes": false,
// JSON-NEXT: "bytes": 2048
// JSON: "name": "infer"
// JSON: "events": 6
// JSON: "op": "event_record"
// JSON-NEXT: "event": 0
// JSON-NEXT: }
// JSON: "op": "event_wait"
// JSON-NEXT: "event": 0
// JSON-NEXT: "stream": "exchange"
// JSON: "op": "collective"
// JSON-NEXT: "exchange": 0
// JSON-NEXT: "send": "window1+0+rank*256"
// JSON-NEXT: "receive": "window1+0"
// JSON-NEXT: "count": 64
// JSON-NEXT: "element": "f32"
// JSON-NEXT: "stream": "exchange"
// JSON: "op": "kernel"
// JSON: "blocks": 2
// JSON-NEXT: "threads": 256
