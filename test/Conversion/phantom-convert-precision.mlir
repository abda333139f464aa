// RUN: phantom-opt %s --phantom-convert-precision | FileCheck %s
// RUN: phantom-opt %s --phantom-convert-precision=to=f32 | FileCheck %s --check-prefix=SAME

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
