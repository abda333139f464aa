//===- Toolkit.cpp - The tools of the CUDA toolkit --------------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Toolkit.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace llvm;
using namespace mlir::phantom;
using phantom::rt::KernelResources;

namespace {

Error makeError(const Twine &message) { return createStringError(inconvertibleErrorCode(), message); }

/// A file that is removed with this object.
class TemporaryFile {
public:
  static Expected<TemporaryFile> create(StringRef suffix, StringRef content = "") {
    SmallString<128> path;
    int descriptor = -1;
    if (std::error_code code = sys::fs::createTemporaryFile("phantom", suffix, descriptor, path))
      return createStringError(code, "cannot make a temporary file: " + code.message());
    raw_fd_ostream out(descriptor, /*shouldClose=*/true);
    out << content;
    out.close();
    if (out.has_error()) {
      std::error_code code = out.error();
      out.clear_error();
      return createStringError(code, "cannot write '" + path + "': " + code.message());
    }
    TemporaryFile file;
    file.remover = std::make_unique<FileRemover>(path);
    file.name = path.str().str();
    return file;
  }

  const std::string &path() const { return name; }

  Expected<std::string> read() const {
    ErrorOr<std::unique_ptr<MemoryBuffer>> buffer = MemoryBuffer::getFile(name, /*IsText=*/false, false);
    if (!buffer)
      return createStringError(buffer.getError(),
                               "cannot read '" + name + "': " + buffer.getError().message());
    return (*buffer)->getBuffer().str();
  }

private:
  std::string name;
  std::unique_ptr<FileRemover> remover;
};

/// Runs a tool, and returns what it prints.
Expected<std::string> runTool(const Twine &tool, ArrayRef<std::string> arguments) {
  SmallString<128> path;
  tool.toVector(path);
  Expected<TemporaryFile> log = TemporaryFile::create("log");
  if (!log)
    return log.takeError();
  SmallVector<StringRef> line{StringRef(path)};
  line.append(arguments.begin(), arguments.end());
  StringRef output = log->path();
  std::string message;
  int status = sys::ExecuteAndWait(path, line, std::nullopt, {StringRef(), output, output}, 0, 0, &message);
  Expected<std::string> text = log->read();
  if (!text)
    return text.takeError();
  if (status != 0)
    return makeError("'" + path +
                     "' failed: " + (message.empty() ? StringRef(*text).trim() : StringRef(message)));
  return text;
}

/// The number before `unit` in "…, 0 bytes spill stores, …"; 0 where there is none.
int64_t numberBefore(StringRef line, StringRef unit) {
  int64_t number = 0;
  size_t at = line.find(unit);
  if (at != StringRef::npos)
    (void)line.take_front(at).rtrim().rsplit(' ').second.getAsInteger(10, number);
  return number;
}

/// What `ptxas -v` printed, kernel by kernel.
void readReport(StringRef report, StringRef chip, std::vector<KernelResources> &resources) {
  SmallVector<StringRef> lines;
  report.split(lines, '\n');
  for (StringRef line : lines) {
    if (line.contains("Compiling entry function")) {
      resources.push_back({line.split('\'').second.split('\'').first.str(), chip.str()});
    } else if (!resources.empty() && line.contains("bytes stack frame")) {
      resources.back().stackBytes = numberBefore(line, "bytes stack frame");
      resources.back().spillBytes =
          numberBefore(line, "bytes spill stores") + numberBefore(line, "bytes spill loads");
    } else if (!resources.empty() && line.contains("Used ")) {
      resources.back().registers = numberBefore(line, "registers");
    }
  }
}

} // namespace

Expected<CudaToolkit> CudaToolkit::find(StringRef root) {
  CudaToolkit toolkit;
  std::string where = root.str();
  if (where.empty())
    where = sys::Process::GetEnv("CUDA_HOME").value_or("");
  if (!where.empty()) {
    for (StringRef tool : {"ptxas", "fatbinary"})
      if (!sys::fs::can_execute(where + "/bin/" + tool))
        return makeError("the CUDA toolkit in '" + where + "' has no bin/" + tool +
                         ", which code for GPUs needs; give the folder of another, or use PTX alone");
    toolkit.root = where;
    return toolkit;
  }
  ErrorOr<std::string> ptxas = sys::findProgramByName("ptxas");
  if (!ptxas)
    return makeError(
        "code for GPUs needs ptxas of the CUDA toolkit, which is not in PATH: set CUDA_HOME to the "
        "toolkit's folder, or use PTX alone");
  toolkit.root = sys::path::parent_path(sys::path::parent_path(*ptxas)).str();
  return toolkit;
}

Expected<std::string> CudaToolkit::libdevice() const {
  std::string path = root + "/nvvm/libdevice/libdevice.10.bc";
  if (!sys::fs::exists(path))
    return makeError("the CUDA toolkit has no '" + path + "', which f64 functions need");
  return path;
}

Error CudaToolkit::assemble(ChipCode &code, std::vector<KernelResources> &resources) const {
  Expected<TemporaryFile> ptx = TemporaryFile::create("ptx", code.ptx),
                          cubin = TemporaryFile::create("cubin");
  if (!ptx || !cubin)
    return joinErrors(ptx.takeError(), cubin.takeError());
  Expected<std::string> report =
      runTool(root + "/bin/ptxas", {"-v", "-arch=" + code.chip, "-m64", ptx->path(), "-o", cubin->path()});
  if (!report)
    return report.takeError();
  readReport(*report, code.chip, resources);
  return cubin->read().moveInto(code.cubin);
}

Expected<std::vector<char>> CudaToolkit::pack(ArrayRef<ChipCode> codes) const {
  Expected<TemporaryFile> fatbin = TemporaryFile::create("fatbin");
  if (!fatbin)
    return fatbin.takeError();
  std::vector<std::string> arguments{"--create=" + fatbin->path(), "-64"};
  std::vector<TemporaryFile> images;
  auto add = [&](StringRef kind, StringRef chip, StringRef content) -> Error {
    Expected<TemporaryFile> image = TemporaryFile::create(kind, content);
    if (!image)
      return image.takeError();
    arguments.push_back(("--image3=kind=" + kind + ",sm=" + chip.substr(3) + ",file=" + image->path()).str());
    images.push_back(std::move(*image));
    return Error::success();
  };
  if (Error error = add("ptx", codes.front().chip, codes.front().ptx))
    return error;
  for (const ChipCode &code : codes)
    if (Error error = add("elf", code.chip, code.cubin))
      return error;
  Expected<std::string> report = runTool(root + "/bin/fatbinary", arguments);
  if (!report)
    return report.takeError();
  Expected<std::string> bytes = fatbin->read();
  if (!bytes)
    return bytes.takeError();
  return std::vector<char>(bytes->begin(), bytes->end());
}
