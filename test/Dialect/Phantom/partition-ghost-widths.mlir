// RUN: phantom-opt %s --phantom-partition="ranks=2 ghost-width=1 first-layer=phantom last-layer=phantom ghost-widths=b=3,c=0" | FileCheck %s
// RUN: phantom-opt %s --phantom-partition="ranks=2 first-layer=phantom last-layer=phantom ghost-widths=a=2" | FileCheck %s --check-prefix=ONE
// RUN: phantom-opt %s --phantom-partition="ranks=1 ghost-widths=a=2" | FileCheck %s --check-prefix=DENSE
// RUN: phantom-opt %s --phantom-infer-pipeline="ranks=2 batch-size=5 first-layer=phantom last-layer=phantom ghost-widths=a=2" | FileCheck %s --check-prefix=ONE

phantom.parameter @a.weight : tensor<8x8xf32> init <load, source = <"w.safetensors", "a", tensor<8x8xf32>>> trainable
phantom.parameter @b.weight : tensor<8x8xf32> init <load, source = <"w.safetensors", "b", tensor<8x8xf32>>> trainable
phantom.parameter @c.weight : tensor<8x8xf32> init <load, source = <"w.safetensors", "c", tensor<8x8xf32>>> trainable

// Named layers have their own width, others that of ghost-width; the init recipes have it, too.
// CHECK-DAG: @a.compressor : tensor<1x4xf32> {{.*}}low_rank_compressor{{.*}}ghost_width = 1
// CHECK-DAG: @b.compressor : tensor<3x4xf32> {{.*}}low_rank_compressor{{.*}}ghost_width = 3
// CHECK-DAG: @b.decompressor : tensor<6x4xf32> layout <stacked as [2, 3, 4]> {{.*}}ghost_width = 3
// CHECK-NOT: @c.compressor
// ONE: @a.compressor : tensor<2x4xf32>
// ONE-NOT: @b.compressor
// DENSE-NOT: compressor
// DENSE: phantom.linear
func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight},
                   %b: tensor<8x8xf32> {phantom.parameter = @b.weight}, %c: tensor<8x8xf32> {phantom.parameter = @c.weight}) -> (tensor<5x8xf32> {phantom.output = "y"}) {
  %0 = phantom.linear %x, %a : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %1 = phantom.linear %0, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %2 = phantom.linear %1, %c : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  return %2 : tensor<5x8xf32>
}
