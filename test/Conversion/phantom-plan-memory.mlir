// RUN: phantom-opt %s --phantom-plan-memory 2>/dev/null | FileCheck %s
// RUN: phantom-opt %s --phantom-plan-memory=share=false 2>/dev/null | FileCheck %s --check-prefix=OWN
// RUN: phantom-opt %s --phantom-plan-memory=share=false -o /dev/null 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: phantom-opt %s --phantom-plan-memory -o /dev/null 2>&1 | FileCheck %s --check-prefix=REMARK

// REMARK: remark: @reuse: arena of 8192 bytes for 3 buffers of 12288 bytes
// NONE: remark: @reuse: arena of 12288 bytes for 3 buffers of 12288 bytes, which share none
// REMARK: remark: @lifetimes: arena of 320 bytes for 4 buffers of 384 bytes

// CHECK-LABEL: func @reuse
// OWN-LABEL: func @reuse
func.func @reuse(%x: memref<32x32xf32>) -> memref<32x32xf32> {
  // CHECK: %[[ARENA:.+]] = phantom.arena : memref<8192xi8>
  // CHECK-NOT: memref.alloc
  // CHECK: %[[A:.+]] = memref.view %[[ARENA]][%c0{{.*}}][] : memref<8192xi8> to memref<32x32xf32>
  // CHECK: %[[B:.+]] = memref.view %[[ARENA]][%c4096{{.*}}][]
  // CHECK: %[[C:.+]] = memref.view %[[ARENA]][%c0{{.*}}][]
  // CHECK: return %[[C]]
  // OWN: %[[ARENA:.+]] = phantom.arena : memref<12288xi8>
  // OWN: memref.view %[[ARENA]][%c0{{.*}}][]
  // OWN: memref.view %[[ARENA]][%c4096{{.*}}][]
  // OWN: memref.view %[[ARENA]][%c8192{{.*}}][]
  %a = memref.alloc() : memref<32x32xf32>
  phantom.gemm ins(%x, %x : memref<32x32xf32>, memref<32x32xf32>) outs(%a : memref<32x32xf32>)
  %b = memref.alloc() : memref<32x32xf32>
  phantom.gemm ins(%x, %a : memref<32x32xf32>, memref<32x32xf32>) outs(%b : memref<32x32xf32>)
  %c = memref.alloc() : memref<32x32xf32>
  phantom.gemm ins(%x, %b : memref<32x32xf32>, memref<32x32xf32>) outs(%c : memref<32x32xf32>)
  return %c : memref<32x32xf32>
}

// A returned buffer lives to the end, a viewed one to the view's last use; offsets are multiples of 64.
// CHECK-LABEL: func @lifetimes
func.func @lifetimes(%x: memref<4x4xf32>) -> memref<4x4xf32> {
  // CHECK-DAG: %[[KEPT:.+]] = memref.view %{{.*}}[%c192{{.*}}][] {{.*}} to memref<4x4xf32>
  // CHECK: return
  %kept = memref.alloc() : memref<4x4xf32>
  %seen = memref.alloc() : memref<2x8xf32>
  %small = memref.alloc() : memref<3xf32>
  %late = memref.alloc() : memref<8x6xf32>
  phantom.gemm ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%kept : memref<4x4xf32>)
  %v = memref.collapse_shape %seen [[0, 1]] : memref<2x8xf32> into memref<16xf32>
  %w = memref.expand_shape %v [[0, 1]] output_shape [4, 4] : memref<16xf32> into memref<4x4xf32>
  phantom.gemm ins(%x, %x : memref<4x4xf32>, memref<4x4xf32>) outs(%w : memref<4x4xf32>)
  phantom.launch @kernels::@k ins(%w : memref<4x4xf32>) outs(%small : memref<3xf32>)
  phantom.launch @kernels::@k ins(%small : memref<3xf32>) outs(%late : memref<8x6xf32>)
  return %kept : memref<4x4xf32>
}

// CHECK-LABEL: func @nothing
func.func @nothing(%x: memref<4x4xf32>) -> memref<4x4xf32> {
  // CHECK-NOT: phantom.arena
  // CHECK: return
  return %x : memref<4x4xf32>
}

phantom.mesh @mesh = [<"phantom" = 4>]

// The sum is written at any time from the event on which the exchange stream waits, to the wait of the compute stream: no other
// buffer of that time shares its memory, though the collective stands between.
// CHECK-LABEL: func @collective
// CHECK: %[[ARENA:.+]] = phantom.arena : memref<384xi8>
// CHECK: %[[SUM:.+]] = memref.view %[[ARENA]][%c0{{.*}}][] : memref<384xi8> to memref<2x32xf32>
// CHECK: %[[BEFORE:.+]] = memref.view %[[ARENA]][%c0{{.*}}][] : memref<384xi8> to memref<2x16xf32>
// CHECK: %[[BESIDE:.+]] = memref.view %[[ARENA]][%c256{{.*}}][] : memref<384xi8> to memref<2x16xf32>
// CHECK: %[[LATE:.+]] = memref.view %[[ARENA]][%c256{{.*}}][] : memref<384xi8> to memref<2x16xf32>
// CHECK: %[[AFTER:.+]] = memref.view %[[ARENA]][%c0{{.*}}][] : memref<384xi8> to memref<2x16xf32>
func.func @collective(%x: memref<2x16xf32>) {
  %w = phantom.window "0" : memref<8x32xf32>
  %sum = memref.alloc() : memref<2x32xf32>
  %before = memref.alloc() : memref<2x16xf32>
  %beside = memref.alloc() : memref<2x16xf32>
  %late = memref.alloc() : memref<2x16xf32>
  %after = memref.alloc() : memref<2x16xf32>
  phantom.launch @kernels::@k ins(%x : memref<2x16xf32>) outs(%before : memref<2x16xf32>)
  %e = phantom.event_record <compute>
  phantom.launch @kernels::@k ins(%x : memref<2x16xf32>) outs(%beside : memref<2x16xf32>)
  phantom.event_wait %e <exchange>
  phantom.collective <reduce_scatter> %w into %sum on @mesh "phantom" : memref<8x32xf32>, memref<2x32xf32>
  %f = phantom.event_record <exchange>
  phantom.launch @kernels::@k ins(%x : memref<2x16xf32>) outs(%late : memref<2x16xf32>)
  phantom.event_wait %f <compute>
  phantom.launch @kernels::@k ins(%x : memref<2x16xf32>) outs(%after : memref<2x16xf32>)
  return
}
