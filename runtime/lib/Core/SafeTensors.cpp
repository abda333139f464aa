//===- SafeTensors.cpp - Reading and writing .safetensors files -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/SafeTensors.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>
#include <cstring>
#include <set>

using namespace llvm;

namespace phantom::rt {

/// The format's own limit on headers.
static constexpr uint64_t maximumHeader = 100'000'000;

static std::optional<StorageType> parseType(StringRef name) {
  return StringSwitch<std::optional<StorageType>>(name)
      .Case("F16", StorageType::F16)
      .Case("BF16", StorageType::BF16)
      .Case("F32", StorageType::F32)
      .Case("F64", StorageType::F64)
      .Case("I8", StorageType::I8)
      .Case("I16", StorageType::I16)
      .Case("I32", StorageType::I32)
      .Case("I64", StorageType::I64)
      .Case("U8", StorageType::U8)
      .Case("U16", StorageType::U16)
      .Case("U32", StorageType::U32)
      .Case("U64", StorageType::U64)
      .Case("BOOL", StorageType::Bool)
      .Default(std::nullopt);
}

/// Reads one header entry; the data section is `bytes` long and starts at `data`.
static Expected<FileTensor> parseEntry(const Twine &where, const json::Value &value, const std::byte *data,
                                       int64_t bytes) {
  const json::Object *object = value.getAsObject();
  if (!object)
    return makeError(where + " is not a JSON object");
  std::optional<StringRef> typeText = object->getString("dtype");
  std::optional<StorageType> type = typeText ? parseType(*typeText) : std::nullopt;
  if (!type)
    return makeError(where + " has " +
                     (typeText ? "the unsupported dtype '" + *typeText + "'" : Twine("no dtype")) +
                     "; F16, BF16, F32, F64, I8, I16, I32, I64, U8 and BOOL are read");

  FileTensor tensor;
  tensor.element = *type;
  const json::Array *shape = object->getArray("shape");
  if (!shape)
    return makeError(where + " has no shape");
  for (const json::Value &size : *shape) {
    std::optional<int64_t> number = size.getAsInteger();
    if (!number || *number < 0)
      return makeError(where + " has a bad dimension in its shape");
    tensor.shape.push_back(*number);
  }
  std::optional<int64_t> elements = checkedElements(tensor.shape, byteWidth(*type));
  if (!elements)
    return makeError(where + " has a shape too large to address");

  const json::Array *offsets = object->getArray("data_offsets");
  if (!offsets || offsets->size() != 2)
    return makeError(where + " has no data_offsets [begin, end]");
  std::optional<int64_t> begin = (*offsets)[0].getAsInteger(), end = (*offsets)[1].getAsInteger();
  if (!begin || !end || *begin < 0 || *end < *begin || *end > bytes)
    return makeError(where + " has data_offsets outside the file's " + Twine(bytes) + " bytes of data");
  if (*end - *begin != *elements * byteWidth(*type))
    return makeError(where + ": shape " + shapeText(tensor.shape) + " of " + typeName(*type) + " needs " +
                     Twine(*elements * byteWidth(*type)) + " bytes, but data_offsets give " +
                     Twine(*end - *begin));
  tensor.bytes = data + *begin;
  return tensor;
}

Expected<SafeTensorsFile> SafeTensorsFile::open(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("cannot read '" + path + "': " + buffer.getError().message());
  std::shared_ptr<MemoryBuffer> owner = std::move(*buffer);
  StringRef content = owner->getBuffer();

  auto malformed = [&](const Twine &why) {
    return makeError("'" + path + "' is not a valid safetensors file: " + why);
  };
  uint64_t headerSize = 0;
  if (content.size() < sizeof(headerSize))
    return malformed("it has " + Twine(content.size()) + " bytes, fewer than the header length needs");
  std::memcpy(&headerSize, content.data(), sizeof(headerSize));
  if (headerSize > maximumHeader || headerSize > content.size() - sizeof(headerSize))
    return malformed("its header length " + Twine(headerSize) + " does not fit the file's " +
                     Twine(content.size()) + " bytes");

  StringRef dataText = content.drop_front(sizeof(headerSize) + headerSize);
  Expected<json::Value> header = parseJson(content.substr(sizeof(headerSize), headerSize));
  if (!header)
    return malformed("bad JSON header: " + toString(header.takeError()));
  const json::Object *object = header->getAsObject();
  if (!object)
    return malformed("its header is not a JSON object");

  SafeTensorsFile file;
  file.file = path.str();
  for (const auto &entry : *object) {
    StringRef name = entry.first;
    if (name == "__metadata__")
      continue;
    Expected<FileTensor> tensor = parseEntry("'" + path + "': tensor '" + name + "'", entry.second,
                                             reinterpret_cast<const std::byte *>(dataText.data()),
                                             static_cast<int64_t>(dataText.size()));
    if (!tensor)
      return tensor.takeError();
    tensor->owner = owner;
    file.entries.emplace(name.str(), std::move(*tensor));
  }
  return file;
}

Expected<FileTensor> SafeTensorsFile::tensor(StringRef name) const {
  if (auto found = entries.find(name.str()); found != entries.end())
    return found->second;
  std::string known;
  int listed = 0;
  for (const auto &entry : entries) {
    if (++listed > 8) {
      known += ", ...";
      break;
    }
    known += (known.empty() ? "" : ", ") + entry.first;
  }
  return makeError("'" + file + "' has no tensor '" + name + "' (it has: " + known + ")");
}

static StringRef headerType(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "F32";
  case ElementType::F64:
    return "F64";
  case ElementType::I8:
    return "I8";
  case ElementType::I16:
    return "I16";
  case ElementType::I32:
    return "I32";
  case ElementType::I64:
    return "I64";
  case ElementType::U8:
    return "U8";
  case ElementType::U16:
    return "U16";
  case ElementType::U32:
    return "U32";
  case ElementType::U64:
    return "U64";
  case ElementType::Bool:
    return "BOOL";
  case ElementType::BF16:
    return "BF16";
  }
  llvm_unreachable("unknown element type");
}

Error writeSafeTensors(StringRef path, ArrayRef<NamedTensor> tensors,
                       const std::map<std::string, std::string> &metadata) {
  std::set<StringRef> names;
  for (const NamedTensor &tensor : tensors)
    if (!names.insert(tensor.name).second)
      return makeError("cannot write '" + path + "': two tensors are named '" + tensor.name + "'");

  std::string header;
  raw_string_ostream stream(header);
  json::OStream json(stream);
  json.object([&] {
    if (!metadata.empty())
      json.attributeObject("__metadata__", [&] {
        for (const auto &[key, value] : metadata)
          json.attribute(key, value);
      });
    int64_t offset = 0;
    for (const NamedTensor &tensor : tensors) {
      json.attributeObject(tensor.name, [&] {
        json.attribute("dtype", headerType(tensor.type.element));
        json.attributeArray("shape", [&] {
          for (int64_t size : tensor.type.shape)
            json.value(size);
        });
        json.attributeArray("data_offsets", [&] {
          json.value(offset);
          json.value(offset + tensor.type.bytes());
        });
      });
      offset += tensor.type.bytes();
    }
  });
  header.append((8 - header.size() % 8) % 8, ' '); // readers may map the data as 8-byte elements

  return tryWriteFileAtomically(path, [&](raw_ostream &out) -> Error {
    uint64_t headerSize = header.size();
    out.write(reinterpret_cast<const char *>(&headerSize), sizeof(headerSize));
    out << header;
    for (const NamedTensor &tensor : tensors) {
      if (!tensor.write)
        out.write(static_cast<const char *>(tensor.data), tensor.type.bytes());
      else if (Error error = tensor.write(out))
        return error;
    }
    return Error::success();
  });
}

} // namespace phantom::rt
