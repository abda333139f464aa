//===- PhantomNormalizeOps.td - Normalisation over samples -*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_NORMALIZE_OPS_TD
#define PHANTOM_NORMALIZE_OPS_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "phantom/Dialect/Phantom/IR/PhantomAttrs.td"
include "phantom/Dialect/Phantom/IR/PhantomInterfaces.td"

def Phantom_NormalizeOp : Phantom_Op<"normalize", [Pure, AttrSizedOperandSegments, Phantom_Differentiable]> {
  let summary = "layer or RMS normalisation of each sample";
  let description = [{
    A sample is the last `over` dimensions of x (1, where it is left out), of n elements in all:

    - `layer`: $$ y = (x - \mu)\,r\,s + b,\quad \mu = \tfrac1n\sum x,\quad r = (\tfrac1n\sum (x - \mu)^2 + \epsilon)^{-1/2} $$
    - `rms`: $$ y = x\,r\,s + b,\quad r = (\tfrac1n\sum x^2 + \epsilon)^{-1/2} $$

    with the optional scale s and shift b of a sample's shape. Means and variances are taken in two passes and accumulated in f64:
    a mean far larger than the deviation costs no accuracy.

    Where a sample is divided over the ranks, the op takes the `statistics` of whole samples of n elements (`of`), which the
    ranks exchange instead of activations:

    | x | scale, shift | statistics | y |
    | --- | --- | --- | --- |
    | replicated | replicated | none | replicated |
    | `shard` of a dimension that counts samples | `per_rank` | none | as x |
    | `shard` of a sample's dimension | `shard` of the same | `per_rank` | as x |

    ```mlir
    %s = phantom.statistics <layer> %x [1] : tensor<8x16xf32, #shard1> -> tensor<1x3x8xf32, #shard0>
    %g = phantom.all_gather %s dim 0 on @mesh "phantom" : tensor<1x3x8xf32, #shard0> -> tensor<4x3x8xf32>
    %m = phantom.merge_statistics <layer> %g parts_of 16 : tensor<4x3x8xf32> -> tensor<3x8xf32>
    %r = phantom.replicate %m on @mesh "phantom" : tensor<3x8xf32> -> tensor<3x8xf32, #per_rank>
    %y = phantom.normalize <layer> %x statistics %r of 64 epsilon 1.0e-5
        : (tensor<8x16xf32, #shard1>, tensor<3x8xf32, #per_rank>) -> tensor<8x16xf32, #shard1>
    ```

    Gradient: `normalize_gradient`; ∂s = Σ ∂y ⊙ x̂ and ∂b = Σ ∂y over the samples, with x̂ = (x − μ)·r.

    Example:
    ```mlir
    %y = phantom.normalize <layer> %x scale %s shift %b epsilon 1.0e-5
        : (tensor<8x64xf32>, tensor<64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
    ```

    The verifier refuses: a scale or shift of another shape than a sample; states not in the table; statistics without `of`, or of
    another shape; a negative epsilon.
  }];
  let arguments = (ins Phantom_NormalizeKindAttr:$kind, Phantom_FloatTensor:$input,
                       Optional<Phantom_FloatTensor>:$scale, Optional<Phantom_FloatTensor>:$shift,
                       Optional<Phantom_FloatTensor>:$statistics, OptionalAttr<I64Attr>:$count,
                       DefaultValuedAttr<I64Attr, "1">:$over, F64Attr:$epsilon);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = [{
    $kind $input (`scale` $scale^)? (`shift` $shift^)? (`statistics` $statistics^ `of` $count)? (`over` $over^)?
    `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizer = 1;
  let extraClassDeclaration = [{
    /// Elements of a sample, over all ranks.
    int64_t getSampleElements();
  }];
}

def Phantom_NormalizeGradientOp : Phantom_Op<"normalize_gradient", [Pure, AttrSizedOperandSegments]> {
  let summary = "∂x of normalize";
  let description = [{
    With g = ∂y ⊙ s: $$ \partial x = r\,(g - \tfrac1n\sum g - \hat x\,\tfrac1n\sum g \hat x) $$ without the first sum for `rms`.
    Where a sample is divided over the ranks, `sums` are those of `normalize_sums` over all ranks.

    Example:
    ```mlir
    %dx = phantom.normalize_gradient <layer> %x, %dy scale %s epsilon 1.0e-5
        : (tensor<8x64xf32>, tensor<8x64xf32>, tensor<64xf32>) -> tensor<8x64xf32>
    ```

    The verifier refuses what `normalize` refuses, and statistics without sums.
  }];
  let arguments = (ins Phantom_NormalizeKindAttr:$kind, Phantom_FloatTensor:$input, Phantom_FloatTensor:$cotangent,
                       Optional<Phantom_FloatTensor>:$scale, Optional<Phantom_FloatTensor>:$statistics,
                       Optional<Phantom_FloatTensor>:$sums, OptionalAttr<I64Attr>:$count,
                       DefaultValuedAttr<I64Attr, "1">:$over, F64Attr:$epsilon);
  let results = (outs Phantom_FloatTensor:$gradient);
  let assemblyFormat = [{
    $kind $input `,` $cotangent (`scale` $scale^)? (`statistics` $statistics^ `sums` $sums `of` $count)?
    (`over` $over^)? `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ int64_t getSampleElements(); }];
}

def Phantom_NormalizeSumsOp : Phantom_Op<"normalize_sums", [Pure]> {
  let summary = "per sample, the sums that the gradient of normalize needs";
  let description = [{
    Σ g and Σ g ⊙ x̂ (`layer`: `[2, samples…]`), or Σ g ⊙ x̂ alone (`rms`: `[1, samples…]`) over what this rank holds of each
    sample, with g = ∂y ⊙ s: a `partial` value. Its all-reduce is all that the backward pass exchanges.

    Example:
    ```mlir
    %p = phantom.normalize_sums <layer> %x, %dy scale %s statistics %r of 64 epsilon 1.0e-5
        : (tensor<8x16xf32, #shard1>, tensor<8x16xf32, #shard1>, tensor<16xf32, #shard0>, tensor<3x8xf32, #per_rank>)
        -> tensor<2x8xf32, #partial>
    ```

    The verifier refuses what `normalize` refuses, and another shape of the result.
  }];
  let arguments = (ins Phantom_NormalizeKindAttr:$kind, Phantom_FloatTensor:$input, Phantom_FloatTensor:$cotangent,
                       Optional<Phantom_FloatTensor>:$scale, Phantom_FloatTensor:$statistics, I64Attr:$count,
                       DefaultValuedAttr<I64Attr, "1">:$over, F64Attr:$epsilon);
  let results = (outs Phantom_FloatTensor:$sums);
  let assemblyFormat = [{
    $kind $input `,` $cotangent (`scale` $scale^)? `statistics` $statistics `of` $count (`over` $over^)?
    `epsilon` $epsilon attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{ int64_t getSampleElements() { return getCount(); } }];
}

def Phantom_StatisticsOp : Phantom_Op<"statistics", [Pure]> {
  let summary = "what a rank knows of each sample from its part";
  let description = [{
    Over `dims` of what this rank holds, one value or a few per sample:

    | kind | result | state |
    | --- | --- | --- |
    | `layer` | `[1, 3, samples…]`: mean, the rest of the mean that its type could not hold, and M2 = Σ (x − mean)² | `shard(0)` |
    | `rms` | `[samples…]`: Σ x² | `partial` |
    | `softmax` | `[1, 2, samples…]`: maximum, and Σ e^(x − maximum) | `shard(0)` |

    Means and M2 of parts merge without cancellation, which sums of squares would not.

    Example: `%s = phantom.statistics <rms> %x [1] : tensor<8x16xf32, #shard1> -> tensor<8xf32, #partial>`.

    The verifier refuses: dimensions that do not exist; another result.
  }];
  let arguments = (ins Phantom_StatisticsKindAttr:$kind, Phantom_FloatTensor:$input, DenseI64ArrayAttr:$dims);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$kind $input $dims attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
}

def Phantom_MergeStatisticsOp : Phantom_Op<"merge_statistics", [Pure]> {
  let summary = "the statistics of whole samples from those of their parts";
  let description = [{
    Of the gathered `[p, values, samples…]`, in rank order. `layer`, with parts of m elements (`parts_of`):
    $$ \mu = \tfrac1p\sum_j \mu_j,\quad M_2 = \sum_j M_{2,j} + m\,(\mu_j - \mu)^2 $$
    `softmax`: the largest maximum, and the sum of the parts' sums, each scaled to it.

    Example: `%m = phantom.merge_statistics <layer> %g parts_of 16 : tensor<4x3x8xf32> -> tensor<3x8xf32>`.

    The verifier refuses: `rms`, whose sums an all-reduce adds; other shapes; anything but replicated values.
  }];
  let arguments = (ins Phantom_StatisticsKindAttr:$kind, Phantom_FloatTensor:$input, I64Attr:$parts_of);
  let results = (outs Phantom_FloatTensor:$output);
  let assemblyFormat = "$kind $input `parts_of` $parts_of attr-dict `:` type($input) `->` type($output)";
  let hasVerifier = 1;
}

#endif // PHANTOM_NORMALIZE_OPS_TD
