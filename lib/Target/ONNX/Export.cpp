//===- Export.cpp - Writes the dense model as an ONNX graph -- -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom/Target/ONNX/Export.h"

#include "ExportWeights.h"
#include "OpExporter.h"
#include "ParameterNames.h"
#include "Parameters.h"
#include "WriteModel.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom/Dialect/Phantom/Transforms/ForwardFunction.h"
#include "phantom/Dialect/Phantom/Transforms/Passes.h"
#include "phantom/Target/ONNX/Import.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace mlir;
using mlir::phantom::ParameterOp;
using mlir::phantom::PhantomDialect;

namespace phantom::onnx {

struct OnnxExport::Plan {
  Model model;
  std::string graphName;
  std::map<const Tensor *, WeightRecipe> recipes;
  size_t phantomLayers = 0;
};

OnnxExport::OnnxExport(std::unique_ptr<Plan> plan) : plan(std::move(plan)) {}
OnnxExport::OnnxExport(OnnxExport &&) = default;
OnnxExport &OnnxExport::operator=(OnnxExport &&) = default;
OnnxExport::~OnnxExport() = default;

size_t OnnxExport::phantomLayers() const { return plan->phantomLayers; }

//===----------------------------------------------------------------------===//
// The graph
//===----------------------------------------------------------------------===//

namespace {

class ModelExporter {
public:
  ModelExporter(Model &model, ModuleOp module, const ExportOptions &options)
      : model(model), module(module), graph(model), plan(graph, options) {}

  LogicalResult run();
  WeightPlan &weights() { return plan; }

private:
  LogicalResult findForward();
  LogicalResult checkTypes();
  LogicalResult declareInputs();
  LogicalResult declareOutputs();
  LogicalResult addParameters();
  LogicalResult addNodes();
  /// The ops whose nodes compute an op's result, too.
  using Roots = llvm::SmallPtrSet<Operation *, 2>;
  bool isOnlyFor(const Roots &roots, Operation *op);
  void findParts();
  void passOutputsOn();
  void keepFrozen();
  void keepSymbols();
  bool followsBatch(Value value);
  ValueInfo valueInfo(StringRef name, Value value, bool isUnsigned);
  bool isUnsignedOutput(unsigned number) {
    return forward.getResultAttr(number, PhantomDialect::kUnsigned) || graph.isUnsigned(outputs()[number]);
  }
  Operation::operand_range outputs() { return forward.front().getTerminator()->getOperands(); }

  Model &model;
  ModuleOp module;
  ExportGraph graph;
  WeightPlan plan;
  func::FuncOp forward;
  /// The initializers of parameters.
  std::vector<std::pair<std::shared_ptr<Tensor>, ParameterOp>> parameters;
  llvm::DenseMap<Operation *, Roots> rootsOf;
  llvm::DenseSet<Operation *> parts;   ///< of what the node of another op computes
  llvm::DenseMap<Value, bool> batched; ///< what is known of followsBatch
};

} // namespace

LogicalResult ModelExporter::findForward() {
  if (!module.getOps<mlir::phantom::MeshOp>().empty())
    return module.emitError()
           << "the module is divided over ranks: export the dense model that it came from, "
              "with the trained parameters as --weights";
  forward = module.lookupSymbol<func::FuncOp>(mlir::phantom::kForward);
  if (!forward || !forward.getBody().hasOneBlock() || !isa<func::ReturnOp>(forward.front().getTerminator()))
    return module.emitError() << "there is no model to export: the module needs a function @"
                              << mlir::phantom::kForward << " of one block";
  return success();
}

static LogicalResult checkType(Location location, Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (tensor && exportedType(tensor.getElementType(), false))
    return success();
  return emitError(location) << "a value of type " << type << " cannot be exported to ONNX";
}

LogicalResult ModelExporter::checkTypes() {
  for (BlockArgument argument : forward.getArguments())
    if (mlir::failed(checkType(argument.getLoc(), argument.getType())))
      return failure();
  for (Operation &op : forward.front())
    for (Value result : op.getResults())
      if (mlir::failed(checkType(op.getLoc(), result.getType())))
        return failure();
  return success();
}

/// Whether the dynamic dimension of the value, if it has one, is the batch: a reshape may merge it with
/// others.
bool ModelExporter::followsBatch(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!op || type.hasStaticShape())
    return true;
  if (auto known = batched.find(value); known != batched.end())
    return known->second;
  auto fixed = [](Value tensor) {
    int64_t elements = 1;
    for (int64_t extent : staticShape(tensor))
      elements *= ShapedType::isDynamic(extent) ? 1 : extent;
    return elements;
  };
  bool follows = llvm::all_of(op->getOperands(), [&](Value operand) { return followsBatch(operand); });
  if (isa<mlir::phantom::ReshapeOp>(op))
    follows = follows && fixed(op->getOperand(0)) == fixed(value);
  return batched[value] = follows;
}

ValueInfo ModelExporter::valueInfo(StringRef name, Value value, bool isUnsigned) {
  auto type = cast<RankedTensorType>(value.getType());
  ValueInfo info;
  info.name = name.str();
  info.type = exportedType(type.getElementType(), isUnsigned);
  info.shape.emplace();
  for (int64_t extent : type.getShape()) {
    Dimension &dimension = info.shape->emplace_back();
    if (!ShapedType::isDynamic(extent))
      dimension.value = extent;
    else if (followsBatch(value))
      dimension.symbol = "batch";
  }
  return info;
}

LogicalResult ModelExporter::declareInputs() {
  for (BlockArgument argument : forward.getArguments()) {
    unsigned number = argument.getArgNumber();
    if (mlir::phantom::getParameter(argument))
      continue;
    auto name = forward.getArgAttrOfType<StringAttr>(number, PhantomDialect::kInput);
    if (!name)
      return forward.emitError() << "argument " << number << " of @" << forward.getName()
                                 << " is neither an input nor a declared parameter";
    if (name.empty() || !graph.takeTensor(name))
      return forward.emitError() << "the input name '" << name.getValue() << "' is empty or used twice";
    graph.bind(argument, name);
    model.inputs.push_back(valueInfo(name, argument, graph.isUnsigned(argument)));
  }
  return success();
}

LogicalResult ModelExporter::declareOutputs() {
  for (auto [number, value] : enumerate(outputs())) {
    auto attribute = forward.getResultAttrOfType<StringAttr>(number, PhantomDialect::kOutput);
    std::string name = attribute ? attribute.str() : "output_" + std::to_string(number);
    bool isThatInput = graph.isBound(value) && graph.tensorOf(value) == name;
    if (name.empty() || (!graph.takeTensor(name) && !isThatInput))
      return forward.emitError() << "the output name '" << name << "' is empty or used twice";
    model.outputs.push_back(valueInfo(name, value, isUnsignedOutput(number)));
    if (value.getDefiningOp() && !graph.isReserved(value))
      graph.reserve(value, name);
  }
  return success();
}

LogicalResult ModelExporter::addParameters() {
  for (BlockArgument argument : forward.getArguments()) {
    ParameterOp declaration = mlir::phantom::getParameter(argument);
    // What nothing uses is not trained, and not imported.
    if (!declaration || argument.use_empty())
      continue;
    std::vector<std::string> names = originalNames(declaration.getLoc());
    bool known = !names.empty() && !names.front().empty();
    std::string name = graph.uniqueTensor(known ? StringRef(names.front()) : declaration.getSymName());
    size_t before = model.initializers.size();
    if (mlir::failed(plan.addParameter(declaration, argument, name)))
      return failure();
    if (model.initializers.size() > before)
      parameters.emplace_back(model.initializers.back(), declaration);
  }
  return success();
}

/// Whether only the nodes of `roots` need the op. Broadcasts are exported where they are used.
bool ModelExporter::isOnlyFor(const Roots &roots, Operation *op) {
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    if (isa<mlir::phantom::BroadcastOp>(user))
      return isOnlyFor(roots, user);
    if (!parts.contains(user))
      return roots.contains(user);
    return llvm::all_of(rootsOf[user], [&](Operation *root) { return roots.contains(root); });
  });
}

/// An op that a node of another op computes, too, is left out if no other node needs its result.
void ModelExporter::findParts() {
  for (Operation &op : reverse(forward.front().without_terminator())) {
    // The users come later in the block: what they are is known.
    const Roots roots = rootsOf.lookup(&op);
    if (!roots.empty() && isOnlyFor(roots, &op))
      parts.insert(&op);
    else if (const OpExport *entry = findExport(op.getName().getStringRef()); entry && entry->parts)
      for (Operation *part : entry->parts(&op))
        rootsOf[part].insert(&op);
  }
}

LogicalResult ModelExporter::addNodes() {
  for (Operation &op : forward.front().without_terminator()) {
    if (parts.contains(&op))
      continue;
    const OpExport *entry = findExport(op.getName().getStringRef());
    if (!entry)
      return op.emitError() << "'" << op.getName() << "' cannot be exported to ONNX";
    OpExporter exporter(graph, plan, &op);
    if (mlir::failed(entry->run(exporter)))
      return failure();
  }
  return success();
}

/// Outputs that are inputs, parameters, constants or other outputs.
void ModelExporter::passOutputsOn() {
  OpExporter exporter(graph, plan, forward.front().getTerminator());
  for (auto [number, value] : enumerate(outputs())) {
    std::string tensor = exporter.tensor(value, isUnsignedOutput(number));
    if (tensor != model.outputs[number].name)
      graph.addNode("Identity", "", {tensor}, {model.outputs[number].name});
  }
}

/// A parameter that is not trained, though the importer would train such an initializer, came from a Constant
/// node.
void ModelExporter::keepFrozen() {
  std::vector<Node> constants;
  for (auto &[tensor, declaration] : parameters) {
    if (declaration.getTrainable() || !isTrainedUnlessLiteral(model, *tensor))
      continue;
    Node &node = constants.emplace_back();
    node.opType = "Constant";
    node.outputs = {tensor->name};
    Attribute &value = node.attributes.emplace_back();
    value.name = "value";
    value.kind = Attribute::Kind::Tensor;
    value.tensor = tensor;
    erase(model.initializers, tensor);
  }
  model.nodes.insert(model.nodes.begin(), std::make_move_iterator(constants.begin()),
                     std::make_move_iterator(constants.end()));
  for (auto [index, node] : enumerate(model.nodes))
    node.index = index;
}

/// A parameter whose name an exporter made up is named after the node that uses it when it is imported. Where
/// that would not give the name it has in the IR, it gets this one.
void ModelExporter::keepSymbols() {
  StringMap<SmallVector<std::pair<Node *, unsigned>>> uses;
  for (Node &node : model.nodes)
    for (auto [i, input] : enumerate(node.inputs))
      uses[input].push_back({&node, static_cast<unsigned>(i)});
  for (auto &[tensor, declaration] : parameters) {
    StringRef symbol = declaration.getSymName();
    auto &users = uses[tensor->name];
    if (!isAnonymous(tensor->name) || users.empty())
      continue;
    auto isProduct = [](auto &use) { return use.first->opType == "Gemm" || use.first->opType == "MatMul"; };
    auto naming = find_if(users, isProduct);
    auto [node, input] = naming == users.end() ? users.front() : *naming;
    if (symbol.starts_with(recoverName(*node, input)))
      continue;
    tensor->name = graph.uniqueTensor(symbol);
    for (auto [user, i] : users)
      user->inputs[i] = tensor->name;
    for (Node &constant : model.nodes)
      if (!constant.attributes.empty() && constant.attributes[0].tensor == tensor)
        constant.outputs = {tensor->name};
  }
}

LogicalResult ModelExporter::run() {
  if (mlir::failed(findForward()) || mlir::failed(checkTypes()))
    return failure();
  auto opset = module->getAttrOfType<IntegerAttr>(kOpsetAttribute);
  model.irVersion = 8;
  model.opsets[""] = std::max(kExportOpset, opset ? opset.getInt() : 0);
  graph.setUnsigned(findUnsigned(forward));
  findParts();
  if (mlir::failed(declareInputs()) || mlir::failed(declareOutputs()) || mlir::failed(addParameters()) ||
      mlir::failed(addNodes()))
    return failure();
  passOutputsOn();
  keepFrozen();
  keepSymbols();
  return success();
}

/// Transposed weights become the weights of their layers, so that all factors are found.
static LogicalResult recognizeLayers(ModuleOp module) {
  PassManager passes(module.getContext());
  passes.addPass(mlir::phantom::createPhantomRecognize());
  passes.addPass(createCanonicalizerPass());
  return passes.run(module);
}

FailureOr<OnnxExport> OnnxExport::create(ModuleOp module, const ExportOptions &options) {
  OwningOpRef<ModuleOp> copy;
  if (options.form == ExportForm::Factored) {
    copy = module.clone();
    if (mlir::failed(recognizeLayers(*copy)))
      return failure();
    module = *copy;
  }
  auto plan = std::make_unique<Plan>();
  auto name = module->getAttrOfType<StringAttr>(PhantomDialect::kModel);
  plan->graphName = name && !name.empty() ? name.str() : "model";
  ModelExporter exporter(plan->model, module, options);
  if (mlir::failed(exporter.run()))
    return failure();
  plan->recipes = std::move(exporter.weights().recipes);
  plan->phantomLayers = exporter.weights().phantomLayers;
  return OnnxExport(std::move(plan));
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

/// Smaller tensors stay in the model.
constexpr uint64_t kLeastExternal = 1024;
/// Page size: such a file can be mapped.
constexpr uint64_t kAlignment = 4096;
constexpr uint64_t kMostEmbedded = 1'000'000'000;

static uint64_t bytesOf(const Tensor &tensor) { return tensor.elements() * dataTypeWidth(tensor.type); }

/// Gives each large initializer its place in the file `location`.
static void placeExternally(const Model &model, StringRef location) {
  uint64_t end = 0;
  for (const auto &tensor : model.initializers) {
    if (bytesOf(*tensor) < kLeastExternal)
      continue;
    uint64_t offset = alignTo(end, kAlignment);
    tensor->external = ExternalData{location.str(), offset, bytesOf(*tensor)};
    end = offset + bytesOf(*tensor);
  }
}

static Error writeExternalFile(const Model &model, StringRef path, const FillTensor &fill) {
  return rt::tryWriteFileAtomically(path, [&](raw_ostream &out) -> Error {
    uint64_t end = 0;
    for (const auto &tensor : model.initializers) {
      if (!tensor->external)
        continue;
      out.write_zeros(tensor->external->offset - end);
      if (Error error = fill(*tensor, out))
        return error;
      end = tensor->external->offset + bytesOf(*tensor);
    }
    return Error::success();
  });
}

Error OnnxExport::write(StringRef path, const TrainedTensors *trained, bool external) const {
  const Model &model = plan->model;
  WeightReader reader;
  reader.trained = trained;
  FillTensor fill = [&](const Tensor &tensor, raw_ostream &bytes) -> Error {
    if (Error error = plan->recipes.at(&tensor)(reader, bytes))
      return createStringError(inconvertibleErrorCode(), "cannot export the weight " +
                                                             quoteName(tensor.name) + ": " +
                                                             toString(std::move(error)));
    return Error::success();
  };
  uint64_t total = 0;
  for (const auto &tensor : model.initializers) {
    tensor->external.reset();
    total += bytesOf(*tensor);
  }
  if (external || total > kMostEmbedded) {
    std::string dataPath = (path + ".data").str();
    placeExternally(model, sys::path::filename(dataPath));
    if (Error error = writeExternalFile(model, dataPath, fill))
      return error;
  }
  return rt::tryWriteFileAtomically(
      path, [&](raw_ostream &out) { return writeModel(model, plan->graphName, fill, out); });
}

} // namespace phantom::onnx
