// RUN: phantom-opt %s --phantom-verify-program --verify-diagnostics --split-input-file

func.func @alloc() {
  // expected-error @below {{is not in the arena: run phantom-plan-memory}}
  %a = memref.alloc() : memref<8xf32>
  return
}

// -----

func.func @copy(%a: memref<8xf32>, %b: memref<8xf32>) {
  // expected-error @below {{is a copy outside of a kernel: run phantom-outline-kernels}}
  memref.copy %a, %b : memref<8xf32> to memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @whole(%a: memref<8xf32>) {
  %w = phantom.window "g" : memref<8xf32>
  // expected-error @below {{is not split: run phantom-overlap-exchanges}}
  phantom.exchange <all_gather> %w dim 0 on @mesh "phantom" : memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @no_wait(%a: memref<8xf32>) {
  %w = phantom.window "g" : memref<8xf32>
  // expected-error @below {{must have exactly one exchange_wait, has 0}}
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @other_window(%a: memref<8xf32>) {
  %w = phantom.window "g" : memref<8xf32>
  %v = phantom.window "h" : memref<8xf32>
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8xf32>
  // expected-error @below {{waits on another window than its start}}
  phantom.exchange_wait %t, %v : memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @no_destination(%a: memref<8xf32>) {
  %w = phantom.window "g" : memref<4x8xf32>
  %t = phantom.exchange_start <all_reduce> %w dim 0 on @mesh "phantom" : memref<4x8xf32>
  // expected-error @below {{needs a destination}}
  phantom.exchange_wait %t, %w : memref<4x8xf32>
  return
}

// -----

func.func @missing_kernel(%a: memref<8xf32>) {
  // expected-error @below {{calls @kernels::@k, which does not exist}}
  phantom.launch @kernels::@k outs(%a : memref<8xf32>)
  return
}

// -----

// expected-error @below {{argument of type 'tensor<8xf32>' is no buffer of static shape}}
func.func @tensor(%a: tensor<8xf32>) {
  return
}

// -----

func.func @arithmetic(%a: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{cannot be part of a step program}}
  %v = memref.load %a[%c0] : memref<8xf32>
  return
}

// -----

// expected-error @below {{must be one block of straight-line code}}
func.func @blocks(%a: memref<8xf32>) {
  cf.br ^bb1
^bb1:
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @no_window(%a: memref<8xf32>) {
  // expected-error @below {{is on no phantom.window}}
  %t = phantom.exchange_start <all_gather> %a dim 0 on @mesh "phantom" : memref<8xf32>
  phantom.exchange_wait %t, %a : memref<8xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @both(%a: memref<8xf32>) {
  %w = phantom.window "g" : memref<8xf32>
  %v = phantom.window "h" : memref<8xf32>
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8xf32>
  phantom.exchange_wait %t, %w : memref<8xf32>
  // expected-error @below {{is beside exchange_start: run phantom-schedule-streams}}
  phantom.collective <all_gather> %v on @mesh "phantom" : memref<8xf32>
  return
}
