// RUN: phantom-opt %s --phantom-schedule-streams --split-input-file --verify-diagnostics

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @strided(%z: memref<2x4xf32>) {
  %w = phantom.window "0" : memref<2x4xf32>
  // expected-error @below {{exchanges blocks that are not contiguous: run phantom-pack-exchanges}}
  %t = phantom.exchange_start <all_gather> %w dim 1 on @mesh "phantom" : memref<2x4xf32>
  phantom.exchange_wait %t, %w : memref<2x4xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @window(%w: memref<4x4xf32>) {
  // expected-error @below {{is on no phantom.window}}
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<4x4xf32>
  phantom.exchange_wait %t, %w : memref<4x4xf32>
  return
}

// -----

phantom.mesh @mesh = [<"phantom" = 4>]
func.func @waits() {
  %w = phantom.window "0" : memref<4x4xf32>
  // expected-error @below {{must have exactly one exchange_wait}}
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<4x4xf32>
  return
}
