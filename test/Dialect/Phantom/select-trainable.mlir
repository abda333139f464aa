// RUN: phantom-opt %s --phantom-select-trainable="trainable=*2.{weight,bias}" | FileCheck %s --check-prefix=TRAINABLE
// RUN: phantom-opt %s --phantom-select-trainable="frozen=*.weight" | FileCheck %s --check-prefix=FROZEN
// RUN: phantom-opt %s --phantom-select-trainable="trainable=fc* frozen=fc1.*" | FileCheck %s --check-prefix=BOTH
// RUN: phantom-opt %s --phantom-select-trainable="trainable=conv*" 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: not phantom-opt %s --phantom-select-trainable="frozen=[" 2>&1 | FileCheck %s --check-prefix=GLOB
// RUN: phantom-opt %s --phantom-train-pipeline="batch-size=4 loss=mse frozen=fc1.*" | FileCheck %s --check-prefix=STEP

// TRAINABLE: @fc1.weight {{.*}}fan_in = 4>{{$}}
// TRAINABLE: @fc1.bias {{.*}}fan_in = 4>{{$}}
// TRAINABLE: @fc2.weight {{.*}} trainable
// TRAINABLE: @position.table {{.*}}zeros>{{$}}

// FROZEN: @fc1.weight {{.*}}fan_in = 4>{{$}}
// FROZEN: @fc1.bias {{.*}} trainable
// FROZEN: @fc2.weight {{.*}}fan_in = 3>{{$}}
// FROZEN: @position.table {{.*}}zeros>{{$}}

// BOTH: @fc1.weight {{.*}}fan_in = 4>{{$}}
// BOTH: @fc1.bias {{.*}}fan_in = 4>{{$}}
// BOTH: @fc2.weight {{.*}} trainable
// BOTH: @position.table {{.*}}zeros>{{$}}

// NONE: warning: trainable 'conv*' matches no parameter
// NONE-NOT: trainable{{$}}

// GLOB: error: frozen '[' is no glob

// STEP-LABEL: func.func @train_step
// STEP-NOT: phantom.updated = @fc1
// STEP: phantom.updated = @fc2.weight
// STEP-NOT: phantom.updated = @fc1
phantom.parameter @fc1.weight : tensor<3x4xf32> init <uniform, fan_in = 4> trainable
phantom.parameter @fc1.bias : tensor<3xf32> init <uniform, fan_in = 4> trainable
phantom.parameter @fc2.weight : tensor<2x3xf32> init <uniform, fan_in = 3> trainable
phantom.parameter @position.table : tensor<2xf32> init <zeros>

func.func @forward(%x: tensor<?x4xf32> {phantom.input = "x"}, %w1: tensor<3x4xf32> {phantom.parameter = @fc1.weight},
                   %b1: tensor<3xf32> {phantom.parameter = @fc1.bias}, %w2: tensor<2x3xf32> {phantom.parameter = @fc2.weight},
                   %p: tensor<2xf32> {phantom.parameter = @position.table}) -> (tensor<?x2xf32> {phantom.output = "y"}) {
  %0 = phantom.linear %x, %w1 bias %b1 : (tensor<?x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<?x3xf32>
  %1 = phantom.linear %0, %w2 bias %p : (tensor<?x3xf32>, tensor<2x3xf32>, tensor<2xf32>) -> tensor<?x2xf32>
  return %1 : tensor<?x2xf32>
}
