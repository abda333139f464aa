//===- Passes.td - Passes on models and their partitions --*- tablegen -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_TRANSFORMS_PASSES_TD
#define PHANTOM_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PhantomRecognize : Pass<"phantom-recognize", "::mlir::ModuleOp"> {
  let summary = "recognise layers, activations and normalisations in imported models";
  let description = [{
    Normalises and then matches: `matmul`-like `linear` ops and the addition of a bias in either order become one biased
    `phantom.linear`, also where activations are flattened around it (GPT-2's Conv1D); every spelling of GELU and SiLU
    (QuickGELU among them) in `arith` and `math` ops becomes `phantom.activation`; x·(mean(x²) + ε)^(−1/2), with means, roots and
    factors in any spelling and order, becomes `phantom.normalize`, with its scale and shift. What is computed twice is
    computed once. A remark explains each near miss.

    Constants then come first, and broadcasts before their first use, in the order of their uses: models that compute the same
    in the same order have the same IR, however they were written.

    ```mlir
    %m = phantom.linear %x, %w : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<8x3xf32>
    %c = phantom.broadcast %b : (tensor<3xf32>) -> tensor<8x3xf32>
    %y = arith.addf %c, %m : tensor<8x3xf32>
    // becomes
    %y = phantom.linear %x, %w bias %b : (tensor<8x4xf32>, tensor<3x4xf32>, tensor<3xf32>) -> tensor<8x3xf32>
    ```
  }];
  let dependentDialects = ["::mlir::phantom::PhantomDialect"];
}

def PhantomSpecializeBatch : Pass<"phantom-specialize-batch", "::mlir::ModuleOp"> {
  let summary = "give the dynamic batch dimension a size";
  let description = [{
    Replaces the dynamic dimension of the functions' inputs by `batch-size` and infers the types that follow from it.
    A model whose batch is static already must have that size in its first input. The module gets the attribute
    `phantom.batch`.

    ```mlir
    func.func @forward(%x: tensor<?x64xf32>) …   // becomes, with batch-size=32
    func.func @forward(%x: tensor<32x64xf32>) …
    ```
  }];
  let options = [Option<"batchSize", "batch-size", "int64_t", /*default=*/"0", "rows of a batch, at least 1">];
}

def PhantomSelectTrainable : Pass<"phantom-select-trainable", "::mlir::ModuleOp"> {
  let summary = "choose by name which parameters are trained";
  let description = [{
    With `trainable`, exactly the parameters whose names match it are trained; without, those that the import chose. Of
    these, the ones that match `frozen` are not. Frozen parameters get no gradient, no optimizer state and no update.
    Runs before `phantom-partition`, on the names of the dense model. A glob that matches no parameter is a warning.

    ```mlir
    // trainable=fc2.*
    phantom.parameter @fc1.weight : tensor<8x4xf32> init <load, …>
    phantom.parameter @fc2.weight : tensor<2x8xf32> init <load, …> trainable
    ```
  }];
  let options = [
    Option<"trainable", "trainable", "std::string", /*default=*/"", "glob over parameter names; empty: as imported">,
    Option<"frozen", "frozen", "std::string", /*default=*/"", "glob over parameter names; empty: none">
  ];
}

def PhantomPartition : Pass<"phantom-partition", "::mlir::ModuleOp"> {
  let summary = "divide the linear layers of a model over the ranks of a mesh axis";
  let description = [{
    Turns `@forward` into what one rank computes, with explicit exchanges; types carry their state (`#phantom.state`).

    | strategy | layer | exchange in forward, in backward |
    | --- | --- | --- |
    | `phantom` | diagonal block, compressor and decompressors (a smaller model) | all-gather of k ghosts, reduce-scatter of k |
    | `tensor` | row block of the weight | all-gather, reduce-scatter of the activation |
    | `megatron` | pairs: row block, then column block | one all-reduce per pair, one per pair |

    A first layer with a replicated input computes its own columns, without communication (`first-layer=dense`), or is a
    phantom layer. A last layer computes partial products and one all-reduce (`last-layer=reduce`), or is a phantom layer.
    Elementwise ops act shard by shard; of normalisations and softmax over divided samples, statistics travel; what cannot act on
    shards is gathered first. Outputs are replicated.

    In a model with attention (a product of two activations), `select=*` means its feed-forward blocks: linear, activation, linear,
    plain or gated. Queries, keys, values, projections and heads stay replicated, with a remark, unless `select` names them.

    A layer whose outputs are only taken apart, by slices that leave nothing out (a SwiGLU with gate and up projection in one
    weight), becomes a layer per slice, `w12.part0` and so on: a rank then owns the same neurons of each. It stays one
    where something else uses its parameters, with a remark.

    A parameter used in several states (a tied weight) is declared in the first, and exchanged for the others. It is an
    error if one of them is a phantom layer.

    Parameters are declared anew with a layout and an init recipe: what follows from the dense weight
    (`init=from-dense`: slices, diagonal blocks and the truncated SVD of the rest) or `init=random`.

    With one rank nothing changes. With `ghost-width=0` a phantom layer is its diagonal block, and nothing is exchanged.
    `ghost-widths="fc1=4,fc2=8"` gives single layers other widths than `ghost-width`.

    It is an error if a selected layer's width is not divisible by `ranks`, a ghost width exceeds a shard's width, or
    `ghost-widths` names what becomes no phantom layer.
  }];
  let options = [
    Option<"strategy", "strategy", "::mlir::phantom::Strategy", /*default=*/"::mlir::phantom::Strategy::Phantom",
           "how layers are divided", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::Strategy::Phantom, "phantom", "phantom layers"),
      clEnumValN(::mlir::phantom::Strategy::Tensor, "tensor", "all-gather and reduce-scatter of activations"),
      clEnumValN(::mlir::phantom::Strategy::Megatron, "megatron", "column and row pairs with one all-reduce"))}]>,
    Option<"ranks", "ranks", "int64_t", /*default=*/"1", "ranks p of the axis">,
    Option<"ghostWidth", "ghost-width", "int64_t", /*default=*/"0", "ghost neurons k per rank and layer">,
    Option<"select", "select", "std::string", /*default=*/"\"*\"",
           "glob over layer names (the weight's name without its last part); others stay replicated">,
    Option<"firstLayer", "first-layer", "::mlir::phantom::FirstLayer", /*default=*/"::mlir::phantom::FirstLayer::Dense",
           "layer with a replicated input", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::FirstLayer::Dense, "dense", "rows of the dense weight, no communication"),
      clEnumValN(::mlir::phantom::FirstLayer::Phantom, "phantom", "a phantom layer on this rank's slice of the input"))}]>,
    Option<"lastLayer", "last-layer", "::mlir::phantom::LastLayer", /*default=*/"::mlir::phantom::LastLayer::Reduce",
           "layer that makes the output", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::LastLayer::Reduce, "reduce", "partial products and one all-reduce"),
      clEnumValN(::mlir::phantom::LastLayer::Phantom, "phantom", "a phantom layer, its output gathered"))}]>,
    Option<"init", "init", "::mlir::phantom::InitStart", /*default=*/"::mlir::phantom::InitStart::FromDense",
           "first values of the parameters", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::InitStart::FromDense, "from-dense", "from the model's dense weights"),
      clEnumValN(::mlir::phantom::InitStart::Random, "random", "uniform in ±1/√(fan-in)"))}]>,
    ListOption<"ghostWidths", "ghost-widths", "std::string", "LAYER=K: ghost neurons of single phantom layers">
  ];
}

def PhantomExposeActivations : Pass<"phantom-expose-activations", "::mlir::ModuleOp"> {
  let summary = "make the inputs of linear layers the only results of a dense model";
  let description = [{
    For each of `layers`, by the names that `phantom-partition` gives them (those of a packed layer's parts included), `@forward`
    returns what the layer multiplies by its weight, and nothing else. Layers that share an input share a result, named after the
    first of them; the inputs of a layer that is called several times are `fc1`, `fc1#2` and so on. What no result needs goes away
    with the next canonicalization. Statistics of these values are what a calibrated start is made of.

    ```mlir
    func.func @forward(%x: …, …) -> (tensor<8x2xf32> {phantom.output = "y"}) {
      %h = phantom.activation <relu> %z : tensor<8x4xf32>
      %y = phantom.linear %h, %w bias %b : …
      return %y
    // becomes, with layers=fc2
    func.func @forward(%x: …, …) -> (tensor<8x4xf32> {phantom.output = "fc2"}) {
      …
      return %h
    ```
  }];
  let options = [ListOption<"layers", "layers", "std::string", "names of linear layers">];
}

def PhantomVerifyPartition : Pass<"phantom-verify-partition", "::mlir::ModuleOp"> {
  let summary = "check what op verifiers cannot: states through upstream ops and function boundaries";
  let description = [{
    Contract of partitioned functions. It is an error if

    - an upstream elementwise op that is not linear takes a `partial` value (`arith.mulf` of two partial values would not
      be a term of the product);
    - a model input, target or output is not replicated;
    - a parameter's argument has a state that its layout does not give, or an updated parameter or a gradient a state other than
      its parameter's.

    Changes nothing.
  }];
}

def PhantomDifferentiate : Pass<"phantom-differentiate", "::mlir::ModuleOp"> {
  let summary = "derive evaluation and gradients from the forward function";
  let description = [{
    Adds `@evaluate` (outputs and loss, over the leading `valid` rows) and `@gradients` (loss and the gradient of every
    trainable parameter) to `@forward`. Each op contributes its vector-Jacobian product; adjoints of exchanges
    follow from the states of their types. No gradient is built that no trainable parameter needs.

    Dropout drops in `@gradients` and what is made of it: its ops get the scalar arguments `dropout_key` and `step`. In
    `@evaluate` and `@forward` it is the identity; label smoothing is of `@gradients` only, too.
  }];
  let options = [
    Option<"labelSmoothing", "label-smoothing", "double", /*default=*/"0.0",
           "part of the wanted distribution that is spread over all classes (cross-entropy)">,
    Option<"loss", "loss", "::mlir::phantom::LossKind", /*default=*/"::mlir::phantom::LossKind::CrossEntropy",
           "training loss", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::LossKind::CrossEntropy, "cross-entropy", "softmax cross-entropy, from logits and classes"),
      clEnumValN(::mlir::phantom::LossKind::Mse, "mse", "mean squared error"),
      clEnumValN(::mlir::phantom::LossKind::Bce, "bce", "binary cross-entropy, from logits"))}]>
  ];
}

def PhantomApplyOptimizer : Pass<"phantom-apply-optimizer", "::mlir::ModuleOp"> {
  let summary = "turn gradients into a training step";
  let description = [{
    Adds `@train_step`: `@gradients` followed by one `phantom.update` per trainable parameter, which returns the new
    parameters and optimizer states, and the squared gradient norm for the log. States are declared as parameters that
    start at zero (`state_of`).

    With `clip-norm=c`, gradients are multiplied by min(1, c/(|g| + 1e-6)), where |g| is the norm over all parameters of all
    ranks; what every rank holds is counted once. The squared norms are summed by an all-reduce of one f64, inside the step. The
    norm that the step returns is the one before clipping.

    With `accumulate=n`, a step takes n batches, whose mean gradient it uses. Instead of `@train_step` there are `@accumulate`,
    which adds the gradients of one batch to sums that are kept as states, and `@update`, which updates the parameters
    and clears the sums.

    `learning-rate-factors` and `weight-decays` are lists of `GLOB=F` over names of parameters: `*.compressor=0.5,*.bias=0`. Of
    those that match, the last one counts. One that matches no trained parameter is a warning.
  }];
  let options = [
    Option<"kind", "kind", "::mlir::phantom::OptimizerKind", /*default=*/"::mlir::phantom::OptimizerKind::Sgd",
           "update rule", [{::llvm::cl::values(
      clEnumValN(::mlir::phantom::OptimizerKind::Sgd, "sgd", "gradient descent"),
      clEnumValN(::mlir::phantom::OptimizerKind::Momentum, "momentum", "heavy-ball momentum"),
      clEnumValN(::mlir::phantom::OptimizerKind::Adam, "adam", "Adam"),
      clEnumValN(::mlir::phantom::OptimizerKind::AdamW, "adamw", "Adam with decoupled weight decay"))}]>,
    Option<"momentum", "momentum", "double", /*default=*/"0.9", "factor of the old velocity">,
    Option<"beta1", "beta1", "double", /*default=*/"0.9", "decay of the first moment">,
    Option<"beta2", "beta2", "double", /*default=*/"0.999", "decay of the second moment">,
    Option<"epsilon", "epsilon", "double", /*default=*/"1e-8", "added to the root of the second moment">,
    Option<"weightDecay", "weight-decay", "double", /*default=*/"0.0", "decay of the weights">,
    ListOption<"weightDecays", "weight-decays", "std::string", "GLOB=F: another decay for these parameters">,
    ListOption<"learningRateFactors", "learning-rate-factors", "std::string",
               "GLOB=F: factor of the learning rate of these parameters">,
    Option<"clipNorm", "clip-norm", "double", /*default=*/"0.0", "largest norm of all gradients together; 0: any">,
    Option<"accumulate", "accumulate", "int64_t", /*default=*/"1", "batches per step">
  ];
}

def PhantomOptimizeExchanges : Pass<"phantom-optimize-exchanges", "::mlir::ModuleOp"> {
  let summary = "remove, share and merge exchanges";
  let description = [{
    Exchanges are effects on all ranks: only this pass removes them or makes one of several. On every function:

    | what it finds | what it makes of it |
    | --- | --- |
    | an exchange whose result nothing uses | nothing |
    | a second exchange of the same value | the result of the first |
    | an all-reduce of which each rank uses its own block only | a reduce-scatter: half the bytes |
    | a rank's own block of what it gathered | what it had |
    | a sum of the results of several equal exchanges (the input gradient of two layers that share their input) | one exchange of the sum |

    Sums are then added in another order, and so rounded differently. A remark at each exchange says what was done, and how many
    bytes fewer each rank sends under the ring model; one per function that has any says what it comes to.

    ```mlir
    %a = phantom.all_reduce %x on @mesh "phantom" : …
    %b = phantom.all_reduce %y on @mesh "phantom" : …
    %s = arith.addf %a, %b
    // becomes
    %t = arith.addf %x, %y
    %s = phantom.all_reduce %t on @mesh "phantom" : …
    ```
  }];
}

#endif // PHANTOM_TRANSFORMS_PASSES_TD
