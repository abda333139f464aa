// RUN: not phantom-opt %s --phantom-partition="ranks=0" 2>&1 | FileCheck %s --check-prefix=RANKS
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-width=-1" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not phantom-opt %s --phantom-partition="ranks=2 select=[" 2>&1 | FileCheck %s --check-prefix=GLOB
// RUN: not phantom-opt %s --phantom-partition="strategy=diagonal" 2>&1 | FileCheck %s --check-prefix=STRATEGY
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-widths=fc" 2>&1 | FileCheck %s --check-prefix=NOWIDTH
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-widths=fc=-1" 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-widths=fc=1,fc=2" 2>&1 | FileCheck %s --check-prefix=SAME
// RUN: not phantom-opt %s --phantom-partition="ranks=2 ghost-widths=fc=1" 2>&1 | FileCheck %s --check-prefix=NOLAYER
// RUN: not phantom-opt %s --phantom-partition="ranks=2 last-layer=phantom ghost-widths=fc=3 first-layer=phantom" 2>&1 | FileCheck %s --check-prefix=WIDE
// RUN: not phantom-opt %s --phantom-partition="ranks=2" --phantom-partition="ranks=2" 2>&1 | FileCheck %s --check-prefix=TWICE

// RANKS: error: ranks is 0; it must be at least 1
// WIDTH: error: ghost-width is -1; it must not be negative
// NOWIDTH: error: ghost-widths has 'fc'; write LAYER=K, with a width K that is not negative
// NEGATIVE: error: ghost-widths has 'fc=-1'; write LAYER=K, with a width K that is not negative
// SAME: error: ghost-widths names the layer 'fc' twice
// NOLAYER: error: ghost-widths names 'fc', which becomes no phantom layer
// WIDE: error: layer 'fc': ghost-width 3 exceeds the width of a shard, 2
// GLOB: error: select '[' is no glob
// STRATEGY: diagonal
// TWICE: error: the module has a mesh: it is partitioned already

phantom.parameter @fc.weight : tensor<4x8xf32> init <uniform, fan_in = 8> trainable

func.func @forward(%x: tensor<5x8xf32> {phantom.input = "x"}, %w: tensor<4x8xf32> {phantom.parameter = @fc.weight}) -> tensor<5x4xf32> {
  %y = phantom.linear %x, %w : (tensor<5x8xf32>, tensor<4x8xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}
