// REQUIRES: cuda-toolkit
// RUN: phantom-opt %s --phantom-to-cuda-pipeline="chips=sm_120,sm_80" 2>/dev/null | phantom-translate --phantom-gpu-resources | FileCheck %s

// Every kernel on every chip, oldest first, and no spills.
// CHECK: | kernel | chip | registers | spilled bytes | stack bytes |
// CHECK-NEXT: | --- | --- | --- | --- | --- |
// CHECK-DAG: | elementwise_0 | sm_80 | {{[1-9][0-9]*}} | 0 | 0 |
// CHECK-DAG: | reduce_0 | sm_80 | {{[1-9][0-9]*}} | 0 | 0 |
// CHECK: | {{.*}} | sm_120 | {{[1-9][0-9]*}} | 0 | 0 |
// CHECK-NOT: | {{[1-9][0-9]*}} | 0 |{{$}}
func.func @forward(%x: tensor<8x1000xf32> {phantom.input = "x"}) -> (tensor<8xf32> {phantom.output = "sums"}, tensor<8x1000xf32> {phantom.output = "y"}) {
  %s = phantom.reduce_sum %x [1] : tensor<8x1000xf32> -> tensor<8xf32>
  %y = phantom.activation <gelu_erf> %x : tensor<8x1000xf32>
  return %s, %y : tensor<8xf32>, tensor<8x1000xf32>
}
