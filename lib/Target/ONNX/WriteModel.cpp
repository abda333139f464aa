//===- WriteModel.cpp - Writes a model file through protobuf ------ -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Like ReadModel.cpp compiled with exceptions, for protobuf's sake; they end here.

#include "WriteModel.h"

#include <onnx/onnx_pb.h>

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

using namespace llvm;
using ::onnx::AttributeProto;
using ::onnx::TensorProto;

namespace phantom::onnx {

namespace {

/// Protobuf's view of a raw_ostream, which keeps its own errors.
class OutputStream : public google::protobuf::io::CopyingOutputStream {
public:
  explicit OutputStream(raw_ostream &out) : out(out) {}
  bool Write(const void *buffer, int size) override {
    out.write(static_cast<const char *>(buffer), size);
    return true;
  }

private:
  raw_ostream &out;
};

} // namespace

static void writeExternal(const ExternalData &external, TensorProto &proto) {
  auto add = [&](const char *key, const std::string &value) {
    auto *entry = proto.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  proto.set_data_location(TensorProto::EXTERNAL);
  add("location", external.location);
  add("offset", std::to_string(external.offset));
  if (external.length)
    add("length", std::to_string(*external.length));
}

static Error writeTensor(const Tensor &tensor, const FillTensor &fill, TensorProto &proto) {
  if (!tensor.name.empty())
    proto.set_name(tensor.name);
  proto.set_data_type(tensor.type);
  for (int64_t extent : tensor.dims)
    proto.add_dims(extent);
  if (tensor.external) {
    writeExternal(*tensor.external, proto);
    return Error::success();
  }
  std::string &bytes = *proto.mutable_raw_data();
  if (!tensor.bytes.empty() || tensor.elements() == 0) {
    bytes = tensor.bytes.str();
    return Error::success();
  }
  bytes.reserve(tensor.elements() * dataTypeWidth(tensor.type));
  raw_string_ostream stream(bytes);
  return fill(tensor, stream);
}

static Error writeAttribute(const Attribute &attribute, const FillTensor &fill, AttributeProto &proto) {
  proto.set_name(attribute.name);
  switch (attribute.kind) {
  case Attribute::Kind::Float:
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(static_cast<float>(attribute.f));
    break;
  case Attribute::Kind::Int:
    proto.set_type(AttributeProto::INT);
    proto.set_i(attribute.i);
    break;
  case Attribute::Kind::String:
    proto.set_type(AttributeProto::STRING);
    proto.set_s(attribute.s);
    break;
  case Attribute::Kind::Floats:
    proto.set_type(AttributeProto::FLOATS);
    for (float value : attribute.floats)
      proto.add_floats(value);
    break;
  case Attribute::Kind::Ints:
    proto.set_type(AttributeProto::INTS);
    for (int64_t value : attribute.ints)
      proto.add_ints(value);
    break;
  case Attribute::Kind::Tensor:
    proto.set_type(AttributeProto::TENSOR);
    return writeTensor(*attribute.tensor, fill, *proto.mutable_t());
  case Attribute::Kind::Other:
    llvm_unreachable("attributes of other kinds are not exported");
  }
  return Error::success();
}

static Error writeNode(const Node &node, const FillTensor &fill, ::onnx::NodeProto &proto) {
  for (const std::string &input : node.inputs)
    proto.add_input(input);
  for (const std::string &output : node.outputs)
    proto.add_output(output);
  if (!node.name.empty())
    proto.set_name(node.name);
  proto.set_op_type(node.opType);
  if (!node.domain.empty())
    proto.set_domain(node.domain);
  for (const Attribute &attribute : node.attributes)
    if (Error error = writeAttribute(attribute, fill, *proto.add_attribute()))
      return error;
  return Error::success();
}

static void writeValueInfo(const ValueInfo &info, ::onnx::ValueInfoProto &proto) {
  proto.set_name(info.name);
  auto &type = *proto.mutable_type()->mutable_tensor_type();
  type.set_elem_type(info.type);
  if (!info.shape)
    return;
  auto &shape = *type.mutable_shape();
  for (const Dimension &dimension : *info.shape) {
    auto *dim = shape.add_dim();
    if (dimension.value)
      dim->set_dim_value(*dimension.value);
    else if (!dimension.symbol.empty())
      dim->set_dim_param(dimension.symbol);
  }
}

static Error fillModel(const Model &model, StringRef graphName, const FillTensor &fill,
                       ::onnx::ModelProto &proto) {
  proto.set_ir_version(model.irVersion);
  proto.set_producer_name("phantom");
  for (const auto &[domain, version] : model.opsets) {
    auto *opset = proto.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  ::onnx::GraphProto &graph = *proto.mutable_graph();
  graph.set_name(graphName.str());
  for (const ValueInfo &input : model.inputs)
    writeValueInfo(input, *graph.add_input());
  for (const ValueInfo &output : model.outputs)
    writeValueInfo(output, *graph.add_output());
  for (const Node &node : model.nodes)
    if (Error error = writeNode(node, fill, *graph.add_node()))
      return error;
  for (const auto &tensor : model.initializers)
    if (Error error = writeTensor(*tensor, fill, *graph.add_initializer()))
      return error;
  return Error::success();
}

Error writeModel(const Model &model, StringRef graphName, const FillTensor &fill, raw_ostream &out) {
  try {
    ::onnx::ModelProto proto;
    if (Error error = fillModel(model, graphName, fill, proto))
      return error;
    OutputStream stream(out);
    google::protobuf::io::CopyingOutputStreamAdaptor adaptor(&stream);
    if (!proto.SerializeToZeroCopyStream(&adaptor) || !adaptor.Flush())
      return createStringError(inconvertibleErrorCode(), "the model is too large for protobuf");
    return Error::success();
  } catch (const std::exception &exception) {
    return createStringError(inconvertibleErrorCode(), exception.what());
  }
}

} // namespace phantom::onnx
