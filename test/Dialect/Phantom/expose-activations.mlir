// RUN: phantom-opt %s --split-input-file --phantom-expose-activations="layers=c,b" | FileCheck %s
// RUN: phantom-opt %s --split-input-file --phantom-expose-activations="layers=c.part1" --canonicalize | FileCheck %s --check-prefix=PART

phantom.parameter @a.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @b.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @c.weight : tensor<8x8xf32> init <uniform, fan_in = 8> trainable
phantom.parameter @c.bias : tensor<8xf32> init <zeros> trainable

// The layers b and c have one input, which is the first result; b is called a second time.
// CHECK-LABEL: func.func @forward
// CHECK-SAME: -> (tensor<5x8xf32> {phantom.output = "c"}, tensor<5x8xf32> {phantom.output = "b#2"})
// CHECK: %[[H:.+]] = phantom.activation <relu>
// CHECK: %[[Z:.+]] = phantom.linear %[[H]], %{{.+}} bias
// CHECK: return %[[H]], %[[Z]] : tensor<5x8xf32>, tensor<5x8xf32>
//
// What a part of a layer multiplies is what the layer does; the rest goes away.
// PART-LABEL: func.func @forward
// PART-SAME: -> (tensor<5x8xf32> {phantom.output = "c.part1"})
// PART-COUNT-1: phantom.linear
// PART-NOT: phantom.linear
// PART: return
func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %a: tensor<8x8xf32> {phantom.parameter = @a.weight},
                   %b: tensor<8x8xf32> {phantom.parameter = @b.weight}, %c: tensor<8x8xf32> {phantom.parameter = @c.weight},
                   %d: tensor<8xf32> {phantom.parameter = @c.bias}) -> (tensor<5x8xf32> {phantom.output = "y"}) {
  %0 = phantom.linear %x, %a : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %1 = phantom.activation <relu> %0 : tensor<5x8xf32>
  %2 = phantom.linear %1, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %3 = phantom.linear %1, %c bias %d : (tensor<5x8xf32>, tensor<8x8xf32>, tensor<8xf32>) -> tensor<5x8xf32>
  %4 = phantom.linear %3, %b : (tensor<5x8xf32>, tensor<8x8xf32>) -> tensor<5x8xf32>
  %5 = arith.addf %2, %4 : tensor<5x8xf32>
  return %5 : tensor<5x8xf32>
}
