//===- DataFiles.cpp - The files of a data set ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/DataFiles.h"

#include "phantom-rt/Error.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace phantom::rt {

static std::string inputNames(const Function &function) {
  std::string names;
  for (const Argument &argument : function.arguments)
    if (argument.role == Role::Input)
      names += (names.empty() ? "'" : ", '") + argument.name + "'";
  return names.empty() ? "the model has no inputs" : "the model's inputs are " + names;
}

static int64_t countInputs(const Function &function) {
  return count_if(function.arguments, [](const Argument &argument) { return argument.role == Role::Input; });
}

Expected<std::vector<std::optional<size_t>>> matchInputs(ArrayRef<GivenInput> given,
                                                         const Function &function) {
  std::vector<std::optional<size_t>> matched(function.arguments.size());
  std::vector<bool> used(given.size());
  const int64_t modelInputs = countInputs(function);
  for (size_t i = 0; i < function.arguments.size(); ++i) {
    const Argument &argument = function.arguments[i];
    if (argument.role != Role::Input)
      continue;
    auto *found = find_if(given, [&](const GivenInput &input) {
      return input.name == argument.name || (input.name.empty() && modelInputs == 1);
    });
    if (found == given.end())
      return makeError("no data is given for the model's input '" + argument.name + "'");
    matched[i] = size_t(found - given.begin());
    used[*matched[i]] = true;
  }
  for (size_t i = 0; i < used.size(); ++i)
    if (!used[i])
      return makeError(given[i].label + " is not used: " + inputNames(function));
  return matched;
}

/// The files of one name together.
static std::vector<std::pair<GivenInput, std::vector<std::string>>> groupByName(ArrayRef<NamedFile> files) {
  std::vector<std::pair<GivenInput, std::vector<std::string>>> groups;
  for (const NamedFile &file : files) {
    auto group = find_if(groups, [&](const auto &other) { return other.first.name == file.name; });
    if (group == groups.end())
      group = groups.insert(group, {{file.name, "'" + file.path + "'"}, {}});
    group->second.push_back(file.path);
  }
  return groups;
}

static Error matchScales(ArrayRef<InputScale> scales, const Function &function,
                         std::vector<ArgumentFiles> &matched) {
  const int64_t modelInputs = countInputs(function);
  for (const InputScale &scale : scales) {
    auto takes = [&](const Argument &argument) {
      return argument.role == Role::Input &&
             (scale.name == argument.name || (scale.name.empty() && modelInputs == 1));
    };
    auto found = find_if(function.arguments, takes);
    if (found == function.arguments.end())
      return makeError((scale.name.empty() ? "--input-scale needs a name, as in NAME=F: "
                                           : "--input-scale is given for '" + scale.name + "', but ") +
                       inputNames(function));
    std::optional<float> &factor = matched[size_t(found - function.arguments.begin())].scale;
    if (factor)
      return makeError("--input-scale is given twice for the input '" + found->name + "'");
    factor = scale.factor;
  }
  return Error::success();
}

Expected<std::vector<ArgumentFiles>> matchFiles(const DataFiles &files, const Function &function) {
  const auto groups = groupByName(files.inputs);
  std::vector<GivenInput> given;
  for (const auto &[input, paths] : groups)
    given.push_back(input);
  auto matched = matchInputs(given, function);
  if (!matched)
    return matched.takeError();
  std::vector<ArgumentFiles> result(function.arguments.size());
  for (size_t i = 0; i < result.size(); ++i) {
    if ((*matched)[i])
      result[i].paths = groups[*(*matched)[i]].second;
    if (function.arguments[i].role != Role::Target)
      continue;
    if (files.targets.empty())
      return makeError("no targets are given; this needs a .npy file of targets");
    result[i].paths = files.targets;
  }
  if (Error error = matchScales(files.scales, function, result))
    return error;
  return result;
}

Error checkElement(StringRef label, StorageType element, const Argument &argument,
                   std::optional<float> scale) {
  const ElementType needed = argument.type.element;
  const bool target = argument.role == Role::Target;
  const std::string what = target ? "the targets need" : "the input '" + argument.name + "' needs";
  if (scale && !isFloat(needed))
    return makeError("--input-scale is given for the input '" + argument.name + "', which takes " +
                     typeName(needed) + "; it is for inputs of floats");
  if (scale && isFloat(element))
    return makeError(label + " holds " + typeName(element) +
                     ", and --input-scale is for files of integers: leave it out");
  if (element == StorageType::U8 && isFloat(needed) && !target && !scale)
    return makeError(label + " holds u8, but " + what + " " + typeName(needed) +
                     ": say by --input-scale what its values are multiplied with (0.00392156863 makes them 0 "
                     "to 1, and 1 leaves them as they are)");
  // Class numbers are checked one by one, so that those that are there fit.
  const bool classes = target && needed == ElementType::I64 && element == StorageType::U64;
  if (!classes && !convertElements(element, nullptr, needed, nullptr, 0))
    return makeError(label + " holds " + typeName(element) + ", but " + what + " " + typeName(needed) +
                     (target && !isFloat(needed) ? "; save class numbers with an integer dtype" : ""));
  return Error::success();
}

} // namespace phantom::rt
