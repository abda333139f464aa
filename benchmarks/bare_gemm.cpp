//===- bare_gemm.cpp - A list of GEMMs in bare oneDNN calls ----------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: bare_gemm RANKS SECONDS < list
//
// Each input line "M N K transA transB" is C[M,N] = op(A) · op(B) in f32. Every
// rank, a pinned thread, runs the whole list on its own buffers, again and again
// for SECONDS; prints the median time of one pass, in seconds. It is the floor
// under a training step that consists of these GEMMs.
//
//===----------------------------------------------------------------------===//

#include <dnnl.hpp>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <thread>
#include <unordered_map>
#include <vector>

/// Of libgomp, which oneDNN runs on; clang has no omp.h for it.
extern "C" void omp_set_num_threads(int count);

namespace {

using Clock = std::chrono::steady_clock;

struct Shape {
  int64_t m, n, k;
  bool transA, transB;
};

struct Gemm {
  dnnl::matmul primitive;
  std::unordered_map<int, dnnl::memory> arguments;
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

Gemm plan(const Shape &shape, const dnnl::engine &engine) {
  auto a = matrix(shape.m, shape.k, shape.transA);
  auto b = matrix(shape.k, shape.n, shape.transB);
  auto c = matrix(shape.m, shape.n, false);
  dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), engine);
  return {dnnl::matmul(desc),
          {{DNNL_ARG_SRC, filled(a, engine)},
           {DNNL_ARG_WEIGHTS, filled(b, engine)},
           {DNNL_ARG_DST, filled(c, engine)}}};
}

void pinToCore(unsigned core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core % std::max(1U, std::thread::hardware_concurrency()), &set);
  pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/// Times of rank 0, between barriers: a pass ends when the slowest rank has ended it.
std::vector<double> measure(const std::vector<Shape> &shapes, unsigned ranks, double seconds) {
  std::vector<double> times;
  std::barrier barrier(ranks);
  std::atomic<bool> done = false;
  auto rankMain = [&](unsigned rank) {
    pinToCore(rank);
    omp_set_num_threads(1);
    dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    std::vector<Gemm> gemms;
    for (const Shape &shape : shapes)
      gemms.push_back(plan(shape, engine));
    barrier.arrive_and_wait();
    Clock::time_point start = Clock::now();
    for (int64_t pass = 0; !done; ++pass) {
      Clock::time_point begin = Clock::now();
      for (Gemm &gemm : gemms)
        gemm.primitive.execute(stream, gemm.arguments);
      stream.wait();
      barrier.arrive_and_wait();
      if (rank == 0) {
        Clock::time_point end = Clock::now();
        if (pass >= 2) // the first passes create JIT code and touch the pages
          times.push_back(std::chrono::duration<double>(end - begin).count());
        done = times.size() >= 3 && std::chrono::duration<double>(end - start).count() > seconds;
      }
      barrier.arrive_and_wait();
    }
  };
  std::vector<std::thread> threads;
  for (unsigned rank = 1; rank < ranks; ++rank)
    threads.emplace_back(rankMain, rank);
  rankMain(0);
  for (std::thread &thread : threads)
    thread.join();
  return times;
}

} // namespace

int main(int argc, char **argv) {
  int ranks = argc == 3 ? std::atoi(argv[1]) : 0;
  double seconds = argc == 3 ? std::atof(argv[2]) : 0;
  if (ranks < 1 || seconds <= 0) {
    std::cerr << "usage: bare_gemm RANKS SECONDS < list of 'M N K transA transB'\n";
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
  std::vector<double> times = measure(shapes, unsigned(ranks), seconds);
  std::nth_element(times.begin(), times.begin() + long(times.size() / 2), times.end());
  std::cout << times[times.size() / 2] << "\n";
  return 0;
}
