//===- FakeGpu.cpp - GPUs in host memory, for tests -----------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "FakeGpu.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>

using namespace phantom::rt::gpu;

namespace phantom::rt::test {

namespace {

struct FakeEvent {
  int64_t recorded = 0, completed = 0;
  double time = 0; ///< on the fake's clock, in milliseconds
};
/// Does its work and returns true, or returns false where it must wait.
using Work = std::function<bool()>;
/// Makes the work of a command when it is queued: again for each launch of a graph.
using Command = std::function<Work()>;
struct FakeStream {
  std::deque<Work> queue;
};
using FakeGraph = std::vector<std::pair<FakeStream *, Command>>;

struct FakeDesc {
  int transposeA = 0, transposeB = 0, epilogue = 1;
  const float *bias = nullptr;
};
struct FakeLayout {
  int64_t rows, columns, leading;
  int type;
};

struct Arrival {
  const float *send;
  float *receive;
};
struct World {
  int joined = 0;
  bool left = false;                                 ///< a rank has aborted
  std::map<int64_t, std::map<int, Arrival>> arrived; ///< by number of the collective, then by rank
  std::set<int64_t> done;
};
struct FakeComm {
  World *world;
  int rank, ranks;
  int64_t collectives = 0;
  std::set<CommWindow> windows = {};
  bool aborted = false;
};

struct State {
  std::recursive_mutex mutex;
  FakeGpu *fake = nullptr;
  std::map<std::string, std::pair<int64_t, int>> faults;
  std::map<std::string, int64_t> calls;
  std::multimap<int, FakeStream *> streams; ///< by priority; the least goes first
  std::map<std::string, std::unique_ptr<World>> worlds;
  std::vector<std::unique_ptr<FakeComm>> aborted; ///< what is queued may refer to them
  std::vector<std::string> kernelNames;
  int64_t live = 0, ids = 0;
  double clock = 0;
};
State state;
thread_local FakeGraph *capturing = nullptr;

void push(Stream stream, Command command) {
  auto *fake = reinterpret_cast<FakeStream *>(stream);
  if (capturing)
    capturing->emplace_back(fake, std::move(command));
  else
    fake->queue.push_back(command());
}

void pump() {
  for (bool progress = true; progress;) {
    progress = false;
    for (auto [priority, stream] : state.streams)
      while (!stream->queue.empty() && stream->queue.front()()) {
        stream->queue.pop_front();
        progress = true;
      }
  }
}

template <typename T, typename Handle> int give(Handle *out, T value) {
  *out = reinterpret_cast<Handle>(new T(std::move(value)));
  ++state.live;
  return 0;
}
template <typename T, typename Handle> int take(Handle handle) {
  delete reinterpret_cast<T *>(handle);
  --state.live;
  return 0;
}

int allocate(void **memory, size_t bytes) {
  *memory = std::aligned_alloc(256, (bytes + 255) & ~size_t(255));
  std::memset(*memory, 0xff, bytes);
  ++state.live;
  return 0;
}
int release(void *memory) {
  std::free(memory);
  --state.live;
  return 0;
}

const char *textOf(int status) {
  switch (status) {
  case 2:
    return "cudaErrorMemoryAllocation";
  case 719:
    return "cudaErrorLaunchFailure";
  case 6:
    return "remote process exited";
  }
  return "some error";
}

/// An element of a matrix of f32 or bf16.
double load(const void *matrix, const FakeLayout &layout, int64_t at) {
  if (layout.type != 14) // CUDA_R_16BF
    return static_cast<const float *>(matrix)[at];
  return std::bit_cast<float>(uint32_t(static_cast<const uint16_t *>(matrix)[at]) << 16);
}

int run(MatmulDesc desc, const void *a, MatrixLayout aLayout, const void *b, MatrixLayout bLayout, float beta,
        float *d, MatrixLayout dLayout) {
  const FakeDesc &product = *reinterpret_cast<FakeDesc *>(desc);
  const auto &left = *reinterpret_cast<FakeLayout *>(aLayout),
             &right = *reinterpret_cast<FakeLayout *>(bLayout),
             &result = *reinterpret_cast<FakeLayout *>(dLayout);
  const int64_t depth = product.transposeA ? left.rows : left.columns;
  for (int64_t j = 0; j < result.columns; ++j)
    for (int64_t i = 0; i < result.rows; ++i) {
      float &out = d[i + j * result.leading];
      double sum = beta != 0 ? beta * double(out) : 0;
      for (int64_t l = 0; l < depth; ++l)
        sum += load(a, left, product.transposeA ? l + i * left.leading : i + l * left.leading) *
               load(b, right, product.transposeB ? j + l * right.leading : l + j * right.leading);
      if (product.epilogue & 4)
        sum += product.bias[i];
      out = float(product.epilogue & 2 ? std::max(sum, 0.0) : sum);
    }
  state.fake->epilogues.push_back(product.epilogue);
  return 0;
}

enum class Kind { Gather, Scatter, Reduce, Permute };

void finish(const std::map<int, Arrival> &all, Kind kind, size_t count, size_t width) {
  for (const auto &[rank, mine] : all)
    for (const auto &[peer, other] : all) {
      if (kind == Kind::Gather || kind == Kind::Permute) {
        auto *slot = reinterpret_cast<char *>(mine.receive) + size_t(peer) * count * width;
        auto *from = reinterpret_cast<const char *>(other.send);
        if (kind == Kind::Permute)
          from += size_t(rank) * count * width;
        if (slot != from)
          std::memcpy(slot, from, count * width);
        continue;
      }
      const float *part = other.send + (kind == Kind::Scatter ? size_t(rank) * count : 0);
      for (size_t i = 0; i < count; ++i)
        mine.receive[i] = (peer == 0 ? 0 : mine.receive[i]) + part[i];
    }
}

int collective(Kind kind, const void *send, void *receive, size_t count, int type, Comm comm, Stream stream) {
  static constexpr size_t widths[] = {1, 1, 4, 4, 8, 8, 2, 4, 8, 2}; // of ncclDataType_t
  const size_t width = widths[type];
  push(stream, [=]() -> Work {
    auto &end = *reinterpret_cast<FakeComm *>(comm);
    const int64_t number = end.collectives++;
    return [=, &end] {
      if (end.aborted)
        return true;
      if (state.fake->deadRanks.count(end.rank))
        return false;
      std::map<int, Arrival> &all = end.world->arrived[number];
      all[end.rank] = {static_cast<const float *>(send), static_cast<float *>(receive)};
      if (int(all.size()) == end.ranks && end.world->done.insert(number).second)
        finish(all, kind, count, width);
      return end.world->done.count(number) > 0;
    };
  });
  return 0;
}

//===----------------------------------------------------------------------===//
// Faults
//===----------------------------------------------------------------------===//

/// The status that the call must return, if any.
int faultOf(const std::string &entry) {
  const int64_t call = ++state.calls[entry];
  auto fault = state.faults.find(entry);
  return fault != state.faults.end() && fault->second.first == call ? fault->second.second : 0;
}

/// An entry that can fail; entries are told apart by the number.
template <int number, typename Function> struct Entry;
template <int number, typename... Arguments> struct Entry<number, int (*)(Arguments...)> {
  static inline std::function<int(Arguments...)> body;
  static inline const char *name = "";
  static int call(Arguments... arguments) {
    std::lock_guard<std::recursive_mutex> lock(state.mutex);
    if (int status = faultOf(name))
      return status;
    return body ? body(arguments...) : 0;
  }
};

} // namespace

//===----------------------------------------------------------------------===//
// The table
//===----------------------------------------------------------------------===//

#define SET(symbol, ...)                                                                                     \
  {                                                                                                          \
    using Wrapped = Entry<__LINE__, decltype(GpuApi::symbol)>;                                               \
    Wrapped::body = __VA_ARGS__;                                                                             \
    Wrapped::name = #symbol;                                                                                 \
    api.symbol = Wrapped::call;                                                                              \
  }
#define SET_TEXT(symbol) api.symbol = textOf;

static void setCuda(GpuApi &api, FakeGpu &fake) {
  SET_TEXT(cudaGetErrorName)
  SET_TEXT(cudaGetErrorString)
  SET(cudaDriverGetVersion, [&](int *version) { return *version = fake.driverVersion, 0; })
  SET(cudaRuntimeGetVersion, [](int *version) { return *version = 13000, 0; })
  SET(cudaGetDeviceCount, [&](int *count) { return *count = fake.devices, 0; })
  SET(cudaSetDevice, [](int) { return 0; })
  SET(cudaDeviceGetAttribute,
      [&](int *value, int attribute, int) { return *value = attribute == 75 ? fake.capability : 0, 0; })
  SET(cudaDeviceGetPCIBusId, [](char *text, int, int) { return std::strcpy(text, "bus"), 0; })
  SET(cudaDeviceGetStreamPriorityRange,
      [](int *least, int *greatest) { return *least = 0, *greatest = -5, 0; })
  SET(cudaMalloc, allocate)
  SET(cudaFree, release)
  SET(cudaMallocHost, allocate)
  SET(cudaFreeHost, release)
  SET(cudaMemcpyAsync, [](void *to, const void *from, size_t bytes, int, Stream stream) {
    push(stream, [=]() -> Work { return [=] { return std::memcpy(to, from, bytes), true; }; });
    return 0;
  })
  SET(cudaStreamCreateWithPriority, [](Stream *stream, unsigned, int priority) {
    give(stream, FakeStream());
    state.streams.emplace(priority, reinterpret_cast<FakeStream *>(*stream));
    return 0;
  })
  SET(cudaStreamDestroy, [](Stream stream) {
    std::erase_if(state.streams, [&](const auto &entry) { return Stream(entry.second) == stream; });
    return take<FakeStream>(stream);
  })
  SET(cudaStreamQuery, [](Stream stream) {
    pump();
    return reinterpret_cast<FakeStream *>(stream)->queue.empty() ? 0 : 600;
  })
  SET(cudaEventCreateWithFlags, [](Event *event, unsigned) { return give(event, FakeEvent()); })
  SET(cudaEventDestroy, [](Event event) { return take<FakeEvent>(event); })
  SET(cudaEventRecord, [](Event event, Stream stream) {
    push(stream, [=]() -> Work {
      auto &fakeEvent = *reinterpret_cast<FakeEvent *>(event);
      const int64_t mark = ++fakeEvent.recorded;
      return [=, &fakeEvent] {
        fakeEvent.time = state.clock;
        return fakeEvent.completed = mark, true;
      };
    });
    return 0;
  })
  SET(cudaStreamWaitEvent, [](Stream stream, Event event, unsigned) {
    push(stream, [=]() -> Work {
      auto &fakeEvent = *reinterpret_cast<FakeEvent *>(event);
      return [mark = fakeEvent.recorded, &fakeEvent] { return fakeEvent.completed >= mark; };
    });
    return 0;
  })
  SET(cudaEventQuery, [](Event event) {
    const auto &fakeEvent = *reinterpret_cast<FakeEvent *>(event);
    return fakeEvent.completed == fakeEvent.recorded ? 0 : 600;
  })
  SET(cudaEventElapsedTime, [](float *milliseconds, Event begin, Event end) {
    *milliseconds =
        float(reinterpret_cast<FakeEvent *>(end)->time - reinterpret_cast<FakeEvent *>(begin)->time);
    return 0;
  })
}

static void setGraphsAndKernels(GpuApi &api, FakeGpu &fake) {
  SET(cudaStreamBeginCapture, [](Stream, int) { return capturing = new FakeGraph, 0; })
  SET(cudaStreamEndCapture, [](Stream, Graph *graph) {
    give(graph, std::move(*capturing));
    delete capturing;
    return capturing = nullptr, 0;
  })
  SET(cudaGraphInstantiate, [](GraphExec *exec, Graph graph, unsigned long long) {
    return give(exec, FakeGraph(*reinterpret_cast<FakeGraph *>(graph)));
  })
  SET(cudaGraphLaunch, [&](GraphExec exec, Stream) {
    ++fake.graphLaunches;
    for (auto &[stream, command] : *reinterpret_cast<FakeGraph *>(exec))
      stream->queue.push_back(command());
    return 0;
  })
  SET(cudaGraphExecDestroy, [](GraphExec exec) { return take<FakeGraph>(exec); })
  SET(cudaGraphDestroy, [](Graph graph) { return take<FakeGraph>(graph); })
  SET(cudaLibraryLoadData, [](Library *library, const void *, int *, void **, unsigned, int *, void **,
                              unsigned) { return give(library, 0); })
  SET(cudaLibraryUnload, [](Library library) { return take<int>(library); })
  SET(cudaLibraryGetKernel, [&](Kernel *kernel, Library, const char *name) {
    auto found = fake.kernels.find(name);
    if (found == fake.kernels.end())
      return 500;
    *kernel = reinterpret_cast<Kernel>(&found->second);
    return 0;
  })
  SET(cudaLaunchKernel, [](const void *kernel, Dim3, Dim3, void **arguments, size_t, Stream stream) {
    auto &fakeKernel = *static_cast<const FakeKernel *>(kernel);
    std::vector<void *> values;
    for (size_t i = 0; i < fakeKernel.buffers; ++i)
      values.push_back(*static_cast<void **>(arguments[i]));
    push(stream, [=, &fakeKernel]() -> Work {
      return [=, &fakeKernel] { return fakeKernel.run(values.data()), true; };
    });
    return 0;
  })
}

static void setBlas(GpuApi &api) {
  SET_TEXT(cublasLtGetStatusString)
  SET(cublasLtCreate, [](BlasHandle *handle) { return give(handle, 0); })
  SET(cublasLtDestroy, [](BlasHandle handle) { return take<int>(handle); })
  SET(cublasLtMatmulDescCreate, [](MatmulDesc *desc, int, int) { return give(desc, FakeDesc()); })
  SET(cublasLtMatmulDescDestroy, [](MatmulDesc desc) { return take<FakeDesc>(desc); })
  SET(cublasLtMatmulDescSetAttribute, [](MatmulDesc desc, int attribute, const void *value, size_t bytes) {
    auto &product = *reinterpret_cast<FakeDesc *>(desc);
    void *member = attribute == 3   ? static_cast<void *>(&product.transposeA)
                   : attribute == 4 ? static_cast<void *>(&product.transposeB)
                   : attribute == 7 ? static_cast<void *>(&product.epilogue)
                   : attribute == 8 ? static_cast<void *>(&product.bias)
                                    : nullptr;
    if (member)
      std::memcpy(member, value, bytes);
    return 0;
  })
  SET(cublasLtMatrixLayoutCreate,
      [](MatrixLayout *layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
        if (leading < int64_t(rows))
          return 7;
        return give(layout, FakeLayout{int64_t(rows), int64_t(columns), leading, type});
      })
  SET(cublasLtMatrixLayoutDestroy, [](MatrixLayout layout) { return take<FakeLayout>(layout); })
  SET(cublasLtMatmulPreferenceCreate, [](MatmulPreference *preference) { return give(preference, 0); })
  SET(cublasLtMatmulPreferenceDestroy, [](MatmulPreference preference) { return take<int>(preference); })
  SET(cublasLtMatmulPreferenceSetAttribute, [](MatmulPreference, int, const void *, size_t) { return 0; })
  SET(cublasLtMatmulAlgoGetHeuristic,
      [](BlasHandle, MatmulDesc, MatrixLayout, MatrixLayout, MatrixLayout, MatrixLayout, MatmulPreference,
         int requested, MatmulHeuristic *results, int *returned) {
        *returned = std::min(requested, int(state.fake->gemmTimes.size()));
        for (int i = 0; i < *returned; ++i) {
          results[i] = {};
          results[i].algorithm.data[0] = uint64_t(i);
          results[i].workspaceBytes = 1024 * size_t(i + 1);
        }
        return 0;
      })
  SET(cublasLtMatmul,
      [](BlasHandle, MatmulDesc desc, const void *, const void *a, MatrixLayout aLayout, const void *b,
         MatrixLayout bLayout, const void *beta, const void *, MatrixLayout, void *d, MatrixLayout dLayout,
         const MatmulAlgorithm *algorithm, void *, size_t, Stream stream) {
        const float scale = *static_cast<const float *>(beta);
        const uint64_t kernel = algorithm->data[0];
        push(stream, [=]() -> Work {
          return [=] {
            run(desc, a, aLayout, b, bLayout, scale, static_cast<float *>(d), dLayout);
            state.fake->gemmKernels.push_back(kernel);
            state.clock += state.fake->gemmTimes[kernel];
            return true;
          };
        });
        return 0;
      })
}

static void setNccl(GpuApi &api, FakeGpu &fake){
    SET_TEXT(ncclGetErrorString)
        SET(ncclGetVersion, [&](int *version) { return *version = fake.ncclVersion, 0; })
            SET(ncclGetUniqueId,
                [](UniqueId *id) { return std::strcpy(id->bytes, std::to_string(++state.ids).c_str()), 0; })
                SET(ncclCommInitRankConfig,
                    [](Comm *comm, int ranks, UniqueId id, int rank, CommConfig *) {
                      std::unique_ptr<World> &world = state.worlds[id.bytes];
                      if (!world)
                        world = std::make_unique<World>();
                      world->joined += !state.fake->absentRanks.count(rank);
                      give(comm, FakeComm{world.get(), rank, ranks});
                      return 7;
                    }) SET(ncclCommGetAsyncError,
                           [&](Comm comm, int *status) {
                             auto &end = *reinterpret_cast<FakeComm *>(comm);
                             auto error = fake.asyncErrors.find(end.rank);
                             *status = end.world->left                   ? 6
                                       : end.world->joined < end.ranks   ? 7
                                       : error != fake.asyncErrors.end() ? error->second
                                                                         : 0;
                             return 0;
                           }) SET(ncclCommFinalize, [](Comm) { return 0; })
                    SET(ncclCommDestroy, [](Comm comm) { return take<FakeComm>(comm); })
    // Its windows end with it. The others hear of it before the call returns.
    SET(ncclCommAbort,
        [](Comm comm) {
          auto *aborted = reinterpret_cast<FakeComm *>(comm);
          aborted->world->left = true;
          state.mutex.unlock();
          std::this_thread::sleep_for(std::chrono::milliseconds(20));
          state.mutex.lock();
          for (CommWindow window : std::exchange(aborted->windows, {}))
            take<int>(window);
          aborted->aborted = true;
          state.aborted.emplace_back(aborted);
          --state.live;
          return 0;
        }) SET(ncclMemAlloc, allocate)
        SET(ncclMemFree, release) SET(ncclCommWindowRegister,
                                      [](Comm comm, void *, size_t, CommWindow *window, int) {
                                        give(window, 0);
                                        reinterpret_cast<FakeComm *>(comm)->windows.insert(*window);
                                        return 0;
                                      }) SET(ncclCommWindowDeregister,
                                             [](Comm comm, CommWindow window) {
                                               reinterpret_cast<FakeComm *>(comm)->windows.erase(window);
                                               return take<int>(window);
                                             })
            SET(ncclAllGather,
                [](const void *send, void *receive, size_t count, int type, Comm comm, Stream stream) {
                  return collective(Kind::Gather, send, receive, count, type, comm, stream);
                }) SET(ncclReduceScatter,
                       [](const void *send, void *receive, size_t count, int type, int, Comm comm,
                          Stream stream) {
                         return collective(Kind::Scatter, send, receive, count, type, comm, stream);
                       }) SET(ncclAllReduce,
                              [](const void *send, void *receive, size_t count, int type, int, Comm comm,
                                 Stream stream) {
                                return collective(Kind::Reduce, send, receive, count, type, comm, stream);
                              })
                SET(ncclAlltoAll,
                    [](const void *send, void *receive, size_t count, int type, Comm comm, Stream stream) {
                      return collective(Kind::Permute, send, receive, count, type, comm, stream);
                    })}

FakeGpu::FakeGpu() {
  state.fake = this;
  GpuApi &api = libraries.api;
  setCuda(api, *this);
  setGraphsAndKernels(api, *this);
  setBlas(api);
  setNccl(api, *this);
  SET_TEXT(nvmlErrorString)
  SET(nvmlInit_v2, [] { return 0; })
  SET(nvmlShutdown, [] { return 0; })
  SET(nvmlDeviceGetHandleByPciBusId_v2, [](const char *, NvmlDevice *) { return 0; })
  SET(nvmlDeviceGetTotalEnergyConsumption, [](NvmlDevice, unsigned long long *millijoules) {
    return *millijoules = 250 * (unsigned long long)state.calls["nvmlDeviceGetTotalEnergyConsumption"], 0;
  })
}

FakeGpu::~FakeGpu() {
  state.faults.clear();
  state.calls.clear();
  state.streams.clear();
  state.worlds.clear();
  state.live = 0;
  state.fake = nullptr;
}

void FakeGpu::fail(const std::string &entry, int64_t call, int status) {
  state.faults[entry] = {state.calls[entry] + call, status};
}
int64_t FakeGpu::calls(const std::string &entry) const { return state.calls[entry]; }
int64_t FakeGpu::live() const { return state.live; }

} // namespace phantom::rt::test
