//===- CompiledFolderTest.cpp - Programs that were compiled earlier -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt/CompiledFolder.h"
#include "TestModels.h"
#include "phantom-rt/SourceFiles.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "gtest/gtest.h"

using namespace phantom;
using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

class CompiledFolderTest : public testing::Test {
protected:
  static void SetUpTestSuite() { compiled = new CompiledProgram(compileMlp(Strategy::Phantom)); }
  static void TearDownTestSuite() { delete compiled; }

  std::string write(const CompiledProgram &program) {
    std::string path = folder.file("compiled");
    EXPECT_SUCCESS(writeCompiledFolder(path, program, plan));
    return path;
  }

  std::string text(const std::string &name) const {
    return (*llvm::MemoryBuffer::getFile(folder.file(name)))->getBuffer().str();
  }

  static CompiledProgram *compiled;
  Plan plan{"/models/a \"model\".onnx", {{"ranks", "2"}, {"select", "*"}}, "module {}"};
  TemporaryFolder folder;
};

CompiledProgram *CompiledFolderTest::compiled = nullptr;

TEST_F(CompiledFolderTest, WhatIsReadIsWhatWasWritten) {
  LoadedProgram loaded = value(loadCompiledFolder(write(*compiled)));
  EXPECT_TRUE(loaded.compiled.executable.program == compiled->executable.program);
  EXPECT_EQ(loaded.compiled.executable.kernels.size(), compiled->executable.kernels.size());
  EXPECT_EQ(loaded.plan, plan);
  EXPECT_EQ(loaded.compiled.target.features, compiled->target.features);
  EXPECT_EQ(folder.list(), std::vector<std::string>{"compiled"});
}

TEST_F(CompiledFolderTest, OnlyCompiledProgramsAreReplaced) {
  std::string path = write(*compiled);
  write(*compiled);
  EXPECT_SUCCESS(writeCompiledFolder(path + "//", *compiled, plan));
  EXPECT_EQ(folder.list(), std::vector<std::string>{"compiled"});
  ASSERT_FALSE(llvm::sys::fs::create_directory(folder.file("empty")));
  EXPECT_SUCCESS(writeCompiledFolder(folder.file("empty"), *compiled, plan));

  std::string file = folder.write("notes.txt", "mine");
  EXPECT_TRUE(contains(message(writeCompiledFolder(file, *compiled, plan)), "is no compiled program"));
  ASSERT_FALSE(llvm::sys::fs::create_directory(folder.file("full")));
  folder.write("full/notes.txt", "mine");
  EXPECT_TRUE(
      contains(message(writeCompiledFolder(folder.file("full"), *compiled, plan)), "is no compiled program"));
  EXPECT_EQ(text("full/notes.txt"), "mine");
  EXPECT_TRUE(
      contains(message(writeCompiledFolder(folder.file("no/where"), *compiled, plan)), "cannot write"));
}

TEST_F(CompiledFolderTest, DamageIsAnErrorThatNamesTheFile) {
  std::string path = write(*compiled);
  for (const char *name : {"program.json", "kernels.o", "model.mlir", "plan.json"}) {
    std::string file = std::string("compiled/") + name, good = text(file);
    for (const std::string &bad : {good.substr(0, good.size() / 2), std::string(), good + "{"}) {
      folder.write(file, bad);
      EXPECT_TRUE(contains(message(loadCompiledFolder(path)), name));
    }
    ASSERT_FALSE(llvm::sys::fs::remove(folder.file(file)));
    EXPECT_TRUE(contains(message(loadCompiledFolder(path)), name));
    folder.write(file, good);
  }
  EXPECT_SUCCESS(loadCompiledFolder(path).takeError());
}

TEST_F(CompiledFolderTest, OtherVersionsAndMachinesAreErrors) {
  std::string path = write(*compiled), good = text("compiled/plan.json");
  auto refuse = [&](const std::string &from, const std::string &to, const std::string &part) {
    std::string changed = good;
    changed.replace(changed.find(from), from.size(), to);
    folder.write("compiled/plan.json", changed);
    EXPECT_TRUE(contains(message(loadCompiledFolder(path)), part));
  };
  refuse("\"phantom_version\": \"", "\"phantom_version\": \"9", "was compiled by version 9");
  refuse("\"phantom_version\": \"", "\"version\": \"", "missing value at plan.phantom_version");
  refuse("\"features\": [", "\"features\": [\"warp\",", "lacks the instructions warp");
  refuse("\"triple\": \"", "\"triple\": \"riscv64-", "cannot run here: it is for riscv64-");
  refuse("\"sha256\"", "\"md5\"", "plan");
}

TEST_F(CompiledFolderTest, WeightsThatChangedAreAnError) {
  folder.write("model.mlir", R"(
    phantom.parameter @w : tensor<2x2xf32>
        init <load, source = <"weights.bin" at 4 : 16, tensor<2x2xf32>>> trainable
    func.func @forward(%x: tensor<?x2xf32> {phantom.input = "x"},
        %w: tensor<2x2xf32> {phantom.parameter = @w}) -> (tensor<?x2xf32> {phantom.output = "y"}) {
      %0 = phantom.linear %x, %w : (tensor<?x2xf32>, tensor<2x2xf32>) -> tensor<?x2xf32>
      return %0 : tensor<?x2xf32>
    })");
  std::string bytes(20, '\1');
  folder.write("weights.bin", bytes);
  CompileOptions options;
  options.batchSize = 1;
  options.functions = {"forward"};
  std::string path = write(value(compileModel(folder.file("model.mlir"), options)));
  LoadedProgram loaded = value(loadCompiledFolder(path));
  const Parameter &parameter = loaded.compiled.executable.program.parameters[0];
  EXPECT_EQ(parameter.init.source->file, folder.file("weights.bin"));
  SourceFiles files;
  EXPECT_SUCCESS(files.open(*parameter.init.source).takeError());
  bytes[0] = '\2'; // before the range
  folder.write("weights.bin", bytes);
  EXPECT_SUCCESS(files.open(*parameter.init.source).takeError());
  bytes[19] = '\2';
  folder.write("weights.bin", bytes);
  EXPECT_TRUE(
      contains(message(files.open(*parameter.init.source)), "was changed after the program was compiled"));
}

} // namespace
