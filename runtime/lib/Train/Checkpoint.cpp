//===- Checkpoint.cpp - The state of a training run, in files --------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/Checkpoint.h"

#include "../Core/JsonMembers.h"
#include "../Core/Paths.h"
#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/CompiledFolder.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "phantom-rt/ProgramJson.h"
#include "phantom-rt/SafeTensors.h"
#include "phantom-rt/Version.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/xxhash.h"

#include <cstring>

using namespace llvm;

namespace phantom::rt {

namespace {

constexpr StringLiteral manifestName = "manifest.json", folderPrefix = "step-";

/// All of manifest.json.
struct Manifest {
  std::string version, strategy, programHash;
  int64_t ranks = 1, ghostWidth = 0;
  std::map<std::string, std::string> flags;
  TrainState state;
  std::map<std::string, std::string> files; ///< XXH3 by name
};

std::string rankFile(int64_t rank) { return "rank-" + std::to_string(rank) + ".safetensors"; }

std::string hashOf(StringRef bytes) { return utohexstr(xxh3_64bits(bytes), /*LowerCase=*/true); }

/// The steps of the checkpoints that are there, rising.
Expected<std::vector<int64_t>> stepsIn(StringRef folder) {
  std::vector<int64_t> steps;
  std::error_code code;
  for (sys::fs::directory_iterator at(folder, code), end; at != end && !code; at.increment(code)) {
    StringRef name = sys::path::filename(at->path());
    int64_t step = 0;
    if (name.consume_front(folderPrefix) && !name.getAsInteger(10, step))
      steps.push_back(step);
  }
  if (code && code != std::errc::no_such_file_or_directory)
    return makeError("cannot read the folder '" + folder + "': " + code.message());
  llvm::sort(steps);
  return steps;
}

std::string folderOf(StringRef folder, int64_t step) {
  std::string name;
  raw_string_ostream(name) << folderPrefix << format("%09lld", (long long)step);
  return fileIn(folder, name);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

/// A rank's parts as files show them; what all ranks hold is only in the first file.
std::vector<NamedTensor> partsOf(const Program &program, const ParameterStore &parameters, int64_t rank) {
  std::vector<NamedTensor> tensors;
  for (size_t i = 0; i < program.parameters.size(); ++i) {
    const Parameter &parameter = program.parameters[i];
    if (rank == 0 || parameter.layout != Layout::Replicated)
      tensors.push_back(
          {parameter.name, {parameter.type.element, parameter.storedShape}, parameters.address(rank, i)});
  }
  return tensors;
}

void writeManifest(const Manifest &manifest, raw_ostream &out) {
  json::OStream json(out, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("phantom_version", manifest.version);
    json.attributeObject("mesh", [&] { json.attribute("phantom", manifest.ranks); });
    json.attribute("strategy", manifest.strategy);
    json.attribute("ghost_width", manifest.ghostWidth);
    json.attribute("program_hash", manifest.programHash);
    json.attributeObject("flags", [&] {
      for (const auto &[name, value] : manifest.flags)
        json.attribute(name, json::fixUTF8(value));
    });
    const TrainState &state = manifest.state;
    json.attribute("step", state.step);
    json.attribute("rows", state.rows);
    json.attribute("first_loss", state.firstLoss);
    json.attribute("final_loss", state.finalLoss);
    json.attribute("seconds", state.seconds);
    json.attribute("gemm_kernels_hash", state.gemmChoicesHash);
    json.attribute("energy_joules", state.energyJoules);
    json.attribute("model_energy_joules", state.modelEnergyJoules);
    json.attribute("comm_bytes", state.commBytes);
    json.attribute("eval_loss", state.evalLoss);
    json.attribute("evaluations", state.evaluations);
    json.attribute("eval_seconds", state.evalSeconds);
    json.attribute("eval_energy_joules", state.evalEnergyJoules);
    json.attributeObject("xxh3", [&] {
      for (const auto &[name, hash] : manifest.files)
        json.attribute(name, hash);
    });
  });
  out << "\n";
}

Error fill(StringRef folder, const CheckpointOptions &options, const Program &program,
           const ParameterStore &parameters, const TrainState &state) {
  Manifest manifest{version(),          program.strategy, hashOf(program), program.ranks,
                    program.ghostWidth, options.flags,    state,           {}};
  for (int64_t rank = 0; rank < program.ranks; ++rank) {
    const std::string name = rankFile(rank), path = fileIn(folder, name);
    if (Error error =
            writeSafeTensors(path, partsOf(program, parameters, rank),
                             {{"rank", std::to_string(rank)}, {"step", std::to_string(state.step)}}))
      return error;
    auto written = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
    if (!written)
      return makeError("cannot read '" + path + "': " + written.getError().message());
    manifest.files[name] = hashOf((*written)->getBuffer());
  }
  return writeFileAtomically(fileIn(folder, manifestName),
                             [&](raw_ostream &out) { writeManifest(manifest, out); });
}

/// A checkpoint that is going is renamed first, so that half of one is never taken for one.
void removeCheckpoint(StringRef folder) {
  const std::string aside = (folder + ".removed").str();
  if (!sys::fs::rename(folder, aside))
    (void)sys::fs::remove_directories(aside);
}

/// What a process that was killed has left.
void removeRemains(StringRef folder) {
  std::error_code code;
  std::vector<std::string> remains;
  for (sys::fs::directory_iterator at(folder, code), end; at != end && !code; at.increment(code)) {
    StringRef name = sys::path::filename(at->path());
    if (name.starts_with(folderPrefix) && (name.ends_with(".removed") || name.contains(".tmp-")))
      remains.push_back(at->path());
  }
  for (const std::string &path : remains)
    (void)sys::fs::remove_directories(path);
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

struct Mesh {
  int64_t &phantom;
};

bool fromJSON(const json::Value &value, Mesh &out, json::Path path) {
  return Members(value, path).required("phantom", Count<int64_t>{out.phantom}).finish();
}

bool fromJSON(const json::Value &value, Manifest &out, json::Path path) {
  Mesh mesh{out.ranks};
  TrainState &state = out.state;
  return Members(value, path)
      .required("phantom_version", out.version)
      .required("mesh", mesh)
      .required("strategy", out.strategy)
      .required("ghost_width", Count<int64_t>{out.ghostWidth})
      .required("program_hash", out.programHash)
      .required("flags", out.flags)
      .required("step", Count<int64_t>{state.step})
      .required("rows", Count<int64_t>{state.rows})
      .required("first_loss", state.firstLoss)
      .required("final_loss", state.finalLoss)
      .required("seconds", state.seconds)
      .required("gemm_kernels_hash", state.gemmChoicesHash)
      .optional("energy_joules", state.energyJoules)
      .required("model_energy_joules", state.modelEnergyJoules)
      .required("comm_bytes", Count<int64_t>{state.commBytes})
      .optional("eval_loss", state.evalLoss)
      .required("evaluations", Count<int64_t>{state.evaluations})
      .required("eval_seconds", state.evalSeconds)
      .optional("eval_energy_joules", state.evalEnergyJoules)
      .required("xxh3", out.files)
      .finish();
}

Error damaged(StringRef path, const Twine &why) {
  return makeError("the checkpoint '" + path + "' is damaged: " + why +
                   "; remove this folder to go on from the one before it");
}

Expected<Manifest> readManifest(StringRef folder) {
  const std::string path = fileIn(folder, manifestName);
  auto text = MemoryBuffer::getFile(path);
  if (!text)
    return damaged(folder, "cannot read manifest.json: " + text.getError().message());
  Expected<json::Value> value = parseJson((*text)->getBuffer());
  if (!value)
    return damaged(folder, "manifest.json: " + toString(value.takeError()));
  Manifest manifest;
  json::Path::Root root("manifest");
  if (!fromJSON(*value, manifest, root))
    return damaged(folder, toString(root.getError()));
  return manifest;
}

/// Says what is different in a checkpoint that this run cannot go on from.
Error checkSameRun(StringRef folder, const Manifest &manifest, const CheckpointOptions &options,
                   const Program &program) {
  auto other = [&](StringRef what, const Twine &there, const Twine &here) {
    return makeError("the checkpoint '" + folder + "' has " + what + " " + there + ", and this run " + here +
                     ": compressors and decompressors belong to one division of the model. To go on with the "
                     "same weights, give the flags of that run and --resume --steps " +
                     Twine(manifest.state.step) +
                     " --save model.onnx, and train model.onnx from then on, in another folder");
  };
  if (manifest.ranks != program.ranks)
    return other("ranks:", Twine(manifest.ranks), Twine(program.ranks));
  if (manifest.strategy != program.strategy)
    return other("the strategy", manifest.strategy, program.strategy);
  if (manifest.ghostWidth != program.ghostWidth)
    return other("ghost width", Twine(manifest.ghostWidth), Twine(program.ghostWidth));
  for (const auto &[name, value] : options.flags) {
    auto there = manifest.flags.find(name);
    StringRef old = there == manifest.flags.end() ? StringRef("not known") : StringRef(there->second);
    if (!isSameFlagValue(old, value))
      return makeError("--" + name + " is " + (value.empty() ? "not given" : value) +
                       ", but the checkpoint '" + folder + "' was made with " + (old.empty() ? "none" : old) +
                       "; give the same flags, or name another folder");
  }
  if (manifest.programHash != hashOf(program))
    return makeError("the checkpoint '" + folder + "' is of another model, or was made by another version (" +
                     manifest.version + ")");
  return Error::success();
}

/// A rank's tensors, by parameter; nothing for those that only the first file has. Checks the file whole.
Expected<std::vector<std::optional<FileTensor>>> readRank(StringRef folder, const Manifest &manifest,
                                                          const Program &program, int64_t rank) {
  const std::string name = rankFile(rank), path = fileIn(folder, name);
  auto bytes = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!bytes)
    return damaged(folder, "cannot read " + name + ": " + bytes.getError().message());
  auto hash = manifest.files.find(name);
  if (hash == manifest.files.end() || hash->second != hashOf((*bytes)->getBuffer()))
    return damaged(folder, name + " does not have the hash that the manifest gives");
  Expected<SafeTensorsFile> file = SafeTensorsFile::open(path);
  if (!file)
    return damaged(folder, toString(file.takeError()));
  std::vector<std::optional<FileTensor>> tensors(program.parameters.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Parameter &parameter = program.parameters[i];
    if (rank != 0 && parameter.layout == Layout::Replicated)
      continue;
    Expected<FileTensor> tensor = file->tensor(parameter.name);
    if (!tensor)
      return damaged(folder, toString(tensor.takeError()));
    if (tensor->shape != parameter.storedShape || tensor->element != storageType(parameter.type.element))
      return damaged(folder, name + ": '" + parameter.name + "' has another shape or type");
    tensors[i] = std::move(*tensor);
  }
  return tensors;
}

} // namespace

Error makeCheckpointFolder(StringRef folder) {
  if (std::error_code code = sys::fs::create_directories(folder))
    return makeError("cannot write '" + folder + "': " + code.message());
  return Error::success();
}

Error writeCheckpoint(const CheckpointOptions &options, const Program &program,
                      const ParameterStore &parameters, const TrainState &state) {
  if (Error error = makeCheckpointFolder(options.folder))
    return error;
  removeRemains(options.folder);
  if (Error error = writeFolderAtomically(folderOf(options.folder, state.step), [&](StringRef folder) {
        return fill(folder, options, program, parameters, state);
      }))
    return error;
  Expected<std::vector<int64_t>> steps = stepsIn(options.folder);
  if (!steps)
    return steps.takeError();
  for (int64_t i = 0; i + options.keep < int64_t(steps->size()); ++i)
    removeCheckpoint(folderOf(options.folder, (*steps)[size_t(i)]));
  return Error::success();
}

Expected<std::optional<TrainState>> readNewestCheckpoint(const CheckpointOptions &options,
                                                         const Program &program, ParameterStore &parameters) {
  Expected<std::vector<int64_t>> steps = stepsIn(options.folder);
  if (!steps)
    return steps.takeError();
  if (steps->empty())
    return std::nullopt;
  const std::string folder = folderOf(options.folder, steps->back());
  Expected<Manifest> manifest = readManifest(folder);
  if (!manifest)
    return manifest.takeError();
  if (Error error = checkSameRun(folder, *manifest, options, program))
    return error;
  // First all files are checked: an error must not leave some ranks with other values.
  std::vector<std::vector<std::optional<FileTensor>>> tensors(program.ranks);
  for (int64_t rank = 0; rank < program.ranks; ++rank)
    if (Error error = readRank(folder, *manifest, program, rank).moveInto(tensors[rank]))
      return error;
  for (int64_t rank = 0; rank < program.ranks; ++rank)
    for (size_t i = 0; parameters.has(rank) && i < program.parameters.size(); ++i) {
      const FileTensor &tensor = tensors[rank][i] ? *tensors[rank][i] : *tensors[0][i];
      std::memcpy(parameters.address(rank, i), tensor.bytes, size_t(program.parameters[i].type.bytes()));
    }
  parameters.noteChange();
  return manifest->state;
}

Error checkNoCheckpoints(StringRef folder) {
  Expected<std::vector<int64_t>> steps = stepsIn(folder);
  if (!steps)
    return steps.takeError();
  if (steps->empty())
    return Error::success();
  return makeError("'" + folder + "' has checkpoints, the newest of step " + Twine(steps->back()) +
                   ": give --resume to go on from it, or name another folder");
}

} // namespace phantom::rt
