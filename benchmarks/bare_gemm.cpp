//===- bare_gemm.cpp - A list of GEMMs in bare library calls ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: bare_gemm RANKS SECONDS [kernels] < list
//
// Each input line "M N K transA transB" is C[M,N] = op(A) · op(B) in f32. Every
// rank, a pinned thread, runs the whole list on its own buffers, again and again
// for SECONDS, each time by another of the linked kernels: oneDNN's matmul, the
// same on weights that it packs first (packing included), oneDNN's sgemm and
// OpenBLAS. Prints the floor under a training step of these GEMMs, in seconds:
// the sum of the median times of each GEMM by the kernel that is fastest for it.
//
// With `kernels`, prints a line for each GEMM instead: its shape and the median
// microseconds of each kernel, of two that do not prepare B at each run (oneDNN's
// matmul on packed weights, and OpenBLAS on transposed ones), and of the pass that
// adds a bias and applies relu behind a kernel that cannot.
//
//===----------------------------------------------------------------------===//

#include <cblas.h>
#include <dnnl.hpp>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

/// Of libgomp, which oneDNN runs on; clang has no omp.h for it.
extern "C" void omp_set_num_threads(int count);

namespace {

using Clock = std::chrono::steady_clock;

enum Kernel { Matmul, Packing, Sgemm, OpenBlas, Packed, Transposed, Finish, KernelCount };
constexpr int stepKernels = Packed; ///< those before it are for weights that change at each step
constexpr std::array<const char *, KernelCount> kernelNames = {"matmul", "packing",    "sgemm", "openblas",
                                                               "packed", "transposed", "finish"};

struct Shape {
  int64_t m, n, k;
  bool transA, transB;
};

/// One product with its own buffers, in all kernels.
class Gemm {
public:
  Gemm(const Shape &shape, const dnnl::engine &engine);

  void run(Kernel kernel, dnnl::stream &stream);

private:
  Shape shape;
  dnnl::matmul plain, packed;
  dnnl::reorder pack;
  dnnl::binary finish;
  dnnl::memory a, b, c, packedB, transposedB, bias;
};

dnnl::memory::desc matrix(int64_t rows, int64_t columns, bool transposed) {
  dnnl::memory::dims strides = transposed ? dnnl::memory::dims{1, rows} : dnnl::memory::dims{columns, 1};
  return {{rows, columns}, dnnl::memory::data_type::f32, strides};
}

dnnl::memory filled(const dnnl::memory::desc &desc, const dnnl::engine &engine) {
  dnnl::memory memory(desc, engine);
  auto *data = static_cast<float *>(memory.get_data_handle());
  size_t count = desc.get_size() / sizeof(float);
  for (size_t i = 0; i != count; ++i)
    data[i] = float(i % 31) / 31 - 0.5F;
  return memory;
}

Gemm::Gemm(const Shape &shape, const dnnl::engine &engine)
    : shape(shape), a(filled(matrix(shape.m, shape.k, shape.transA), engine)),
      b(filled(matrix(shape.k, shape.n, shape.transB), engine)),
      c(filled(matrix(shape.m, shape.n, false), engine)) {
  plain = dnnl::matmul({dnnl::matmul::desc(a.get_desc(), b.get_desc(), c.get_desc()), engine});
  dnnl::memory::desc any({shape.k, shape.n}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any);
  dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a.get_desc(), any, c.get_desc()), engine);
  packed = dnnl::matmul(desc);
  packedB = dnnl::memory(desc.weights_desc(), engine);
  pack = dnnl::reorder(b, packedB);
  transposedB = filled(matrix(shape.k, shape.n, !shape.transB), engine);
  bias = filled(matrix(1, shape.n, false), engine);
  dnnl::post_ops operations;
  operations.append_eltwise(1, dnnl::algorithm::eltwise_relu, 0, 0);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(operations);
  const dnnl::binary::desc add(dnnl::algorithm::binary_add, c.get_desc(), bias.get_desc(), c.get_desc());
  finish = dnnl::binary({add, attributes, engine});
}

void Gemm::run(Kernel kernel, dnnl::stream &stream) {
  const auto [m, n, k, transA, transB] = shape;
  auto *left = static_cast<float *>(a.get_data_handle()), *right = static_cast<float *>(b.get_data_handle());
  auto *result = static_cast<float *>(c.get_data_handle());
  const int64_t lda = transA ? m : k, ldb = transB ? k : n;
  auto openBlas = [&](const float *weights, bool transposed) {
    cblas_sgemm(CblasRowMajor, transA ? CblasTrans : CblasNoTrans, transposed ? CblasTrans : CblasNoTrans,
                blasint(m), blasint(n), blasint(k), 1, left, blasint(lda), weights,
                blasint(transposed ? k : n), 0, result, blasint(n));
  };
  switch (kernel) {
  case Matmul:
    plain.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}});
    return;
  case Packing:
    pack.execute(stream, b, packedB);
    [[fallthrough]];
  case Packed:
    packed.execute(stream, {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, packedB}, {DNNL_ARG_DST, c}});
    return;
  case Sgemm:
    dnnl_sgemm(transA ? 'T' : 'N', transB ? 'T' : 'N', m, n, k, 1, left, lda, right, ldb, 0, result, n);
    return;
  case OpenBlas:
    openBlas(right, transB);
    return;
  case Transposed:
    openBlas(static_cast<float *>(transposedB.get_data_handle()), !transB);
    return;
  case Finish:
    finish.execute(stream, {{DNNL_ARG_SRC_0, c}, {DNNL_ARG_SRC_1, bias}, {DNNL_ARG_DST, c}});
    return;
  case KernelCount:
    return;
  }
}

void pinToCore(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::max(1U, std::thread::hardware_concurrency()), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/// Seconds by GEMM, kernel and pass, of all ranks.
using Times = std::vector<std::array<std::vector<double>, KernelCount>>;

/// The passes of one rank.
void runRank(const std::vector<Shape> &shapes, unsigned rank, double seconds, int kernels,
             std::barrier<> &barrier, std::atomic<bool> &done, Times &times) {
  pinToCore(rank);
  omp_set_num_threads(1);
  dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  dnnl::stream stream(engine);
  std::vector<Gemm> gemms;
  for (const Shape &shape : shapes)
    gemms.emplace_back(shape, engine);
  barrier.arrive_and_wait();
  const Clock::time_point start = Clock::now();
  const int64_t warmUp = kernels, least = 4 * kernels; // the first passes compile and touch pages
  for (int64_t pass = 0; !done; ++pass) {
    const auto kernel = Kernel(pass % kernels);
    for (size_t i = 0; i < gemms.size(); ++i) {
      const Clock::time_point begin = Clock::now();
      gemms[i].run(kernel, stream);
      if (pass >= warmUp)
        times[i][kernel].push_back(std::chrono::duration<double>(Clock::now() - begin).count());
    }
    barrier.arrive_and_wait();
    if (rank == 0)
      done = pass >= least && std::chrono::duration<double>(Clock::now() - start).count() > seconds;
    barrier.arrive_and_wait();
  }
}

double median(std::vector<double> values) {
  auto middle = values.begin() + long(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Times measure(const std::vector<Shape> &shapes, unsigned ranks, double seconds, int kernels) {
  std::barrier<> barrier(ranks);
  std::atomic<bool> done = false;
  std::vector<Times> byRank(ranks, Times(shapes.size()));
  std::vector<std::thread> threads;
  for (unsigned rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] { runRank(shapes, rank, seconds, kernels, barrier, done, byRank[rank]); });
  for (std::thread &thread : threads)
    thread.join();
  Times &all = byRank[0];
  for (unsigned rank = 1; rank < ranks; ++rank)
    for (size_t i = 0; i < shapes.size(); ++i)
      for (int kernel = 0; kernel < kernels; ++kernel)
        all[i][kernel].insert(all[i][kernel].end(), byRank[rank][i][kernel].begin(),
                              byRank[rank][i][kernel].end());
  return std::move(all);
}

} // namespace

int main(int argc, char **argv) {
  const bool perKernel = argc == 4 && std::string_view(argv[3]) == "kernels";
  const int ranks = argc >= 3 ? std::atoi(argv[1]) : 0;
  const double seconds = argc >= 3 ? std::atof(argv[2]) : 0;
  if (ranks < 1 || seconds <= 0 || (argc != 3 && !perKernel)) {
    std::cerr << "usage: bare_gemm RANKS SECONDS [kernels] < list of 'M N K transA transB'\n";
    return 1;
  }
  std::vector<Shape> shapes;
  Shape shape;
  while (std::cin >> shape.m >> shape.n >> shape.k >> shape.transA >> shape.transB)
    shapes.push_back(shape);
  if (shapes.empty() || !std::cin.eof()) {
    std::cerr << "bare_gemm: error: the list is empty or line " << shapes.size() + 1 << " is malformed\n";
    return 1;
  }
  openblas_set_num_threads(1);
  const int kernels = perKernel ? int(KernelCount) : stepKernels;
  const Times times = measure(shapes, unsigned(ranks), seconds, kernels);
  double sum = 0;
  for (size_t i = 0; i < shapes.size(); ++i) {
    std::vector<double> medians;
    for (int kernel = 0; kernel < kernels; ++kernel)
      medians.push_back(median(times[i][kernel]));
    sum += *std::min_element(medians.begin(), medians.begin() + stepKernels);
    if (!perKernel)
      continue;
    const Shape &s = shapes[i];
    std::cout << s.m << " " << s.n << " " << s.k << " " << s.transA << " " << s.transB;
    for (int kernel = 0; kernel < kernels; ++kernel)
      std::cout << " " << kernelNames[kernel] << "=" << 1e6 * medians[kernel];
    std::cout << "\n";
  }
  if (!perKernel)
    std::cout << sum << "\n";
  return 0;
}
