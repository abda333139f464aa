//===- MatmulGemm.cpp - GEMMs by oneDNN's matmul ---------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GemmLibraries.h"

#include <algorithm>
#include <mutex>

using namespace llvm;

namespace phantom::rt {

void BoundPrimitive::bind(int argument, const dnnl::memory::desc &description, void *address) {
  memories.emplace_back(description, library->engine, address);
  arguments.push_back({argument, memories.back().get()});
}

void BoundPrimitive::move(int argument, void *address) {
  for (size_t i = 0; i < arguments.size(); ++i)
    if (arguments[i].arg == argument)
      memories[i].set_data_handle(address);
}

dnnl_status_t BoundPrimitive::execute() const {
  return dnnl_primitive_execute(primitive.get(), library->stream.get(), int(arguments.size()),
                                arguments.data());
}

void appendEpilogue(dnnl::post_ops &operations, const GemmCommand &command) {
  using dnnl::algorithm;
  const float alpha = float(command.alpha);
  switch (command.epilogue) {
  case Epilogue::None:
    return;
  case Epilogue::Relu:
    return operations.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
  case Epilogue::LeakyRelu:
    return operations.append_eltwise(1, algorithm::eltwise_relu, alpha, 0);
  case Epilogue::Elu:
    return operations.append_eltwise(1, algorithm::eltwise_elu, alpha, 0);
  case Epilogue::Sigmoid:
    return operations.append_eltwise(1, algorithm::eltwise_logistic, 0, 0);
  case Epilogue::Tanh:
    return operations.append_eltwise(1, algorithm::eltwise_tanh, 0, 0);
  case Epilogue::GeluErf:
    return operations.append_eltwise(1, algorithm::eltwise_gelu_erf, 0, 0);
  case Epilogue::GeluTanh:
    return operations.append_eltwise(1, algorithm::eltwise_gelu_tanh, 0, 0);
  case Epilogue::Silu:
    return operations.append_eltwise(1, algorithm::eltwise_swish, 1, 0);
  case Epilogue::ReluAux:
  case Epilogue::GeluTanhAux:
  case Epilogue::ReluGradient:
  case Epilogue::GeluTanhGradient:
    llvm_unreachable("an epilogue for GPUs");
  }
}

static constexpr auto f32 = dnnl::memory::data_type::f32;

static dnnl::memory::data_type typeOfFactors(const GemmCommand &command) {
  return command.factors == ElementType::BF16 ? dnnl::memory::data_type::bf16 : f32;
}

dnnl::memory::desc resultOf(const GemmCommand &command) {
  return {{command.m, command.n}, f32, {command.cRow, 1}};
}

dnnl::memory::desc biasOf(const GemmCommand &command) { return {{1, command.n}, f32, {command.n, 1}}; }

dnnl::memory::desc weightsOf(const GemmCommand &command) {
  return {{command.k, command.n}, typeOfFactors(command), {command.bRow, command.bCol}};
}

WeightsCopy::WeightsCopy(const GemmCommand &command, std::byte *b, const dnnl::memory::desc &layout,
                         OneDnn &library)
    : original(weightsOf(command), library.engine, b), copy(layout, library.engine),
      reorder(dnnl::reorder(original, copy), library) {
  reorder.bind(DNNL_ARG_FROM, original.get_desc(), b);
  reorder.bind(DNNL_ARG_TO, layout, data());
}

bool WeightsCopy::update() { return reorder.execute() == dnnl_success; }

namespace {

class MatmulGemm final : public LibraryGemm {
public:
  MatmulGemm(BoundPrimitive bound, const OneDnn::Matmul &matmul, std::optional<WeightsCopy> weights)
      : bound(std::move(bound)), scratchpad(matmul.scratchpad), heap(matmul.heapBytes),
        weights(std::move(weights)) {}

  size_t scratchBytes() const override { return scratchpad.get_size(); }
  void setScratch(std::byte *scratch) override { bound.bind(DNNL_ARG_SCRATCHPAD, scratchpad, scratch); }
  int64_t heapBytes() const override { return heap; }
  void setA(std::byte *a) override { bound.move(DNNL_ARG_SRC, a); }
  void setB(std::byte *b) override { bound.move(DNNL_ARG_WEIGHTS, b); }
  bool prepareWeights() override { return !weights || weights->update(); }
  bool run() override { return bound.execute() == dnnl_success; }

private:
  BoundPrimitive bound;
  dnnl::memory::desc scratchpad;
  int64_t heap;
  std::optional<WeightsCopy> weights;
};

} // namespace

static dnnl::memory::desc leftOf(const GemmCommand &command) {
  return {{command.m, command.k}, typeOfFactors(command), {command.aRow, command.aCol}};
}

static OneDnn::Matmul plan(const GemmCommand &command, bool packed, const OneDnn &library) {
  dnnl::post_ops operations;
  if (command.accumulate)
    operations.append_sum(1);
  appendEpilogue(operations, command);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  const dnnl::memory::desc any({command.k, command.n}, typeOfFactors(command), dnnl::memory::format_tag::any);
  const dnnl::memory::desc a = leftOf(command), b = packed ? any : weightsOf(command), c = resultOf(command);
  dnnl::matmul::desc description =
      command.bias ? dnnl::matmul::desc(a, b, biasOf(command), c) : dnnl::matmul::desc(a, b, c);
  // One rank at a time: the first one compiles the code, and the others find
  // it in oneDNN's cache instead of compiling it once more.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  dnnl::matmul::primitive_desc primitive(description, attributes, library.engine);
  // Other implementations keep to the scratchpad.
  const bool takesHeap = StringRef(primitive.impl_info_str()).starts_with("gemm:jit");
  return {dnnl::matmul(primitive), primitive.scratchpad_desc(), primitive.weights_desc(),
          takesHeap ? oneDnnHeapBytes(shapeOf(command), library.threads) : 0};
}

std::unique_ptr<LibraryGemm> makeMatmul(const GemmCommand &command, const GemmAddresses &addresses,
                                        bool packed, OneDnn &library) {
  const OneDnn::MatmulKey key{shapeOf(command),
                              std::max(command.aRow, command.aCol),
                              std::max(command.bRow, command.bCol),
                              command.cRow,
                              command.accumulate,
                              command.bias.has_value(),
                              packed,
                              command.epilogue,
                              command.alpha,
                              command.factors};
  auto found = library.matmuls.find(key);
  if (found == library.matmuls.end())
    found = library.matmuls.emplace(key, plan(command, packed, library)).first;
  const OneDnn::Matmul &matmul = found->second;

  std::optional<WeightsCopy> weights;
  if (packed)
    weights.emplace(command, addresses.b, matmul.weights, library);
  BoundPrimitive bound(matmul.primitive, library);
  bound.bind(DNNL_ARG_SRC, leftOf(command), addresses.a);
  bound.bind(DNNL_ARG_WEIGHTS, matmul.weights, packed ? weights->data() : addresses.b);
  bound.bind(DNNL_ARG_DST, resultOf(command), addresses.c);
  if (command.bias)
    bound.bind(DNNL_ARG_BIAS, biasOf(command), addresses.bias);
  return std::make_unique<MatmulGemm>(std::move(bound), matmul, std::move(weights));
}

} // namespace phantom::rt
