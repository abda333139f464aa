//===- CompiledFolder.cpp - Programs that were compiled earlier -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/CompiledFolder.h"

#include "JsonMembers.h"
#include "Paths.h"
#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Json.h"
#include "phantom-rt/ProgramJson.h"
#include "phantom-rt/SourceFiles.h"
#include "phantom-rt/VerifyProgram.h"
#include "phantom-rt/Version.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SHA256.h"

using namespace llvm;

namespace phantom::rt {

static constexpr StringLiteral planName = "plan.json", programName = "program.json",
                               kernelsName = "kernels.o", modelName = "model.mlir";

static std::string sha256(StringRef bytes) {
  std::array<uint8_t, 32> hash = SHA256::hash(arrayRefFromStringRef(bytes));
  return toHex(hash, /*LowerCase=*/true);
}

bool isSameFlagValue(StringRef a, StringRef b) {
  double first = 0, second = 0;
  return a == b || (!a.getAsDouble(first) && !b.getAsDouble(second) && first == second);
}

//===----------------------------------------------------------------------===//
// Writing
//===----------------------------------------------------------------------===//

Error checkMayReplace(StringRef folder) {
  if (!sys::fs::exists(folder))
    return Error::success();
  std::error_code code;
  const bool replaceable =
      sys::fs::is_directory(folder) &&
      (sys::fs::exists(fileIn(folder, planName)) ||
       (sys::fs::directory_iterator(folder, code) == sys::fs::directory_iterator() && !code));
  if (replaceable)
    return Error::success();
  return makeError("'" + folder + "' is there already, and is no compiled program: name another folder");
}

/// Makes the sources of the program's parameters independent of the current folder, and fixes their bytes.
static Error fixSources(Program &program) {
  SourceFiles files;
  std::map<std::pair<std::string, int64_t>, uint64_t> checksums;
  for (Parameter &parameter : program.parameters) {
    if (!parameter.init.source)
      continue;
    Source &source = *parameter.init.source;
    SmallString<128> path(source.file);
    if (std::error_code code = sys::fs::make_absolute(path))
      return makeError("cannot find '" + source.file + "': " + code.message());
    sys::path::remove_dots(path);
    source.file = path.str().str();
    if (!json::isUTF8(source.file))
      return makeError("the path '" + json::fixUTF8(source.file) +
                       "' is not UTF-8, so the program cannot name it: rename the file or its folder");
    if (!source.tensor.empty())
      continue; // found by name, whatever its values are
    auto [known, inserted] = checksums.try_emplace({source.file, source.offset});
    if (inserted) {
      Source whole = source;
      whole.part.reset();
      Expected<FileTensor> tensor = files.open(whole);
      if (!tensor)
        return makeError("parameter '" + parameter.name + "': " + toString(tensor.takeError()));
      known->second = checksum(*tensor);
    }
    source.checksum = known->second;
  }
  return Error::success();
}

static void writePlan(const Plan &plan, const TargetCpu &target, StringRef programText, StringRef object,
                      raw_ostream &out) {
  json::OStream json(out, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("phantom_version", version());
    json.attribute("model", json::fixUTF8(plan.model));
    json.attributeObject("options", [&] {
      for (const auto &[name, value] : plan.options)
        json.attribute(name, json::fixUTF8(value));
    });
    json.attributeObject("gemm_kernels", [&] {
      if (plan.gemms.forced)
        json.attribute("forced", nameOf(*plan.gemms.forced));
      json.attributeObject("measured", [&] {
        for (const auto &[shape, kernel] : plan.gemms.measured)
          json.attribute(textOf(shape), nameOf(kernel));
      });
    });
    json.attributeObject("target", [&] {
      json.attribute("triple", target.triple);
      json.attribute("cpu", target.name);
      json.attributeArray("features", [&] {
        for (const std::string &feature : target.features)
          json.value(feature);
      });
    });
    json.attributeObject("sha256", [&] {
      json.attribute(programName, sha256(programText));
      json.attribute(kernelsName, sha256(object));
      json.attribute(modelName, sha256(plan.modelText));
    });
  });
  out << "\n";
}

Error writeCompiledFolder(StringRef folder, const CompiledProgram &compiled, const Plan &plan) {
  if (Error error = checkMayReplace(folder))
    return error;
  Program program = compiled.executable.program;
  if (Error error = fixSources(program))
    return error;
  std::string programText;
  raw_string_ostream stream(programText);
  writeProgramJson(program, stream);
  StringRef object = compiled.object->getBuffer();
  return writeFolderAtomically(folder, [&](StringRef temporary) -> Error {
    if (Error error = writeFileAtomically(fileIn(temporary, programName),
                                          [&](raw_ostream &out) { out << programText; }))
      return error;
    if (Error error =
            writeFileAtomically(fileIn(temporary, kernelsName), [&](raw_ostream &out) { out << object; }))
      return error;
    if (Error error = writeFileAtomically(fileIn(temporary, modelName),
                                          [&](raw_ostream &out) { out << plan.modelText; }))
      return error;
    return writeFileAtomically(fileIn(temporary, planName), [&](raw_ostream &out) {
      writePlan(plan, compiled.target, programText, object, out);
    });
  });
}

//===----------------------------------------------------------------------===//
// Reading
//===----------------------------------------------------------------------===//

static bool fromJSON(const json::Value &value, TargetCpu &out, json::Path path) {
  return Members(value, path)
      .required("triple", out.triple)
      .required("cpu", out.name)
      .required("features", out.features)
      .finish();
}

static bool fromJSON(const json::Value &value, GemmKernel &out, json::Path path) {
  std::optional<StringRef> name = value.getAsString();
  std::optional<GemmKernel> kernel = name ? parseGemmKernel(*name) : std::nullopt;
  if (!kernel)
    path.report("expected the name of a GEMM kernel");
  out = kernel.value_or(GemmKernel::OneDnn);
  return kernel.has_value();
}

static bool fromJSON(const json::Value &value, GemmChoices &out, json::Path path) {
  std::map<std::string, GemmKernel> measured;
  if (!Members(value, path).optional("forced", out.forced).required("measured", measured).finish())
    return false;
  for (const auto &[text, kernel] : measured) {
    std::optional<GemmShape> shape = parseGemmShape(text);
    if (!shape) {
      path.field("measured").field(text).report("is no GEMM shape such as '64x512x512 nt'");
      return false;
    }
    out.measured[*shape] = kernel;
  }
  return true;
}

namespace {

struct Hashes {
  std::string program, kernels, model;
};

/// All of plan.json.
struct PlanFile {
  std::string version;
  Plan plan;
  TargetCpu target;
  Hashes hashes;
};

bool fromJSON(const json::Value &value, Hashes &out, json::Path path) {
  return Members(value, path)
      .required(programName, out.program)
      .required(kernelsName, out.kernels)
      .required(modelName, out.model)
      .finish();
}

bool fromJSON(const json::Value &value, PlanFile &out, json::Path path) {
  return Members(value, path)
      .required("phantom_version", out.version)
      .required("model", out.plan.model)
      .required("options", out.plan.options)
      .required("gemm_kernels", out.plan.gemms)
      .required("target", out.target)
      .required("sha256", out.hashes)
      .finish();
}

Expected<std::unique_ptr<MemoryBuffer>> read(StringRef path) {
  auto buffer = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return makeError("cannot read '" + path + "': " + buffer.getError().message());
  return std::move(*buffer);
}

/// A file of the folder, whose content must have that hash.
Expected<std::unique_ptr<MemoryBuffer>> readHashed(StringRef folder, StringRef name, StringRef hash) {
  std::string path = fileIn(folder, name);
  Expected<std::unique_ptr<MemoryBuffer>> buffer = read(path);
  if (buffer && sha256((*buffer)->getBuffer()) != hash)
    return makeError("'" + path + "' is damaged: its SHA-256 is not the one in '" + planName +
                     "'; compile the model again");
  return buffer;
}

Expected<PlanFile> readPlan(StringRef folder) {
  std::string path = fileIn(folder, planName);
  if (!sys::fs::exists(path))
    return makeError("'" + folder + "' holds no compiled model: there is no " + planName +
                     " ('phantom-run compile MODEL -o DIR' writes one)");
  Expected<std::unique_ptr<MemoryBuffer>> buffer = read(path);
  if (!buffer)
    return buffer.takeError();
  auto bad = [&](Error error) {
    return makeError("'" + path + "' is no plan: " + toString(std::move(error)));
  };
  Expected<json::Value> value = parseJson((*buffer)->getBuffer());
  if (!value)
    return bad(value.takeError());
  // Another version may have other members.
  const json::Object *object = value->getAsObject();
  std::optional<StringRef> made = object ? object->getString("phantom_version") : std::nullopt;
  if (made && *made != version())
    return makeError("'" + folder + "' was compiled by version " + *made + ", and this is version " +
                     version() + ": compile the model again");
  PlanFile plan;
  json::Path::Root root("plan");
  if (!fromJSON(*value, plan, root))
    return bad(root.getError());
  return plan;
}

} // namespace

Expected<LoadedProgram> loadCompiledFolder(StringRef folder) {
  Expected<PlanFile> plan = readPlan(folder);
  if (!plan)
    return plan.takeError();
  if (Error error = checkRunsOn(plan->target, hostCpu()))
    return makeError("'" + folder + "' cannot run here: " + toString(std::move(error)) +
                     "; compile the model on this machine");
  Expected<std::unique_ptr<MemoryBuffer>> text = readHashed(folder, programName, plan->hashes.program);
  if (!text)
    return text.takeError();
  Expected<std::unique_ptr<MemoryBuffer>> object = readHashed(folder, kernelsName, plan->hashes.kernels);
  if (!object)
    return object.takeError();
  Expected<std::unique_ptr<MemoryBuffer>> model = readHashed(folder, modelName, plan->hashes.model);
  if (!model)
    return model.takeError();
  plan->plan.modelText = (*model)->getBuffer().str();
  std::string programPath = fileIn(folder, programName);
  Expected<Program> program = parseProgramJson((*text)->getBuffer(), programPath);
  if (!program)
    return program.takeError();
  if (Error error = verifyProgram(*program))
    return makeError("'" + programPath + "': " + toString(std::move(error)));
  Expected<CompiledProgram> compiled =
      linkProgram(std::move(*program), std::move(*object), std::move(plan->target));
  if (!compiled)
    return makeError("'" + fileIn(folder, kernelsName) + "': " + toString(compiled.takeError()));
  return LoadedProgram{std::move(*compiled), std::move(plan->plan)};
}

} // namespace phantom::rt
