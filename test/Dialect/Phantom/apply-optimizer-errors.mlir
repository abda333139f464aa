// RUN: not phantom-opt %s --phantom-apply-optimizer=kind=sgd 2>&1 | FileCheck %s --check-prefix=FIRST
// RUN: not phantom-opt %s --phantom-apply-optimizer="kind=adam beta1=1.0" 2>&1 | FileCheck %s --check-prefix=BETA
// RUN: not phantom-opt %s --phantom-apply-optimizer="kind=adam epsilon=-1" 2>&1 | FileCheck %s --check-prefix=EPSILON
// RUN: not phantom-opt %s --phantom-apply-optimizer="clip-norm=-1" 2>&1 | FileCheck %s --check-prefix=CLIP
// RUN: not phantom-opt %s --phantom-apply-optimizer="accumulate=0" 2>&1 | FileCheck %s --check-prefix=PARTS
// RUN: not phantom-opt %s --phantom-apply-optimizer="weight-decays=fc1" 2>&1 | FileCheck %s --check-prefix=NOVALUE
// RUN: not phantom-opt %s --phantom-apply-optimizer="learning-rate-factors=*=-1" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not phantom-opt %s --phantom-apply-optimizer="weight-decays=[=1" 2>&1 | FileCheck %s --check-prefix=GLOB

// FIRST: error: the module has no @gradients: run phantom-differentiate first
// BETA: error: beta1 is 1.{{0+}}e+00; it must be at least 0 and below 1
// EPSILON: error: epsilon is -1.{{0+}}e+00; it must be at least 0
// CLIP: error: clip-norm is -1.{{0+}}e+00; it must be at least 0
// PARTS: error: accumulate is 0; it must be at least 1
// NOVALUE: error: weight-decays 'fc1' is not GLOB=F with a number F that is at least 0
// NEGATIVE: error: learning-rate-factors '*=-1' is not GLOB=F with a number F that is at least 0
// GLOB: error: weight-decays '[' is no glob
module {
}
