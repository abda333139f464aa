// RUN: not phantom-opt %s --phantom-apply-optimizer=kind=sgd 2>&1 | FileCheck %s --check-prefix=FIRST
// RUN: not phantom-opt %s --phantom-apply-optimizer="kind=adam beta1=1.0" 2>&1 | FileCheck %s --check-prefix=BETA
// RUN: not phantom-opt %s --phantom-apply-optimizer="kind=adam epsilon=-1" 2>&1 | FileCheck %s --check-prefix=EPSILON

// FIRST: error: the module has no @gradients: run phantom-differentiate first
// BETA: error: beta1 is 1.{{0+}}e+00; it must be at least 0 and below 1
// EPSILON: error: epsilon is -1.{{0+}}e+00; it must be at least 0
module {
}
