// RUN: phantom-opt %s --phantom-plan-memory --verify-diagnostics

func.func @dynamic(%n: index) -> memref<?xf32> {
  // expected-error @below {{must have a static shape and no layout to get a place in the arena}}
  %a = memref.alloc(%n) : memref<?xf32>
  return %a : memref<?xf32>
}
