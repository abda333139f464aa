//===- PhantomOps.td - Ops of models and their partitions -*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_OPS_TD
#define PHANTOM_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/IR/AttrTypeBase.td"
include "phantom/Dialect/Phantom/IR/PhantomAttrs.td"
include "phantom/Dialect/Phantom/IR/PhantomInterfaces.td"

class Phantom_Op<string name, list<Trait> traits = []> : Op<Phantom_Dialect, name, traits>;

def Phantom_Differentiable : DeclareOpInterfaceMethods<DifferentiableOpInterface>;

def Phantom_FloatTensor : RankedTensorOf<[F32, F64]>;
/// What the values of a model that are not only moved have: parameters and most activations are floats.
def Phantom_Tensor : RankedTensorOf<[F32, F64, I1, I8, I16, I32, I64]>;
/// What exchanges carry of an encoded value.
def Phantom_EncodedTensor : RankedTensorOf<[BF16, I8]>;
def Phantom_NumberTensor : RankedTensorOf<[F32, F64, I8, I16, I32, I64]>;
def Phantom_IndexTensor : RankedTensorOf<[I32, I64]>;
def Phantom_FloatScalar : 0DTensorOf<[F32, F64]>;

/// The order of exchanges is the program's, on every rank: they write this.
def Phantom_CommunicationResource : Resource<"::mlir::phantom::CommunicationResource">;

//===----------------------------------------------------------------------===//
// Declarations
//===----------------------------------------------------------------------===//

def Phantom_ParameterOp : Phantom_Op<"parameter", [Symbol]> {
  let summary = "declares a weight, a bias or optimizer state";
  let description = [{
    The bytes stay in the file that `init` names. Functions take parameters as arguments that carry
    `phantom.parameter = @name` and return the updated values.

    Example:
    ```mlir
    phantom.parameter @fc1.weight : tensor<512x64xf32> init
        <load, source = <"digits.safetensors", "fc1.weight", tensor<512x64xf32>>> trainable
    phantom.parameter @fc2.local : tensor<128x128xf32> layout <stacked> init
        <diagonal_block, source = <"digits.safetensors", "fc2.weight", tensor<512x512xf32>>> trainable
    ```

    The verifier refuses: an init without what its recipe needs (a source; a fan-in); a `stored` shape with another
    number of elements than the type; a layout that divides a dimension which is not there; `state_of` naming no parameter.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Phantom_FloatTensor>:$type,
                       OptionalAttr<Phantom_LayoutAttr>:$layout, Phantom_InitAttr:$init, UnitAttr:$trainable,
                       OptionalAttr<FlatSymbolRefAttr>:$state_of);
  let assemblyFormat = [{
    $sym_name `:` $type (`layout` $layout^)? `init` $init (`state_of` $state_of^)? (`trainable` $trainable^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Phantom_MeshOp : Phantom_Op<"mesh", [Symbol]> {
  let summary = "declares the ranks and their axes";
  let description = [{
    Example: `phantom.mesh @mesh = [<"phantom" = 4>]`.

    The verifier refuses: no axis; two axes of one name; a size below one.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, Phantom_AxesAttr:$axes);
  let assemblyFormat = "$sym_name `=` $axes attr-dict";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Size of the axis, or nullopt where the mesh has no such axis.
    std::optional<int64_t> getAxisSize(llvm::StringRef axis);
  }];
}

//===----------------------------------------------------------------------===//
// Model
//===----------------------------------------------------------------------===//

def Phantom_LinearOp : Phantom_Op<"linear", [Pure, Phantom_Differentiable]> {
  let summary = "y = x Wᵀ + b";
  let description = [{
    `x : […, n_in]`, `W : [n_out, n_in]` (with `io`: `[n_in, n_out]`, and y = x W), `b : [n_out]`; the leading dimensions
    of x are the batch. On a partitioned program the states of x and W decide what is computed:

    | x | W (as `[out, in]`) | y | used as |
    | --- | --- | --- | --- |
    | replicated | replicated | replicated | the dense layer |
    | `per_rank` | `shard(0)` | `shard(last)` | column parallel |
    | `shard(last)` | `shard(1)` | `partial` | row parallel; no bias |
    | `shard(last)` | `block` | `shard(last)` | the diagonal block of a phantom layer |

    Gradients: $$ \partial x = \delta W,\quad \partial W = \delta^T x,\quad \partial b = \sum_B \delta. $$

    Example:
    ```mlir
    %y = phantom.linear %x, %w bias %b : (tensor<?x64xf32>, tensor<512x64xf32>, tensor<512xf32>) -> tensor<?x512xf32>
    ```

    The verifier refuses: sizes that do not fit; states not in the table.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, Phantom_FloatTensor:$weight, Optional<Phantom_FloatTensor>:$bias,
                       UnitAttr:$io);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = [{
    $input `,` $weight (`bias` $bias^)? (`io` $io^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Phantom_WeightGradientOp : Phantom_Op<"weight_gradient", [Pure]> {
  let summary = "∂W = δᵀ x";
  let description = [{
    The gradient of `linear` in its weight: `δ : […, n_out]`, `x : […, n_in]`, result `[n_out, n_in]` (with `io` its
    transpose). The result's state is the weight's.

    Example:
    ```mlir
    %dw = phantom.weight_gradient %delta, %x : (tensor<8x512xf32>, tensor<8x64xf32>) -> tensor<512x64xf32>
    ```
  }];
  let arguments = (ins Phantom_FloatTensor:$delta, Phantom_FloatTensor:$input, UnitAttr:$io);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$delta `,` $input (`io` $io^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Phantom_MatmulOp : Phantom_Op<"matmul", [Pure, Phantom_Differentiable]> {
  let summary = "batched matrix product of two activations";
  let description = [{
    `[batch…, m, k] · [batch…, k, n] → [batch…, m, n]` with equal batch dimensions. Replicated only: `phantom-partition`
    gathers its operands.

    Example: `%c = phantom.matmul %a, %b : (tensor<2x4x8xf32>, tensor<2x8x3xf32>) -> tensor<2x4x3xf32>`.
  }];
  let arguments = (ins Phantom_FloatTensor:$lhs, Phantom_FloatTensor:$rhs);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Phantom_ActivationOp : Phantom_Op<"activation", [Pure, SameOperandsAndResultType, Phantom_Differentiable]> {
  let summary = "elementwise activation function";
  let description = [{
    Kept whole so that a GEMM can take it as its epilogue (all but `softplus`). `alpha` is the slope of `leaky_relu` and the scale of `elu`.
    Shard by shard on a partitioned program; never on a `partial` value.

    Example: `%y = phantom.activation <relu> %x : tensor<?x512xf32>`.
  }];
  let arguments = (ins Phantom_ActivationKindAttr:$kind, Phantom_FloatTensor:$input,
                       DefaultValuedAttr<F64Attr, "0.0">:$alpha);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$kind $input attr-dict `:` type($input)";
  let hasVerifier = 1;
}

def Phantom_ActivationGradientOp : Phantom_Op<"activation_gradient", [Pure, SameOperandsAndResultType]> {
  let summary = "δ = ∂y ⊙ σ'(z)";
  let description = [{
    `saved` is the activation's input z or, with `from_result`, its output y: possible for relu, leaky_relu and elu with
    a positive alpha, sigmoid and tanh, and what lets the forward GEMM overwrite z.

    Example: `%dz = phantom.activation_gradient <relu> %y, %dy from_result : tensor<8x512xf32>`.

    The verifier refuses `from_result` where y does not determine the slope.
  }];
  let arguments = (ins Phantom_ActivationKindAttr:$kind, Phantom_FloatTensor:$saved, Phantom_FloatTensor:$cotangent,
                       UnitAttr:$from_result, DefaultValuedAttr<F64Attr, "0.0">:$alpha);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$kind $saved `,` $cotangent (`from_result` $from_result^)? attr-dict `:` type($saved)";
  let hasVerifier = 1;
}

def Phantom_SoftmaxOp : Phantom_Op<"softmax", [Pure, AllTypesMatch<["input", "output"]>, Phantom_Differentiable]> {
  let summary = "softmax along a dimension";
  let description = [{
    $$ y_i = e^{x_i - \max x} / \sum_j e^{x_j - \max x} $$ along `dim`. Along a sharded dimension it takes the `statistics` of all
    ranks, maximum and sum (see `phantom.statistics`), and its gradient exchanges the sum of ∂y ⊙ y.

    Example: `%y = phantom.softmax %x dim 1 : tensor<8x10xf32>`.

    The verifier refuses: a sharded dimension without statistics; a partial value.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, I64Attr:$dim, Optional<Phantom_FloatTensor>:$statistics);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = [{
    $input `dim` $dim (`statistics` $statistics^ `:` type($statistics))? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
}

def Phantom_SoftmaxGradientOp : Phantom_Op<"softmax_gradient",
    [Pure, AllTypesMatch<["output", "cotangent", "gradient"]>]> {
  let summary = "∂x = y ⊙ (∂y − Σ ∂y ⊙ y)";
  let description = [{
    From the softmax's output y. Along a sharded dimension `sum` is the sum over all ranks.

    Example: `%dx = phantom.softmax_gradient %y, %dy dim 1 : tensor<8x10xf32>`.
  }];
  let arguments = (ins Phantom_FloatTensor:$output, Phantom_FloatTensor:$cotangent, I64Attr:$dim,
                       Optional<Phantom_FloatTensor>:$sum);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = [{
    $output `,` $cotangent `dim` $dim (`sum` $sum^ `:` type($sum))? attr-dict `:` type($output)
  }];
  let hasVerifier = 1;
}

include "phantom/Dialect/Phantom/IR/PhantomNormalizeOps.td"

def Phantom_DropoutOp : Phantom_Op<"dropout", [Pure, AllTypesMatch<["input", "output"]>, Phantom_Differentiable]> {
  let summary = "dropout; the identity outside training";
  let description = [{
    Without a counter it is the identity, as in inference. With one (`phantom-differentiate` adds it), each element is 0 with
    probability `ratio`, and divided by 1 − ratio otherwise. It is 0 where the first word of Philox4x32-10 is below
    ratio·2³², under a key and the counter (index of the element in the whole value, 64 bits; step; `site`). So it does not
    depend on the number of ranks, on threads, or on the order of work, and nothing is kept for the backward pass: the op
    is linear, and its adjoint is the same op.

    Operands are the key, which the runtime makes of the run's seed, and the step, i64 scalars; `site` tells the model's dropouts apart, and `whole` is the
    shape of the value over all ranks, which a shard is a block of.

    Example:
    ```mlir
    %y = phantom.dropout %x ratio 0.1 : tensor<8x512xf32>
    %z = phantom.dropout %x ratio 0.1 counter(%key, %step : tensor<i64>, tensor<i64>)
        {site = 0 : i64, whole = array<i64: 8, 512>}
        : tensor<8x512xf32>
    ```

    The verifier refuses a ratio outside [0, 1), a counter without `site` and `whole`, and a `whole` that is not as many blocks of
    the input along one dimension.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, F64Attr:$ratio, Variadic<0DTensorOf<[I64]>>:$counter,
                       OptionalAttr<I64Attr>:$site, OptionalAttr<DenseI64ArrayAttr>:$whole);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = [{
    $input `ratio` $ratio (`counter` `(` $counter^ `:` type($counter) `)`)? attr-dict `:` type($input)
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let extraClassDeclaration = [{
    /// Whether elements are dropped.
    bool isActive() { return !getCounter().empty(); }
    /// The dimension along which the input is a block of the whole value; none where it is all of it.
    std::optional<int64_t> getBlockDim();
  }];
}

def Phantom_BroadcastOp : Phantom_Op<"broadcast", [Pure, Phantom_Differentiable]> {
  let summary = "repeats a tensor along leading and unit dimensions";
  let description = [{
    Dimensions align at the end, as in NumPy. `like` gives the extent of a dynamic result dimension; only its shape is
    used. A sharded operand gives a result sharded along the aligned dimension.

    Example: `%y = phantom.broadcast %b like %x : (tensor<10xf32>, tensor<?x10xf32>) -> tensor<?x10xf32>`.

    The verifier refuses: dimensions that do not align; a dynamic result without `like`; another element type.
  }];
  let arguments = (ins Phantom_Tensor:$input, Optional<Phantom_Tensor>:$like);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input (`like` $like^)? attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Phantom_ReshapeOp : Phantom_Op<"reshape", [Pure, Phantom_Differentiable]> {
  let summary = "the same elements in another shape";
  let description = [{
    Row-major; at most one dynamic dimension on each side. A shard along the last dimension stays one where that
    dimension keeps its size.

    Example: `%y = phantom.reshape %x : tensor<?x1x8x8xf32> -> tensor<?x64xf32>`.

    The verifier refuses another number of elements, and another element type.
  }];
  let arguments = (ins Phantom_Tensor:$input);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

def Phantom_TransposeOp : Phantom_Op<"transpose", [Pure, Phantom_Differentiable]> {
  let summary = "permutes dimensions: result dimension i is operand dimension permutation[i]";
  let description = [{
    Example: `%y = phantom.transpose %x [1, 0] : tensor<4x8xf32> -> tensor<8x4xf32>`.

    The verifier refuses what is no permutation, and a result type that does not follow from it.
  }];
  let arguments = (ins Phantom_Tensor:$input, DenseI64ArrayAttr:$permutation);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input $permutation attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Phantom_ReduceSumOp : Phantom_Op<"reduce_sum", [Pure, Phantom_Differentiable]> {
  let summary = "sum over dimensions, which disappear";
  let description = [{
    The adjoint of `broadcast`. Summing over a sharded dimension gives a `partial` value.

    Example: `%db = phantom.reduce_sum %delta [0] : tensor<8x512xf32> -> tensor<512xf32>`.

    The verifier refuses dimensions that the operand does not have or that are named twice, and a result that has not the
    other dimensions in their order.
  }];
  let arguments = (ins Phantom_NumberTensor:$input, DenseI64ArrayAttr:$dims);
  let results = (outs Phantom_NumberTensor:$output);
  let assemblyFormat = "$input $dims attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
}

def Phantom_LogSoftmaxOp : Phantom_Op<"log_softmax", [Pure, SameOperandsAndResultType, Phantom_Differentiable]> {
  let summary = "logarithm of the softmax along a dimension";
  let description = [{
    $$ y_i = x_i - \max x - \log \sum_j e^{x_j - \max x} $$ along `dim`, which may not be sharded. Gradient:
    $$ \partial x = \partial y - e^y \sum \partial y. $$

    Example: `%y = phantom.log_softmax %x dim 1 : tensor<8x10xf32>`.

    The verifier refuses a sharded `dim`, and a partial operand.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, I64Attr:$dim);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$input `dim` $dim attr-dict `:` type($input)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Parts of tensors, and element types
//===----------------------------------------------------------------------===//

def Phantom_CastOp : Phantom_Op<"cast", [Pure, Elementwise, SameOperandsAndResultShape, Phantom_Differentiable]> {
  let summary = "another element type";
  let description = [{
    Elementwise. Floats become integers by dropping the fraction, and stay in the integer's range; to `i1` becomes what is
    not zero. `rounded` first rounds to a float type that values are stored in, but not computed in. Integers are signless;
    `unsigned_input` and `unsigned_output` say how to read them. Between floats the gradient is cast back; others have none.

    Example: `%y = phantom.cast %x : tensor<8xi64> -> tensor<8xf32>`,
    `%h = phantom.cast %x rounded <bf16> : tensor<8xf32> -> tensor<8xf32>`.

    The verifier refuses: `rounded` to a type that is no float; a result in another state.
  }];
  let arguments = (ins Phantom_Tensor:$input, OptionalAttr<Phantom_NarrowFloatAttr>:$rounded,
                       UnitAttr:$unsigned_input, UnitAttr:$unsigned_output);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input (`rounded` $rounded^)? attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Phantom_SliceOp : Phantom_Op<"slice", [Pure, Phantom_Differentiable]> {
  let summary = "a regular part of a tensor";
  let description = [{
    Result index i along a dimension is operand index offset + i·stride; the result type gives the extents. A dynamic
    dimension is taken whole. A sharded dimension must be, too.

    Example: `%y = phantom.slice %x [0, 4] by [1, 2] : tensor<?x10xf32> -> tensor<?x3xf32>`: columns 4, 6 and 8.

    The part may have no elements. The verifier refuses what is outside of the operand, and a part of a dynamic or sharded
    dimension.
  }];
  let arguments = (ins Phantom_Tensor:$input, DenseI64ArrayAttr:$offsets, DenseI64ArrayAttr:$strides);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input $offsets `by` $strides attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Phantom_SliceGradientOp : Phantom_Op<"slice_gradient", [Pure]> {
  let summary = "zeros, with the cotangent of a slice at its place";
  let description = [{
    Example: `%dx = phantom.slice_gradient %dy [0, 4] by [1, 2] : tensor<8x3xf32> -> tensor<8x10xf32>`.

    The verifier refuses what it refuses of `slice`.
  }];
  let arguments = (ins Phantom_FloatTensor:$cotangent, DenseI64ArrayAttr:$offsets, DenseI64ArrayAttr:$strides);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$cotangent $offsets `by` $strides attr-dict `:` type($cotangent) `->` type($gradient)";
  let hasVerifier = 1;
}

def Phantom_ConcatOp : Phantom_Op<"concat", [Pure, Phantom_Differentiable]> {
  let summary = "joins tensors along a dimension";
  let description = [{
    Operands differ in the extent of `dim` only, which is not dynamic and not sharded. Gradients are slices.

    Example: `%y = phantom.concat %a, %b dim 1 : (tensor<?x4xf32>, tensor<?x2xf32>) -> tensor<?x6xf32>`.

    The verifier refuses: no operand; other extents than the result's; operands in different states.
  }];
  let arguments = (ins Variadic<Phantom_Tensor>:$inputs, I64Attr:$dim);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$inputs `dim` $dim attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Phantom_GatherOp : Phantom_Op<"gather", [Pure, Phantom_Differentiable]> {
  let summary = "the slices of a dimension that indices name: rows of an embedding table";
  let description = [{
    The indices' shape takes the place of `dim`: of `[a, n, b]` and indices `[i, j]` along dimension 1 the result is
    `[a, i, j, b]`. Negative indices count from the end. An index outside of [-n, n) gives NaN (floats) or zero; where the
    indices are an input of the model, the runtime refuses it. `dim` may not be sharded; the indices are replicated.

    Example: `%e = phantom.gather %table, %tokens dim 0 : (tensor<100x16xf32>, tensor<?x8xi64>) -> tensor<?x8x16xf32>`.

    The verifier refuses: a result type that does not follow; a dynamic or sharded `dim`.
  }];
  let arguments = (ins Phantom_Tensor:$input, Phantom_IndexTensor:$indices, I64Attr:$dim);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input `,` $indices `dim` $dim attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Phantom_GatherGradientOp : Phantom_Op<"gather_gradient", [Pure]> {
  let summary = "sums the cotangents of the slices that a gather took";
  let description = [{
    Slice i of the result is the sum of the cotangents at the places of index i, in their order; zero where there are none. It
    takes one addition for each element of the cotangent, whatever the extent of `dim` is.

    Example: `%de = phantom.gather_gradient %dy, %tokens dim 0 : (tensor<4x8x16xf32>, tensor<4x8xi64>) -> tensor<100x16xf32>`.

    The verifier refuses what it refuses of `gather`.
  }];
  let arguments = (ins Phantom_FloatTensor:$cotangent, Phantom_IndexTensor:$indices, I64Attr:$dim);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$cotangent `,` $indices `dim` $dim attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

def Phantom_LossOp : Phantom_Op<"loss", [Pure]> {
  let summary = "training loss, a mean";
  let description = [{
    `mse`: mean of squared differences over all elements. `bce`: binary cross-entropy from logits, over all elements.
    `cross_entropy`: from logits `[…, classes]` and integer classes `[…]`, over the samples. `valid` (an i64 scalar) makes it
    the mean over the leading `valid` rows only. Replicated operands and result.

    `label_smoothing` ε of cross-entropy takes (1 − ε)·onehot(t) + ε/classes for the wanted distribution.

    Example: `%l = phantom.loss <mse> %y, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<f32>`.

    The verifier refuses a target of another shape or element type than the loss takes, predictions without elements, and
    a label smoothing outside [0, 1), or of another loss than cross-entropy.
  }];
  let arguments = (ins Phantom_LossKindAttr:$kind, Phantom_FloatTensor:$prediction, AnyRankedTensor:$target,
                       Optional<0DTensorOf<[I64]>>:$valid, DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs Phantom_FloatScalar:$loss);
  let assemblyFormat = [{
    $kind $prediction `,` $target (`valid` $valid^)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Phantom_LossGradientOp : Phantom_Op<"loss_gradient", [Pure]> {
  let summary = "gradient of the loss in the prediction, seeded with one";
  let description = [{
    `mse`: 2(y − t)/N. `bce`: (sigmoid(y) − t)/N. `cross_entropy`: (softmax(y) − q)/samples, where q is the wanted
    distribution: onehot(t), or its smoothed form (see `loss`).

    Example: `%dy = phantom.loss_gradient <mse> %y, %t : (tensor<8x4xf32>, tensor<8x4xf32>) -> tensor<8x4xf32>`.
  }];
  let arguments = (ins Phantom_LossKindAttr:$kind, Phantom_FloatTensor:$prediction, AnyRankedTensor:$target,
                       DefaultValuedAttr<F64Attr, "0.0">:$label_smoothing);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$kind $prediction `,` $target attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Partitioned model
//===----------------------------------------------------------------------===//

def Phantom_CompressOp : Phantom_Op<"compress", [Pure, Phantom_Differentiable]> {
  let summary = "g = C yᵀ: an activation shard to ghost neurons";
  let description = [{
    `y : […, m]`, `C : [r, m]`, result `[r, B]` with B the product of y's leading dimensions: ghosts are feature-major, so that
    the slots of an all-gather along dimension 0 are contiguous and stacked.

    ```
    rank 0: y⁰ [B, m] ──C⁰──▶ g⁰ [k, B]        forward, local; `phantom.all_gather` follows
    rank 1: y¹ [B, m] ──C¹──▶ g¹ [k, B]
    ```

    States: y `shard(last)` and C `block` give `shard(0)`; y `shard(last)` and C `shard(1)` (a decompressor, in the backward
    pass) give `partial`.

    Gradients: ∂y = γᵀ C (`decompress`), ∂C = γ y (`ghost_weight_gradient`). Flops: 2·B·r·m.

    Example: `%g = phantom.compress %y, %c : (tensor<64x128xf32>, tensor<4x128xf32>) -> tensor<4x64xf32>`.

    The verifier refuses: sizes that do not fit; states not named above.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, Phantom_FloatTensor:$weight);
  let results = (outs Phantom_FloatTensor:$ghosts);
  let assemblyFormat = "$input `,` $weight attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

def Phantom_DecompressOp : Phantom_Op<"decompress", [Pure, Phantom_Differentiable]> {
  let summary = "z = acc + Gᵀ D: gathered ghosts to contributions";
  let description = [{
    `G : [r, B]`, `D : [r, m]`, `acc` and the result `[…, m]`. In a forward pass r = p·k: the decompressors of a rank for the ghosts of all
    ranks in one matrix, so that decompression is one GEMM and no shape depends on the rank. With `zero_own` the rows of the
    rank's own ghosts are zero, and stay so: their gradient is masked.

    ```
    rank 0: acc⁰ + [g⁰; g¹]ᵀ · [ 0 ; D¹⁰]
    rank 1: acc¹ + [g⁰; g¹]ᵀ · [D⁰¹; 0 ]
    ```

    States: G `per_rank` and D `shard(1)`, or G `shard(0)` and D `block` (a compressor, in the backward pass), give `shard(last)`.

    Gradients: ∂acc = δ, ∂G = D δᵀ (`compress`), ∂D = G δ (`ghost_weight_gradient`). Flops: 2·B·r·m.

    Example:
    ```mlir
    %z = phantom.decompress %G, %d acc %local zero_own on @mesh "phantom"
        : (tensor<16x64xf32>, tensor<16x128xf32>, tensor<64x128xf32>) -> tensor<64x128xf32>
    ```

    The verifier refuses: sizes that do not fit; states not named above; an accumulator of another type than the result.
  }];
  let arguments = (ins Phantom_FloatTensor:$ghosts, Phantom_FloatTensor:$weight, Optional<Phantom_FloatTensor>:$acc,
                       UnitAttr:$zero_own, OptionalAttr<FlatSymbolRefAttr>:$mesh, OptionalAttr<StrAttr>:$axis);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = [{
    $ghosts `,` $weight (`acc` $acc^)? (`zero_own` $zero_own^)? (`on` $mesh^ $axis)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
}

def Phantom_GhostWeightGradientOp : Phantom_Op<"ghost_weight_gradient", [Pure]> {
  let summary = "∂C = γ y, ∂D = G δ: [r, B]·[B, m]";
  let description = [{
    The weight gradient of both `compress` (ghost cotangents and input) and `decompress` (ghosts and output cotangent).

    Example: `%dd = phantom.ghost_weight_gradient %G, %delta : (tensor<16x64xf32>, tensor<64x128xf32>) -> tensor<16x128xf32>`.
  }];
  let arguments = (ins Phantom_FloatTensor:$ghosts, Phantom_FloatTensor:$activation);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = "$ghosts `,` $activation attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

class Phantom_MeshedOp<string name, list<Trait> traits = []>
    : Phantom_Op<name, !listconcat(traits, [DeclareOpInterfaceMethods<SymbolUserOpInterface>])> {
  let hasVerifier = 1;
}

def Phantom_MaskOwnBlockOp : Phantom_MeshedOp<"mask_own_block", [Pure, SameOperandsAndResultType]> {
  let summary = "sets the rows of the rank's own block to zero";
  let description = [{
    Dimension 0 holds p equal blocks; block `rank` of the result is zero. Keeps a decompressor's own block at zero through training.

    Example: `%m = phantom.mask_own_block %dd on @mesh "phantom" : tensor<16x128xf32>`.

    The verifier refuses a dimension 0 that the axis does not divide.
  }];
  let arguments = (ins Phantom_FloatTensor:$input, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$input `on` $mesh $axis attr-dict `:` type($input)";
}

def Phantom_LocalSliceOp : Phantom_MeshedOp<"local_slice", [Pure, Phantom_Differentiable]> {
  let summary = "this rank's block of a replicated value";
  let description = [{
    replicated → `shard(dim)`, without communication. Adjoint: `all_gather` to a replicated value.

    Example: `%s = phantom.local_slice %x dim 1 on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x16xf32, #phantom.state<"phantom" = shard(1)>>`.
  }];
  let arguments = (ins Phantom_Tensor:$input, I64Attr:$dim, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input `dim` $dim `on` $mesh $axis attr-dict `:` type($input) `->` type($output)";
}

def Phantom_ReplicateOp : Phantom_MeshedOp<"replicate", [Pure, Phantom_Differentiable]> {
  let summary = "a replicated value, to be used differently by each rank";
  let description = [{
    replicated → `per_rank`: no data moves. Adjoint: `all_reduce` of the per-rank cotangents.

    Example: `%r = phantom.replicate %x on @mesh "phantom" : tensor<8x64xf32> -> tensor<8x64xf32, #phantom.state<"phantom" = per_rank>>`.
  }];
  let arguments = (ins Phantom_Tensor:$input, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_Tensor:$output);
  let assemblyFormat = "$input `on` $mesh $axis attr-dict `:` type($input) `->` type($output)";
}

class Phantom_ExchangeOp<string name> : Phantom_MeshedOp<name, [
    MemoryEffects<[MemWrite<Phantom_CommunicationResource>]>, Phantom_Differentiable,
    DeclareOpInterfaceMethods<ExchangeOpInterface, ["getExchangeKind", "getRanks", "getRingElements"]>]>;

def Phantom_AllGatherOp : Phantom_ExchangeOp<"all_gather"> {
  let summary = "concatenates the ranks' blocks along a dimension";
  let description = [{
    `shard(dim)` → `per_rank` (each rank uses the result differently; adjoint: `reduce_scatter`) or → replicated (used alike;
    adjoint: `local_slice`).

    ```
    rank 0: [a] ─┐    rank 0: [a; b]
    rank 1: [b] ─┴─▶  rank 1: [a; b]
    ```

    Sent per rank, ring model: (p−1)·elements of the block.

    Example:
    ```mlir
    %G = phantom.all_gather %g dim 0 on @mesh "phantom"
        : tensor<4x64xf32, #phantom.state<"phantom" = shard(0)>> -> tensor<16x64xf32, #phantom.state<"phantom" = per_rank>>
    ```

    The verifier refuses: a result that is not p blocks along `dim`; other states.
  }];
  let arguments = (ins AnyTypeOf<[Phantom_Tensor, Phantom_EncodedTensor]>:$input, I64Attr:$dim, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs AnyTypeOf<[Phantom_Tensor, Phantom_EncodedTensor]>:$output);
  let assemblyFormat = "$input `dim` $dim `on` $mesh $axis attr-dict `:` type($input) `->` type($output)";
}

def Phantom_ReduceScatterOp : Phantom_ExchangeOp<"reduce_scatter"> {
  let summary = "sums over ranks, and leaves each rank its block";
  let description = [{
    `partial` → `shard(dim)`. Summed in rank order, in the element type. Adjoint: `all_gather`.

    ```
    rank 0: [a0; b0] ─┐    rank 0: [a0 + a1]
    rank 1: [a1; b1] ─┴─▶  rank 1: [b0 + b1]
    ```

    Sent per rank, ring model: (p−1)·elements of the result.

    Example:
    ```mlir
    %s = phantom.reduce_scatter %t dim 0 on @mesh "phantom"
        : tensor<16x64xf32, #phantom.state<"phantom" = partial>> -> tensor<4x64xf32, #phantom.state<"phantom" = shard(0)>>
    ```
  }];
  let arguments = (ins Phantom_FloatTensor:$input, I64Attr:$dim, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$input `dim` $dim `on` $mesh $axis attr-dict `:` type($input) `->` type($output)";
}

def Phantom_AllReduceOp : Phantom_ExchangeOp<"all_reduce"> {
  let summary = "sums over ranks, for every rank";
  let description = [{
    `partial` → replicated. Summed in rank order. Adjoint: the identity (`replicate`), since the cotangent is replicated already.

    Sent per rank, ring model: 2(p−1)/p·elements.

    Example:
    ```mlir
    %s = phantom.all_reduce %t on @mesh "phantom"
        : tensor<8x10xf32, #phantom.state<"phantom" = partial>> -> tensor<8x10xf32>
    ```
  }];
  let arguments = (ins Phantom_FloatTensor:$input, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$input `on` $mesh $axis attr-dict `:` type($input) `->` type($output)";
}

def Phantom_EncodeOp : Phantom_Op<"encode", [Pure]> {
  let summary = "what an exchange carries of a value, in fewer bytes";
  let description = [{
    `x : [blocks, rows, columns]`, f32. The blocks are what ranks exchange, and a row has a scale of its own: for ghosts `[k, B]`, one per
    ghost.

    | encoding | result | holds |
    | --- | --- | --- |
    | `bf16` | `[blocks, rows, columns]`, bf16 | the rounded values |
    | `int8` | `[blocks, rows, columns + 4]`, i8 | q = round(x / s), and then s = max \|x\| / 127 of the row, the 4 bytes of an f32, lowest first |

    Without a counter, values are rounded to the nearest, those half-way to even. With one they are rounded stochastically: to either
    neighbour, with the probability that makes the mean of the result x, so that sums of gradients are not biased. The random bits are the first word w of
    Philox4x32-10 under a key and the counter (index of the element among the blocks of all ranks in order, 64 bits; step; `site`):
    q = ⌊x / s + u⌋ with u = ⌊w / 2⁸⌋ / 2²⁴; for bf16, ⌊w / 2¹⁶⌋ is added to the bits of x, and the lower 16 are dropped. So they do not depend on threads or the order of work.

    In int8 a row with infinities or NaNs is NaN when decoded; in bf16 such elements stay what they are.

    Example:
    ```mlir
    %e = phantom.encode %g <int8> : tensor<1x4x64xf32> -> tensor<1x4x68xi8>
    %f = phantom.encode %t <int8> counter(%key, %step : tensor<i64>, tensor<i64>) {site = 0 : i64} : tensor<4x4x64xf32> -> tensor<4x4x68xi8>
    ```

    The verifier refuses: f32 as encoding; other types than the table's; a counter without `site`.
  }];
  let arguments = (ins 3DTensorOf<[F32]>:$input, Phantom_WireEncodingAttr:$encoding, Variadic<0DTensorOf<[I64]>>:$counter,
                       OptionalAttr<I64Attr>:$site);
  let results = (outs Phantom_EncodedTensor:$encoded);
  let assemblyFormat = [{
    $input $encoding (`counter` `(` $counter^ `:` type($counter) `)`)? attr-dict `:` type($input) `->` type($encoded)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Whether values are rounded at random.
    bool isStochastic() { return !getCounter().empty(); }
  }];
}

def Phantom_DecodeOp : Phantom_Op<"decode", [Pure]> {
  let summary = "the values of encoded blocks";
  let description = [{
    The inverse of `encode`, up to its rounding: widened bf16, or q·s.

    Example: `%g = phantom.decode %e <int8> : tensor<4x4x68xi8> -> tensor<4x4x64xf32>`.

    The verifier refuses what it refuses of `encode`.
  }];
  let arguments = (ins Phantom_EncodedTensor:$encoded, Phantom_WireEncodingAttr:$encoding);
  let results = (outs 3DTensorOf<[F32]>:$output);
  let assemblyFormat = "$encoded $encoding attr-dict `:` type($encoded) `->` type($output)";
  let hasVerifier = 1;
}

def Phantom_AllToAllOp : Phantom_MeshedOp<"all_to_all", [
    SameOperandsAndResultType, MemoryEffects<[MemWrite<Phantom_CommunicationResource>]>,
    DeclareOpInterfaceMethods<ExchangeOpInterface, ["getExchangeKind", "getRanks", "getRingElements"]>]> {
  let summary = "sends block j to rank j";
  let description = [{
    Dimension 0 holds a block for each rank. Block j of the result is the block that rank j had for this one: a reduce-scatter before the sum,
    which a rank then makes itself, of decoded values. `phantom-encode-exchanges` makes it.

    ```
    rank 0: [a0; b0] ─┐    rank 0: [a0; a1]
    rank 1: [a1; b1] ─┴─▶  rank 1: [b0; b1]
    ```

    Sent per rank: (p−1)/p·elements.

    Example: `%r = phantom.all_to_all %e on @mesh "phantom" : tensor<4x4x68xi8>`.

    The verifier refuses another result type than the operand's, and a dimension 0 that is not the number of ranks.
  }];
  let arguments = (ins AnyTypeOf<[Phantom_EncodedTensor, Phantom_FloatTensor]>:$input, FlatSymbolRefAttr:$mesh, StrAttr:$axis);
  let results = (outs AnyTypeOf<[Phantom_EncodedTensor, Phantom_FloatTensor]>:$output);
  let assemblyFormat = "$input `on` $mesh $axis attr-dict `:` type($input)";
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

def Phantom_UpdateOp : Phantom_Op<"update", [Pure, AttrSizedOperandSegments]> {
  let summary = "one optimizer step of one parameter";
  let description = [{
    With w the parameter, g its gradient, η the learning rate, t the step (from 1):

    - `sgd`: w ← w − ηg
    - `momentum`: u ← μu + g; w ← w − ηu
    - `adam`: m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²; w ← w − η·m̂/(√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ)
    - `adamw`: as adam, after w ← w − ηλw

    g is the gradient, times the scalar `scale` where there is one (of clipping, or of a mean over parts of a batch). η is the
    learning rate times `learning_rate_factor`. `sgd`, `momentum` and `adam` add λw to g where the weight decay λ is not zero.
    Results are the new parameter and states, written in place of the operands. With `reset_gradient`, the gradient is a sum
    that lives as long as the parameter does: a last result, zeros in its place, starts the next one.

    Example:
    ```mlir
    %w1, %u1 = phantom.update <momentum> %w, %g, (%u) learning_rate %lr step %t {momentum = 0.9}
        : (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>) -> (tensor<4xf32>, tensor<4xf32>)
    %w2 = phantom.update <sgd> %w, %g, () learning_rate %lr step %t scale %s
        : (tensor<4xf32>, tensor<4xf32>, tensor<f32>, tensor<i64>, tensor<f32>) -> tensor<4xf32>
    ```

    The verifier refuses another number of states than the rule keeps, and types that differ.
  }];
  let arguments = (ins Phantom_OptimizerKindAttr:$kind, Phantom_FloatTensor:$parameter, Phantom_FloatTensor:$gradient,
                       Variadic<Phantom_FloatTensor>:$states, Phantom_FloatScalar:$learning_rate,
                       0DTensorOf<[I64]>:$step, Optional<Phantom_FloatScalar>:$scale,
                       DefaultValuedAttr<F64Attr, "0.9">:$momentum,
                       DefaultValuedAttr<F64Attr, "0.9">:$beta1, DefaultValuedAttr<F64Attr, "0.999">:$beta2,
                       DefaultValuedAttr<F64Attr, "1e-8">:$epsilon, DefaultValuedAttr<F64Attr, "0.0">:$weight_decay,
                       DefaultValuedAttr<F64Attr, "1.0">:$learning_rate_factor, UnitAttr:$reset_gradient);
  let results = (outs Phantom_FloatTensor:$updated, Variadic<Phantom_FloatTensor>:$others);
  let assemblyFormat = [{
    $kind $parameter `,` $gradient `,` `(` $states `)` `learning_rate` $learning_rate `step` $step (`scale` $scale^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// States the rule keeps per parameter: 0, 1 or 2.
    static unsigned getNumStates(OptimizerKind kind);
    ResultRange getUpdatedStates() { return getOthers().take_front(getStates().size()); }
  }];
}

def Phantom_SquaredNormOp : Phantom_Op<"squared_norm", [Pure]> {
  let summary = "Σ g², in f64";
  let description = [{
    Of what this rank holds: a term of the sum over ranks where the input is not replicated.

    Example: `%n = phantom.squared_norm %g : (tensor<4xf32>) -> tensor<f64>`.

    The verifier refuses a result that is replicated where the input is not, or the other way round.
  }];
  let arguments = (ins Phantom_FloatTensor:$input);
  let results = (outs 0DTensorOf<[F64]>:$output);
  let assemblyFormat = "$input attr-dict `:` functional-type(operands, results)";
  let hasVerifier = 1;
}

include "phantom/Dialect/Phantom/IR/PhantomBufferOps.td"

#endif // PHANTOM_OPS_TD
