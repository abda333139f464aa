// RUN: phantom-opt %s --phantom-convert-precision | FileCheck %s
// RUN: phantom-opt %s --phantom-convert-precision=to=f32 | FileCheck %s --check-prefix=SAME
// RUN: phantom-opt %s --phantom-convert-precision=to=bf16 | FileCheck %s --check-prefix=BF16

// The source stays as stored.
// CHECK: phantom.parameter @w : tensor<4x8xf64> init <load, source = <"m.safetensors", "w", tensor<4x8xf32>>>
phantom.parameter @w : tensor<4x8xf32> init <load, source = <"m.safetensors", "w", tensor<4x8xf32>>> trainable

// SAME-LABEL: func @f64
// SAME-SAME: tensor<8xf32>
// CHECK-LABEL: func @f64
// CHECK-SAME: (%{{.*}}: tensor<8xf64>, %{{.*}}: tensor<i64>) -> tensor<8xf64>
func.func @f64(%x: tensor<8xf32>, %t: tensor<i64>) -> tensor<8xf32> {
  // CHECK: arith.constant dense<5.000000e-01> : tensor<8xf64>
  %c = arith.constant dense<0.5> : tensor<8xf32>
  // CHECK: arith.mulf %{{.*}} : tensor<8xf64>
  %y = arith.mulf %x, %c : tensor<8xf32>
  return %y : tensor<8xf32>
}

// Each factor is rounded once, before the first product that takes it; sums, biases and epilogues are f32.
// SAME-LABEL: func @products
// SAME-NOT: bf16
// BF16-LABEL: func @products
// BF16-SAME: (%[[X:.+]]: tensor<8x4xf32>, %[[W:.+]]: tensor<6x4xf32>, %[[V:.+]]: tensor<6xf32>
// BF16-NEXT: tensor.empty
// BF16-NEXT: %[[A:.+]] = arith.truncf %[[X]] : tensor<8x4xf32> to tensor<8x4xbf16>
// BF16-NEXT: %[[B:.+]] = arith.truncf %[[W]] : tensor<6x4xf32> to tensor<6x4xbf16>
// BF16-NEXT: %[[Y:.+]] = phantom.gemm ins(%[[A]], %[[B]] : tensor<8x4xbf16>, tensor<6x4xbf16>) bias(%[[V]] : tensor<6xf32>) outs(%{{.+}} : tensor<8x6xf32>) {epilogue = #phantom.epilogue<relu>, transpose_b} -> tensor<8x6xf32>
// BF16-NEXT: tensor.empty
// BF16-NEXT: %[[D:.+]] = arith.truncf %[[Y]] : tensor<8x6xf32> to tensor<8x6xbf16>
// BF16-NEXT: phantom.gemm ins(%[[D]], %[[A]] : tensor<8x6xbf16>, tensor<8x4xbf16>) outs(%{{.+}} : tensor<6x4xf32>) {transpose_a} -> tensor<6x4xf32>
// CHECK-LABEL: func @products
// CHECK: phantom.gemm ins(%{{.+}}, %{{.+}} : tensor<8x4xf64>, tensor<6x4xf64>) bias(%{{.+}} : tensor<6xf64>)
func.func @products(%x: tensor<8x4xf32>, %w: tensor<6x4xf32>, %v: tensor<6xf32>) -> (tensor<8x6xf32>, tensor<6x4xf32>) {
  %e = tensor.empty() : tensor<8x6xf32>
  %y = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<6x4xf32>) bias(%v : tensor<6xf32>) outs(%e : tensor<8x6xf32>)
      {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x6xf32>
  %f = tensor.empty() : tensor<6x4xf32>
  %g = phantom.gemm ins(%y, %x : tensor<8x6xf32>, tensor<8x4xf32>) outs(%f : tensor<6x4xf32>) {transpose_a} -> tensor<6x4xf32>
  return %y, %g : tensor<8x6xf32>, tensor<6x4xf32>
}

// A product of two activations takes rounded values, too.
// BF16-LABEL: func @attention
// BF16-NEXT: %[[A:.+]] = phantom.cast %{{.+}} rounded <bf16> : tensor<2x4x8xf32> -> tensor<2x4x8xf32>
// BF16-NEXT: %[[B:.+]] = phantom.cast %{{.+}} rounded <bf16> : tensor<2x8x3xf32> -> tensor<2x8x3xf32>
// BF16-NEXT: phantom.matmul %[[A]], %[[B]]
func.func @attention(%a: tensor<2x4x8xf32>, %b: tensor<2x8x3xf32>) -> tensor<2x4x3xf32> {
  %c = phantom.matmul %a, %b : (tensor<2x4x8xf32>, tensor<2x8x3xf32>) -> tensor<2x4x3xf32>
  return %c : tensor<2x4x3xf32>
}
