//===- PhantomAttrs.td - Attributes and enums -------------*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_ATTRS_TD
#define PHANTOM_ATTRS_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/IR/TensorEncoding.td"
include "phantom/Dialect/Phantom/IR/PhantomDialect.td"

class Phantom_Enum<string name, string summary, list<I32EnumCase> cases> : I32Enum<name, summary, cases> {
  let cppNamespace = "::mlir::phantom";
}

class Phantom_EnumAttr<I32Enum enum, string attrMnemonic> : EnumAttr<Phantom_Dialect, enum, attrMnemonic> {
  let assemblyFormat = "`<` $value `>`";
}

//===----------------------------------------------------------------------===//
// Enums
//===----------------------------------------------------------------------===//

def Phantom_StateKind : Phantom_Enum<"StateKind", "relation of a rank's value to the whole", [
  I32EnumCase<"Shard", 0, "shard">,
  I32EnumCase<"Block", 1, "block">,
  I32EnumCase<"Partial", 2, "partial">,
  I32EnumCase<"PerRank", 3, "per_rank">
]>;

def Phantom_ActivationKind : Phantom_Enum<"ActivationKind", "elementwise activation function", [
  I32EnumCase<"Relu", 0, "relu">,
  I32EnumCase<"LeakyRelu", 1, "leaky_relu">,
  I32EnumCase<"Elu", 2, "elu">,
  I32EnumCase<"Sigmoid", 3, "sigmoid">,
  I32EnumCase<"Tanh", 4, "tanh">,
  I32EnumCase<"GeluErf", 5, "gelu_erf">,
  I32EnumCase<"GeluTanh", 6, "gelu_tanh">,
  I32EnumCase<"Silu", 7, "silu">,
  I32EnumCase<"Softplus", 8, "softplus">
]>;
def Phantom_ActivationKindAttr : Phantom_EnumAttr<Phantom_ActivationKind, "activation_kind">;

def Phantom_NormalizeKind : Phantom_Enum<"NormalizeKind", "what a sample is normalised by", [
  I32EnumCase<"Layer", 0, "layer">,
  I32EnumCase<"Rms", 1, "rms">
]>;
def Phantom_NormalizeKindAttr : Phantom_EnumAttr<Phantom_NormalizeKind, "normalize_kind">;

def Phantom_StatisticsKind : Phantom_Enum<"StatisticsKind", "what is known of each sample", [
  I32EnumCase<"Layer", 0, "layer">,
  I32EnumCase<"Rms", 1, "rms">,
  I32EnumCase<"Softmax", 2, "softmax">
]>;
def Phantom_StatisticsKindAttr : Phantom_EnumAttr<Phantom_StatisticsKind, "statistics_kind">;

def Phantom_NarrowFloat : Phantom_Enum<"NarrowFloat", "float type that values are stored in, but not computed in", [
  I32EnumCase<"F16", 0, "f16">,
  I32EnumCase<"BF16", 1, "bf16">
]>;
def Phantom_NarrowFloatAttr : Phantom_EnumAttr<Phantom_NarrowFloat, "narrow_float">;

def Phantom_WireEncoding : Phantom_Enum<"WireEncoding", "how exchanges carry values of f32", [
  I32EnumCase<"F32", 0, "f32">,
  I32EnumCase<"BF16", 1, "bf16">,
  I32EnumCase<"Int8", 2, "int8">
]>;
def Phantom_WireEncodingAttr : Phantom_EnumAttr<Phantom_WireEncoding, "wire_encoding">;

def Phantom_LossKind : Phantom_Enum<"LossKind", "loss function; a mean, as in ONNX and PyTorch", [
  I32EnumCase<"CrossEntropy", 0, "cross_entropy">,
  I32EnumCase<"Mse", 1, "mse">,
  I32EnumCase<"Bce", 2, "bce">
]>;
def Phantom_LossKindAttr : Phantom_EnumAttr<Phantom_LossKind, "loss_kind">;

def Phantom_OptimizerKind : Phantom_Enum<"OptimizerKind", "update rule", [
  I32EnumCase<"Sgd", 0, "sgd">,
  I32EnumCase<"Momentum", 1, "momentum">,
  I32EnumCase<"Adam", 2, "adam">,
  I32EnumCase<"AdamW", 3, "adamw">
]>;
def Phantom_OptimizerKindAttr : Phantom_EnumAttr<Phantom_OptimizerKind, "optimizer_kind">;

def Phantom_LayoutKind : Phantom_Enum<"LayoutKind", "how a parameter's storage divides over the ranks", [
  I32EnumCase<"Replicated", 0, "replicated">,
  I32EnumCase<"Shard", 1, "shard">,
  I32EnumCase<"Stacked", 2, "stacked">
]>;

def Phantom_InitKind : Phantom_Enum<"InitKind", "how a parameter gets its first value", [
  I32EnumCase<"Load", 0, "load">,
  I32EnumCase<"DiagonalBlock", 1, "diagonal_block">,
  I32EnumCase<"LowRankCompressor", 2, "low_rank_compressor">,
  I32EnumCase<"LowRankDecompressor", 3, "low_rank_decompressor">,
  I32EnumCase<"Uniform", 4, "uniform">,
  I32EnumCase<"Zeros", 5, "zeros">
]>;

def Phantom_ExchangeKind : Phantom_Enum<"ExchangeKind", "collective of a buffer-level exchange", [
  I32EnumCase<"AllGather", 0, "all_gather">,
  I32EnumCase<"ReduceScatter", 1, "reduce_scatter">,
  I32EnumCase<"AllReduce", 2, "all_reduce">,
  I32EnumCase<"AllToAll", 3, "all_to_all">
]>;
def Phantom_ExchangeKindAttr : Phantom_EnumAttr<Phantom_ExchangeKind, "exchange_kind">;

def Phantom_StreamKind : Phantom_Enum<"StreamKind", "queue of a GPU, whose commands run in order", [
  I32EnumCase<"Compute", 0, "compute">,
  I32EnumCase<"Exchange", 1, "exchange">
]>;
def Phantom_StreamKindAttr : Phantom_EnumAttr<Phantom_StreamKind, "stream">;

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

class Phantom_Attr<string name, string attrMnemonic, list<Trait> traits = []>
    : AttrDef<Phantom_Dialect, name, traits> {
  let mnemonic = attrMnemonic;
}

def Phantom_StateAttr : Phantom_Attr<"State", "state", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let summary = "state of a value along a mesh axis; a tensor type's encoding";
  let description = [{
    How what one rank holds relates to the whole value. No encoding means *replicated*: the same on every rank, and
    used alike, so that its cotangent is replicated too.

    | state | one rank holds | state of the cotangent |
    | --- | --- | --- |
    | `shard(d)` | block `rank` along dimension `d` | `shard(d)` |
    | `block` | values of its own (a diagonal block; parameters only) | `block` |
    | `partial` | a term of the sum over ranks that is the true value | `per_rank` |
    | `per_rank` | the same as the others, but uses it differently | `partial` |

    `partial` and `per_rank` are dual, so the adjoint of each exchange is an exchange, found by its types alone.

    Example: `tensor<64x128xf32, #phantom.state<"phantom" = shard(1)>>`.
  }];
  let parameters = (ins StringRefParameter<"mesh axis">:$axis, "StateKind":$kind, DefaultValuedParameter<"int64_t", "0">:$dim);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Phantom_SourceAttr : Phantom_Attr<"Source", "source"> {
  let summary = "where the bytes of a dense tensor are";
  let description = [{
    A tensor of a `.safetensors` file, or `length` raw little-endian bytes at `offset` of any file. `file` is relative
    to the folder of the IR file. `type` is the stored type. `part(d, from, count)` takes the `count` slices from `from`
    on along dimension `d` of it.

    Example: `#phantom.source<"model.safetensors", "fc1.weight", tensor<512x64xf32>>`,
    `#phantom.source<"model.onnx.data" at 4096 : 131072, tensor<512x64xf32>>`,
    `#phantom.source<"model.safetensors", "w12.weight", tensor<512x64xf32> part(0, 256, 256)>`.

    The verifier refuses a part that is not inside the tensor.
  }];
  let parameters = (ins StringRefParameter<"file">:$file, StringRefParameter<"tensor name; empty for a raw range">:$tensor,
                        "int64_t":$offset, "int64_t":$length, "::mlir::RankedTensorType":$type,
                        OptionalArrayRefParameter<"int64_t", "dimension, first slice and number of slices">:$part);
  let builders = [AttrBuilder<(ins "StringRef":$file, "StringRef":$tensor, "int64_t":$offset, "int64_t":$length,
                                   "RankedTensorType":$type), [{
    return $_get($_ctxt, file, tensor, offset, length, type, ArrayRef<int64_t>());
  }]>];
  let extraClassDeclaration = [{
    /// The shape of the tensor, or of the part of it.
    SmallVector<int64_t> getShape() const;
  }];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def Phantom_LayoutAttr : Phantom_Attr<"Layout", "layout"> {
  let summary = "how a parameter's stored tensor divides over the ranks of an axis";
  let description = [{
    `replicated`: every rank holds all of it. `shard(d)`: rank `j` holds block `j` along dimension `d` of `stored`.
    `stacked`: the stored tensor has a leading dimension of one entry per rank. `stored` is one rank's part as files
    show it; it has as many elements as the parameter's type.

    Example: `#phantom.layout<shard(0)>`, `#phantom.layout<stacked as [4, 8, 128]>`.
  }];
  let parameters = (ins "LayoutKind":$kind, DefaultValuedParameter<"int64_t", "0">:$dim,
                        OptionalArrayRefParameter<"int64_t">:$stored);
  let hasCustomAssemblyFormat = 1;
}

def Phantom_InitAttr : Phantom_Attr<"Init", "init"> {
  let summary = "recipe of a parameter's first value, carried out by the runtime";
  let description = [{
    | recipe | value |
    | --- | --- |
    | `load` | the source tensor, or this rank's part of it |
    | `diagonal_block` | block (rank, rank) of the source's p×p blocks |
    | `low_rank_compressor`, `low_rank_decompressor` | factors of the truncated SVD of the off-diagonal blocks |
    | `uniform` | uniform in ±1/√fan_in, drawn by global index, so that it does not depend on the rank count |
    | `zeros` | zeros |

    `transposed`: the source is stored `[n_in, n_out]`. `zero_own`: the stored part is `[p, …]`, and its entry `rank` is zero.

    Example: `#phantom.init<load, source = #phantom.source<…>>`, `#phantom.init<uniform, fan_in = 128>`.
  }];
  let parameters = (ins "InitKind":$kind, OptionalParameter<"::mlir::phantom::SourceAttr">:$source,
                        DefaultValuedParameter<"bool", "false">:$transposed,
                        DefaultValuedParameter<"int64_t", "0">:$ghost_width,
                        DefaultValuedParameter<"int64_t", "0">:$fan_in,
                        DefaultValuedParameter<"bool", "false">:$zero_own);
  let assemblyFormat = "`<` $kind (`,` struct($source, $transposed, $ghost_width, $fan_in, $zero_own)^)? `>`";
}

def Phantom_AxisAttr : Phantom_Attr<"Axis", "axis"> {
  let summary = "a named axis of a mesh and its number of ranks";
  let parameters = (ins StringRefParameter<"name">:$name, "int64_t":$size);
  let assemblyFormat = "`<` $name `=` $size `>`";
  let genVerifyDecl = 1;
}

def Phantom_AxesAttr : ArrayOfAttr<Phantom_Dialect, "Axes", "axes", "AxisAttr"> {
  let summary = "the axes of a mesh";
  let assemblyFormat = "`[` $value `]`";
}

def Phantom_EpilogueAttr : Phantom_Attr<"Epilogue", "epilogue"> {
  let summary = "activation applied by a GEMM to its result";
  let description = "Example: `#phantom.epilogue<relu>`, `#phantom.epilogue<leaky_relu, 0.1 : f64>`.";
  let parameters = (ins "ActivationKind":$kind, OptionalParameter<"::mlir::FloatAttr">:$alpha);
  let assemblyFormat = "`<` $kind (`,` $alpha^)? `>`";
}

#endif // PHANTOM_ATTRS_TD
