//===- BlasEntries.cpp - cuBLASLt -----------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Sim.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/xxhash.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt::sim {

// What the algorithm asks for, if it may have so much.
static constexpr size_t workspaceWanted = 4096;
// No algorithm needs addresses that are more aligned.
static constexpr uint32_t mostAlignment = 16;
static constexpr size_t workspaceAlignment = 16;

//===----------------------------------------------------------------------===//
// Descriptions
//===----------------------------------------------------------------------===//

template <typename T, typename Handle> static int create(Handles<T> &handles, Handle *handle, T value) {
  T &made = handles.add();
  made = value;
  *handle = reinterpret_cast<Handle>(&made);
  return CUBLAS_STATUS_SUCCESS;
}

template <typename T>
static int destroy(Sim &sim, Handles<T> &handles, const void *handle, const char *what) {
  T *found = sim.need(handles, handle, what);
  if (!found)
    return CUBLAS_STATUS_INVALID_VALUE;
  handles.remove(*found);
  return CUBLAS_STATUS_SUCCESS;
}

static int cublasLtCreate(Sim &sim, gpu::BlasHandle *handle) {
  if (sim.devices.empty())
    return CUBLAS_STATUS_NOT_INITIALIZED;
  return create(sim.blas.handles, handle, BlasHandle{sim.currentDevice()});
}

static int cublasLtDestroy(Sim &sim, gpu::BlasHandle handle) {
  return destroy(sim, sim.blas.handles, handle, "the handle");
}

static int cublasLtMatmulDescCreate(Sim &sim, gpu::MatmulDesc *description, int computeType, int scaleType) {
  MatmulDescription made;
  made.computeType = computeType;
  made.scaleType = scaleType;
  return create(sim.blas.descriptions, description, made);
}

static int cublasLtMatmulDescDestroy(Sim &sim, gpu::MatmulDesc description) {
  return destroy(sim, sim.blas.descriptions, description, "the description");
}

// Sets a member from an attribute of the same size; false: the size is another.
template <typename T> static bool assign(T &member, const void *value, size_t bytes) {
  if (bytes != sizeof(T))
    return false;
  std::memcpy(&member, value, bytes);
  return true;
}

static int wrongSize(Sim &sim, int attribute, size_t bytes) {
  return sim.refuse(CUBLAS_STATUS_INVALID_VALUE,
                    "attribute " + Twine(attribute) + " has another size than " + Twine(bytes) + " bytes");
}

static bool isEpilogue(uint32_t epilogue) {
  switch (epilogue) {
  case EpilogueDefault:
  case EpilogueRelu:
  case EpilogueBias:
  case EpilogueGelu:
  case EpilogueRelu | EpilogueBias:
  case EpilogueGelu | EpilogueBias:
  case EpilogueRelu | EpilogueAux:
  case EpilogueGelu | EpilogueAux:
  case EpilogueRelu | EpilogueAux | EpilogueBias:
  case EpilogueGelu | EpilogueAux | EpilogueBias:
  case EpilogueReluGradient | EpilogueAux:
  case EpilogueGeluGradient | EpilogueAux:
  case EpilogueReluGradient | EpilogueAux | EpilogueBiasGradient:
  case EpilogueGeluGradient | EpilogueAux | EpilogueBiasGradient:
    return true;
  default:
    return false;
  }
}

static int setTranspose(Sim &sim, int attribute, bool &member, const void *value, size_t bytes) {
  int32_t operation = 0;
  if (!assign(operation, value, bytes))
    return wrongSize(sim, attribute, bytes);
  if (operation != 0 && operation != 1)
    return sim.refuse(CUBLAS_STATUS_INVALID_VALUE,
                      "operation " + Twine(operation) + " is not CUBLAS_OP_N or _T");
  member = operation == 1;
  return CUBLAS_STATUS_SUCCESS;
}

static int cublasLtMatmulDescSetAttribute(Sim &sim, gpu::MatmulDesc handle, int attribute, const void *value,
                                          size_t bytes) {
  MatmulDescription *description = sim.need(sim.blas.descriptions, handle, "the description");
  if (!description)
    return CUBLAS_STATUS_INVALID_VALUE;
  bool assigned = false;
  switch (attribute) {
  case 3: // CUBLASLT_MATMUL_DESC_TRANSA
    return setTranspose(sim, attribute, description->transposeA, value, bytes);
  case 4: // CUBLASLT_MATMUL_DESC_TRANSB
    return setTranspose(sim, attribute, description->transposeB, value, bytes);
  case 7: { // CUBLASLT_MATMUL_DESC_EPILOGUE
    uint32_t epilogue = 0;
    assigned = assign(epilogue, value, bytes);
    if (assigned && !isEpilogue(epilogue))
      return sim.refuse(CUBLAS_STATUS_INVALID_VALUE, "the double does not know epilogue " + Twine(epilogue));
    description->epilogue = epilogue;
    break;
  }
  case 8: // CUBLASLT_MATMUL_DESC_BIAS_POINTER
    assigned = assign(description->bias, value, bytes);
    break;
  case 11: // CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER
    assigned = assign(description->aux, value, bytes);
    break;
  case 12: // CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD
    assigned = assign(description->auxLeading, value, bytes);
    break;
  case 22: // CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_DATA_TYPE
    assigned = assign(description->auxType, value, bytes);
    break;
  case 26: // CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE
    assigned = assign(description->biasType, value, bytes);
    break;
  default:
    return sim.refuse(CUBLAS_STATUS_INVALID_VALUE, "the double does not know attribute " + Twine(attribute));
  }
  return assigned ? int(CUBLAS_STATUS_SUCCESS) : wrongSize(sim, attribute, bytes);
}

static int cublasLtMatrixLayoutCreate(Sim &sim, gpu::MatrixLayout *layout, int type, uint64_t rows,
                                      uint64_t columns, int64_t leading) {
  return create(sim.blas.layouts, layout, MatrixDescription{type, rows, columns, leading});
}

static int cublasLtMatrixLayoutDestroy(Sim &sim, gpu::MatrixLayout layout) {
  return destroy(sim, sim.blas.layouts, layout, "the layout");
}

static int cublasLtMatmulPreferenceCreate(Sim &sim, gpu::MatmulPreference *preference) {
  return create(sim.blas.preferences, preference, MatmulPreferences());
}

static int cublasLtMatmulPreferenceDestroy(Sim &sim, gpu::MatmulPreference preference) {
  return destroy(sim, sim.blas.preferences, preference, "the preference");
}

static int cublasLtMatmulPreferenceSetAttribute(Sim &sim, gpu::MatmulPreference handle, int attribute,
                                                const void *value, size_t bytes) {
  MatmulPreferences *preferences = sim.need(sim.blas.preferences, handle, "the preference");
  if (!preferences)
    return CUBLAS_STATUS_INVALID_VALUE;
  bool assigned = false;
  if (attribute == 1) // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
    assigned = assign(preferences->workspaceBytes, value, bytes);
  else if (attribute >= 5 && attribute <= 8) // CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES to _D_BYTES
    assigned = assign(preferences->alignment[attribute - 5], value, bytes);
  else
    return sim.refuse(CUBLAS_STATUS_INVALID_VALUE, "the double does not know attribute " + Twine(attribute));
  return assigned ? int(CUBLAS_STATUS_SUCCESS) : wrongSize(sim, attribute, bytes);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

namespace {

/// What cublasLtMatmulAlgo_t holds here.
struct Algorithm {
  uint64_t problem; ///< of which shapes, types and epilogue
  uint64_t workspaceBytes;
  uint32_t alignment[4];
  uint32_t number; ///< of those for the product
};
static_assert(sizeof(Algorithm) <= sizeof(gpu::MatmulAlgorithm));

} // namespace

static uint64_t problemOf(const Matmul &matmul) {
  const MatmulDescription &description = matmul.description;
  std::vector<int64_t> words = {description.computeType, description.scaleType, description.transposeA,
                                description.transposeB, description.epilogue};
  if (description.hasAux())
    words.push_back(description.auxLeading);
  for (const MatrixDescription *matrix : {&matmul.a, &matmul.b, &matmul.c, &matmul.d})
    words.insert(words.end(),
                 {int64_t(matrix->type), int64_t(matrix->rows), int64_t(matrix->columns), matrix->leading});
  return xxh3_64bits(
      ArrayRef(reinterpret_cast<const uint8_t *>(words.data()), words.size() * sizeof(int64_t)));
}

// The description and the layouts; false, after a violation, where one does not exist.
static bool describe(Sim &sim, gpu::BlasHandle handle, gpu::MatmulDesc description, gpu::MatrixLayout a,
                     gpu::MatrixLayout b, gpu::MatrixLayout c, gpu::MatrixLayout d, Matmul &matmul) {
  const BlasHandle *library = sim.need(sim.blas.handles, handle, "the handle");
  const MatmulDescription *found = sim.need(sim.blas.descriptions, description, "the description");
  const MatrixDescription *matrices[4];
  const gpu::MatrixLayout layouts[4] = {a, b, c, d};
  const char *const names[4] = {"the layout of a", "the layout of b", "the layout of c", "the layout of d"};
  for (int i = 0; i < 4; ++i)
    if (!(matrices[i] = sim.need(sim.blas.layouts, layouts[i], names[i])))
      return false;
  if (!library || !found)
    return false;
  if (library->device != sim.currentDevice()) {
    sim.refuse(0, "the handle is of device " + Twine(library->device) + ", but device " +
                      Twine(sim.currentDevice()) + " is current");
    return false;
  }
  matmul.description = *found;
  matmul.a = *matrices[0];
  matmul.b = *matrices[1];
  matmul.c = *matrices[2];
  matmul.d = *matrices[3];
  return true;
}

static int cublasLtMatmulAlgoGetHeuristic(Sim &sim, gpu::BlasHandle handle, gpu::MatmulDesc description,
                                          gpu::MatrixLayout a, gpu::MatrixLayout b, gpu::MatrixLayout c,
                                          gpu::MatrixLayout d, gpu::MatmulPreference preference,
                                          int requested, gpu::MatmulHeuristic *results, int *returned) {
  *returned = 0;
  Matmul matmul;
  if (!describe(sim, handle, description, a, b, c, d, matmul))
    return CUBLAS_STATUS_INVALID_VALUE;
  const MatmulPreferences *preferences = sim.need(sim.blas.preferences, preference, "the preference");
  if (!preferences || requested < 1)
    return CUBLAS_STATUS_INVALID_VALUE;
  if (const std::string problem = checkShapes(matmul); !problem.empty())
    return sim.refuse(CUBLAS_STATUS_INVALID_VALUE, matmul.text() + ": " + problem);
  if (!isSupported(matmul))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  Algorithm algorithm = {};
  algorithm.problem = problemOf(matmul);
  algorithm.workspaceBytes = std::min<uint64_t>(preferences->workspaceBytes, workspaceWanted);
  for (int i = 0; i < 4; ++i)
    algorithm.alignment[i] = std::min(preferences->alignment[i], mostAlignment);
  *returned = std::min(requested, int(sim.options.gemmTimes.size()));
  for (gpu::MatmulHeuristic &result : MutableArrayRef(results, size_t(*returned))) {
    result = {};
    std::memcpy(&result.algorithm, &algorithm, sizeof(algorithm));
    result.workspaceBytes = algorithm.workspaceBytes;
    result.waves = 1;
    ++algorithm.number;
  }
  return CUBLAS_STATUS_SUCCESS;
}

// Whether an algorithm fits a call; "": it does.
static std::string checkAlgorithm(const Algorithm &algorithm, const Matmul &matmul, size_t givenBytes,
                                  size_t kernels) {
  if (algorithm.problem != problemOf(matmul) || algorithm.number >= kernels)
    return "the algorithm is of another product than this one";
  if (givenBytes < algorithm.workspaceBytes)
    return ("the algorithm needs a workspace of " + Twine(algorithm.workspaceBytes) + " bytes, and has " +
            Twine(givenBytes))
        .str();
  const void *const memory[4] = {matmul.aMemory, matmul.bMemory, matmul.beta != 0 ? matmul.cMemory : nullptr,
                                 matmul.dMemory};
  for (int i = 0; i < 4; ++i)
    if (algorithm.alignment[i] != 0 && reinterpret_cast<uintptr_t>(memory[i]) % algorithm.alignment[i] != 0)
      return ("the address of matrix " + Twine("abcd"[i]) + " is no multiple of " +
              Twine(algorithm.alignment[i]) + ": say so in the preference of the algorithm")
          .str();
  return "";
}

static double loadScale(const void *scale, int type) {
  if (type == int(MatrixType::F64)) {
    double value;
    std::memcpy(&value, scale, sizeof(value));
    return value;
  }
  float value;
  std::memcpy(&value, scale, sizeof(value));
  return value;
}

static int submitMatmul(Sim &sim, Queue &queue, const Matmul &matmul, double time) {
  constexpr double flopsPerSecond = 5e13;
  Command command;
  command.kind = Command::Kind::Gemm;
  command.label = matmul.text();
  command.accesses = accessesOf(matmul);
  command.seconds +=
      2 * double(matmul.rows()) * double(matmul.columns()) * double(matmul.inner()) / flopsPerSecond;
  command.seconds *= time;
  command.run = [&sim, matmul](const Op &) {
    runMatmul(matmul, [&](const void *address) { return sim.memory.host(address); });
  };
  return sim.submit(queue, std::move(command)) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                              : CUBLAS_STATUS_EXECUTION_FAILED;
}

static int cublasLtMatmul(Sim &sim, gpu::BlasHandle handle, gpu::MatmulDesc description, const void *alpha,
                          const void *a, gpu::MatrixLayout aLayout, const void *b, gpu::MatrixLayout bLayout,
                          const void *beta, const void *c, gpu::MatrixLayout cLayout, void *d,
                          gpu::MatrixLayout dLayout, const gpu::MatmulAlgorithm *algorithm, void *workspace,
                          size_t workspaceBytes, gpu::Stream stream) {
  Matmul matmul;
  Queue *queue = sim.needOwnStream(stream);
  if (!queue || !describe(sim, handle, description, aLayout, bLayout, cLayout, dLayout, matmul))
    return CUBLAS_STATUS_INVALID_VALUE;
  matmul.aMemory = a;
  matmul.bMemory = b;
  matmul.cMemory = c;
  matmul.dMemory = d;
  matmul.alpha = loadScale(alpha, matmul.description.scaleType);
  matmul.beta = loadScale(beta, matmul.description.scaleType);
  std::string problem = checkShapes(matmul);
  if (problem.empty() && !isSupported(matmul))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  Algorithm chosen = {};
  chosen.problem = problemOf(matmul);
  chosen.workspaceBytes = std::min(workspaceBytes, workspaceWanted);
  std::fill(std::begin(chosen.alignment), std::end(chosen.alignment), 1);
  if (algorithm)
    std::memcpy(&chosen, algorithm, sizeof(chosen));
  if (problem.empty())
    problem = checkAlgorithm(chosen, matmul, workspaceBytes, sim.options.gemmTimes.size());
  if (problem.empty() && chosen.workspaceBytes > 0 &&
      reinterpret_cast<uintptr_t>(workspace) % workspaceAlignment != 0)
    problem = "the address of the workspace is no multiple of 16";
  matmul.workspace = workspace;
  matmul.workspaceBytes = chosen.workspaceBytes;
  if (problem.empty())
    problem = checkPointers(matmul);
  if (!problem.empty())
    return sim.refuse(CUBLAS_STATUS_INVALID_VALUE, matmul.text() + ": " + problem);
  matmul.slices = 1 + chosen.number;
  return submitMatmul(sim, *queue, matmul, sim.options.gemmTimes[chosen.number]);
}

void addBlasEntries(gpu::GpuApi &api) {
  PHANTOM_SIM_ENTRY(cublasLtCreate);
  PHANTOM_SIM_ENTRY(cublasLtDestroy);
  PHANTOM_SIM_ENTRY(cublasLtMatmulDescCreate);
  PHANTOM_SIM_ENTRY(cublasLtMatmulDescDestroy);
  PHANTOM_SIM_ENTRY(cublasLtMatmulDescSetAttribute);
  PHANTOM_SIM_ENTRY(cublasLtMatrixLayoutCreate);
  PHANTOM_SIM_ENTRY(cublasLtMatrixLayoutDestroy);
  PHANTOM_SIM_ENTRY(cublasLtMatmulPreferenceCreate);
  PHANTOM_SIM_ENTRY(cublasLtMatmulPreferenceDestroy);
  PHANTOM_SIM_ENTRY(cublasLtMatmulPreferenceSetAttribute);
  PHANTOM_SIM_ENTRY(cublasLtMatmulAlgoGetHeuristic);
  PHANTOM_SIM_ENTRY(cublasLtMatmul);
}

} // namespace phantom::rt::sim
