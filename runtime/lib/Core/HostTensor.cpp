//===- HostTensor.cpp - Tensors in host memory and in files ---------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/HostTensor.h"

#include "ProgramNames.h"
#include "phantom-rt/Error.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <bit>
#include <cstring>

using namespace llvm;

static_assert(std::endian::native == std::endian::little, "files are read and written little-endian");

namespace phantom::rt {

int64_t byteWidth(StorageType type) {
  switch (type) {
  case StorageType::I8:
  case StorageType::U8:
  case StorageType::Bool:
    return 1;
  case StorageType::F16:
  case StorageType::BF16:
  case StorageType::I16:
  case StorageType::U16:
    return 2;
  case StorageType::F32:
  case StorageType::I32:
  case StorageType::U32:
    return 4;
  case StorageType::F64:
  case StorageType::I64:
  case StorageType::U64:
    return 8;
  }
  llvm_unreachable("unknown storage type");
}

StorageType storageType(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return StorageType::F32;
  case ElementType::F64:
    return StorageType::F64;
  case ElementType::I8:
    return StorageType::I8;
  case ElementType::I16:
    return StorageType::I16;
  case ElementType::I32:
    return StorageType::I32;
  case ElementType::I64:
    return StorageType::I64;
  case ElementType::U8:
    return StorageType::U8;
  case ElementType::U16:
    return StorageType::U16;
  case ElementType::U32:
    return StorageType::U32;
  case ElementType::U64:
    return StorageType::U64;
  case ElementType::Bool:
    return StorageType::Bool;
  case ElementType::BF16:
    return StorageType::BF16;
  }
  llvm_unreachable("unknown element type");
}

bool isFloat(StorageType type) { return type <= StorageType::F64; }
bool isFloat(ElementType type) { return isFloat(storageType(type)); }

StringRef typeName(StorageType type) {
  static const char *const names[] = {"f16", "bf16", "f32", "f64", "i8",  "i16", "i32",
                                      "i64", "u8",   "u16", "u32", "u64", "bool"};
  static_assert(std::size(names) == static_cast<size_t>(StorageType::Bool) + 1);
  return names[static_cast<unsigned>(type)];
}

StringRef typeName(ElementType type) { return nameOf(type); }

std::string shapeText(ArrayRef<int64_t> shape) {
  if (shape.empty())
    return "scalar";
  std::string text;
  for (int64_t size : shape) {
    if (!text.empty())
      text += 'x';
    text += std::to_string(size);
  }
  return text;
}

std::optional<int64_t> checkedElements(ArrayRef<int64_t> shape, int64_t byteWidth) {
  int64_t elements = 1, bytes = 0;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      return std::nullopt;
    empty |= size == 0;
    // A zero dimension must not hide that the others overflow.
    if (size > 0 && __builtin_mul_overflow(elements, size, &elements))
      return std::nullopt;
  }
  if (__builtin_mul_overflow(elements, byteWidth, &bytes))
    return std::nullopt;
  return empty ? 0 : elements;
}

int64_t FileTensor::elements() const {
  int64_t count = 1;
  for (int64_t size : shape)
    count *= size;
  return count;
}

//===----------------------------------------------------------------------===//
// Conversion
//===----------------------------------------------------------------------===//

namespace {

/// IEEE half precision, as stored.
struct Half {
  uint16_t bits;
  operator float() const {
    uint32_t sign = uint32_t(bits >> 15) << 31, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent == 0) // zero and subnormals: fraction * 2^-24
      return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(float(fraction) * 0x1p-24f));
    uint32_t wide = exponent == 31 ? 255 : exponent + 112;
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
  }
};

/// The upper half of an f32.
struct BrainFloat {
  uint16_t bits;
  operator float() const { return std::bit_cast<float>(uint32_t(bits) << 16); }
};

template <typename From, typename To>
void convertAll(const std::byte *source, To *destination, int64_t count) {
  if constexpr (std::is_same_v<From, To>) {
    if (count > 0)
      std::memcpy(destination, source, count * sizeof(To));
  } else {
    for (int64_t i = 0; i < count; ++i) {
      From value; // files do not promise alignment
      std::memcpy(&value, source + i * sizeof(From), sizeof(From));
      destination[i] = static_cast<To>(value);
    }
  }
}

bool isUnsigned(StorageType type) { return type >= StorageType::U8; }

/// Whether every value of `from` is one of the integer type `to`.
bool holdsAll(StorageType from, StorageType to) {
  if (from == to || (from == StorageType::Bool && !isFloat(to)))
    return true;
  if (isFloat(from) || to == StorageType::Bool || (isUnsigned(to) && !isUnsigned(from)))
    return false;
  bool widens = isUnsigned(from) && !isUnsigned(to);
  return widens ? byteWidth(from) < byteWidth(to) : byteWidth(from) <= byteWidth(to);
}

template <typename To>
bool convertTo(StorageType from, const std::byte *source, To *destination, int64_t count) {
  switch (from) {
  case StorageType::F16:
    convertAll<Half>(source, destination, count);
    return true;
  case StorageType::BF16:
    convertAll<BrainFloat>(source, destination, count);
    return true;
  case StorageType::F32:
    convertAll<float>(source, destination, count);
    return true;
  case StorageType::F64:
    convertAll<double>(source, destination, count);
    return true;
  case StorageType::I8:
    convertAll<int8_t>(source, destination, count);
    return true;
  case StorageType::I16:
    convertAll<int16_t>(source, destination, count);
    return true;
  case StorageType::I32:
    convertAll<int32_t>(source, destination, count);
    return true;
  case StorageType::I64:
    convertAll<int64_t>(source, destination, count);
    return true;
  case StorageType::U8:
  case StorageType::Bool:
    convertAll<uint8_t>(source, destination, count);
    return true;
  case StorageType::U16:
    convertAll<uint16_t>(source, destination, count);
    return true;
  case StorageType::U32:
    convertAll<uint32_t>(source, destination, count);
    return true;
  case StorageType::U64:
    convertAll<uint64_t>(source, destination, count);
    return true;
  }
  llvm_unreachable("unknown storage type");
}

} // namespace

bool convertElements(StorageType from, const std::byte *source, ElementType to, void *destination,
                     int64_t count) {
  if (!isFloat(to) && !holdsAll(from, storageType(to)))
    return false;
  switch (to) {
  case ElementType::F32:
    return convertTo(from, source, static_cast<float *>(destination), count);
  case ElementType::F64:
    return convertTo(from, source, static_cast<double *>(destination), count);
  case ElementType::I8:
    return convertTo(from, source, static_cast<int8_t *>(destination), count);
  case ElementType::I16:
    return convertTo(from, source, static_cast<int16_t *>(destination), count);
  case ElementType::I32:
    return convertTo(from, source, static_cast<int32_t *>(destination), count);
  case ElementType::I64:
    return convertTo(from, source, static_cast<int64_t *>(destination), count);
  case ElementType::U8:
  case ElementType::Bool:
    return convertTo(from, source, static_cast<uint8_t *>(destination), count);
  case ElementType::U16:
    return convertTo(from, source, static_cast<uint16_t *>(destination), count);
  case ElementType::U32:
    return convertTo(from, source, static_cast<uint32_t *>(destination), count);
  case ElementType::U64:
    return convertTo(from, source, static_cast<uint64_t *>(destination), count);
  case ElementType::BF16:
    return false;
  }
  llvm_unreachable("unknown element type");
}

bool copyElements(StorageType from, const std::byte *source, std::optional<float> scale, ElementType to,
                  void *destination, int64_t count) {
  if (!scale)
    return convertElements(from, source, to, destination, count);
  if (!isFloat(to))
    return false;
  // In blocks, so that the products stay in a cache where `to` is another type.
  constexpr int64_t blockSize = 256;
  float block[blockSize];
  for (int64_t first = 0; first < count; first += blockSize) {
    const int64_t size = std::min(blockSize, count - first);
    convertTo(from, source + first * byteWidth(from), block, size);
    for (int64_t i = 0; i < size; ++i)
      block[i] *= *scale;
    convertElements(StorageType::F32, reinterpret_cast<const std::byte *>(block), to,
                    static_cast<std::byte *>(destination) + first * byteWidth(to), size);
  }
  return true;
}

Expected<FileTensor> takePart(const FileTensor &tensor, const TensorPart &part) {
  const auto rank = static_cast<int64_t>(tensor.shape.size());
  if (part.dim < 0 || part.dim >= rank || part.from < 0 || part.count < 0 ||
      part.from > tensor.shape[part.dim] - part.count)
    return makeError("a tensor of shape " + shapeText(tensor.shape) + " has no " + Twine(part.count) +
                     " slices from " + Twine(part.from) + " on along dimension " + Twine(part.dim));
  FileTensor result = tensor;
  result.shape[part.dim] = part.count;
  int64_t outer = 1, inner = byteWidth(tensor.element);
  for (int64_t d = 0; d < rank; ++d)
    (d < part.dim ? outer : inner) *= d == part.dim ? 1 : tensor.shape[d];
  const int64_t stride = tensor.shape[part.dim] * inner, bytes = part.count * inner;
  if (outer == 1) {
    result.bytes = tensor.bytes + part.from * inner;
    return result;
  }
  auto copy = std::make_shared<std::vector<std::byte>>(outer * bytes);
  for (int64_t i = 0; i < outer && bytes > 0; ++i)
    std::memcpy(copy->data() + i * bytes, tensor.bytes + i * stride + part.from * inner, bytes);
  result.bytes = copy->data();
  result.owner = std::move(copy);
  return result;
}

Expected<HostTensor> convert(const FileTensor &tensor, ElementType to, const Twine &what) {
  HostTensor result(TensorType{to, tensor.shape});
  if (!convertElements(tensor.element, tensor.bytes, to, result.bytes.data(), tensor.elements()))
    return makeError(what + " holds " + typeName(tensor.element) + ", but " + typeName(to) + " is needed");
  return result;
}

} // namespace phantom::rt
