//===- Passes.td - Passes from models to step programs ----*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// In the order of `phantom-to-cpu-pipeline`.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_CONVERSION_PASSES_TD
#define PHANTOM_CONVERSION_PASSES_TD

include "mlir/Pass/PassBase.td"

def PhantomPackExchanges : Pass<"phantom-pack-exchanges", "::mlir::ModuleOp"> {
  let summary = "exchange contiguous blocks: along dimension 0, with transposes around it";
  let description = [{
    NCCL exchanges blocks of consecutive elements. An all-gather or reduce-scatter along a dimension with more than one element in the
    dimensions before it moves to dimension 0. Where a GEMM makes or takes a transposed matrix, its transpose flags say so instead:
    of a GEMM with a bias or an activation the result stays as it is. A remark per function says how many exchanges were packed, and
    how many transposes are left; those are fused with elementwise ops later.

    ```mlir
    %g = phantom.all_gather %x dim 1 on @mesh "phantom" : tensor<8x4xf32> -> tensor<8x16xf32>
    // becomes
    %t = phantom.transpose %x [1, 0] : tensor<8x4xf32> -> tensor<4x8xf32>
    %h = phantom.all_gather %t dim 0 on @mesh "phantom" : tensor<4x8xf32> -> tensor<16x8xf32>
    %g = phantom.transpose %h [1, 0] : tensor<16x8xf32> -> tensor<8x16xf32>
    ```
  }];
  let dependentDialects = ["::mlir::phantom::PhantomDialect"];
}

def PhantomStripStates : Pass<"phantom-strip-states", "::mlir::ModuleOp"> {
  let summary = "drop #phantom.state from all types";
  let description = [{
    States have done their work once exchanges and gradients are explicit. From here on a type is only what one rank holds.

    ```mlir
    %r = phantom.activation <relu> %x : tensor<8x4xf32, #phantom.state<"phantom" = shard(1)>>
    // becomes
    %r = phantom.activation <relu> %x : tensor<8x4xf32>
    ```
  }];
}

def PhantomEncodeExchanges : Pass<"phantom-encode-exchanges", "::mlir::ModuleOp"> {
  let summary = "let exchanges carry fewer bytes: values as bf16, or int8 with a scale per row";
  let description = [{
    Behind `phantom-strip-states`. What a rank sends of a value of f32 is encoded (`phantom.encode`), exchanged, and decoded; sums are made of decoded
    values, in f32 and in the order of the ranks. Rows are along the last dimension of what a rank has: of ghosts `[k, B]`, a ghost, of an activation, a sample.

    | exchange | becomes |
    | --- | --- |
    | `all_gather` | `encode`, `all_gather`, `decode` |
    | `reduce_scatter` | `encode`, `all_to_all`, `decode`, a sum |
    | `all_reduce` along a dimension that p divides | the two above, one behind the other |

    | bytes that each rank sends, of blocks of r rows and c columns | f32 | bf16 | int8 |
    | --- | --- | --- | --- |
    | `all_gather`, `reduce_scatter` | 4(p−1)rc | 2(p−1)rc | (p−1)r(c + 4), or 2(p−1)rc where c ≤ 4 |

    In a function that makes gradients, what is summed is rounded stochastically, and the function gets the scalar arguments `dropout_key` and
    `step` where it lacks them; `site` counts from 2³¹, to draw other bits than dropout. All else is rounded to the nearest. Scalars and vectors, statistics of normalisations and softmax, and
    sums of parameters' gradients keep f32. Rows of 4 elements or fewer are bf16 under `int8`, too: with the scales, bytes would be no fewer. A remark per function says how many exchanges are encoded,
    how many are not, and the bytes that a rank sends for all of them, before and after.

    ```mlir
    %G = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<4x64xf32> -> tensor<16x64xf32>
    // becomes
    %b = phantom.reshape %g : tensor<4x64xf32> -> tensor<1x4x64xf32>
    %e = phantom.encode %b <int8> : tensor<1x4x64xf32> -> tensor<1x4x68xi8>
    %E = phantom.all_gather %e dim 0 on @mesh "phantom" : tensor<1x4x68xi8> -> tensor<4x4x68xi8>
    %d = phantom.decode %E <int8> : tensor<4x4x68xi8> -> tensor<4x4x64xf32>
    %G = phantom.reshape %d : tensor<4x4x64xf32> -> tensor<16x64xf32>
    ```
  }];
  let options = [
    Option<"encoding", "encoding", "::mlir::phantom::WireEncoding", /*default=*/"::mlir::phantom::WireEncoding::F32", "what exchanges carry",
           [{::llvm::cl::values(clEnumValN(::mlir::phantom::WireEncoding::F32, "f32", "values as they are"),
                                clEnumValN(::mlir::phantom::WireEncoding::BF16, "bf16", "rounded values"),
                                clEnumValN(::mlir::phantom::WireEncoding::Int8, "int8", "bytes, and a scale per row"))}]>
  ];
  let dependentDialects = ["::mlir::phantom::PhantomDialect"];
}

def PhantomConvertPrecision : Pass<"phantom-convert-precision", "::mlir::ModuleOp"> {
  let summary = "multiply in bf16, or compute everything in f64";
  let description = [{
    `bf16` rounds the factors of each `phantom.gemm`, once per value, and leaves sums, and all that is no product, in f32: parameters and states of
    the optimizer are f32 masters. It takes GEMMs on tensors, and comes behind the passes that move ops into them.

    ```mlir
    %y = phantom.gemm ins(%x, %w : tensor<8x4xf32>, tensor<4x6xf32>) outs(%e : tensor<8x6xf32>) -> tensor<8x6xf32>
    // becomes, with to=bf16
    %a = arith.truncf %x : tensor<8x4xf32> to tensor<8x4xbf16>
    %b = arith.truncf %w : tensor<4x6xf32> to tensor<4x6xbf16>
    %y = phantom.gemm ins(%a, %b : tensor<8x4xbf16>, tensor<4x6xbf16>) outs(%e : tensor<8x6xf32>) -> tensor<8x6xf32>
    ```

    `f64` replaces f32 in all types and constants, for an oracle free of rounding. Sources of parameters keep their stored
    type: the runtime converts as it loads. The inverse is not offered; `to=f32` changes nothing.

    ```mlir
    %y = phantom.activation <tanh> %x : tensor<8x4xf32>
    // becomes, with to=f64
    %y = phantom.activation <tanh> %x : tensor<8x4xf64>
    ```
  }];
  let options = [
    Option<"to", "to", "::mlir::phantom::Precision", /*default=*/"::mlir::phantom::Precision::F64", "what to compute in",
           [{::llvm::cl::values(clEnumValN(::mlir::phantom::Precision::F32, "f32", "as imported"),
                                clEnumValN(::mlir::phantom::Precision::BF16, "bf16", "factors of products in bf16"),
                                clEnumValN(::mlir::phantom::Precision::F64, "f64", "double precision"))}]>
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

def ConvertPhantomToGemm : Pass<"convert-phantom-to-gemm", "::mlir::ModuleOp"> {
  let summary = "make every matrix product of a layer a phantom.gemm";
  let description = [{
    `linear`, `weight_gradient`, `compress`, `decompress` and `ghost_weight_gradient` become destination-style GEMMs on
    matrices; leading dimensions of activations are collapsed. No operand is transposed in memory. An accumulator is
    accumulated into. A linear's bias becomes a broadcast and an addition, which `phantom-fuse-epilogues` takes back
    into the GEMM.

    | op | gemm |
    | --- | --- |
    | `linear x, W` | x·Wᵀ (`io`: x·W) |
    | `weight_gradient δ, x` | δᵀ·x (`io`: xᵀ·δ) |
    | `compress y, C` | C·yᵀ |
    | `decompress G, D, acc` | acc + Gᵀ·D |
    | `ghost_weight_gradient γ, y` | γ·y |

    `formula_fraction` marks GEMMs that multiply the own zero block of a decompressor: the part of their
    flops that the formula of the method counts, (p−1)/p.

    ```mlir
    %g = phantom.compress %y, %c : (tensor<64x128xf32>, tensor<4x128xf32>) -> tensor<4x64xf32>
    // becomes
    %e = tensor.empty() : tensor<4x64xf32>
    %g = phantom.gemm ins(%c, %y : tensor<4x128xf32>, tensor<64x128xf32>) outs(%e : tensor<4x64xf32>) {transpose_b} -> tensor<4x64xf32>
    ```
  }];
  let dependentDialects = ["::mlir::phantom::PhantomDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def PhantomMergeGemms : Pass<"phantom-merge-gemms", "::mlir::ModuleOp"> {
  let summary = "let GEMMs accumulate sums of products";
  let description = [{
    Where two GEMMs are added, and nothing else uses their results, the later one accumulates into the result of the earlier: the
    input gradient of layers that share their input, as gate and up projections, or queries, keys and values, do.

    | bytes moved, of a sum of s bytes | two GEMMs and an addition | an accumulating GEMM |
    | --- | --- | --- |
    | by the GEMMs, for their results | 2s | 3s |
    | by the addition | 3s | none |

    That is 2s and a kernel less, or nothing, where the addition would be fused into a kernel that reads the sum; it never is more. The
    flops are the same. No GEMM moves, so none waits for an exchange that it did not wait for, and what runs beside an exchange
    still does. Equal products are left to CSE. A product that is added to a sum of gradients, which the function takes and returns
    (`@accumulate`), accumulates there. A remark per function says how many sums were merged, and the bytes of the first case.

    ```mlir
    %a = phantom.gemm ins(%g, %v : …) outs(%e : …) -> tensor<8x16xf32>
    %b = phantom.gemm ins(%u, %w : …) outs(%e : …) -> tensor<8x16xf32>
    %s = arith.addf %a, %b : tensor<8x16xf32>
    // becomes
    %a = phantom.gemm ins(%g, %v : …) outs(%e : …) -> tensor<8x16xf32>
    %s = phantom.gemm ins(%u, %w : …) outs(%a : …) {accumulate} -> tensor<8x16xf32>
    ```
  }];
}

def PhantomFuseEpilogues : Pass<"phantom-fuse-epilogues", "::mlir::ModuleOp"> {
  let summary = "let GEMMs add the bias and apply the activation";
  let description = [{
    The addition of a broadcast vector and an activation move into the GEMM whose result they take, where nothing
    else uses that result, and `library` has that epilogue. A remark per function says how many of each did, and what a pass over the results would have read and
    written.

    ```mlir
    %g = phantom.gemm ins(%x, %w : …) outs(%e : …) {transpose_b} -> tensor<8x512xf32>
    %c = phantom.broadcast %b : (tensor<512xf32>) -> tensor<8x512xf32>
    %z = arith.addf %g, %c : tensor<8x512xf32>
    %y = phantom.activation <relu> %z : tensor<8x512xf32>
    // becomes
    %y = phantom.gemm ins(%x, %w : …) bias(%b : tensor<512xf32>) outs(%e : …) {epilogue = #phantom.epilogue<relu>, transpose_b} -> tensor<8x512xf32>
    ```
  }];
  let options = [
    Option<"library", "library", "::mlir::phantom::GemmLibrary", /*default=*/"::mlir::phantom::GemmLibrary::Cpu",
           "whose epilogues may be used",
           [{::llvm::cl::values(clEnumValN(::mlir::phantom::GemmLibrary::Cpu, "cpu", "all activations but softplus"),
                                clEnumValN(::mlir::phantom::GemmLibrary::CublasLt, "cublaslt", "relu and gelu_tanh"))}]>,
    Option<"bias", "bias", "bool", /*default=*/"true", "fuse bias additions">,
    Option<"activation", "activation", "bool", /*default=*/"true", "fuse activations">
  ];
}

def PhantomFuseGradientEpilogues : Pass<"phantom-fuse-gradient-epilogues", "::mlir::ModuleOp"> {
  let summary = "let GEMMs multiply by the activation's slope and sum the bias gradient";
  let description = [{
    The gradient of relu or gelu_tanh moves into the GEMM whose result it takes, where nothing else uses that result; with it the sum that is a bias's gradient. What it
    needs is kept by the GEMM of the forward pass, which has applied relu (see `phantom-fuse-epilogues`), or now applies
    gelu_tanh, if only the gradient takes the activation's operand. These are epilogues of cuBLASLt: for GPUs only. A remark per function says how many of each did, and what
    passes over the results would have read and written.

    ```mlir
    %y = phantom.gemm ins(%x, %w : …) outs(%e : …) {epilogue = #phantom.epilogue<relu>, transpose_b} -> tensor<8x512xf32>
    %dy = phantom.gemm ins(%d, %v : …) outs(%f : …) -> tensor<8x512xf32>
    %dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<8x512xf32>
    %db = phantom.reduce_sum %dz [0] : tensor<8x512xf32> -> tensor<512xf32>
    // becomes
    %y, %bits = phantom.gemm ins(%x, %w : …) outs(%e : …) aux(%g : tensor<8x64xi8>) {epilogue = #phantom.epilogue<relu>, transpose_b} -> …
    %dz, %db = phantom.gemm ins(%d, %v : …) saved(%bits : tensor<8x64xi8>) outs(%f : …) bias_gradient(%h : …) {epilogue = #phantom.epilogue<relu>} -> …
    ```
  }];
  let dependentDialects = ["::mlir::tensor::TensorDialect"];
}

def ConvertPhantomToLinalg : Pass<"convert-phantom-to-linalg", "::mlir::ModuleOp"> {
  let summary = "turn all but GEMMs, exchanges and scatters into fused linalg.generic";
  let description = [{
    Model ops, losses and updates become `linalg.generic`, elementwise `arith` and `math` ops on tensors too; producers with
    a single use are then fused into their consumers. Losses and norms accumulate in f64. An update is one op whose
    outputs are the parameter and its states, and the sum of squares of its gradient where that is asked for: the
    gradient is read once. Ops that need the rank read it from a new last argument
    (`phantom.scalar = "rank"`). A remark per function says how many ops fusion leaves, and how many bytes fewer they read and
    write. `phantom.gather_gradient` stays: `phantom-bufferize` turns it into loops.

    With `reference-gemm` GEMMs become loops as well, in f32 or f64: an oracle for the library's. Those of f64
    always do: the library has none.

    ```mlir
    %y = phantom.activation <relu> %x : tensor<8x4xf32>
    // becomes
    %e = tensor.empty() : tensor<8x4xf32>
    %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
        ins(%x : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %m = arith.maximumf %in, %zero : f32
      linalg.yield %m : f32
    } -> tensor<8x4xf32>
    ```
  }];
  let options = [
    Option<"referenceGemm", "reference-gemm", "bool", /*default=*/"false", "lower GEMMs to loops, too">,
    Option<"fuse", "fuse", "bool", /*default=*/"true", "fuse elementwise ops">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect", "::mlir::math::MathDialect", "::mlir::linalg::LinalgDialect", "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def PhantomRecomputeActivations : Pass<"phantom-recompute-activations", "::mlir::ModuleOp"> {
  let summary = "compute cheap values again instead of keeping them for the backward pass";
  let description = [{
    An elementwise `linalg.generic` whose result waits, behind products, reductions and exchanges, for a later reader is
    cloned in front of the reader after the longest wait; that and later readers read the clone, and what it made need not be kept. Only where all that it
    reads is kept until then anyway; nothing else lives longer. So the memory for activations of `gelu`, `silu` and other
    functions that their operand's gradient needs, of dropout and of normalisations, is given back, for one more kernel
    each. Values are the same bits. Later passes that look for equal ops would undo it: it comes after them. A remark per
    function says how many values are not kept, and their bytes.

    ```mlir
    %y = gelu(%z)                        %y = gelu(%z)
    … products of the forward pass …     … products of the forward pass …
    %dw = product of %delta and %y       %again = gelu(%z)
    %dz = gelu_gradient(%z, %dy)         %dw = product of %delta and %again
                                         %dz = gelu_gradient(%z, %dy)
    ```
  }];
}

def PhantomHoistUpdates : Pass<"phantom-hoist-updates", "::mlir::ModuleOp"> {
  let summary = "update parameters as soon as their old values are not needed any more";
  let description = [{
    A `linalg` op that writes a parameter, or state of the optimizer, moves to behind the last other use of what it writes
    and the ops that make what it reads. A gradient is then read while it is still in a cache, and its memory is free for the
    next one. An update that reads the result of an exchange stays where it is, so that what is before it hides the exchange.
    A remark per function says how many updates moved.

    ```mlir
    %u = linalg.generic … ins(%gradient, …) outs(%weight, …)   // at the end
    // moves to behind the last op before it that uses %weight, and behind the op that makes %gradient
    ```
  }];
}

def PhantomSplitReductions : Pass<"phantom-split-reductions", "::mlir::ModuleOp"> {
  let summary = "make large sums in parts, so that a whole GPU adds";
  let description = [{
    For GPUs. A `linalg.generic` that makes few sums of many terms would keep few blocks busy: the norm of a gradient one, the gradient of
    a bias as many threads as it has elements. One of its reduced loops becomes a loop over parts, which run side by side, and one within a part;
    a second op adds the parts, in order. Results that are no sums, such as the parameters of an update that also adds up
    its gradient's squares, are written as before.

    | neighbouring iterations of a sum | a sum is made by | parts, so that there are about | split from |
    | --- | --- | --- | --- |
    | read neighbouring elements | a block | 1024 blocks | 4096 terms |
    | do not | a thread | 65536 threads, and no more parts than the square root of the terms | 65536 terms of all sums |

    The number of parts divides the loop's extent: that which is nearest to the wanted. An op is left alone where no loop has one; where what adds a term has no
    neutral element; and where an operand's index is more than the loop's own. A remark per function says how many were split.

    ```mlir
    %s = linalg.generic {iterator_types = ["reduction"], …} ins(%g : tensor<1048576xf32>) outs(%zero : tensor<f64>) {…}
    // becomes
    %h = tensor.expand_shape %g [[0, 1]] output_shape [1024, 1024] : tensor<1048576xf32> into tensor<1024x1024xf32>
    %p = linalg.generic {iterator_types = ["parallel", "reduction"], …} ins(%h : tensor<1024x1024xf32>) outs(%zeros : tensor<1024xf64>) {…}
    %s = linalg.generic {iterator_types = ["reduction"], …} ins(%p : tensor<1024xf64>) outs(%zero : tensor<f64>) {…}
    ```
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def PhantomBufferize : Pass<"phantom-bufferize", "::mlir::ModuleOp"> {
  let summary = "bufferize, with exchanges on windows and updates in place";
  let description = [{
    One-Shot Bufferize with function boundaries. Parameters and optimizer states are updated in the buffers of their
    arguments; it is an error if that would take a copy. An exchange gets a `phantom.window`; the op that makes what is
    exchanged writes into the rank's slot of the window wherever no later op overwrites that buffer, and gathered
    tensors are read in the window. `phantom.gather_gradient` becomes `scf.for` loops that add each cotangent to the slice
    of its index, in order.

    ```mlir
    %g = phantom.gemm ins(%c, %y : …) outs(%e : tensor<4x64xf32>) {transpose_b} -> tensor<4x64xf32>
    %G = phantom.all_gather %g dim 0 on @mesh "phantom" : tensor<4x64xf32> -> tensor<16x64xf32>
    // becomes
    %w = phantom.window "all_gather0" : memref<16x64xf32>
    %s = phantom.window_slot %w dim 0 : memref<16x64xf32> -> memref<4x64xf32, strided<[64, 1]>>
    phantom.gemm ins(%c, %y : …) outs(%s : …) {transpose_b}
    phantom.exchange <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>
    ```
  }];
  let options = [Option<"elideCopies", "elide-copies", "bool", /*default=*/"true", "write into window slots directly">];
  let dependentDialects = ["::mlir::phantom::PhantomDialect", "::mlir::bufferization::BufferizationDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect"];
}

def PhantomOutlineKernels : Pass<"phantom-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "move linalg ops, loops and copies into kernels";
  let description = [{
    Each becomes a function of the nested module `@kernels`, which takes its buffers, and a `phantom.launch`. Equal kernels are
    shared. Constants are cloned into the kernel. Buffers that may overlap others of the call lack `llvm.noalias`. With `merge-fills`, a fill of a new
    buffer goes into the kernel whose op, a sum say, starts from it.

    ```mlir
    linalg.generic … ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {…}
    // becomes
    phantom.launch @kernels::@generic_0 ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>)
    ```
  }];
  let options = [Option<"mergeFills", "merge-fills", "bool", /*default=*/"false", "no kernels of their own for what sums start from">];
  let dependentDialects = ["::mlir::phantom::PhantomDialect", "::mlir::func::FuncDialect"];
}

def PhantomOverlapExchanges : Pass<"phantom-overlap-exchanges", "::mlir::ModuleOp"> {
  let summary = "split exchanges into an early start and a late wait";
  let description = [{
    The start goes right behind the op that completes the slot, the wait right before the first use of the result. Starts keep the
    program's order. With `overlap=false` the wait follows the start. A remark per function says how many GEMMs and kernels
    now lie between starts and waits, and the flops of these GEMMs: what can hide exchanges.

    ```mlir
    phantom.gemm ins(%c, %y : …) outs(%slot : …)
    phantom.gemm ins(%y, %l : …) outs(%z : …)
    phantom.exchange <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>
    // becomes
    phantom.gemm ins(%c, %y : …) outs(%slot : …)
    %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>
    phantom.gemm ins(%y, %l : …) outs(%z : …)
    phantom.exchange_wait %t, %w : memref<16x64xf32>
    ```
  }];
  let options = [Option<"overlap", "overlap", "bool", /*default=*/"true", "start early and wait late">];
  let dependentDialects = ["::mlir::phantom::PhantomDialect"];
}

def PhantomScheduleStreams : Pass<"phantom-schedule-streams", "::mlir::ModuleOp"> {
  let summary = "make exchanges collectives on a stream of their own, ordered by events";
  let description = [{
    For GPUs, behind `phantom-overlap-exchanges`: a collective is queued where its exchange starts. A stream waits for the other only where
    a command touches memory that a command of the other writes, or writes what it reads, and nothing yet orders the two: no wait is
    implied by others. The event is recorded right behind the command that is waited for. Where an exchange is waited for before its result is
    used (`overlap=false`), the compute stream waits there.

    A function begins and ends on the compute stream: the exchange stream's first command waits for an event of it, and at the end the compute
    stream waits for the exchange stream. So a whole function can be captured as a CUDA graph, and the next one finds windows that nobody
    uses. Windows of reductions get one part: on a GPU, a window is a rank's own memory. A remark per function with exchanges counts its
    commands, and the bytes that a rank sends under the ring model.

    ```mlir
    phantom.gemm ins(%c, %y : …) outs(%slot : …)
    %t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>
    phantom.gemm ins(%y, %l : …) outs(%z : …)
    phantom.exchange_wait %t, %w : memref<16x64xf32>
    // becomes
    phantom.gemm ins(%c, %y : …) outs(%slot : …)
    %e = phantom.event_record <compute>
    phantom.event_wait %e <exchange>
    phantom.collective <all_gather> %w on @mesh "phantom" : memref<16x64xf32>
    %f = phantom.event_record <exchange>
    phantom.gemm ins(%y, %l : …) outs(%z : …)
    phantom.event_wait %f <compute>
    ```
  }];
  let dependentDialects = ["::mlir::phantom::PhantomDialect"];
}

def PhantomPlanMemory : Pass<"phantom-plan-memory", "::mlir::ModuleOp"> {
  let summary = "give every buffer an offset in one arena";
  let description = [{
    Buffers that do not live at the same time share memory: a buffer lives from its first to its last use through any view, a
    returned one to the end. One that a collective of another stream uses lives from the event which that stream waits for before, to the wait
    for an event recorded behind the collective. Largest first, each at the lowest free offset, 64-byte aligned. With `share=false` each has
    memory of its own. A remark per function says the arena's size,
    and what the buffers would take without sharing.

    ```mlir
    %z = memref.alloc() : memref<64x128xf32>
    // becomes
    %a = phantom.arena : memref<65536xi8>
    %z = memref.view %a[%c0][] : memref<65536xi8> to memref<64x128xf32>
    ```
  }];
  let options = [Option<"share", "share", "bool", /*default=*/"true", "let buffers that do not live together share memory">];
  let dependentDialects = ["::mlir::phantom::PhantomDialect", "::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect"];
}

def PhantomVerifyProgram : Pass<"phantom-verify-program", "::mlir::ModuleOp"> {
  let summary = "check that functions are step programs";
  let description = [{
    Only GEMMs, launches, exchange starts and waits, collectives and events, and the ops that name their buffers may be left; every
    start has one wait behind it, on the same window, and no function has both starts and collectives; shapes are static; a launch's kernel
    exists. Changes nothing.
  }];
}

def ConvertPhantomKernelsToLLVM : Pass<"convert-phantom-kernels-to-llvm", "::mlir::ModuleOp"> {
  let summary = "lower the @kernels module to the LLVM dialect";
  let description = [{
    linalg → loops, math → polynomials (f32; vectorised by LLVM later) or the C library (f64), and bare pointers as
    arguments.

    ```mlir
    func.func @generic_0(%x: memref<32xf32>, %y: memref<32xf32>) {…}
    // becomes
    llvm.func @generic_0(%x: !llvm.ptr {llvm.noalias}, %y: !llvm.ptr {llvm.noalias}) {…}
    ```
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect", "::mlir::scf::SCFDialect", "::mlir::cf::ControlFlowDialect",
                           "::mlir::vector::VectorDialect", "::mlir::affine::AffineDialect", "::mlir::memref::MemRefDialect"];
}

def ConvertPhantomKernelsToGpu : Pass<"convert-phantom-kernels-to-gpu", "::mlir::ModuleOp"> {
  let summary = "make the @kernels module a gpu.module";
  let description = [{
    Each kernel becomes a `gpu.func` for a grid and blocks of one dimension, which `known_grid_size` and `known_block_size` say.

    | kernel | a thread does |
    | --- | --- |
    | elementwise | elements of the flattened parallel loops, a whole grid apart |
    | reduction | the same, each with its sum in a loop |
    | reduction of at least `block-reduction` elements each, neighbours in memory, or to a single result | a part of one result's elements; the block adds the parts, as a tree in workgroup memory |
    | loops | elements of the loops whose iterations write elements of their own; the other loops in order |

    What a fill in front of the op wrote is a constant in the kernel. The order of every sum is fixed: each run gives the same bits. Functions of f32 become polynomials, as on the CPU. The targets of the
    module are `chips`, each with the version of PTX that knows it. A program without kernels gets an empty module.

    ```mlir
    func.func @elementwise_0(%x: memref<8x4xf32>, %y: memref<8x4xf32>) { linalg.generic … }
    // becomes
    gpu.func @elementwise_0(%x: memref<8x4xf32>, %y: memref<8x4xf32>) kernel
        attributes {known_block_size = array<i32: 32, 1, 1>, known_grid_size = array<i32: 1, 1, 1>} { … }
    ```
  }];
  let options = [
    Option<"blockReduction", "block-reduction", "int64_t", /*default=*/"256",
           "elements of a sum from which a block adds them">,
    ListOption<"chips", "chips", "std::string", "to compile for, such as sm_90; all that are known where empty">
  ];
  let dependentDialects = ["::mlir::gpu::GPUDialect", "::mlir::NVVM::NVVMDialect", "::mlir::arith::ArithDialect", "::mlir::affine::AffineDialect",
                           "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"];
}

#endif // PHANTOM_CONVERSION_PASSES_TD
