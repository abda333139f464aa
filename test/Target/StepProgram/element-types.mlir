// RUN: phantom-opt %s --phantom-to-cpu-pipeline 2>/dev/null | phantom-translate --phantom-to-step-program | FileCheck %s

// Every type that an argument can have, by its name.
// CHECK: "name": "f32"
// CHECK-NEXT: "type": "f32[2]"
// CHECK: "name": "f64"
// CHECK-NEXT: "type": "f64[2]"
// CHECK: "name": "i8"
// CHECK-NEXT: "type": "i8[2]"
// CHECK: "name": "i16"
// CHECK-NEXT: "type": "i16[2]"
// CHECK: "name": "i32"
// CHECK-NEXT: "type": "i32[2]"
// CHECK: "name": "i64"
// CHECK-NEXT: "type": "i64[2]"
// CHECK: "name": "u8"
// CHECK-NEXT: "type": "u8[2]"
// CHECK: "name": "u16"
// CHECK-NEXT: "type": "u16[2]"
// CHECK: "name": "u32"
// CHECK-NEXT: "type": "u32[2]"
// CHECK: "name": "u64"
// CHECK-NEXT: "type": "u64[2]"
// CHECK: "name": "bool"
// CHECK-NEXT: "type": "bool[2]"
func.func @forward(
    %f32: tensor<2xf32> {phantom.input = "f32"}, %f64: tensor<2xf64> {phantom.input = "f64"},
    %i8: tensor<2xi8> {phantom.input = "i8"}, %i16: tensor<2xi16> {phantom.input = "i16"},
    %i32: tensor<2xi32> {phantom.input = "i32"}, %i64: tensor<2xi64> {phantom.input = "i64"},
    %u8: tensor<2xi8> {phantom.input = "u8", phantom.unsigned},
    %u16: tensor<2xi16> {phantom.input = "u16", phantom.unsigned},
    %u32: tensor<2xi32> {phantom.input = "u32", phantom.unsigned},
    %u64: tensor<2xi64> {phantom.input = "u64", phantom.unsigned},
    %bool: tensor<2xi1> {phantom.input = "bool"}) -> (tensor<2xf32> {phantom.output = "y"}) {
  %y = arith.addf %f32, %f32 : tensor<2xf32>
  return %y : tensor<2xf32>
}
