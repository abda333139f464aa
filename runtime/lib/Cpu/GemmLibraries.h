//===- GemmLibraries.h - GEMMs of the linked libraries ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CPU_GEMMLIBRARIES_H
#define PHANTOM_RT_LIB_CPU_GEMMLIBRARIES_H

#include "phantom-rt/GemmWorkspace.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <dnnl.hpp>
#include <memory>

namespace phantom::rt {

/// The addresses of one GEMM.
struct GemmAddresses {
  std::byte *a = nullptr, *b = nullptr, *c = nullptr, *bias = nullptr;
};

/// oneDNN on one rank, and the products that it was asked for: a model's layers mostly have the same.
struct OneDnn {
  struct Matmul {
    dnnl::matmul primitive;
    dnnl::memory::desc scratchpad, weights;
    int64_t heapBytes = 0; ///< that it takes beside the scratchpad
  };
  using MatmulKey =
      std::tuple<GemmShape, int64_t, int64_t, int64_t, bool, bool, bool, Epilogue, double, ElementType>;

  explicit OneDnn(int64_t threads) : threads(threads) {}

  int64_t threads; ///< of each GEMM
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  std::map<MatmulKey, Matmul> matmuls;
};

/// One primitive with its arguments, without scratch memory.
class BoundPrimitive {
public:
  BoundPrimitive() = default;
  BoundPrimitive(dnnl::primitive primitive, const OneDnn &library)
      : primitive(std::move(primitive)), library(&library) {}

  void bind(int argument, const dnnl::memory::desc &description, void *address);
  /// Moves an argument that is bound.
  void move(int argument, void *address);
  dnnl_status_t execute() const;

private:
  dnnl::primitive primitive;
  const OneDnn *library = nullptr;
  std::vector<dnnl::memory> memories; ///< keep the handles in `arguments` alive
  std::vector<dnnl_exec_arg_t> arguments;
};

/// A GEMM that is ready to run.
class LibraryGemm {
public:
  virtual ~LibraryGemm() = default;

  virtual size_t scratchBytes() const { return 0; }
  virtual void setScratch(std::byte *) {}

  /// What the library allocates in a run and gives back at its end.
  virtual int64_t heapBytes() const { return 0; }
  /// What the library keeps for the calling thread.
  virtual int64_t bufferBytes() const { return 0; }

  /// Takes a from there from now on.
  virtual void setA(std::byte *a) = 0;
  /// Likewise b. Not for a GEMM on a copy of it.
  virtual void setB(std::byte *b) = 0;

  /// To be called before the first run, and whenever constant weights have other values.
  virtual bool prepareWeights() { return true; }

  /// Runs on the calling thread and its OpenMP team; allocates nothing. False: the library failed.
  virtual bool run() = 0;
};

/// A copy of a GEMM's b in another layout.
class WeightsCopy {
public:
  WeightsCopy(const GemmCommand &command, std::byte *b, const dnnl::memory::desc &layout, OneDnn &library);

  std::byte *data() const { return static_cast<std::byte *>(copy.get_data_handle()); }
  bool update();

private:
  dnnl::memory original, copy;
  BoundPrimitive reorder;
};

/// oneDNN's matmul, where `packed` on weights in the layout that it likes best. Both throw dnnl::error.
std::unique_ptr<LibraryGemm> makeMatmul(const GemmCommand &command, const GemmAddresses &addresses,
                                        bool packed, OneDnn &library);

/// The sgemm of `kernel`, and a finishing pass where the command needs one.
std::unique_ptr<LibraryGemm> makeSgemm(GemmKernel kernel, const GemmCommand &command,
                                       const GemmAddresses &addresses, OneDnn &library);

/// Of factors that are bf16: oneDNN's matmul where it has one of these on this CPU, and else `kernel` on
/// factors that are widened before each run.
std::unique_ptr<LibraryGemm> makeNarrowGemm(GemmKernel kernel, const GemmCommand &command,
                                            const GemmAddresses &addresses, OneDnn &library);

/// What computes the command, of any factors.
std::unique_ptr<LibraryGemm> makeGemm(GemmKernel kernel, const GemmCommand &command,
                                      const GemmAddresses &addresses, OneDnn &library);

/// oneDNN's form of a command's epilogue.
void appendEpilogue(dnnl::post_ops &operations, const GemmCommand &command);

/// The command's b, its [m, n] result, and its bias as one row.
dnnl::memory::desc weightsOf(const GemmCommand &command);
dnnl::memory::desc resultOf(const GemmCommand &command);
dnnl::memory::desc biasOf(const GemmCommand &command);

} // namespace phantom::rt

#endif // PHANTOM_RT_LIB_CPU_GEMMLIBRARIES_H
