//===- ProgramTest.cpp - A whole program on the double, in many schedules -===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Bench.h"

#include <algorithm>
#include <thread>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

constexpr int ranks = 4, layers = 4;
constexpr int64_t batch = 8, width = 6, ghosts = 2; // of a rank
constexpr int64_t slot = ghosts * width;            // elements: the ghosts of a rank are [ghosts, width]

void applyRelu(void *const *arguments, TwinThread *thread) {
  const auto *from = static_cast<const float *>(arguments[0]);
  auto *to = static_cast<float *>(arguments[1]);
  for (int64_t i = thread->block * thread->threads + thread->thread; i < batch * width;
       i += thread->blocks * thread->threads)
    to[i] = std::max(from[i], 0.0f);
}

const std::vector<char> &image() {
  static const std::vector<char> image = registerTwins(
      {{"relu", applyRelu, false, 0, {{true, false, batch * width * 4}, {false, true, batch * width * 4}}}});
  return image;
}

std::vector<float> weights(int64_t count, int seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i)
    values[size_t(i)] = float((i * 31 + seed * 17) % 23 - 11) / 16;
  return values;
}

/// Row-major products by cuBLASLt, which is column-major: c^T = b^T a^T.
class Gemm {
public:
  Gemm(const gpu::GpuApi &api, gpu::BlasHandle handle, int64_t m, int64_t n, int64_t k, bool accumulate)
      : api(api), handle(handle), beta(accumulate) {
    api.cublasLtMatmulDescCreate(&description, 68, 0);
    api.cublasLtMatrixLayoutCreate(&a, 0, uint64_t(n), uint64_t(k), n);
    api.cublasLtMatrixLayoutCreate(&b, 0, uint64_t(k), uint64_t(m), k);
    api.cublasLtMatrixLayoutCreate(&c, 0, uint64_t(n), uint64_t(m), n);
  }
  ~Gemm() {
    api.cublasLtMatmulDescDestroy(description);
    for (gpu::MatrixLayout layout : {a, b, c})
      api.cublasLtMatrixLayoutDestroy(layout);
  }
  int run(const float *left, const float *right, float *result, void *workspace, gpu::Stream stream) const {
    const float alpha = 1;
    return api.cublasLtMatmul(handle, description, &alpha, right, a, left, b, &beta, result, c, result, c,
                              nullptr, workspace, 256, stream);
  }

private:
  const gpu::GpuApi &api;
  gpu::BlasHandle handle;
  gpu::MatmulDesc description = nullptr;
  gpu::MatrixLayout a = nullptr, b = nullptr, c = nullptr;
  float beta;
};

/// The forward pass of phantom layers: y' = relu(L y + D gather(C y)), whose gather is on a stream of its
/// own.
class Rank {
public:
  /// `left`: the wait, by its number in the program, that is left out; -1: none.
  Rank(const gpu::GpuApi &api, int rank, gpu::UniqueId id, int left) : api(api), rank(rank), left(left) {
    gpu::CommConfig config = {};
    config.size = sizeof(config);
    config.magic = 0xcafebeef;
    check(api.cudaSetDevice(rank));
    check(api.cudaStreamCreateWithPriority(&compute, 1, 0));
    check(api.cudaStreamCreateWithPriority(&exchange, 1, -5));
    check(api.cublasLtCreate(&blas));
    check(api.cudaLibraryLoadData(&library, image().data(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    check(api.cudaLibraryGetKernel(&relu, library, "relu"));
    const int status = api.ncclCommInitRankConfig(&comm, ranks, id, rank, &config);
    settle(status);
    // All layers share one window: the second gather must wait until the first one's result is read.
    gathered = static_cast<float *>(allocate(ranks * slot * 4, /*window=*/true));
    settle(api.ncclCommWindowRegister(comm, gathered, ranks * slot * 4, &window, 1));
    for (float *&buffer : {std::ref(activations[0]), std::ref(activations[1]), std::ref(sum)})
      buffer = static_cast<float *>(allocate(batch * width * 4));
    workspace = allocate(256);
    for (int layer = 0; layer < layers; ++layer) {
      locals[layer] = upload(weights(width * width, rank + 10 * layer));
      compressors[layer] = upload(weights(ghosts * batch, rank + 10 * layer + 3));
      decompressors[layer] = upload(weights(batch * ranks * ghosts, rank + 10 * layer + 7));
    }
  }

  /// Queues one step and reads the result.
  std::vector<float> step() {
    const Gemm compress(api, blas, ghosts, width, batch, false), local(api, blas, batch, width, width, false),
        decompress(api, blas, batch, width, ranks * ghosts, true);
    const std::vector<float> input = weights(batch * width, rank + 5);
    check(api.cudaMemcpyAsync(activations[0], input.data(), input.size() * 4, toDevice, compute));
    int wait = 0;
    for (int layer = 0; layer < layers; ++layer) {
      const float *from = activations[layer % 2];
      check(compress.run(compressors[layer], from, gathered + rank * slot, workspace, compute));
      order(compute, exchange, wait++);
      settle(api.ncclAllGather(gathered + rank * slot, gathered, size_t(slot), 7, comm, exchange));
      check(local.run(from, locals[layer], sum, workspace, compute));
      order(exchange, compute, wait++);
      check(decompress.run(decompressors[layer], gathered, sum, workspace, compute));
      launch(sum, activations[(layer + 1) % 2]);
    }
    std::vector<float> result(batch * width);
    check(api.cudaMemcpyAsync(result.data(), activations[layers % 2], result.size() * 4, toHost, compute));
    return result;
  }
  static constexpr int waits = 2 * layers;

  void end() {
    for (gpu::Stream stream : {compute, exchange})
      check(api.cudaStreamSynchronize(stream));
    for (gpu::Event event : events)
      check(api.cudaEventDestroy(event));
    check(api.ncclCommWindowDeregister(comm, window));
    settle(api.ncclCommFinalize(comm));
    check(api.ncclCommDestroy(comm));
    check(api.ncclMemFree(gathered));
    for (void *memory : allocations)
      check(api.cudaFree(memory));
    for (gpu::Stream stream : {compute, exchange})
      check(api.cudaStreamDestroy(stream));
    check(api.cublasLtDestroy(blas));
    check(api.cudaLibraryUnload(library));
  }

private:
  void check(int status) { EXPECT_EQ(status, 0) << "rank " << rank; }

  void settle(int status) {
    while (status == 7) { // ncclInProgress
      check(api.ncclCommGetAsyncError(comm, &status));
      std::this_thread::yield();
    }
    check(status);
  }

  void *allocate(int64_t bytes, bool isWindow = false) {
    void *memory = nullptr;
    if (isWindow) {
      check(api.ncclMemAlloc(&memory, size_t(bytes)));
      return memory;
    }
    check(api.cudaMalloc(&memory, size_t(bytes)));
    allocations.push_back(memory);
    return memory;
  }

  float *upload(const std::vector<float> &values) {
    void *memory = allocate(int64_t(values.size()) * 4);
    check(api.cudaMemcpyAsync(memory, values.data(), values.size() * 4, toDevice, compute));
    return static_cast<float *>(memory);
  }

  void order(gpu::Stream earlier, gpu::Stream later, int wait) {
    events.emplace_back();
    check(api.cudaEventCreateWithFlags(&events.back(), 2));
    check(api.cudaEventRecord(events.back(), earlier));
    if (wait != left)
      check(api.cudaStreamWaitEvent(later, events.back(), 0));
  }

  void launch(float *from, float *to) {
    void *arguments[] = {&from, &to};
    check(api.cudaLaunchKernel(relu, {2, 1, 1}, {16, 1, 1}, arguments, 0, compute));
  }

  const gpu::GpuApi &api;
  int rank, left;
  gpu::Stream compute = nullptr, exchange = nullptr;
  gpu::BlasHandle blas = nullptr;
  gpu::Library library = nullptr;
  gpu::Kernel relu = nullptr;
  gpu::Comm comm = nullptr;
  gpu::CommWindow window = nullptr;
  std::vector<gpu::Event> events;
  std::vector<void *> allocations;
  float *gathered = nullptr, *sum = nullptr, *activations[2] = {};
  const float *locals[layers] = {}, *compressors[layers] = {}, *decompressors[layers] = {};
  void *workspace = nullptr;
};

/// c [m, n] += a [m, k] * b [k, n], row-major.
void multiply(std::vector<double> &c, const std::vector<float> &a, const std::vector<double> &b, int64_t m,
              int64_t n, int64_t k) {
  for (int64_t i = 0; i < m; ++i)
    for (int64_t j = 0; j < n; ++j)
      for (int64_t l = 0; l < k; ++l)
        c[size_t(i * n + j)] += double(a[size_t(i * k + l)]) * b[size_t(l * n + j)];
}

/// What the ranks compute, by the definition.
std::vector<std::vector<double>> expected() {
  std::vector<std::vector<double>> values;
  for (int rank = 0; rank < ranks; ++rank) {
    const std::vector<float> input = weights(batch * width, rank + 5);
    values.emplace_back(input.begin(), input.end());
  }
  for (int layer = 0; layer < layers; ++layer) {
    std::vector<double> gathered;
    for (int rank = 0; rank < ranks; ++rank) {
      std::vector<double> compressed(slot);
      multiply(compressed, weights(ghosts * batch, rank + 10 * layer + 3), values[size_t(rank)], ghosts,
               width, batch);
      gathered.insert(gathered.end(), compressed.begin(), compressed.end());
    }
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<float> local = weights(width * width, rank + 10 * layer);
      std::vector<double> sum(batch * width);
      const std::vector<float> from(values[size_t(rank)].begin(), values[size_t(rank)].end());
      multiply(sum, from, std::vector<double>(local.begin(), local.end()), batch, width, width);
      multiply(sum, weights(batch * ranks * ghosts, rank + 10 * layer + 7), gathered, batch, width,
               ranks * ghosts);
      for (double &value : sum)
        value = std::max(value, 0.0);
      values[size_t(rank)] = std::move(sum);
    }
  }
  return values;
}

struct Outcome {
  std::vector<std::vector<float>> results; ///< by rank
  std::string violations, leaks;
  GpuSimCounts counts;
};

Outcome run(SchedulePolicy policy, uint64_t seed, int left = -1) {
  GpuSimOptions options;
  options.devices = ranks;
  options.policy = policy;
  options.scheduleSeed = seed;
  Bench bench(options);
  gpu::UniqueId id;
  EXPECT_EQ(bench->ncclGetUniqueId(&id), 0);
  Outcome outcome;
  outcome.results.resize(ranks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      Rank program(bench.api(), rank, id, left);
      program.step();
      outcome.results[size_t(rank)] = program.step();
      program.end();
    });
  for (std::thread &thread : threads)
    thread.join();
  outcome.violations = bench.violations();
  outcome.leaks = message(bench.sim->checkLeaks());
  outcome.counts = bench.sim->counts();
  return outcome;
}

const SchedulePolicy policies[] = {SchedulePolicy::InOrder, SchedulePolicy::ComputeFirst,
                                   SchedulePolicy::ExchangeFirst, SchedulePolicy::Priorities,
                                   SchedulePolicy::Random};

TEST(SimProgram, TheSameInEverySchedule) {
  const Outcome first = run(SchedulePolicy::InOrder, 0);
  const std::vector<std::vector<double>> wanted = expected();
  for (size_t rank = 0; rank < ranks; ++rank) {
    const double most = *std::max_element(wanted[rank].begin(), wanted[rank].end());
    ASSERT_GT(most, 0);
    for (size_t i = 0; i < wanted[rank].size(); ++i)
      ASSERT_NEAR(first.results[rank][i], wanted[rank][i], 1e-5 * most)
          << "rank " << rank << ", element " << i;
  }
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Outcome other = run(policies[seed % 5], seed);
    ASSERT_EQ(other.violations, "") << "seed " << seed;
    ASSERT_EQ(other.leaks, "") << "seed " << seed;
    ASSERT_EQ(other.results, first.results) << "seed " << seed;
    ASSERT_EQ(other.counts.gemms, 2 * ranks * layers * 3);
    ASSERT_EQ(other.counts.kernels, 2 * ranks * layers);
    ASSERT_EQ(other.counts.collectives, 2 * layers);
    ASSERT_EQ(other.counts.collectiveBytes, 2 * layers * ranks * (ranks - 1) * slot * 4);
  }
}

TEST(SimProgram, EachWaitIsNeeded) {
  for (int left = 0; left < Rank::waits; ++left)
    for (SchedulePolicy policy : policies)
      EXPECT_NE(run(policy, 1, left).violations, "") << "wait " << left;
}

} // namespace
