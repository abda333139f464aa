// RUN: phantom-opt %s --phantom-apply-optimizer=kind=sgd | FileCheck %s --check-prefixes=CHECK,SGD
// RUN: phantom-opt %s --phantom-apply-optimizer="kind=momentum momentum=0.8" | FileCheck %s --check-prefixes=CHECK,MOMENTUM
// RUN: phantom-opt %s --phantom-apply-optimizer=kind=adam | FileCheck %s --check-prefixes=CHECK,ADAM
// RUN: phantom-opt %s --phantom-apply-optimizer="kind=adamw weight-decay=0.01 beta1=0.8 beta2=0.99 epsilon=1e-6" | FileCheck %s --check-prefixes=CHECK,ADAMW
// RUN: phantom-opt %s --phantom-apply-optimizer="kind=momentum clip-norm=2.5" | FileCheck %s --check-prefix=CLIP
// RUN: phantom-opt %s --phantom-apply-optimizer="kind=momentum accumulate=4" | FileCheck %s --check-prefix=PARTS
// RUN: phantom-opt %s --phantom-apply-optimizer="kind=sgd weight-decay=0.5 weight-decays=*=0.25,*.bias=0,bias=0.125 learning-rate-factors=lo*=2" | FileCheck %s --check-prefix=GROUPS

#b = #phantom.state<"phantom" = block>
phantom.mesh @mesh = [<"phantom" = 2>]
phantom.parameter @local : tensor<3x3xf32> layout <stacked> init <uniform, fan_in = 3> trainable
// MOMENTUM: phantom.parameter @local.velocity : tensor<3x3xf32> layout <stacked> init <zeros> state_of @local
// ADAM: phantom.parameter @local.first_moment : tensor<3x3xf32> layout <stacked> init <zeros> state_of @local
// ADAM: phantom.parameter @local.second_moment : tensor<3x3xf32> layout <stacked> init <zeros> state_of @local
phantom.parameter @bias : tensor<6xf32> init <uniform, fan_in = 3> trainable

// CHECK-LABEL: func @gradients
func.func @gradients(%x: tensor<5x6xf32> {phantom.input = "x"}, %t: tensor<5x6xf32> {phantom.target},
                     %l: tensor<3x3xf32, #b> {phantom.parameter = @local}, %v: tensor<6xf32> {phantom.parameter = @bias})
    -> (tensor<f32> {phantom.loss}, tensor<3x3xf32, #b> {phantom.gradient = @local}, tensor<6xf32> {phantom.gradient = @bias}) {
  %loss = phantom.loss <mse> %x, %t : (tensor<5x6xf32>, tensor<5x6xf32>) -> tensor<f32>
  %dl = arith.mulf %l, %l : tensor<3x3xf32, #b>
  %dv = arith.mulf %v, %v : tensor<6xf32>
  return %loss, %dl, %dv : tensor<f32>, tensor<3x3xf32, #b>, tensor<6xf32>
}

// CHECK-LABEL: func @train_step
// CHECK-SAME: {phantom.target}, %[[LR:[a-z0-9]+]]: tensor<f32> {phantom.scalar = "learning_rate"}, %[[STEP:[a-z0-9]+]]: tensor<i64> {phantom.scalar = "step"}
// CHECK-SAME: %[[L:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local}
// MOMENTUM-SAME: %[[U:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local.velocity}
// ADAM-SAME: %[[M:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local.first_moment}, %[[V:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local.second_moment}
// CHECK-SAME: -> (tensor<f32> {phantom.loss}, tensor<f64, #partial> {phantom.squared_norm = "own"}, tensor<f64> {phantom.squared_norm = "replicated"}, tensor<3x3xf32, #block> {phantom.updated = @local}
// CHECK: %[[G:.+]] = arith.mulf %[[L]], %[[L]]
// SGD: phantom.update <sgd> %[[L]], %[[G]], () learning_rate %[[LR]] step %[[STEP]] :
// MOMENTUM: phantom.update <momentum> %[[L]], %[[G]], (%[[U]]) learning_rate %[[LR]] step %[[STEP]] {momentum = 8.000000e-01 : f64}
// ADAM: phantom.update <adam> %[[L]], %[[G]], (%[[M]], %[[V]]) learning_rate %[[LR]] step %[[STEP]] :
// ADAMW: phantom.update <adamw> {{.*}} {beta1 = 8.000000e-01 : f64, beta2 = 0.98{{9+}} : f64, epsilon = 9.99{{.*}}E-7 : f64, weight_decay = 1.000000e-02 : f64}
// CHECK: phantom.squared_norm %[[G]] : (tensor<3x3xf32, #block>) -> tensor<f64, #partial>
// CHECK: phantom.squared_norm %{{.*}} : (tensor<6xf32>) -> tensor<f64>

// The norm of all ranks together, in front of the updates.
// CLIP-LABEL: func @train_step
// CLIP: %[[G:.+]] = arith.mulf
// CLIP: %[[OWN:.+]] = phantom.squared_norm %[[G]] : (tensor<3x3xf32, #block>) -> tensor<f64, #partial>
// CLIP: %[[ALL:.+]] = phantom.squared_norm %{{.*}} : (tensor<6xf32>) -> tensor<f64>
// CLIP: %[[SUM:.+]] = phantom.all_reduce %[[OWN]] on @mesh "phantom" : tensor<f64, #partial> -> tensor<f64>
// CLIP: %[[TOTAL:.+]] = arith.addf %[[SUM]], %[[ALL]]
// CLIP: %[[ROOT:.+]] = math.sqrt %[[TOTAL]]
// CLIP: %[[PADDED:.+]] = arith.addf %[[ROOT]]
// CLIP: %[[C:.+]] = arith.constant dense<2.500000e+00> : tensor<f64>
// CLIP: %[[FACTOR:.+]] = arith.divf %[[C]], %[[PADDED]]
// CLIP: %[[LEAST:.+]] = arith.minimumf %[[FACTOR]]
// CLIP: %[[SCALE:.+]] = phantom.cast %[[LEAST]] {{.*}}tensor<f64> {{.*}} tensor<f32>
// CLIP: phantom.update <momentum> %{{.*}}, %[[G]], {{.*}} scale %[[SCALE]]
// CLIP: phantom.update <momentum> {{.*}} scale %[[SCALE]]

// PARTS: module attributes {phantom.accumulation = 4 : i64}
// PARTS-DAG: phantom.parameter @local.gradient_sum : tensor<3x3xf32> layout <stacked> init <zeros> state_of @local
// PARTS-NOT: func @train_step
// PARTS-LABEL: func @accumulate
// PARTS-SAME: %[[SUM:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local.gradient_sum}
// PARTS-SAME: -> (tensor<f32> {phantom.loss}, tensor<3x3xf32, #block> {phantom.updated = @local.gradient_sum}
// PARTS: %[[G:.+]] = arith.mulf
// PARTS: arith.addf %[[SUM]], %[[G]]
// PARTS-LABEL: func @update
// PARTS-SAME: (%[[LR:[a-z0-9]+]]: tensor<f32> {phantom.scalar = "learning_rate"}, %[[STEP:[a-z0-9]+]]: tensor<i64> {phantom.scalar = "step"}
// PARTS-SAME: %[[L:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local}, %[[LSUM:[a-z0-9]+]]: tensor<3x3xf32, #block> {phantom.parameter = @local.gradient_sum}
// PARTS: %[[NEW:.+]], %[[OTHERS:.+]]:2 = phantom.update <momentum> %[[L]], %[[LSUM]], (%{{.*}}) learning_rate %[[LR]] step %[[STEP]] {reset_gradient}
// PARTS: return %{{.*}}, %{{.*}}, %[[NEW]], %[[OTHERS]]#0, %[[OTHERS]]#1

// GROUPS: phantom.update <sgd> {{.*}} {learning_rate_factor = 2.000000e+00 : f64, weight_decay = 2.500000e-01 : f64} {{.*}}3x3
// GROUPS: phantom.update <sgd> {{.*}} {weight_decay = 1.250000e-01 : f64} {{.*}}<6xf32>
