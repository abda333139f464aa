//===- HostTensor.h - Tensors in host memory and in files ------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_HOSTTENSOR_H
#define PHANTOM_RT_HOSTTENSOR_H

#include "phantom-rt/Program.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstddef>
#include <memory>
#include <optional>

namespace phantom::rt {

/// Element types that files may hold; a superset of ElementType.
enum class StorageType : uint8_t { F16, BF16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool };

int64_t byteWidth(StorageType type);
StorageType storageType(ElementType type);
bool isFloat(StorageType type);
bool isFloat(ElementType type);

/// "f32", "i64", ... for messages.
llvm::StringRef typeName(ElementType type);
llvm::StringRef typeName(StorageType type);

/// "2x3" for [2, 3]; "scalar" for [].
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// The number of elements, or nothing if a dimension is negative or the
/// number of bytes would not fit 63 bits.
std::optional<int64_t> checkedElements(llvm::ArrayRef<int64_t> shape, int64_t byteWidth);

/// A dense row-major tensor that owns its bytes.
struct HostTensor {
  TensorType type;
  std::vector<std::byte> bytes;

  HostTensor() = default;
  /// Zeros.
  explicit HostTensor(TensorType tensorType) : type(std::move(tensorType)), bytes(type.bytes()) {}

  template <typename T> T *data() { return reinterpret_cast<T *>(bytes.data()); }
  template <typename T> const T *data() const { return reinterpret_cast<const T *>(bytes.data()); }
};

/// A dense row-major tensor in a mapped file. The bytes need not be aligned.
struct FileTensor {
  StorageType element = StorageType::F32;
  std::vector<int64_t> shape;
  const std::byte *bytes = nullptr;
  std::shared_ptr<const void> owner; ///< keeps the mapping alive

  int64_t elements() const;
};

/// The part as a tensor of its own: of the same bytes where they lie side by side, else of a copy. An error
/// where it is not inside `tensor`.
llvm::Expected<FileTensor> takePart(const FileTensor &tensor, const TensorPart &part);

/// Converts `count` elements to `to`: floats to floats, integers to integers
/// or floats. Returns false, without effect, where that could change a value
/// (floats to integers, 64 bits to fewer, signed to unsigned), and for `to` BF16,
/// which nothing that a file gives a value has.
bool convertElements(StorageType from, const std::byte *source, ElementType to, void *destination,
                     int64_t count);

/// Likewise; with a scale, each value times it: the product is rounded to f32, and `to` is a float type.
bool copyElements(StorageType from, const std::byte *source, std::optional<float> scale, ElementType to,
                  void *destination, int64_t count);

/// The whole tensor as `to`; `what` names it in the error.
llvm::Expected<HostTensor> convert(const FileTensor &tensor, ElementType to, const llvm::Twine &what);

} // namespace phantom::rt

#endif // PHANTOM_RT_HOSTTENSOR_H
