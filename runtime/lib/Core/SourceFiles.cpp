//===- SourceFiles.cpp - Files that hold dense tensors ---------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/SourceFiles.h"

#include "phantom-rt/Error.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/xxhash.h"

using namespace llvm;

namespace phantom::rt {

Expected<FileTensor> SourceFiles::open(const Source &source) {
  Expected<FileTensor> whole = openWhole(source);
  return whole && source.part ? takePart(*whole, *source.part) : std::move(whole);
}

Expected<FileTensor> SourceFiles::openWhole(const Source &source) {
  if (!source.tensor.empty()) {
    auto found = files.find(source.file);
    if (found == files.end()) {
      Expected<SafeTensorsFile> file = SafeTensorsFile::open(source.file);
      if (!file)
        return file.takeError();
      found = files.emplace(source.file, std::move(*file)).first;
    }
    Expected<FileTensor> tensor = found->second.tensor(source.tensor);
    if (tensor && tensor->shape != source.type.shape)
      return makeError("tensor '" + source.tensor + "' of '" + source.file + "' has shape " +
                       shapeText(tensor->shape) + ", but the model says " + shapeText(source.type.shape));
    return tensor;
  }

  FileTensor tensor{storageType(source.type.element), source.type.shape, nullptr, nullptr};
  if (source.offset < 0 || source.length != source.type.bytes())
    return makeError("its bytes in '" + source.file + "' are given as " + Twine(source.length) +
                     " at offset " + Twine(source.offset) + ", but " + shapeText(source.type.shape) + " of " +
                     typeName(source.type.element) + " needs " + Twine(source.type.bytes()));
  auto buffer = MemoryBuffer::getFile(source.file, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("cannot read '" + source.file + "': " + buffer.getError().message());
  const auto size = static_cast<int64_t>((*buffer)->getBufferSize());
  if (source.offset > size || source.length > size - source.offset)
    return makeError("'" + source.file + "' ends early: " + Twine(source.length) + " bytes at offset " +
                     Twine(source.offset) + " are needed, but it has " + Twine(size));
  tensor.bytes = reinterpret_cast<const std::byte *>((*buffer)->getBufferStart()) + source.offset;
  tensor.owner = std::shared_ptr<MemoryBuffer>(std::move(*buffer));
  if (source.checksum && *source.checksum != checksum(tensor))
    return makeError("'" + source.file +
                     "' was changed after the program was compiled: " + Twine(source.length) +
                     " bytes at offset " + Twine(source.offset) + " are others; compile the model again");
  return tensor;
}

uint64_t checksum(const FileTensor &tensor) {
  const auto *bytes = reinterpret_cast<const uint8_t *>(tensor.bytes);
  return xxh3_64bits(ArrayRef(bytes, size_t(tensor.elements() * byteWidth(tensor.element))));
}

} // namespace phantom::rt
