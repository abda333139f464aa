// RUN: not phantom-opt %s --phantom-partition="ranks=0" 2>&1 | FileCheck %s --check-prefix=RANKS
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-width=-1" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not phantom-opt %s --phantom-partition="ranks=2 select=[" 2>&1 | FileCheck %s --check-prefix=GLOB
// RUN: not phantom-opt %s --phantom-partition="strategy=diagonal" 2>&1 | FileCheck %s --check-prefix=STRATEGY
// RUN: not phantom-opt %s --phantom-partition="ranks=2" --phantom-partition="ranks=2" 2>&1 | FileCheck %s --check-prefix=TWICE

// RANKS: error: ranks is 0; it must be at least 1
// WIDTH: error: ghost-width is -1; it must not be negative
// GLOB: error: select '[' is no glob
// STRATEGY: diagonal
// TWICE: error: the module has a mesh: it is partitioned already

phantom.parameter @fc.weight : tensor<4x8xf32> init <uniform, fan_in = 8> trainable

func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %w: tensor<4x8xf32> {phantom.parameter = @fc.weight}) -> tensor<5x4xf32> {
  %y = phantom.linear %x, %w : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}
