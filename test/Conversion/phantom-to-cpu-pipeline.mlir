// RUN: phantom-opt %s --phantom-to-cpu-pipeline 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-to-cpu-pipeline=overlap=false 2>/dev/null | FileCheck %s --check-prefix=NO-OVERLAP
// RUN: phantom-opt %s --phantom-to-cpu-pipeline=fuse-epilogues=false 2>/dev/null | FileCheck %s --check-prefix=NO-FUSION
// RUN: phantom-opt %s --phantom-to-cpu-pipeline=reference-gemm 2>/dev/null | FileCheck %s --check-prefix=REFERENCE
// RUN: phantom-opt %s --phantom-to-cpu-pipeline=precision=f64 2>/dev/null | FileCheck %s --check-prefix=F64

#s0 = #phantom.state<"phantom" = shard(0)>
#s1 = #phantom.state<"phantom" = shard(1)>
#block = #phantom.state<"phantom" = block>
#per_rank = #phantom.state<"phantom" = per_rank>

phantom.mesh @mesh = [<"phantom" = 4>]
phantom.parameter @fc.local : tensor<16x16xf32> layout <stacked> init <uniform, fan_in = 16> trainable
phantom.parameter @fc.compressor : tensor<2x16xf32> layout <stacked> init <uniform, fan_in = 16> trainable
phantom.parameter @fc.decompressor : tensor<8x16xf32> layout <stacked as [4, 2, 16]> init <uniform, fan_in = 6, zero_own = true> trainable

// A phantom layer is three GEMMs and an exchange: no kernel, no copy.
// CHECK-LABEL: func @forward
// NO-OVERLAP-LABEL: func @forward
// NO-FUSION-LABEL: func @forward
// REFERENCE-LABEL: func @forward
// REFERENCE-NOT: phantom.gemm
// F64-LABEL: func @forward
// F64-SAME: memref<32x64xf64>
// F64-NOT: f32
// F64: return
func.func @forward(%x: tensor<32x64xf32> {phantom.input = "x"},
                   %l: tensor<16x16xf32, #block> {phantom.parameter = @fc.local},
                   %c: tensor<2x16xf32, #block> {phantom.parameter = @fc.compressor},
                   %d: tensor<8x16xf32, #s1> {phantom.parameter = @fc.decompressor}) -> (tensor<32x64xf32> {phantom.output = "y"}) {
  // CHECK-SAME: memref<i64> {phantom.scalar = "rank"}
  %y = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<32x64xf32> -> tensor<32x16xf32, #s1>
  // CHECK: phantom.window_slot %{{.*}} dim 1 : memref<32x64xf32> -> memref<32x16xf32, strided<[64, 1]>>
  // CHECK: phantom.launch {{.*}} outs(%[[Y:.+]] : memref<32x16xf32>)
  // CHECK: %[[W:.+]] = phantom.window "forward.all_gather0" : memref<8x32xf32>
  // CHECK: %[[S:.+]] = phantom.window_slot %[[W]] dim 0
  // CHECK: phantom.gemm {{.*}} outs(%[[S]] : memref<2x32xf32>)
  // CHECK-NEXT: %[[T:.+]] = phantom.exchange_start <all_gather> %[[W]]
  // CHECK: phantom.gemm
  // CHECK-NEXT: phantom.exchange_wait %[[T]], %[[W]]
  // CHECK-NEXT: phantom.gemm ins(%[[W]], {{.*}} outs(%{{.*}} : memref<32x16xf32, strided<[64, 1]>>) {accumulate, epilogue = #phantom.epilogue<relu>, formula_fraction = 7.500000e-01 : f64, transpose_a}
  // CHECK-NEXT: phantom.exchange_start
  // CHECK-NEXT: phantom.exchange_wait
  // CHECK-NEXT: return
  // NO-OVERLAP: phantom.exchange_start
  // NO-OVERLAP-NEXT: phantom.exchange_wait
  // NO-FUSION-NOT: epilogue
  %g = phantom.compress %y, %c : (tensor<32x16xf32, #s1>, tensor<2x16xf32, #block>) -> tensor<2x32xf32, #s0>
  %a = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<2x32xf32, #s0> -> tensor<8x32xf32, #per_rank>
  %z = phantom.linear %y, %l : (tensor<32x16xf32, #s1>, tensor<16x16xf32, #block>) -> tensor<32x16xf32, #s1>
  %o = phantom.decompress %a, %d acc %z zero_own on @mesh "phantom"
      : (tensor<8x32xf32, #per_rank>, tensor<8x16xf32, #s1>, tensor<32x16xf32, #s1>) -> tensor<32x16xf32, #s1>
  %r = phantom.activation <relu> %o : tensor<32x16xf32, #s1>
  %out = phantom.all_gather %r dim 1 on @mesh "phantom" : tensor<32x16xf32, #s1> -> tensor<32x64xf32>
  return %out : tensor<32x64xf32>
}
