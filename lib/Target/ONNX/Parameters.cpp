//===- Parameters.cpp - Which constants of a model are parameters -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Parameters.h"

#include "ExternalData.h"
#include "Normalize.h"
#include "ParameterNames.h"

#include "phantom-rt/SafeTensors.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using mlir::emitError;
using mlir::emitRemark;
using mlir::failure;
using mlir::FailureOr;
using mlir::LogicalResult;
using mlir::success;

namespace phantom::onnx {

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

static rt::StorageType storageType(int32_t type) {
  switch (static_cast<DataType>(type)) {
  case DataType::Float16:
    return rt::StorageType::F16;
  case DataType::BFloat16:
    return rt::StorageType::BF16;
  case DataType::Double:
    return rt::StorageType::F64;
  default:
    return rt::StorageType::F32;
  }
}

Expected<std::string> readBytes(const Tensor &tensor, StringRef modelPath, StringRef dataDir) {
  if (!tensor.external)
    return tensor.bytes.str();
  Expected<FileRange> range = resolveExternalData(tensor, modelPath, dataDir);
  if (!range)
    return range.takeError();
  auto slice = MemoryBuffer::getFileSlice(range->file, range->length, range->offset);
  if (!slice)
    return createStringError(slice.getError(), "cannot read " + quoteName(range->file));
  return (*slice)->getBuffer().str();
}

/// Reads a floating-point tensor as f32, a piece at a time: a large one is never in memory as a whole.
static Error readPieces(const Tensor &tensor, StringRef modelPath, StringRef dataDir,
                        function_ref<void(ArrayRef<float>)> visit) {
  FileRange range;
  if (tensor.external)
    if (Error error = resolveExternalData(tensor, modelPath, dataDir).moveInto(range))
      return error;
  constexpr int64_t piece = 1 << 22;
  const int64_t elements = tensor.elements(), width = dataTypeWidth(tensor.type);
  std::vector<float> values;
  for (int64_t first = 0; first < elements; first += piece) {
    values.resize(std::min(piece, elements - first));
    const uint64_t size = values.size() * width;
    StringRef bytes = tensor.bytes.substr(first * width, size);
    std::unique_ptr<MemoryBuffer> buffer;
    if (tensor.external) {
      auto slice = MemoryBuffer::getFileSlice(range.file, size, range.offset + first * width);
      if (!slice)
        return createStringError(slice.getError(), "cannot read " + quoteName(range.file));
      buffer = std::move(*slice);
      bytes = buffer->getBuffer();
    }
    rt::convertElements(storageType(tensor.type), reinterpret_cast<const std::byte *>(bytes.data()),
                        rt::ElementType::F32, values.data(), static_cast<int64_t>(values.size()));
    visit(values);
  }
  return Error::success();
}

Expected<std::vector<float>> readFloats(const Tensor &tensor, StringRef modelPath, StringRef dataDir) {
  std::vector<float> all;
  if (Error error =
          readPieces(tensor, modelPath, dataDir, [&](ArrayRef<float> values) { append_range(all, values); }))
    return error;
  return all;
}

//===----------------------------------------------------------------------===//
// Selection and names
//===----------------------------------------------------------------------===//

namespace {

struct Use {
  const Node *node;
  unsigned input;
};

/// Whether the node does not look at its input: the addend of a Gemm times zero.
bool ignoresInput(const Node &node, size_t input) {
  const Attribute *beta = node.opType == "Gemm" && input == 2 ? node.attribute("beta") : nullptr;
  return beta && beta->kind == Attribute::Kind::Float && beta->f == 0;
}

/// All uses of each initializer by nodes.
StringMap<SmallVector<Use, 1>> collectUses(const Model &model) {
  StringMap<SmallVector<Use, 1>> uses;
  for (const auto &tensor : model.initializers)
    uses[tensor->name];
  for (const Node &node : model.nodes)
    for (auto [i, input] : enumerate(node.inputs))
      if (auto found = uses.find(input); found != uses.end() && !ignoresInput(node, i))
        found->second.push_back({&node, static_cast<unsigned>(i)});
  return uses;
}

/// Whether the use makes its operand the weight or bias of a linear layer, as far as the next nodes tell.
bool isLayerUse(const Use &use, const StringMap<const Node *> &producers) {
  StringRef type = use.node->opType;
  if (type == "Gemm" || type == "MatMul" || type == "FusedMatMul" || type == "BiasGelu")
    return true;
  if (type != "Add" || use.node->inputs.size() != 2)
    return false;
  auto producer = producers.find(use.node->inputs[1 - use.input]);
  return producer != producers.end() && producer->second->opType == "MatMul";
}

/// Whether training changes what the use reads.
bool isTrainableUse(const Use &use, bool literal) {
  bool divisor = use.node->opType == "Div" && use.input == 1;
  return !literal && use.node->opType != "Sub" && !divisor;
}

/// A bias of Gemm may have a leading 1.
ArrayRef<int64_t> dimsOf(const Tensor &tensor, ArrayRef<Use> uses) {
  bool isBias = all_of(uses, [](const Use &use) { return use.node->opType == "Gemm" && use.input == 2; });
  ArrayRef<int64_t> dims = tensor.dims;
  return isBias && dims.size() == 2 && dims[0] == 1 ? dims.drop_front() : dims;
}

/// Constant nodes of at most that many elements stay in the IR.
constexpr int64_t kMostConstantElements = 64;

/// Names that a later pass gives to functions and other symbols.
constexpr StringLiteral kReserved[] = {"forward", "evaluate", "gradients", "train_step", "accumulate",
                                       "update",  "infer",    "mesh",      "kernels"};

} // namespace

static StringMap<const Node *> collectProducers(const Model &model) {
  StringMap<const Node *> producers;
  for (const Node &node : model.nodes)
    for (const std::string &output : node.outputs)
      producers[output] = &node;
  return producers;
}

bool isTrainedUnlessLiteral(const Model &model, const Tensor &initializer) {
  StringMap<const Node *> producers = collectProducers(model);
  SmallVector<Use, 1> uses = collectUses(model)[initializer.name];
  bool layer = any_of(uses, [&](const Use &use) { return isLayerUse(use, producers); });
  bool trained = any_of(uses, [](const Use &use) { return isTrainableUse(use, /*literal=*/false); });
  return trained && !layer && initializer.elements() > kMostConstantElements;
}

//===----------------------------------------------------------------------===//
// Sources
//===----------------------------------------------------------------------===//

static std::string folderOf(StringRef path) { return sys::path::parent_path(path).str(); }

static std::string baseFolder(const Model &model, const ImportOptions &options) {
  if (!options.baseDir.empty())
    return options.baseDir;
  return folderOf(options.weightsFile.empty() ? StringRef(model.path) : StringRef(options.weightsFile));
}

/// Decides where the bytes of a parameter are to be found, and fetches them if that is the weights file.
LogicalResult ParameterSet::locate(Parameter &parameter, const Model &model, const ImportOptions &options,
                                   mlir::Location location) {
  const Tensor &tensor = *parameter.tensor;
  mlir::MLIRContext *context = location.getContext();
  auto failed = [&](const Twine &why) {
    return emitError(location) << "initializer " << quoteName(tensor.name) << ": " << why;
  };
  std::string base = baseFolder(model, options);
  auto isType = [&](DataType type) { return tensor.type == static_cast<int32_t>(type); };
  // The runtime converts f64 as it loads; narrower types it converts only where a tensor says what it holds.
  bool inPlace = isType(DataType::Float) || (isType(DataType::Double) && options.weightsFile.empty());
  mlir::Type element = isType(DataType::Double) ? mlir::Type(mlir::Float64Type::get(context))
                                                : mlir::Type(mlir::Float32Type::get(context));
  auto setRange = [&](StringRef file, uint64_t offset, uint64_t length) {
    parameter.source = mlir::phantom::SourceAttr::get(context, relativePath(file, base), "", offset, length,
                                                      mlir::RankedTensorType::get(parameter.dims, element));
    return success();
  };
  if (inPlace && tensor.external) {
    Expected<FileRange> range = resolveExternalData(tensor, model.path, options.dataDir);
    if (!range)
      return failed(toString(range.takeError()));
    return setRange(range->file, range->offset, range->length);
  }
  if (options.weightsFile.empty()) {
    if (inPlace && tensor.fileOffset)
      return setRange(model.path, *tensor.fileOffset, tensor.bytes.size());
    return failed(
        "its " + dataTypeName(tensor.type) +
        " elements cannot be used in place: import the model with phantom-translate --import-onnx first");
  }
  rt::NamedTensor entry{parameter.symbol, {rt::ElementType::F32, parameter.dims.vec()}, tensor.bytes.begin()};
  if (!isType(DataType::Float) || tensor.external) {
    FileRange range;
    if (tensor.external)
      if (Error error = resolveExternalData(tensor, model.path, options.dataDir).moveInto(range))
        return failed(toString(std::move(error)));
    entry.write = [held = parameter.tensor, path = model.path, dataDir = options.dataDir](raw_ostream &out) {
      return readPieces(*held, path, dataDir, [&](ArrayRef<float> values) {
        out.write(reinterpret_cast<const char *>(values.data()), values.size() * sizeof(float));
      });
    };
  }
  written.push_back(std::move(entry));
  parameter.source = mlir::phantom::SourceAttr::get(context, relativePath(options.weightsFile, base),
                                                    parameter.symbol, 0, 0, parameter.type);
  return success();
}

FailureOr<ParameterSet> ParameterSet::create(const Model &model, const ImportOptions &options,
                                             mlir::MLIRContext &context) {
  StringMap<SmallVector<Use, 1>> uses = collectUses(model);
  StringMap<const Node *> producers = collectProducers(model);

  ParameterSet set;
  UniqueNames taken;
  for (StringRef name : kReserved)
    taken.insert(name);
  size_t conversions = 0;
  int32_t convertedType = 0;
  for (const auto &tensor : model.initializers) {
    ArrayRef<Use> tensorUses = uses[tensor->name];
    auto layerUse = find_if(tensorUses, [&](const Use &use) { return isLayerUse(use, producers); });
    // Elsewhere, what is small is a constant: single numbers, and what the exporter wrote as a constant.
    int64_t constantElements = layerUse != tensorUses.end() ? 0 : tensor->literal ? kMostConstantElements : 1;
    bool constant =
        tensor->dims.empty() || (tensor->elements() > 0 && tensor->elements() <= constantElements);
    if (!isFloatType(tensor->type) || constant || tensorUses.empty())
      continue;
    mlir::Location location = mlir::NameLoc::get(mlir::StringAttr::get(&context, tensor->name));
    if (tensor->elements() == 0)
      return emitError(location) << "initializer " << quoteName(tensor->name) << " has no elements";
    const Use &naming = layerUse == tensorUses.end() ? tensorUses.front() : *layerUse;
    Parameter parameter;
    parameter.tensor = tensor;
    parameter.symbol =
        taken.make(isAnonymous(tensor->name) ? recoverName(*naming.node, naming.input) : tensor->name);
    parameter.trainable = layerUse != tensorUses.end() || any_of(tensorUses, [&](const Use &use) {
                            return isTrainableUse(use, tensor->literal);
                          });
    parameter.dims = dimsOf(*tensor, tensorUses);
    parameter.type = mlir::RankedTensorType::get(parameter.dims, mlir::Float32Type::get(&context));
    if (mlir::failed(set.locate(parameter, model, options, location)))
      return failure();
    if (tensor->type != static_cast<int32_t>(DataType::Float)) {
      ++conversions;
      convertedType = tensor->type;
    }
    set.entries.push_back(std::move(parameter));
  }
  if (conversions)
    emitRemark(modelLocation(model, context))
        << conversions << (conversions == 1 ? " parameter is" : " parameters are") << " converted from "
        << dataTypeName(convertedType) << " to float";
  return set;
}

LogicalResult ParameterSet::write(const ImportOptions &options, mlir::Location location) const {
  if (written.empty())
    return success();
  if (Error error = rt::writeSafeTensors(options.weightsFile, written))
    return emitError(location) << toString(std::move(error));
  return success();
}

} // namespace phantom::onnx
