// RUN: not phantom-opt %s --phantom-apply-optimizer=kind=momentum 2>&1 | FileCheck %s --check-prefix=STATE
// RUN: not phantom-opt %s --phantom-apply-optimizer="accumulate=2" 2>&1 | FileCheck %s --check-prefix=SUM
// RUN: phantom-opt %s --phantom-apply-optimizer=kind=adam | FileCheck %s --check-prefix=OTHER

// The optimizer's states must not take the names of the model's own parameters.

// STATE: error: 'w.velocity' is the name of the optimizer's state for the parameter 'w': rename one of them in the model
// SUM: error: 'w.gradient_sum' is the name of the optimizer's state for the parameter 'w': rename one of them in the model
// OTHER: phantom.parameter @w.first_moment
phantom.parameter @w : tensor<4xf32> init <zeros> trainable
phantom.parameter @w.velocity : tensor<4xf32> init <zeros>
phantom.parameter @w.gradient_sum : tensor<4xf32> init <zeros>

func.func @gradients(%w: tensor<4xf32> {phantom.parameter = @w}) -> (tensor<f32> {phantom.loss}, tensor<4xf32> {phantom.gradient = @w}) {
  %loss = arith.constant dense<0.0> : tensor<f32>
  return %loss, %w : tensor<f32>, tensor<4xf32>
}
