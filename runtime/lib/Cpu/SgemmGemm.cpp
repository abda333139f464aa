//===- SgemmGemm.cpp - GEMMs by a library's sgemm --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GemmLibraries.h"

#include <cblas.h>
#include <mutex>

using namespace llvm;

namespace phantom::rt {

namespace {

/// A row-major operand as BLAS wants it.
struct Operand {
  const float *data = nullptr;
  int64_t leading = 1;
  bool transposed = false;
};

/// Of a matrix [rows, columns] with these strides, one of which is 1. The leading dimension of a single row
/// means nothing, but BLAS checks it.
Operand operandOf(const std::byte *data, int64_t rows, int64_t columns, int64_t rowStride,
                  int64_t columnStride) {
  Operand operand{reinterpret_cast<const float *>(data)};
  operand.transposed = columnStride != 1;
  operand.leading = operand.transposed ? std::max(columnStride, rows) : std::max(rowStride, columns);
  return operand;
}

class SgemmGemm final : public LibraryGemm {
public:
  SgemmGemm(GemmKernel kernel, const GemmCommand &command, const GemmAddresses &addresses, int64_t threads)
      : kernel(kernel), threads(threads), m(command.m), n(command.n), k(command.k),
        beta(command.accumulate ? 1 : 0), a(operandOf(addresses.a, m, k, command.aRow, command.aCol)),
        b(operandOf(addresses.b, k, n, command.bRow, command.bCol)),
        c(reinterpret_cast<float *>(addresses.c)), cRow(std::max(command.cRow, n)) {}

  void finishBy(BoundPrimitive pass) { finish = std::move(pass); }

  /// Takes b, [k, n] row by row, from there.
  void multiplyBy(WeightsCopy copy) {
    weights = std::move(copy);
    b = operandOf(weights->data(), k, n, n, 1);
  }

  int64_t heapBytes() const override {
    return kernel == GemmKernel::OneDnnSgemm ? oneDnnHeapBytes(shape(), threads) : 0;
  }
  int64_t bufferBytes() const override {
    return kernel == GemmKernel::OneDnnSgemm ? 0 : openBlasBufferBytes(shape());
  }
  void setA(std::byte *newA) override { a.data = reinterpret_cast<const float *>(newA); }
  void setB(std::byte *newB) override { b.data = reinterpret_cast<const float *>(newB); }
  bool prepareWeights() override { return !weights || weights->update(); }
  bool run() override { return multiply() && (!finish || finish->execute() == dnnl_success); }

private:
  GemmShape shape() const { return {m, n, k, a.transposed, b.transposed}; }

  bool multiply() {
    if (kernel == GemmKernel::OneDnnSgemm)
      return dnnl_sgemm(a.transposed ? 'T' : 'N', b.transposed ? 'T' : 'N', m, n, k, 1, a.data, a.leading,
                        b.data, b.leading, beta, c, cRow) == dnnl_success;
    auto flag = [](const Operand &operand) { return operand.transposed ? CblasTrans : CblasNoTrans; };
    cblas_sgemm(CblasRowMajor, flag(a), flag(b), blasint(m), blasint(n), blasint(k), 1, a.data,
                blasint(a.leading), b.data, blasint(b.leading), beta, c, blasint(cRow));
    return true;
  }

  GemmKernel kernel;
  int64_t threads, m, n, k;
  float beta;
  Operand a, b;
  float *c;
  int64_t cRow;
  std::optional<BoundPrimitive> finish;
  std::optional<WeightsCopy> weights;
};

/// c = epilogue(c + bias), in place.
BoundPrimitive finishingPass(const GemmCommand &command, const GemmAddresses &addresses,
                             const OneDnn &library) {
  const dnnl::memory::desc c = resultOf(command);
  dnnl::primitive_attr attributes;
  dnnl::post_ops operations;
  appendEpilogue(operations, command);
  if (command.bias) {
    attributes.set_post_ops(operations);
    dnnl::binary::desc add(dnnl::algorithm::binary_add, c, biasOf(command), c);
    BoundPrimitive pass(dnnl::binary(dnnl::binary::primitive_desc(add, attributes, library.engine)), library);
    pass.bind(DNNL_ARG_SRC_0, c, addresses.c);
    pass.bind(DNNL_ARG_SRC_1, biasOf(command), addresses.bias);
    pass.bind(DNNL_ARG_DST, c, addresses.c);
    return pass;
  }
  float scale = 1, alpha = 0, beta = 0;
  dnnl::algorithm kind = dnnl::algorithm::undef;
  operations.get_params_eltwise(0, scale, kind, alpha, beta);
  dnnl::eltwise_forward::desc apply(dnnl::prop_kind::forward_inference, kind, c, alpha, beta);
  BoundPrimitive pass(
      dnnl::eltwise_forward(dnnl::eltwise_forward::primitive_desc(apply, attributes, library.engine)),
      library);
  pass.bind(DNNL_ARG_SRC, c, addresses.c);
  pass.bind(DNNL_ARG_DST, c, addresses.c);
  return pass;
}

} // namespace

std::unique_ptr<LibraryGemm> makeSgemm(GemmKernel kernel, const GemmCommand &command,
                                       const GemmAddresses &addresses, OneDnn &library) {
  // Each rank calls from its own thread, which is all that it has.
  static std::once_flag once;
  if (kernel != GemmKernel::OneDnnSgemm)
    std::call_once(once, [] { openblas_set_num_threads(1); });
  auto gemm = std::make_unique<SgemmGemm>(kernel, command, addresses, library.threads);
  if (copiesWeights(kernel)) {
    const dnnl::memory::desc rows({command.k, command.n}, dnnl::memory::data_type::f32, {command.n, 1});
    gemm->multiplyBy(WeightsCopy(command, addresses.b, rows, library));
  }
  if (shapeOf(command).finishes)
    gemm->finishBy(finishingPass(command, addresses, library));
  return gemm;
}

} // namespace phantom::rt
