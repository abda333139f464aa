//===- PhantomBufferOps.td - Ops of the step program ------*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Destination-style GEMMs, windows, exchanges in halves and kernel calls: what
// becomes one command each.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_BUFFER_OPS_TD
#define PHANTOM_BUFFER_OPS_TD

def Phantom_FloatMatrix : AnyTypeOf<[2DTensorOf<[F32, F64]>, MemRefRankOf<[F32, F64], [2]>]>;
def Phantom_FloatVector : AnyTypeOf<[1DTensorOf<[F32, F64]>, MemRefRankOf<[F32, F64], [1]>]>;
/// What GEMMs multiply.
def Phantom_FactorMatrix : AnyTypeOf<[2DTensorOf<[F32, F64, BF16]>, MemRefRankOf<[F32, F64, BF16], [2]>]>;
/// What a GEMM keeps for the gradient of its epilogue: bits, or elements.
def Phantom_GemmAux : AnyTypeOf<[2DTensorOf<[F32, F64, I8]>, MemRefRankOf<[F32, F64, I8], [2]>]>;
/// What ranks exchange: also encoded values.
def Phantom_ExchangedBuffer : MemRefOf<[F32, F64, BF16, I8]>;

def Phantom_BufferExchange
    : DeclareOpInterfaceMethods<ExchangeOpInterface, ["getExchangeKind", "getRanks", "getRingElements"]>;

def Phantom_TokenType : TypeDef<Phantom_Dialect, "Token"> {
  let mnemonic = "token";
  let summary = "an exchange in flight";
}

def Phantom_EventType : TypeDef<Phantom_Dialect, "Event"> {
  let mnemonic = "event";
  let summary = "a point in a stream of a GPU";
}

def Phantom_GemmOp : Phantom_Op<"gemm", [DestinationStyleOpInterface, AttrSizedOperandSegments,
                                         DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "c = epilogue(a·b + bias (+ c)), or (a·b (+ c)) times the epilogue's slope";
  let description = [{
    `a : [m, k]` (with `transpose_a`: `[k, m]`), `b : [k, n]` (`transpose_b`: `[n, k]`), `c : [m, n]`, `bias : [n]`. With `accumulate` the
    old c is added before the epilogue. On tensors, the results are the new c, and what else is written. `formula_fraction` is the part of the flops that
    the method's formula counts, where one operand has a zero block (default: all). Factors of bf16 are multiplied and summed up in f32.

    Epilogues of cuBLASLt also work for the backward pass. A GEMM with `aux` keeps there what the gradient of its epilogue needs: of relu, a bit per
    element, in rows of a multiple of 128; of gelu_tanh, the activation's operand, in rows of a multiple of 8 elements. A GEMM that takes such an aux as
    `saved` multiplies by the slope in place of applying the activation, and `bias_gradient : [n]` gets the sums of its columns.

    Example:
    ```mlir
    %z = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<512x64xf32>) bias(%v : tensor<512xf32>) outs(%c : tensor<8x512xf32>)
        {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x512xf32>
    %y, %bits = phantom.gemm ins(%a, %b : tensor<8x64xf32>, tensor<512x64xf32>) bias(%v : tensor<512xf32>) outs(%c : tensor<8x512xf32>)
        aux(%e : tensor<8x64xi8>) {transpose_b, epilogue = #phantom.epilogue<relu>} -> tensor<8x512xf32>, tensor<8x64xi8>
    %dz, %dv = phantom.gemm ins(%dy, %w : tensor<8x64xf32>, tensor<64x512xf32>) saved(%bits : tensor<8x64xi8>) outs(%c : tensor<8x512xf32>)
        bias_gradient(%s : tensor<512xf32>) {epilogue = #phantom.epilogue<relu>} -> tensor<8x512xf32>, tensor<512xf32>
    ```

    The verifier refuses sizes that do not fit, factors of two types, factors of another type than c's but bf16, an aux of another activation, a GEMM that keeps
    an aux and takes one, one that adds a bias and takes an aux, and a bias gradient where no aux is taken.
  }];
  let arguments = (ins Phantom_FactorMatrix:$a, Phantom_FactorMatrix:$b, Optional<Phantom_FloatVector>:$bias,
                       Optional<Phantom_GemmAux>:$saved, Phantom_FloatMatrix:$c, Optional<Phantom_GemmAux>:$aux,
                       Optional<Phantom_FloatVector>:$bias_gradient, UnitAttr:$transpose_a, UnitAttr:$transpose_b,
                       UnitAttr:$accumulate, OptionalAttr<Phantom_EpilogueAttr>:$epilogue,
                       OptionalAttr<F64Attr>:$formula_fraction);
  let results = (outs Variadic<AnyRankedTensor>:$written);
  let assemblyFormat = [{
    `ins` `(` $a `,` $b `:` type($a) `,` type($b) `)` (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`saved` `(` $saved^ `:` type($saved) `)`)? `outs` `(` $c `:` type($c) `)` (`aux` `(` $aux^ `:` type($aux) `)`)?
    (`bias_gradient` `(` $bias_gradient^ `:` type($bias_gradient) `)`)? attr-dict (`->` type($written)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// c, the aux that is kept, and the bias gradient.
    ::mlir::MutableOperandRange getDpsInitsMutable();
    /// The new c; null on buffers.
    ::mlir::Value getResult();
    /// The aux that the GEMM keeps, and the bias gradient; null where there is none, and on buffers.
    ::mlir::Value getAuxResult();
    ::mlir::Value getBiasGradientResult();
    /// What a GEMM with this result keeps for the gradient of the activation; null where GEMMs cannot.
    static ::mlir::RankedTensorType getAuxType(::mlir::phantom::ActivationKind kind, ::mlir::ShapedType result);
    /// Rows, columns and depth of the product.
    int64_t getM();
    int64_t getN();
    int64_t getK();
  }];
}

def Phantom_WindowOp : Phantom_Op<"window", [MemoryEffects<[MemAlloc]>]> {
  let summary = "the shared buffer of one exchange";
  let description = [{
    All-gather: the gathered tensor, of which each rank writes its block. Others: one part per rank, which the rank
    writes and its peers read; the type has a leading dimension of p. Windows are outside the arena.

    Example: `%w = phantom.window "fc2.ghosts" : memref<16x64xf32>`.
  }];
  let arguments = (ins StrAttr:$name);
  let results = (outs Phantom_ExchangedBuffer:$window);
  let assemblyFormat = "$name attr-dict `:` type($window)";
}

def Phantom_WindowSlotOp : Phantom_Op<"window_slot", [Pure]> {
  let summary = "this rank's part of a window";
  let description = [{
    With `dim`: block `rank` along that dimension (all-gather). Without: entry `rank` of the leading dimension (other exchanges). The type is
    strided as the window is; its offset is left to the run time.

    Example: `%s = phantom.window_slot %w dim 0 : memref<16x64xf32> -> memref<4x64xf32>`.
  }];
  let arguments = (ins Phantom_ExchangedBuffer:$window, OptionalAttr<I64Attr>:$dim);
  let results = (outs Phantom_ExchangedBuffer:$slot);
  let assemblyFormat = "$window (`dim` $dim^)? attr-dict `:` type($window) `->` type($slot)";
  let hasVerifier = 1;
}

def Phantom_ExchangeBufferOp : Phantom_Op<"exchange", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
                                                          Phantom_BufferExchange]> {
  let summary = "a whole exchange on a window";
  let description = [{
    Every rank has written its slot; afterwards the window holds the gathered tensor, or `into` the reduced or received one.

    Example: `phantom.exchange <reduce_scatter> %w dim 0 into %s on @mesh "phantom" : memref<4x16x64xf32>, memref<4x64xf32>`.
  }];
  let arguments = (ins Phantom_ExchangeKindAttr:$kind, Phantom_ExchangedBuffer:$window, Optional<Phantom_ExchangedBuffer>:$destination,
                       I64Attr:$dim, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let assemblyFormat = [{
    $kind $window `dim` $dim (`into` $destination^)? `on` $mesh $axis attr-dict `:` type(operands)
  }];
}

def Phantom_ExchangeStartOp : Phantom_Op<"exchange_start", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
                                                               Phantom_BufferExchange]> {
  let summary = "publishes this rank's slot; does not block";
  let description = [{
    Example: `%t = phantom.exchange_start <all_gather> %w dim 0 on @mesh "phantom" : memref<16x64xf32>`.
  }];
  let arguments = (ins Phantom_ExchangeKindAttr:$kind, Phantom_ExchangedBuffer:$window, I64Attr:$dim,
                       FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_TokenType:$token);
  let assemblyFormat = "$kind $window `dim` $dim `on` $mesh $axis attr-dict `:` type($window)";
}

def Phantom_ExchangeWaitOp : Phantom_Op<"exchange_wait", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "blocks until the exchange's result may be read";
  let description = [{
    Reductions sum into `into` here, and an all-to-all copies to it. `window` is that of the start, so that its uses show its lifetime.

    Example: `phantom.exchange_wait %t, %w into %s : memref<4x16x64xf32>, memref<4x64xf32>`.
  }];
  let arguments = (ins Phantom_TokenType:$token, Phantom_ExchangedBuffer:$window, Optional<Phantom_ExchangedBuffer>:$destination);
  let assemblyFormat = "$token `,` $window (`into` $destination^)? attr-dict `:` type($window) (`,` type($destination)^)?";
}

def Phantom_CollectiveOp : Phantom_Op<"collective", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>,
                                                     DeclareOpInterfaceMethods<SymbolUserOpInterface>,
                                                     Phantom_BufferExchange]> {
  let summary = "a whole exchange on a stream of a GPU";
  let description = [{
    Blocks are contiguous. The window is this rank's own memory: of an all-gather, the gathered tensor, of which the rank has
    written its slot; of a reduction, what the rank adds; of an all-to-all, what it sends. GEMMs and kernels are on the compute stream; what runs on another stream is
    ordered by events only.

    Example: `phantom.collective <reduce_scatter> %w into %s on @mesh "phantom" : memref<16x64xf32>, memref<4x64xf32>`.

    The verifier refuses an exchange but a gather without a destination, a gather with one, sizes that do not fit, and strided memory.
  }];
  let arguments = (ins Phantom_ExchangeKindAttr:$kind, Phantom_ExchangedBuffer:$window, Optional<Phantom_ExchangedBuffer>:$destination,
                       FlatSymbolRefAttr:$mesh, StrAttr:$axis,
                       DefaultValuedAttr<Phantom_StreamKindAttr, "StreamKind::Exchange">:$stream);
  let assemblyFormat = "$kind $window (`into` $destination^)? `on` $mesh $axis attr-dict `:` type(operands)";
  let hasVerifier = 1;
}

def Phantom_EventRecordOp : Phantom_Op<"event_record", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "marks the work that is queued on a stream so far";
  let description = [{
    Example: `%e = phantom.event_record <compute>`.
  }];
  let arguments = (ins Phantom_StreamKindAttr:$stream);
  let results = (outs Phantom_EventType:$event);
  let assemblyFormat = "$stream attr-dict";
}

def Phantom_EventWaitOp : Phantom_Op<"event_wait", [DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "what follows on a stream runs after what an event marks";
  let description = [{
    Does not block the host. Example: `phantom.event_wait %e <exchange>`.

    The verifier refuses the stream that records the event: it runs in order anyway.
  }];
  let arguments = (ins Phantom_EventType:$event, Phantom_StreamKindAttr:$stream);
  let assemblyFormat = "$event $stream attr-dict";
  let hasVerifier = 1;
}

def Phantom_LaunchOp : Phantom_Op<"launch", [AttrSizedOperandSegments, DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "calls a kernel";
  let description = [{
    `kernel` names a function of the `@kernels` module, which takes the inputs and then the outputs. Outputs may be read, too.

    Example: `phantom.launch @kernels::@add ins(%a : memref<8xf32>) outs(%b : memref<8xf32>)`.
  }];
  let arguments = (ins SymbolRefAttr:$kernel, Variadic<AnyMemRef>:$inputs, Variadic<AnyMemRef>:$outputs);
  let assemblyFormat = [{
    $kernel (`ins` `(` $inputs^ `:` type($inputs) `)`)? `outs` `(` $outputs `:` type($outputs) `)` attr-dict
  }];
}

def Phantom_ArenaOp : Phantom_Op<"arena", [MemoryEffects<[MemAlloc]>]> {
  let summary = "this rank's scratch memory";
  let description = [{
    One per function; `memref.view` at constant offsets gives its buffers. Example: `%a = phantom.arena : memref<65536xi8>`.
  }];
  let results = (outs MemRefRankOf<[I8], [1]>:$arena);
  let assemblyFormat = "attr-dict `:` type($arena)";
}

#endif // PHANTOM_BUFFER_OPS_TD
