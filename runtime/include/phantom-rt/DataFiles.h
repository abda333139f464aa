//===- DataFiles.h - The files of a data set --------------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_DATAFILES_H
#define PHANTOM_RT_DATAFILES_H

#include "phantom-rt/HostTensor.h"

#include <string>

namespace phantom::rt {

/// A .npy file of an input or output; `name` may be empty where there is only one.
struct NamedFile {
  std::string name;
  std::string path;
};

/// What the integers in the files of a float input are multiplied with, in f32; `name` as that of a file.
struct InputScale {
  std::string name;
  float factor = 1;
};

struct DataFiles {
  std::vector<NamedFile> inputs;         ///< the rows of an input's files follow one another, in this order
  std::vector<std::string> targets = {}; ///< likewise; empty for inference
  std::vector<InputScale> scales = {};
};

/// Data that somebody gives for an input: the input's name, which may be empty where there is only one, and
/// what messages call the data.
struct GivenInput {
  std::string name;
  std::string label;
};

/// The index of the data for each argument of the function; nothing where an argument takes none. An input
/// without data, or data without an input, is an error.
llvm::Expected<std::vector<std::optional<size_t>>> matchInputs(llvm::ArrayRef<GivenInput> given,
                                                               const Function &function);

/// The files of one argument, and the factor of their integers, if any.
struct ArgumentFiles {
  std::vector<std::string> paths;
  std::optional<float> scale;
};

/// The files of each argument of the function, in order; none where an argument takes none. An input without
/// a file, or a file or a factor without an input, is an error.
llvm::Expected<std::vector<ArgumentFiles>> matchFiles(const DataFiles &files, const Function &function);

/// Checks that an argument can take elements of type `element`, with that factor; `label` names the data.
llvm::Error checkElement(llvm::StringRef label, StorageType element, const Argument &argument,
                         std::optional<float> scale);

} // namespace phantom::rt

#endif // PHANTOM_RT_DATAFILES_H
