//===- Payloads.cpp - Where tensors' bytes are in a model file --*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Payloads.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>

using google::protobuf::io::CodedInputStream;
using WireFormat = google::protobuf::internal::WireFormatLite;

namespace phantom::onnx {

/// Field numbers of onnx.proto.
enum : int {
  kModelGraph = 7,
  kGraphNode = 1,
  kGraphInitializer = 5,
  kNodeAttribute = 5,
  kAttributeTensor = 5,
  kTensorFloats = 4,
  kTensorRaw = 9,
  kTensorDoubles = 10,
};

/// Calls `visit(field)` for each length-delimited field of a message; it returns whether it consumed the
/// field. Stops at the end of the message or at what is no wire format, as the parser does, which reports it.
template <typename Visitor> static void forEachMessageField(CodedInputStream &stream, Visitor visit) {
  while (uint32_t tag = stream.ReadTag()) {
    if (WireFormat::GetTagWireType(tag) != WireFormat::WIRETYPE_LENGTH_DELIMITED) {
      if (!WireFormat::SkipField(&stream, tag))
        return;
      continue;
    }
    uint32_t length = 0;
    if (!stream.ReadVarint32(&length) || length > INT32_MAX)
      return;
    auto limit = stream.PushLimit(static_cast<int>(length));
    int remaining = stream.BytesUntilLimit();
    if (remaining >= 0) {
      visit(WireFormat::GetTagFieldNumber(tag), static_cast<uint64_t>(stream.CurrentPosition()));
      stream.Skip(std::max(stream.BytesUntilLimit(), 0));
    }
    stream.PopLimit(limit);
  }
}

static TensorPayloads tensorPayloads(CodedInputStream &stream) {
  TensorPayloads payloads;
  forEachMessageField(stream, [&](int field, uint64_t offset) {
    Payload range{offset, static_cast<uint64_t>(stream.BytesUntilLimit())};
    if (field == kTensorRaw)
      payloads.raw = range;
    else if (field == kTensorFloats)
      payloads.floats = range;
    else if (field == kTensorDoubles)
      payloads.doubles = range;
  });
  return payloads;
}

static std::vector<TensorPayloads> nodePayloads(CodedInputStream &stream) {
  std::vector<TensorPayloads> attributes;
  forEachMessageField(stream, [&](int field, uint64_t) {
    if (field != kNodeAttribute)
      return;
    TensorPayloads &attribute = attributes.emplace_back();
    forEachMessageField(stream, [&](int inner, uint64_t) {
      if (inner == kAttributeTensor)
        attribute = tensorPayloads(stream);
    });
  });
  return attributes;
}

ModelPayloads findPayloads(llvm::StringRef file) {
  CodedInputStream stream(reinterpret_cast<const uint8_t *>(file.data()), static_cast<int>(file.size()));
  ModelPayloads payloads;
  forEachMessageField(stream, [&](int field, uint64_t) {
    if (field != kModelGraph)
      return;
    forEachMessageField(stream, [&](int inner, uint64_t) {
      if (inner == kGraphNode)
        payloads.nodes.push_back(nodePayloads(stream));
      else if (inner == kGraphInitializer)
        payloads.initializers.push_back(tensorPayloads(stream));
    });
  });
  return payloads;
}

} // namespace phantom::onnx
