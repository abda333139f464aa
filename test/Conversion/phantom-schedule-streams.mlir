// RUN: phantom-opt %s --phantom-schedule-streams 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-schedule-streams -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: @hidden: 3 GEMMs, 0 kernels and 1 exchanges, for which each rank sends 192 bytes; the compute stream waits 1 times, the exchange stream 1 times

phantom.mesh @mesh = [<"phantom" = 4>]

// Starts before the local product and is waited for behind it; nothing else orders the streams.
// CHECK-LABEL: func @hidden
func.func @hidden(%c: memref<2x4xf32>, %y: memref<8x4xf32>, %l: memref<4x4xf32>, %d: memref<8x4xf32>, %z: memref<8x4xf32>) {
  // CHECK: phantom.gemm {{.*}} outs(%[[SLOT:.+]] : memref<2x8xf32>)
  // CHECK-NEXT: %[[E:.+]] = phantom.event_record <compute>
  // CHECK-NEXT: phantom.event_wait %[[E]] <exchange>
  // CHECK-NEXT: phantom.collective <all_gather> %[[W:.+]] on @mesh "phantom" : memref<8x8xf32>
  // CHECK-NEXT: %[[F:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.gemm
  // CHECK-NEXT: phantom.event_wait %[[F]] <compute>
  // CHECK-NEXT: phantom.gemm ins(%[[W]]
  // CHECK-NEXT: return
  %w = phantom.window "g" : memref<8x8xf32>
  %s = phantom.window_slot %w dim 0 : memref<8x8xf32> -> memref<2x8xf32>
  phantom.gemm ins(%c, %y : memref<2x4xf32>, memref<8x4xf32>) outs(%s : memref<2x8xf32>) {transpose_b}
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8x8xf32>
  phantom.gemm ins(%y, %l : memref<8x4xf32>, memref<4x4xf32>) outs(%z : memref<8x4xf32>) {transpose_b}
  phantom.exchange_wait %t, %w : memref<8x8xf32>
  phantom.gemm ins(%w, %d : memref<8x8xf32>, memref<8x4xf32>) outs(%z : memref<8x4xf32>) {transpose_a, accumulate}
  return
}

// A reduction's window has one part. Its sum goes into the slot of the next exchange, which is on the same stream and needs no event;
// the GEMM that reads the slot waits, and does not wait for the gather of it. The end waits for that.
// CHECK-LABEL: func @chain
func.func @chain(%a: memref<8x4xf32>, %b: memref<4x4xf32>, %z: memref<2x4xf32>) -> memref<8x4xf32> {
  // CHECK-DAG: %[[W0:.+]] = phantom.window "0" : memref<8x4xf32>
  // CHECK-DAG: %[[W1:.+]] = phantom.window "1" : memref<8x4xf32>
  // CHECK: phantom.gemm {{.*}} outs(%[[W0]] : memref<8x4xf32>)
  // CHECK-NEXT: %[[E:.+]] = phantom.event_record <compute>
  // CHECK-NEXT: phantom.event_wait %[[E]] <exchange>
  // CHECK-NEXT: phantom.collective <reduce_scatter> %[[W0]] into %[[S1:.+]] on @mesh "phantom" : memref<8x4xf32>, memref<2x4xf32>
  // CHECK-NEXT: %[[F:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.collective <all_gather> %[[W1]] on
  // CHECK-NEXT: %[[G:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.event_wait %[[F]] <compute>
  // CHECK-NEXT: phantom.gemm ins(%[[S1]]
  // CHECK-NEXT: phantom.event_wait %[[G]] <compute>
  // CHECK-NEXT: return
  %w0 = phantom.window "0" : memref<4x8x4xf32>
  %s0 = phantom.window_slot %w0 : memref<4x8x4xf32> -> memref<8x4xf32>
  %w1 = phantom.window "1" : memref<8x4xf32>
  %s1 = phantom.window_slot %w1 dim 0 : memref<8x4xf32> -> memref<2x4xf32>
  phantom.gemm ins(%a, %b : memref<8x4xf32>, memref<4x4xf32>) outs(%s0 : memref<8x4xf32>)
  %t0 = phantom.exchange_start <reduce_scatter> %w0 dim 0 on @mesh "phantom" : memref<4x8x4xf32>
  phantom.exchange_wait %t0, %w0 into %s1 : memref<4x8x4xf32>, memref<2x4xf32>
  %t1 = phantom.exchange_start <all_gather> %w1 dim 0 on @mesh "phantom" : memref<8x4xf32>
  phantom.gemm ins(%s1, %b : memref<2x4xf32>, memref<4x4xf32>) outs(%z : memref<2x4xf32>)
  phantom.exchange_wait %t1, %w1 : memref<8x4xf32>
  return %w1 : memref<8x4xf32>
}

// Two results that one kernel needs: the later wait implies the earlier one. The event is that of the later exchange.
// CHECK-LABEL: func @both
func.func @both(%a: memref<2x4xf32>, %b: memref<4x4xf32>, %z: memref<8x4xf32>) {
  // CHECK: phantom.collective <all_gather> %[[W0:.+]] on
  // CHECK-NOT: phantom.event_record <exchange>
  // CHECK: phantom.collective <all_gather> %[[W1:.+]] on
  // CHECK-NEXT: %[[E:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.event_wait %[[E]] <compute>
  // CHECK-NEXT: phantom.launch @kernels::@add ins(%[[W0]], %[[W1]]
  // CHECK-NEXT: return
  %w0 = phantom.window "0" : memref<8x4xf32>
  %s0 = phantom.window_slot %w0 dim 0 : memref<8x4xf32> -> memref<2x4xf32>
  %w1 = phantom.window "1" : memref<8x4xf32>
  %s1 = phantom.window_slot %w1 dim 0 : memref<8x4xf32> -> memref<2x4xf32>
  phantom.gemm ins(%a, %b : memref<2x4xf32>, memref<4x4xf32>) outs(%s0 : memref<2x4xf32>)
  %t0 = phantom.exchange_start <all_gather> %w0 dim 0 on @mesh "phantom" : memref<8x4xf32>
  phantom.gemm ins(%a, %b : memref<2x4xf32>, memref<4x4xf32>) outs(%s1 : memref<2x4xf32>)
  %t1 = phantom.exchange_start <all_gather> %w1 dim 0 on @mesh "phantom" : memref<8x4xf32>
  phantom.exchange_wait %t0, %w0 : memref<8x4xf32>
  phantom.exchange_wait %t1, %w1 : memref<8x4xf32>
  phantom.launch @kernels::@add ins(%w0, %w1 : memref<8x4xf32>, memref<8x4xf32>) outs(%z : memref<8x4xf32>)
  return
}

// What an exchange still sends is not overwritten: the kernel waits, though nobody uses the result before.
// The own slot may be read meanwhile.
// CHECK-LABEL: func @write_after_read
func.func @write_after_read(%a: memref<2x4xf32>, %b: memref<4x4xf32>, %z: memref<2x4xf32>) -> memref<8x4xf32> {
  // CHECK: phantom.collective <all_gather>
  // CHECK-NEXT: %[[E:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.launch @kernels::@copy ins(%[[S:.+]] : {{.*}}) outs(%{{.*}} : memref<2x4xf32>)
  // CHECK-NEXT: phantom.event_wait %[[E]] <compute>
  // CHECK-NEXT: phantom.launch @kernels::@copy ins(%{{.*}}) outs(%[[S]] : memref<2x4xf32>)
  // CHECK-NEXT: return
  %w = phantom.window "0" : memref<8x4xf32>
  %s = phantom.window_slot %w dim 0 : memref<8x4xf32> -> memref<2x4xf32>
  phantom.gemm ins(%a, %b : memref<2x4xf32>, memref<4x4xf32>) outs(%s : memref<2x4xf32>)
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8x4xf32>
  phantom.launch @kernels::@copy ins(%s : memref<2x4xf32>) outs(%z : memref<2x4xf32>)
  phantom.launch @kernels::@copy ins(%z : memref<2x4xf32>) outs(%s : memref<2x4xf32>)
  phantom.exchange_wait %t, %w : memref<8x4xf32>
  return %w : memref<8x4xf32>
}

// The exchange stream begins with a wait, whoever wrote the window, and the end waits for it. Where the sum goes is defined before.
// CHECK-LABEL: func @unwritten
func.func @unwritten(%z: memref<8x4xf32>, %x: memref<8x4xf32>) -> memref<2x4xf32> {
  // CHECK-NEXT: %[[E:.+]] = phantom.event_record <compute>
  // CHECK: %[[S:.+]] = memref.alloc()
  // CHECK-NEXT: phantom.event_wait %[[E]] <exchange>
  // CHECK-NEXT: phantom.collective <reduce_scatter> %{{.*}} into %[[S]]
  // CHECK-NEXT: %[[F:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.launch
  // CHECK-NEXT: phantom.event_wait %[[F]] <compute>
  // CHECK-NEXT: return
  %w = phantom.window "0" : memref<4x8x4xf32>
  %t = phantom.exchange_start <reduce_scatter> %w dim 0 on @mesh "phantom" : memref<4x8x4xf32>
  phantom.launch @kernels::@copy ins(%x : memref<8x4xf32>) outs(%z : memref<8x4xf32>)
  %s = memref.alloc() : memref<2x4xf32>
  phantom.exchange_wait %t, %w into %s : memref<4x8x4xf32>, memref<2x4xf32>
  return %s : memref<2x4xf32>
}

// Without overlap, the compute stream waits before its next command.
// CHECK-LABEL: func @in_order
func.func @in_order(%c: memref<2x4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>) -> memref<8x8xf32> {
  // CHECK: phantom.collective
  // CHECK-NEXT: %[[F:.+]] = phantom.event_record <exchange>
  // CHECK-NEXT: phantom.event_wait %[[F]] <compute>
  // CHECK-NEXT: phantom.launch
  // CHECK-NEXT: return
  %w = phantom.window "g" : memref<8x8xf32>
  %s = phantom.window_slot %w dim 0 : memref<8x8xf32> -> memref<2x8xf32>
  phantom.gemm ins(%c, %y : memref<2x4xf32>, memref<8x4xf32>) outs(%s : memref<2x8xf32>) {transpose_b}
  %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<8x8xf32>
  phantom.exchange_wait %t, %w : memref<8x8xf32>
  phantom.launch @kernels::@copy ins(%y : memref<8x4xf32>) outs(%z : memref<8x4xf32>)
  return %w : memref<8x8xf32>
}
