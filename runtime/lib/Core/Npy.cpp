//===- Npy.cpp - Reading and writing NumPy's .npy files -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Npy.h"

#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Error.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

namespace {

/// Reads the header, a Python dictionary literal with three known keys:
/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderReader {
public:
  HeaderReader(StringRef path, StringRef text, size_t start) : path(path), text(text), start(start) {}

  Error read(FileTensor &tensor) {
    if (Error error = expect("{"))
      return error;
    while (!accept("}")) {
      Expected<StringRef> key = string();
      if (!key)
        return key.takeError();
      if (Error error = expect(":"))
        return error;
      if (Error error = value(*key, tensor))
        return error;
      if (!accept(",") && !peek("}"))
        return fail("',' or '}' expected");
    }
    if (!hasType || !hasOrder || !hasShape)
      return fail("'descr', 'fortran_order' and 'shape' are needed");
    return Error::success();
  }

private:
  Error fail(const Twine &why) const {
    return makeError("'" + path + "' is not a readable .npy file: byte " + Twine(start + position) + ": " +
                     why);
  }

  void skipSpace() {
    while (position < text.size() && (text[position] == ' ' || text[position] == '\n'))
      ++position;
  }
  bool peek(StringRef token) {
    skipSpace();
    return text.substr(position).starts_with(token);
  }
  bool accept(StringRef token) {
    if (!peek(token))
      return false;
    position += token.size();
    return true;
  }
  Error expect(StringRef token) {
    return accept(token) ? Error::success() : fail("'" + token + "' expected");
  }

  Expected<StringRef> string() {
    skipSpace();
    StringRef rest = text.substr(position);
    size_t end =
        rest.empty() || (rest[0] != '\'' && rest[0] != '"') ? StringRef::npos : rest.find(rest[0], 1);
    if (end == StringRef::npos)
      return fail("a quoted string expected");
    position += end + 1;
    return rest.slice(1, end);
  }

  Error value(StringRef key, FileTensor &tensor) {
    if (key == "descr")
      return type(tensor);
    if (key == "shape")
      return shape(tensor);
    if (key != "fortran_order")
      return fail("unknown key '" + key + "'");
    if (accept("True"))
      return fail("the array is in Fortran order; save it with numpy.ascontiguousarray");
    hasOrder = true;
    return expect("False");
  }

  Error type(FileTensor &tensor) {
    if (peek("["))
      return fail("the array has a structured dtype; save plain numbers");
    Expected<StringRef> name = string();
    if (!name)
      return name.takeError();
    auto type = StringSwitch<std::optional<StorageType>>(*name)
                    .Case("<f2", StorageType::F16)
                    .Case("<f4", StorageType::F32)
                    .Case("<f8", StorageType::F64)
                    .Cases({"|i1", "<i1"}, StorageType::I8)
                    .Case("<i2", StorageType::I16)
                    .Case("<i4", StorageType::I32)
                    .Case("<i8", StorageType::I64)
                    .Cases({"|u1", "<u1"}, StorageType::U8)
                    .Case("<u2", StorageType::U16)
                    .Case("<u4", StorageType::U32)
                    .Case("<u8", StorageType::U64)
                    .Case("|b1", StorageType::Bool)
                    .Default(std::nullopt);
    if (!type)
      return fail("dtype '" + *name +
                  "' is not supported; save it as float32, float64, int32, int64 or uint8" +
                  (name->starts_with(">") ? ", little-endian" : ""));
    tensor.element = *type;
    hasType = true;
    return Error::success();
  }

  Error shape(FileTensor &tensor) {
    if (Error error = expect("("))
      return error;
    while (!accept(")")) {
      skipSpace();
      StringRef rest = text.substr(position);
      int64_t size = 0;
      if (rest.consumeInteger(10, size) || size < 0)
        return fail("a dimension expected");
      position = text.size() - rest.size();
      tensor.shape.push_back(size);
      if (!accept(",") && !peek(")"))
        return fail("',' or ')' expected");
    }
    hasShape = true;
    return Error::success();
  }

  StringRef path, text;
  size_t start, position = 0;
  bool hasType = false, hasOrder = false, hasShape = false;
};

} // namespace

static constexpr StringRef magic("\x93NUMPY", 6);

Expected<FileTensor> readNpy(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("cannot read '" + path + "': " + buffer.getError().message());
  std::shared_ptr<MemoryBuffer> owner = std::move(*buffer);
  StringRef content = owner->getBuffer();

  auto malformed = [&](const Twine &why) {
    return makeError("'" + path + "' is not a readable .npy file: " + why);
  };
  if (!content.starts_with(magic))
    return malformed("byte 0: the .npy signature is missing");
  if (content.size() < 8)
    return malformed("byte 6: it ends before the format version");
  unsigned major = static_cast<unsigned char>(content[6]);
  if (major < 1 || major > 3)
    return malformed("byte 6: format version " + Twine(major) + " is not known");
  size_t lengthBytes = major == 1 ? 2 : 4, start = 8 + lengthBytes;
  uint32_t length = 0;
  if (content.size() >= start)
    std::memcpy(&length, content.data() + 8, lengthBytes);
  if (content.size() < start || content.size() - start < length)
    return malformed("byte 8: it ends before its header");

  FileTensor tensor;
  if (Error error = HeaderReader(path, content.substr(start, length), start).read(tensor))
    return error;
  std::optional<int64_t> elements = checkedElements(tensor.shape, byteWidth(tensor.element));
  if (!elements)
    return malformed("byte " + Twine(start) + ": its shape is too large to address");
  StringRef data = content.drop_front(start + length);
  if (static_cast<int64_t>(data.size()) < *elements * byteWidth(tensor.element))
    return malformed("byte " + Twine(content.size()) + ": it ends early; shape " + shapeText(tensor.shape) +
                     " of " + typeName(tensor.element) + " needs " +
                     Twine(*elements * byteWidth(tensor.element)) + " bytes of data, but there are " +
                     Twine(data.size()));
  tensor.bytes = reinterpret_cast<const std::byte *>(data.data());
  tensor.owner = owner;
  return tensor;
}

static StringRef description(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "<f4";
  case ElementType::F64:
    return "<f8";
  case ElementType::I8:
    return "|i1";
  case ElementType::I16:
    return "<i2";
  case ElementType::I32:
    return "<i4";
  case ElementType::I64:
    return "<i8";
  case ElementType::U8:
    return "|u1";
  case ElementType::U16:
    return "<u2";
  case ElementType::U32:
    return "<u4";
  case ElementType::U64:
    return "<u8";
  case ElementType::Bool:
    return "|b1";
  case ElementType::BF16:
    return "|V2"; // NumPy has no such type
  }
  llvm_unreachable("unknown element type");
}

Error writeNpy(StringRef path, const TensorType &type, const void *data) {
  std::string header =
      ("{'descr': '" + description(type.element) + "', 'fortran_order': False, 'shape': (").str();
  for (int64_t size : type.shape)
    header += std::to_string(size) + ",";
  header += "), }";
  // The data starts at a multiple of 64 bytes; the header ends with a newline.
  constexpr size_t preamble = 10;
  header.append(63 - (preamble + header.size()) % 64, ' ');
  header += '\n';
  return writeFileAtomically(path, [&](raw_ostream &out) {
    out << magic << '\x01' << '\0' << char(header.size() & 255) << char(header.size() >> 8) << header;
    out.write(static_cast<const char *>(data), type.bytes());
  });
}

} // namespace phantom::rt
