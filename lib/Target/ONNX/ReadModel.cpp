//===- ReadModel.cpp - Reads a model file through protobuf ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// With Payloads.cpp the only code that sees protobuf: it is compiled with exceptions, which end here.

#include "Model.h"
#include "Payloads.h"

#include <onnx/onnx_pb.h>

#include "phantom-rt/HostTensor.h"
#include "llvm/Support/FileSystem.h"

#include <climits>

using namespace llvm;
using ::onnx::AttributeProto;
using ::onnx::TensorProto;

namespace phantom::onnx {

static Error makeError(const Twine &message) { return createStringError(inconvertibleErrorCode(), message); }

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

/// Makes `payload` the tensor's bytes: in place where it is at `range` of the file.
static void setBytes(Tensor &tensor, StringRef payload, StringRef file, const std::optional<Payload> &range) {
  if (range && range->length == payload.size() && range->offset <= file.size() &&
      file.substr(range->offset, range->length) == payload) {
    tensor.fileOffset = range->offset;
    tensor.bytes = file.substr(range->offset, range->length);
    return;
  }
  tensor.owned = payload.str();
  tensor.bytes = tensor.owned;
}

template <typename Field> static StringRef fieldBytes(const Field &field) {
  return {reinterpret_cast<const char *>(field.data()), field.size() * sizeof(*field.data())};
}

/// Small types are stored one to an int32.
template <typename Narrow> static void setNarrowed(Tensor &tensor, const TensorProto &proto) {
  for (int32_t value : proto.int32_data()) {
    Narrow narrow = static_cast<Narrow>(value);
    tensor.owned.append(reinterpret_cast<const char *>(&narrow), sizeof(narrow));
  }
  tensor.bytes = tensor.owned;
}

static void setTypedData(Tensor &tensor, const TensorProto &proto, StringRef file,
                         const TensorPayloads &ranges) {
  switch (static_cast<DataType>(tensor.type)) {
  case DataType::Float:
    return setBytes(tensor, fieldBytes(proto.float_data()), file, ranges.floats);
  case DataType::Double:
    return setBytes(tensor, fieldBytes(proto.double_data()), file, ranges.doubles);
  case DataType::Int64:
    return setBytes(tensor, fieldBytes(proto.int64_data()), file, std::nullopt);
  case DataType::Int32:
    return setNarrowed<int32_t>(tensor, proto);
  case DataType::Bool:
  case DataType::Uint8:
  case DataType::Int8:
    return setNarrowed<uint8_t>(tensor, proto);
  case DataType::Float16:
  case DataType::BFloat16:
  case DataType::Uint16:
  case DataType::Int16:
    return setNarrowed<uint16_t>(tensor, proto);
  case DataType::Uint64:
    return setBytes(tensor, fieldBytes(proto.uint64_data()), file, std::nullopt);
  case DataType::Uint32:
    for (uint64_t value : proto.uint64_data()) {
      auto narrow = static_cast<uint32_t>(value);
      tensor.owned.append(reinterpret_cast<const char *>(&narrow), sizeof(narrow));
    }
    tensor.bytes = tensor.owned;
    return;
  }
}

static Error readExternal(Tensor &tensor, const TensorProto &proto) {
  ExternalData &external = tensor.external.emplace();
  for (const auto &entry : proto.external_data()) {
    uint64_t number = 0;
    if (entry.key() == "location") {
      external.location = entry.value();
    } else if (entry.key() == "offset" || entry.key() == "length") {
      if (StringRef(entry.value()).getAsInteger(10, number) || number > INT64_MAX)
        return makeError("external data has the " + entry.key() + " " + quoteName(entry.value()));
      if (entry.key() == "offset")
        external.offset = number;
      else
        external.length = number;
    }
  }
  if (external.location.empty())
    return makeError("external data has no location");
  return Error::success();
}

/// Everything about a tensor that can be checked without other files.
static Error readTensor(Tensor &tensor, const TensorProto &proto, StringRef file,
                        const TensorPayloads &ranges) {
  tensor.name = proto.name();
  tensor.type = proto.data_type();
  tensor.dims.assign(proto.dims().begin(), proto.dims().end());
  int64_t width = dataTypeWidth(tensor.type);
  std::optional<int64_t> elements = rt::checkedElements(tensor.dims, std::max<int64_t>(width, 1));
  if (!elements || *elements > (int64_t(1) << 58))
    return makeError("the shape " + rt::shapeText(tensor.dims) + " is negative or too large");
  if (proto.has_segment())
    return makeError("it is stored in segments, which no version of ONNX defines");
  if (proto.data_location() == TensorProto::EXTERNAL)
    return readExternal(tensor, proto);
  if (width == 0)
    return Error::success();
  if (proto.has_raw_data())
    setBytes(tensor, proto.raw_data(), file, ranges.raw);
  else
    setTypedData(tensor, proto, file, ranges);
  if (static_cast<int64_t>(tensor.bytes.size()) != *elements * width)
    return makeError("it holds " + Twine(tensor.bytes.size()) + " bytes, its shape " +
                     rt::shapeText(tensor.dims) + " of " + dataTypeName(tensor.type) + " takes " +
                     Twine(*elements * width));
  return Error::success();
}

//===----------------------------------------------------------------------===//
// Nodes and values
//===----------------------------------------------------------------------===//

static Attribute::Kind attributeKind(const AttributeProto &proto) {
  switch (proto.type()) {
  case AttributeProto::FLOAT:
    return Attribute::Kind::Float;
  case AttributeProto::INT:
    return Attribute::Kind::Int;
  case AttributeProto::STRING:
    return Attribute::Kind::String;
  case AttributeProto::TENSOR:
    return Attribute::Kind::Tensor;
  case AttributeProto::FLOATS:
    return Attribute::Kind::Floats;
  case AttributeProto::INTS:
    return Attribute::Kind::Ints;
  default:
    return Attribute::Kind::Other;
  }
}

static Expected<Attribute> readAttribute(const AttributeProto &proto, StringRef file,
                                         const TensorPayloads &ranges) {
  Attribute attribute;
  attribute.name = proto.name();
  attribute.kind = attributeKind(proto);
  attribute.f = shortestDouble(proto.f());
  attribute.i = proto.i();
  attribute.s = proto.s();
  attribute.floats.assign(proto.floats().begin(), proto.floats().end());
  attribute.ints.assign(proto.ints().begin(), proto.ints().end());
  attribute.reference = proto.ref_attr_name();
  if (attribute.kind == Attribute::Kind::Tensor) {
    attribute.tensor = std::make_shared<Tensor>();
    if (Error error = readTensor(*attribute.tensor, proto.t(), file, ranges))
      return makeError("attribute " + quoteName(attribute.name) + ": " + toString(std::move(error)));
  }
  return attribute;
}

/// Calls `visit` with the content of each field `number` that this protobuf definition does not know yet.
template <typename Visitor>
static void forEachUnknownField(const google::protobuf::Message &proto, int number, Visitor visit) {
  const auto &unknown = proto.GetReflection()->GetUnknownFields(proto);
  for (int i = 0; i < unknown.field_count(); ++i)
    if (unknown.field(i).number() == number &&
        unknown.field(i).type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED)
      visit(unknown.field(i).length_delimited());
}

/// Newer fields of NodeProto and FunctionProto.
enum : int { kNodeOverload = 8, kNodeMetadata = 9, kFunctionDefaults = 11, kFunctionOverload = 13 };

/// The innermost module of PyTorch's "['', 'network', 'network.0', 'linear']", from the node's metadata. The
/// last entry is the operation.
static std::string readScope(const ::onnx::NodeProto &proto) {
  std::string scope;
  forEachUnknownField(proto, kNodeMetadata, [&](const std::string &bytes) {
    ::onnx::StringStringEntryProto entry;
    if (!entry.ParseFromString(bytes) || entry.key() != "pkg.torch.onnx.name_scopes")
      return;
    SmallVector<StringRef> parts;
    StringRef(entry.value()).trim("[]").split(parts, ',');
    if (parts.size() >= 2)
      scope = parts[parts.size() - 2].trim(" '\"").str();
  });
  return scope;
}

using Opsets = std::map<std::string, int64_t>;

static std::string normalDomain(const std::string &domain) { return domain == "ai.onnx" ? "" : domain; }

template <typename Imports> static Opsets readOpsets(const Imports &imports) {
  Opsets opsets;
  for (const auto &opset : imports)
    opsets[normalDomain(opset.domain())] = opset.version();
  return opsets;
}

static Expected<Node> readNode(const ::onnx::NodeProto &proto, size_t index, const Opsets &opsets,
                               StringRef file, const std::vector<TensorPayloads> *ranges) {
  Node node;
  node.index = index;
  node.name = proto.name();
  node.opType = proto.op_type();
  node.domain = normalDomain(proto.domain());
  if (auto opset = opsets.find(node.domain); opset != opsets.end())
    node.opset = opset->second;
  forEachUnknownField(proto, kNodeOverload, [&](const std::string &text) { node.overload = text; });
  node.inputs.assign(proto.input().begin(), proto.input().end());
  node.outputs.assign(proto.output().begin(), proto.output().end());
  node.scope = readScope(proto);
  for (int a = 0; a < proto.attribute_size(); ++a) {
    bool known = ranges && ranges->size() == static_cast<size_t>(proto.attribute_size());
    Expected<Attribute> attribute =
        readAttribute(proto.attribute(a), file, known ? (*ranges)[a] : TensorPayloads());
    if (!attribute)
      return makeError("node " + node.label() + ": " + toString(attribute.takeError()));
    node.attributes.push_back(std::move(*attribute));
  }
  return node;
}

static ValueInfo readValueInfo(const ::onnx::ValueInfoProto &proto) {
  ValueInfo info;
  info.name = proto.name();
  if (!proto.type().has_tensor_type())
    return info;
  const auto &type = proto.type().tensor_type();
  info.type = type.elem_type();
  if (!type.has_shape())
    return info;
  info.shape.emplace();
  for (const auto &dim : type.shape().dim()) {
    Dimension &dimension = info.shape->emplace_back();
    if (dim.has_dim_value())
      dimension.value = dim.dim_value();
    dimension.symbol = dim.dim_param();
  }
  return info;
}

//===----------------------------------------------------------------------===//
// Model
//===----------------------------------------------------------------------===//

static Error readGraph(Model &model, const ::onnx::GraphProto &graph) {
  StringRef file = model.file->getBuffer();
  ModelPayloads payloads = findPayloads(file);
  bool nodesKnown = payloads.nodes.size() == static_cast<size_t>(graph.node_size());
  bool initializersKnown = payloads.initializers.size() == static_cast<size_t>(graph.initializer_size());

  for (int i = 0; i < graph.node_size(); ++i) {
    Expected<Node> node =
        readNode(graph.node(i), i, model.opsets, file, nodesKnown ? &payloads.nodes[i] : nullptr);
    if (!node)
      return node.takeError();
    model.nodes.push_back(std::move(*node));
  }
  for (int i = 0; i < graph.initializer_size(); ++i) {
    auto tensor = std::make_shared<Tensor>();
    if (Error error = readTensor(*tensor, graph.initializer(i), file,
                                 initializersKnown ? payloads.initializers[i] : TensorPayloads()))
      return makeError("initializer " + quoteName(graph.initializer(i).name()) + ": " +
                       toString(std::move(error)));
    model.initializers.push_back(std::move(tensor));
  }
  if (graph.sparse_initializer_size())
    return makeError("sparse initializers are not supported: store " +
                     quoteName(graph.sparse_initializer(0).values().name()) + " as a dense one");
  for (const auto &input : graph.input())
    model.inputs.push_back(readValueInfo(input));
  for (const auto &output : graph.output())
    model.outputs.push_back(readValueInfo(output));
  return Error::success();
}

static Expected<Function> readFunction(const ::onnx::FunctionProto &proto, StringRef file) {
  Function function;
  function.name = proto.name();
  function.domain = normalDomain(proto.domain());
  forEachUnknownField(proto, kFunctionOverload, [&](const std::string &text) { function.overload = text; });
  function.inputs.assign(proto.input().begin(), proto.input().end());
  function.outputs.assign(proto.output().begin(), proto.output().end());
  function.attributes.assign(proto.attribute().begin(), proto.attribute().end());
  auto failed = [&](Error error) {
    return makeError("function " + function.label() + ": " + toString(std::move(error)));
  };
  Error error = Error::success();
  forEachUnknownField(proto, kFunctionDefaults, [&](const std::string &bytes) {
    AttributeProto attribute;
    if (error || !attribute.ParseFromString(bytes))
      return;
    if (Expected<Attribute> read = readAttribute(attribute, file, {}))
      function.defaults.push_back(std::move(*read));
    else
      error = read.takeError();
  });
  if (error)
    return failed(std::move(error));
  Opsets opsets = readOpsets(proto.opset_import());
  for (int i = 0; i < proto.node_size(); ++i) {
    Expected<Node> node = readNode(proto.node(i), i, opsets, file, nullptr);
    if (!node)
      return failed(node.takeError());
    function.nodes.push_back(std::move(*node));
  }
  return function;
}

static Error parse(Model &model) {
  StringRef file = model.file->getBuffer();
  ::onnx::ModelProto proto;
  if (!proto.ParseFromArray(file.data(), static_cast<int>(file.size())))
    return makeError("it is not an ONNX model, or it is damaged: the protobuf message cannot be parsed");
  if (!proto.has_graph())
    return makeError("it is not an ONNX model: it has no graph");
  model.irVersion = proto.ir_version();
  model.opsets = readOpsets(proto.opset_import());
  // Models older than the field have opset 1.
  if (model.irVersion < 3)
    model.opsets.try_emplace("", 1);
  for (const auto &function : proto.functions()) {
    Expected<Function> read = readFunction(function, file);
    if (!read)
      return read.takeError();
    model.functions.push_back(std::move(*read));
  }
  return readGraph(model, proto.graph());
}

/// What a file that cannot be a model is instead.
static Error probe(StringRef file) {
  if (file.empty())
    return makeError("it is empty");
  if (file.starts_with("version https://git-lfs"))
    return makeError("it is a Git LFS pointer, not the model: run 'git lfs pull'");
  if (file.size() > INT_MAX)
    return makeError(
        "it is larger than 2 GiB, which protobuf cannot read: save the model with external data");
  return Error::success();
}

static Error cannotRead(StringRef path, const Twine &why) {
  return makeError("cannot read the model " + quoteName(path) + ": " + why);
}

Expected<Model> readModel(StringRef path) {
  // Other kinds of files may never end.
  if (sys::fs::exists(path) && !sys::fs::is_regular_file(path))
    return cannotRead(path, "it is not a file");
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return cannotRead(path, buffer.getError().message());
  return readModel(std::move(*buffer), path);
}

Expected<Model> readModel(std::unique_ptr<MemoryBuffer> file, StringRef path) {
  Model model;
  model.path = path.str();
  model.file = std::move(file);
  if (Error error = probe(model.file->getBuffer()))
    return cannotRead(path, toString(std::move(error)));
  try {
    if (Error error = parse(model))
      return cannotRead(path, toString(std::move(error)));
  } catch (const std::exception &exception) {
    return cannotRead(path, exception.what());
  }
  return model;
}

} // namespace phantom::onnx
