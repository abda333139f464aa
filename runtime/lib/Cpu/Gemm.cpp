//===- Gemm.cpp - GEMMs planned once, by oneDNN ---------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// oneDNN reports errors by exceptions; none leaves this file.

#include "Gemm.h"

#include "phantom-rt/AlignedBuffer.h"
#include "phantom-rt/Error.h"

#include <algorithm>
#include <dnnl.hpp>
#include <map>
#include <mutex>
#include <tuple>

using namespace llvm;

namespace phantom::rt {

namespace {

/// A primitive and its memory descriptors.
struct Planned {
  dnnl::matmul primitive;
  dnnl::memory::desc a, b, bias, c, scratchpad;
};

/// One GEMM with its addresses: everything `dnnl_primitive_execute` needs.
struct Bound {
  const Planned *planned = nullptr;
  std::vector<dnnl::memory> memories; ///< keep the handles in `arguments` alive
  std::vector<dnnl_exec_arg_t> arguments;
  std::string location;
};

using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, bool,
                       Epilogue, double>;

Key keyOf(const GemmCommand &command) {
  return {command.m,        command.n,    command.k,    command.aRow,       command.aCol,
          command.bRow,     command.bCol, command.cRow, command.accumulate, command.bias.has_value(),
          command.epilogue, command.alpha};
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
  }
}

Planned plan(const GemmCommand &command, const dnnl::engine &engine) {
  // One rank at a time: the first one compiles the code, and the others find
  // it in oneDNN's cache instead of compiling it once more.
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);
  constexpr auto f32 = dnnl::memory::data_type::f32;
  Planned planned;
  planned.a = {{command.m, command.k}, f32, {command.aRow, command.aCol}};
  planned.b = {{command.k, command.n}, f32, {command.bRow, command.bCol}};
  planned.c = {{command.m, command.n}, f32, {command.cRow, 1}};

  dnnl::post_ops operations;
  if (command.accumulate)
    operations.append_sum(1);
  appendEpilogue(operations, command);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);

  if (command.bias)
    planned.bias = {{1, command.n}, f32, {command.n, 1}};
  dnnl::matmul::desc description = command.bias
                                       ? dnnl::matmul::desc(planned.a, planned.b, planned.bias, planned.c)
                                       : dnnl::matmul::desc(planned.a, planned.b, planned.c);
  dnnl::matmul::primitive_desc primitive(description, attributes, engine);
  planned.scratchpad = primitive.scratchpad_desc();
  planned.primitive = dnnl::matmul(primitive);
  return planned;
}

Error describe(const dnnl::error &error, const GemmCommand &command) {
  return makeError("oneDNN cannot run the GEMM " + Twine(command.m) + "x" + Twine(command.n) + "x" +
                   Twine(command.k) + (command.location.empty() ? "" : " at " + command.location) + ": " +
                   error.what());
}

} // namespace

struct GemmPlan::Implementation {
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<Key, Planned> planned;
  std::vector<Bound> bound;
  AlignedBuffer scratch;
};

GemmPlan::GemmPlan() = default;
GemmPlan::~GemmPlan() = default;

Expected<size_t> GemmPlan::add(const GemmCommand &command, const GemmAddresses &addresses) {
  try {
    if (!implementation)
      implementation = std::make_unique<Implementation>();
    Implementation &all = *implementation;
    auto found = all.planned.find(keyOf(command));
    if (found == all.planned.end())
      found = all.planned.emplace(keyOf(command), plan(command, all.engine)).first;

    Bound gemm;
    gemm.planned = &found->second;
    gemm.location = command.location;
    auto bind = [&](int argument, const dnnl::memory::desc &description, void *address) {
      gemm.memories.emplace_back(description, all.engine, address);
      gemm.arguments.push_back({argument, gemm.memories.back().get()});
    };
    bind(DNNL_ARG_SRC, found->second.a, addresses.a);
    bind(DNNL_ARG_WEIGHTS, found->second.b, addresses.b);
    bind(DNNL_ARG_DST, found->second.c, addresses.c);
    if (command.bias)
      bind(DNNL_ARG_BIAS, found->second.bias, addresses.bias);
    all.bound.push_back(std::move(gemm));
    return all.bound.size() - 1;
  } catch (const dnnl::error &error) {
    return describe(error, command);
  }
}

Error GemmPlan::finish() {
  if (!implementation)
    return Error::success();
  Implementation &all = *implementation;
  size_t bytes = 0;
  for (const Bound &gemm : all.bound)
    bytes = std::max(bytes, gemm.planned->scratchpad.get_size());
  Expected<AlignedBuffer> scratch = AlignedBuffer::create(int64_t(bytes));
  if (!scratch)
    return scratch.takeError();
  all.scratch = std::move(*scratch);
  try {
    for (Bound &gemm : all.bound) {
      gemm.memories.emplace_back(gemm.planned->scratchpad, all.engine, all.scratch.data());
      gemm.arguments.push_back({DNNL_ARG_SCRATCHPAD, gemm.memories.back().get()});
    }
  } catch (const dnnl::error &error) {
    return makeError(Twine("oneDNN cannot bind its scratch memory: ") + error.what());
  }
  return Error::success();
}

Error GemmPlan::run(size_t gemm) {
  const Bound &bound = implementation->bound[gemm];
  dnnl_status_t status = dnnl_primitive_execute(bound.planned->primitive.get(), implementation->stream.get(),
                                                int(bound.arguments.size()), bound.arguments.data());
  if (status == dnnl_success)
    return Error::success();
  return makeError("oneDNN failed with status " + Twine(int(status)) + " in the GEMM" +
                   (bound.location.empty() ? "" : " at " + bound.location));
}

} // namespace phantom::rt
