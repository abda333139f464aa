//===- BindConstants.cpp - Inputs with a given value ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BindConstants.h"

#include "Normalize.h"

#include "phantom-rt/Npy.h"

#include "llvm/ADT/APFloat.h"
#include "llvm/Support/Endian.h"

using namespace llvm;
using mlir::failure;
using mlir::LogicalResult;
using mlir::success;

namespace phantom::onnx {

/// ONNX's type of what a .npy file holds.
static DataType dataType(rt::StorageType type) {
  switch (type) {
  case rt::StorageType::F16:
    return DataType::Float16;
  case rt::StorageType::BF16:
    return DataType::BFloat16;
  case rt::StorageType::F32:
    return DataType::Float;
  case rt::StorageType::F64:
    return DataType::Double;
  case rt::StorageType::I8:
    return DataType::Int8;
  case rt::StorageType::I16:
    return DataType::Int16;
  case rt::StorageType::I32:
    return DataType::Int32;
  case rt::StorageType::I64:
    return DataType::Int64;
  case rt::StorageType::U8:
    return DataType::Uint8;
  case rt::StorageType::U16:
    return DataType::Uint16;
  case rt::StorageType::U32:
    return DataType::Uint32;
  case rt::StorageType::U64:
    return DataType::Uint64;
  case rt::StorageType::Bool:
    return DataType::Bool;
  }
  llvm_unreachable("unknown storage type");
}

/// The nearest bfloat16 of the float at `bytes`, as bytes.
static std::string roundToBFloat16(const std::byte *bytes) {
  APFloat value(support::endian::read<float, endianness::little>(bytes));
  bool inexact;
  value.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &inexact);
  std::string result(2, 0);
  support::endian::write16le(result.data(), value.bitcastToAPInt().getZExtValue());
  return result;
}

LogicalResult bindConstants(Model &model, const ImportOptions &options, mlir::MLIRContext &context) {
  for (const auto &[name, path] : options.constants) {
    auto refuse = [&] {
      return mlir::emitError(modelLocation(model, context)) << "constant " << quoteName(name) << ": ";
    };
    auto input = find_if(model.inputs, [&](const ValueInfo &info) { return info.name == name; });
    if (input == model.inputs.end())
      return refuse() << "the model has no such input";
    Expected<rt::FileTensor> file = rt::readNpy(path);
    if (!file)
      return refuse() << toString(file.takeError());
    auto type = static_cast<int32_t>(dataType(file->element));
    // .npy files have no bfloat16.
    bool narrows = input->type == static_cast<int32_t>(DataType::BFloat16) &&
                   type == static_cast<int32_t>(DataType::Float);
    if (type != input->type && !narrows)
      return refuse() << "'" << path << "' holds " << dataTypeName(type) << ", the input "
                      << dataTypeName(input->type);
    if (isFloatType(type) && file->elements() != 1)
      return refuse() << "'" << path << "' holds " << file->elements()
                      << " floats; only integers, booleans and single numbers can become constants";
    if (file->elements() > (int64_t(1) << 24))
      return refuse() << "'" << path << "' holds " << file->elements() << " elements, which is too many";
    auto tensor = std::make_shared<Tensor>();
    tensor->name = name;
    tensor->type = input->type;
    tensor->dims = file->shape;
    if (narrows)
      tensor->owned = roundToBFloat16(file->bytes);
    else
      tensor->owned.assign(reinterpret_cast<const char *>(file->bytes),
                           file->elements() * rt::byteWidth(file->element));
    tensor->bytes = tensor->owned;
    tensor->literal = true;
    model.initializers.push_back(std::move(tensor));
    model.inputs.erase(input);
  }
  return success();
}

} // namespace phantom::onnx
