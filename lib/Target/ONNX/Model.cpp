//===- Model.cpp - ONNX models in memory ------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Model.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <charconv>

using namespace llvm;

namespace phantom::onnx {

std::string dataTypeName(int32_t type) {
  static constexpr const char *names[] = {
      "undefined",      "float",      "uint8",          "int8",       "uint16",    "int16",
      "int32",          "int64",      "string",         "bool",       "float16",   "double",
      "uint32",         "uint64",     "complex64",      "complex128", "bfloat16",  "float8e4m3fn",
      "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",      "int4",      "float4e2m1",
      "float8e8m0",     "uint2",      "int2",           "float6e2m3", "float6e3m2"};
  if (type >= 0 && type < static_cast<int32_t>(std::size(names)))
    return names[type];
  return std::to_string(type);
}

bool isFloatType(int32_t type) {
  return is_contained({DataType::Float, DataType::Double, DataType::Float16, DataType::BFloat16},
                      static_cast<DataType>(type));
}

bool isUnsignedType(int32_t type) {
  return is_contained({DataType::Uint8, DataType::Uint16, DataType::Uint32, DataType::Uint64},
                      static_cast<DataType>(type));
}

int64_t dataTypeWidth(int32_t type) {
  switch (static_cast<DataType>(type)) {
  case DataType::Bool:
  case DataType::Uint8:
  case DataType::Int8:
    return 1;
  case DataType::Float16:
  case DataType::BFloat16:
  case DataType::Uint16:
  case DataType::Int16:
    return 2;
  case DataType::Float:
  case DataType::Int32:
  case DataType::Uint32:
    return 4;
  case DataType::Int64:
  case DataType::Uint64:
  case DataType::Double:
    return 8;
  }
  return 0;
}

int64_t Tensor::elements() const {
  int64_t product = 1;
  for (int64_t extent : dims)
    product *= extent;
  return product;
}

std::shared_ptr<Tensor> aliasOf(std::shared_ptr<const Tensor> original, StringRef name) {
  auto alias = std::make_shared<Tensor>();
  alias->name = name.str();
  alias->type = original->type;
  alias->dims = original->dims;
  alias->bytes = original->bytes;
  alias->fileOffset = original->fileOffset;
  alias->external = original->external;
  alias->literal = original->literal;
  alias->owner = std::move(original);
  return alias;
}

const Attribute *Node::attribute(StringRef attributeName) const {
  auto found = find_if(attributes, [&](const Attribute &a) { return a.name == attributeName; });
  return found == attributes.end() ? nullptr : &*found;
}

std::string Node::label() const {
  std::string type = (domain.empty() ? opType : domain + "." + opType);
  std::string printable = quoteName(type);
  StringRef unquoted = StringRef(printable).drop_front().drop_back();
  return (name.empty() ? "#" + std::to_string(index) : quoteName(name)) + " (" + unquoted.str() + ")";
}

std::string Function::label() const { return quoteName(domain + "." + name); }

UniqueNames valueNames(const Model &model) {
  UniqueNames names;
  for (const auto &tensor : model.initializers)
    names.insert(tensor->name);
  for (const ValueInfo &input : model.inputs)
    names.insert(input.name);
  for (const Node &node : model.nodes)
    for (const std::string &output : node.outputs)
      names.insert(output);
  return names;
}

double shortestDouble(float number) {
  char text[32];
  auto [end, error] = std::to_chars(std::begin(text), std::end(text), number);
  double result = number;
  std::from_chars(text, end, result);
  return result;
}

std::string quoteName(StringRef name) {
  constexpr size_t readable = 120;
  std::string text;
  raw_string_ostream stream(text);
  stream << "'";
  printEscapedString(name.take_front(readable), stream);
  stream << (name.size() > readable ? "…'" : "'");
  return text;
}

} // namespace phantom::onnx
