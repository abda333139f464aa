//===- ParameterStore.cpp - The parameters of all ranks -------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/ParameterStore.h"

#include "phantom-rt/Error.h"

using namespace llvm;

namespace phantom::rt {

ParameterStore::ParameterStore(const Program &program) : program(program), memory(program.ranks) {
  for (const Parameter &parameter : program.parameters) {
    offsets.push_back(bytes);
    bytes += alignedSize(parameter.type.bytes());
  }
}

Error ParameterStore::allocate(int64_t rank) {
  Expected<AlignedBuffer> buffer = AlignedBuffer::create(bytes);
  if (!buffer)
    return buffer.takeError();
  memory[rank] = std::move(*buffer);
  return Error::success();
}

std::optional<size_t> ParameterStore::find(StringRef name) const {
  for (size_t i = 0; i < program.parameters.size(); ++i)
    if (program.parameters[i].name == name)
      return i;
  return std::nullopt;
}

HostTensor ParameterStore::get(size_t parameter) const {
  return gatherParts(program.parameters[parameter], program.ranks,
                     [&](int64_t rank) { return address(rank, parameter); });
}

void ParameterStore::set(size_t index, const std::byte *whole) {
  noteChange();
  const Parameter &parameter = program.parameters[index];
  const int64_t width = byteWidth(parameter.type.element);
  for (int64_t rank = 0; rank < program.ranks; ++rank) {
    if (!has(rank))
      continue;
    forEachRun(parameter, program.ranks, rank, [&](int64_t global, int64_t local, int64_t count) {
      if (count > 0)
        std::memcpy(address(rank, index) + local * width, whole + global * width, count * width);
    });
  }
}

std::vector<double> ParameterStore::values(size_t parameter) const {
  const HostTensor whole = get(parameter);
  std::vector<double> values(whole.type.elements());
  convertElements(storageType(whole.type.element), whole.bytes.data(), ElementType::F64, values.data(),
                  whole.type.elements());
  return values;
}

void ParameterStore::set(size_t index, ArrayRef<double> whole) {
  HostTensor rounded(globalType(program.parameters[index], program.ranks));
  convertElements(StorageType::F64, reinterpret_cast<const std::byte *>(whole.data()), rounded.type.element,
                  rounded.bytes.data(), int64_t(whole.size()));
  set(index, rounded.bytes.data());
}

Error ParameterStore::save(StringRef path) const {
  std::vector<HostTensor> wholes;
  std::vector<NamedTensor> tensors;
  wholes.reserve(program.parameters.size());
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    wholes.push_back(get(i));
    tensors.push_back({program.parameters[i].name, wholes.back().type, wholes.back().bytes.data()});
  }
  return writeSafeTensors(path, tensors,
                          {{"strategy", program.strategy}, {"ranks", std::to_string(program.ranks)}});
}

Error ParameterStore::load(StringRef path) {
  Expected<SafeTensorsFile> file = SafeTensorsFile::open(path);
  if (!file)
    return file.takeError();
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const Parameter &parameter = program.parameters[i];
    // Optimizer state starts anew, and what is frozen is the model's.
    if (!parameter.trainable && !file->tensors().count(parameter.name))
      continue;
    Expected<FileTensor> tensor = file->tensor(parameter.name);
    if (!tensor)
      return tensor.takeError();
    TensorType whole = globalType(parameter, program.ranks);
    if (tensor->shape != whole.shape)
      return makeError("'" + path + "': tensor '" + parameter.name + "' has shape " +
                       shapeText(tensor->shape) + ", but the model on " + Twine(program.ranks) +
                       " ranks needs " + shapeText(whole.shape) +
                       "; use the strategy, ranks and ghost width that it was saved with");
    Expected<HostTensor> values =
        convert(*tensor, whole.element, "'" + path + "': tensor '" + parameter.name + "'");
    if (!values)
      return values.takeError();
    set(i, values->bytes.data());
  }
  return Error::success();
}

} // namespace phantom::rt
