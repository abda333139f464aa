//===- Model.h - ONNX models in memory --------------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

// Plain structures without protobuf or MLIR: what the reader makes of a file and the importer takes.
// Everything in them is untrusted except what a comment says has been checked.

#ifndef PHANTOM_LIB_TARGET_ONNX_MODEL_H
#define PHANTOM_LIB_TARGET_ONNX_MODEL_H

#include "UniqueNames.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace phantom::onnx {

/// TensorProto.DataType; other values occur in newer files.
enum class DataType : int32_t {
  Float = 1,
  Uint8 = 2,
  Int8 = 3,
  Uint16 = 4,
  Int16 = 5,
  Int32 = 6,
  Int64 = 7,
  Bool = 9,
  Float16 = 10,
  Double = 11,
  Uint32 = 12,
  Uint64 = 13,
  BFloat16 = 16
};

/// "float", "int64", ...; the number for those without a name here.
std::string dataTypeName(int32_t type);
bool isFloatType(int32_t type);
bool isUnsignedType(int32_t type);
/// Bytes of one element; 0 for types that are not read.
int64_t dataTypeWidth(int32_t type);

/// Bytes of a tensor that is not in the model file.
struct ExternalData {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

struct Tensor {
  std::string name;
  int32_t type = 0;
  /// Not negative; the number of bytes fits 62 bits (checked).
  std::vector<int64_t> dims;
  /// Little-endian elements; of the size that type and dims give (checked). Empty where `external`.
  llvm::StringRef bytes;
  /// Where `bytes` starts in the model file, if it is contiguous there.
  std::optional<uint64_t> fileOffset;
  std::optional<ExternalData> external;
  /// What `bytes` refers to where that is not the model file: `owned`, or that of another tensor.
  std::string owned;
  std::shared_ptr<const Tensor> owner;
  /// It is the value of a Constant node.
  bool literal = false;

  int64_t elements() const;
};

/// The same bytes under another name, without a copy.
std::shared_ptr<Tensor> aliasOf(std::shared_ptr<const Tensor> original, llvm::StringRef name);

struct Attribute {
  enum class Kind { Float, Int, String, Tensor, Floats, Ints, Other };
  std::string name;
  Kind kind = Kind::Other;
  double f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::shared_ptr<Tensor> tensor;
  std::string reference; ///< in a function: the attribute of the call whose value this one takes
};

struct Node {
  size_t index = 0; ///< in the file
  std::string name, opType, domain, overload;
  int64_t opset = 0; ///< version of the domain that the model, or the function around the node, imports
  std::vector<std::string> inputs, outputs; ///< an empty name is an absent one
  std::vector<Attribute> attributes;
  std::string scope; ///< module path from the exporter's metadata; mostly empty

  const Attribute *attribute(llvm::StringRef attributeName) const;
  /// "'/fc1/Gemm' (Gemm)", or "#3 (Gemm)" for a node without a name.
  std::string label() const;
};

struct Dimension {
  std::optional<int64_t> value; ///< absent: a symbol, or nothing is said
  std::string symbol;
};

struct ValueInfo {
  std::string name;
  int32_t type = 0; ///< 0: no tensor
  std::optional<std::vector<Dimension>> shape;
};

/// A function of the model: nodes that stand for one with its domain and name.
struct Function {
  std::string name, domain, overload;
  std::vector<std::string> inputs, outputs, attributes; ///< attributes without a default: names only
  std::vector<Attribute> defaults;
  std::vector<Node> nodes;

  /// "'torch.nn.Linear'", for messages.
  std::string label() const;
};

struct Model {
  std::string path;
  std::unique_ptr<llvm::MemoryBuffer> file;
  int64_t irVersion = 0;
  std::map<std::string, int64_t> opsets; ///< by domain; "ai.onnx" is ""
  std::vector<Node> nodes;
  std::vector<ValueInfo> inputs, outputs;
  std::vector<std::shared_ptr<Tensor>> initializers;
  std::vector<Function> functions;
};

/// The double whose shortest decimal notation is that of `number`: 0.1f gives 0.1. Rounded to float it is the
/// same.
double shortestDouble(float number);

/// The names of all values of the graph.
UniqueNames valueNames(const Model &model);

/// Reads and checks the file; the error names it.
llvm::Expected<Model> readModel(llvm::StringRef path);
/// Likewise, of the bytes of the file `path`.
llvm::Expected<Model> readModel(std::unique_ptr<llvm::MemoryBuffer> file, llvm::StringRef path);

/// `name` in quotes, with what a terminal would not show escaped, and cut to a readable length.
std::string quoteName(llvm::StringRef name);

} // namespace phantom::onnx

#endif // PHANTOM_LIB_TARGET_ONNX_MODEL_H
