//===- FileFormatsTest.cpp - Tests of .npy and .safetensors files ---------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/AtomicFile.h"
#include "phantom-rt/Npy.h"
#include "phantom-rt/SafeTensors.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"

#include <cstring>
#include <fstream>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

/// A safetensors file with this header and `bytes` of data.
std::string safeTensors(const std::string &header, size_t bytes) {
  uint64_t length = header.size();
  std::string content(reinterpret_cast<const char *>(&length), sizeof(length));
  return content + header + std::string(bytes, '\0');
}

/// A format 1.0 .npy file with this header and `bytes` of data.
std::string npyFile(std::string header, size_t bytes) {
  header += '\n';
  return std::string("\x93NUMPY\x01\x00", 8) + char(header.size() & 255) + char(header.size() >> 8) + header +
         std::string(bytes, '\0');
}

} // namespace

//===----------------------------------------------------------------------===//
// safetensors
//===----------------------------------------------------------------------===//

TEST(SafeTensors, RoundTrip) {
  TemporaryFolder folder;
  const std::vector<float> a = randomFloats(6, 1);
  const std::vector<double> b = {1.5, -2.5};
  const int64_t c = -3;
  ASSERT_SUCCESS(writeSafeTensors(folder.file("t.safetensors"),
                                  {{"a", {ElementType::F32, {2, 3}}, a.data()},
                                   {"b \"quoted\"", {ElementType::F64, {2, 1}}, b.data()},
                                   {"c", {ElementType::I64, {}}, &c},
                                   {"empty", {ElementType::F32, {0, 4}}, nullptr}},
                                  {{"key", "value"}}));
  SafeTensorsFile file = value(SafeTensorsFile::open(folder.file("t.safetensors")));
  EXPECT_EQ(file.tensors().size(), 4u);
  FileTensor first = value(file.tensor("a"));
  EXPECT_EQ(first.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(first.bytes, a.data(), 24), 0);
  HostTensor second = value(convert(value(file.tensor("b \"quoted\"")), ElementType::F32, "b"));
  EXPECT_EQ(second.data<float>()[1], -2.5f);
  EXPECT_EQ(value(convert(value(file.tensor("c")), ElementType::I64, "c")).data<int64_t>()[0], -3);
  EXPECT_EQ(value(file.tensor("empty")).elements(), 0);
  EXPECT_EQ(folder.list().size(), 1u);
}

TEST(SafeTensors, RefusesMalformedFiles) {
  TemporaryFolder folder;
  auto refuse = [&](const std::string &content, const std::string &part) {
    std::string path = folder.write("bad.safetensors", content);
    std::string text = message(SafeTensorsFile::open(path));
    EXPECT_TRUE(contains(text, part));
    EXPECT_TRUE(contains(text, "bad.safetensors"));
  };
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(message(SafeTensorsFile::open(folder.write("good", safeTensors(good, 8)))), "");

  refuse("", "header length");
  refuse("abc", "header length");
  refuse(std::string(8, '\xff'), "header length");
  refuse(safeTensors(good, 8).substr(0, 20), "header length");
  refuse(safeTensors("{\"a\":", 8), "bad JSON");
  refuse(safeTensors("[1]", 8), "not a JSON object");
  refuse(safeTensors(good, 7), "data_offsets outside");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", 8),
         "data_offsets outside");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "data_offsets outside");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8), "needs 12 bytes");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8), "bad dimension");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", 8),
         "too large");
  refuse(safeTensors(R"({"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}})", 8),
         "unsupported dtype 'C64'");
  refuse(safeTensors(R"({"a":{"shape":[1],"data_offsets":[0,8]}})", 8), "no dtype");
  refuse(safeTensors(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8), "no shape");
  refuse(safeTensors(R"({"a":{"dtype":"F32","shape":[2]}})", 8), "no data_offsets");
  refuse(safeTensors(R"({"a":3})", 8), "not a JSON object");
}

TEST(SafeTensors, NamesWhatIsMissing) {
  TemporaryFolder folder;
  EXPECT_TRUE(contains(message(SafeTensorsFile::open(folder.file("absent"))), "absent"));
  float number = 1;
  ASSERT_SUCCESS(writeSafeTensors(folder.file("t"), {{"fc1.weight", {ElementType::F32, {1}}, &number}}));
  std::string text = message(value(SafeTensorsFile::open(folder.file("t"))).tensor("fc2.weight"));
  EXPECT_TRUE(contains(text, "no tensor 'fc2.weight'"));
  EXPECT_TRUE(contains(text, "fc1.weight"));
}

TEST(SafeTensors, RandomBytesNeverCrash) {
  TemporaryFolder folder;
  const std::string good =
      safeTensors(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"__metadata__":{"x":"y"}})", 8);
  std::vector<float> noise = randomFloats(2000, 5);
  for (int i = 0; i < 1000; ++i) {
    std::string content = good;
    const auto at = size_t((noise[2 * i] + 1) / 2 * double(content.size() - 1));
    content[at] = char(int(noise[2 * i + 1] * 128));
    // Some changes are harmless; none may crash.
    (void)message(SafeTensorsFile::open(folder.write("noise", content)));
  }
}

//===----------------------------------------------------------------------===//
// npy
//===----------------------------------------------------------------------===//

TEST(Npy, RoundTrip) {
  TemporaryFolder folder;
  const std::vector<float> a = randomFloats(12, 2);
  const std::vector<int64_t> b = {3, -1, 1ll << 40};
  FileTensor first = value(readNpy(npy(folder.file("a.npy"), {ElementType::F32, {3, 2, 2}}, a.data())));
  EXPECT_EQ(first.shape, (std::vector<int64_t>{3, 2, 2}));
  EXPECT_EQ(std::memcmp(first.bytes, a.data(), 48), 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first.bytes) % 4, 0u);
  FileTensor second = value(readNpy(npy(folder.file("b.npy"), {ElementType::I64, {3}}, b.data())));
  EXPECT_EQ(value(convert(second, ElementType::I64, "b")).data<int64_t>()[2], 1ll << 40);
}

TEST(Npy, ReadsTypesAndVersions) {
  TemporaryFolder folder;
  auto read = [&](const std::string &type, const std::string &data) {
    std::string content =
        npyFile("{'descr': '" + type + "', 'fortran_order': False, 'shape': (1,), }", 0) + data;
    return value(convert(value(readNpy(folder.write("t.npy", content))), ElementType::F32, "t"))
        .data<float>()[0];
  };
  EXPECT_EQ(read("<f2", std::string("\x00\x3e", 2)), 1.5f);
  EXPECT_EQ(read("<f2", std::string("\x00\xc0", 2)), -2.0f);
  EXPECT_EQ(read("<f2", std::string("\x01\x00", 2)), 0x1p-24f);
  EXPECT_EQ(read("|u1", "\xff"), 255.0f);
  EXPECT_EQ(read("|i1", "\xff"), -1.0f);
  EXPECT_EQ(read("|b1", "\x01"), 1.0f);
  EXPECT_EQ(read("<i4", std::string("\x05\0\0\0", 4)), 5.0f);
  // Version 2 has a header length of four bytes; a scalar has no dimension.
  std::string header = "{'shape': (), 'fortran_order': False, 'descr': '<f4'}\n";
  std::string content = std::string("\x93NUMPY\x02\x00", 8) + char(header.size()) + std::string(3, '\0') +
                        header + std::string(4, '\0');
  EXPECT_EQ(value(readNpy(folder.write("v2.npy", content))).elements(), 1);
}

TEST(Npy, RefusesWhatItCannotRead) {
  TemporaryFolder folder;
  auto refuse = [&](const std::string &content, const std::string &part) {
    std::string text = message(readNpy(folder.write("bad.npy", content)));
    EXPECT_TRUE(contains(text, part));
    EXPECT_TRUE(contains(text, "bad.npy"));
  };
  refuse("", "byte 0");
  refuse("PK\x03\x04 a zip file", "byte 0");
  refuse("\x93NUMPY", "byte 6");
  refuse(std::string("\x93NUMPY\x09\x00\x10\x00", 10), "version 9");
  refuse(std::string("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, ", 50), "byte 8");
  refuse(npyFile("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16), "Fortran order");
  refuse(npyFile("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", 8), "'>f4'");
  refuse(npyFile("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }", 16), "'<c8'");
  refuse(npyFile("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8), "structured");
  refuse(npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8), "dimension");
  refuse(npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 8),
         "too large");
  refuse(npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 11), "it ends early");
  refuse(npyFile("{'descr': '<f4', 'shape': (3,), }", 12), "are needed");
  refuse(npyFile("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'x': 1}", 12), "unknown key 'x'");
  refuse(npyFile("{'descr': '<f4", 12), "quoted string");
}

TEST(Npy, DoesNotConvertWhereMeaningIsLost) {
  float number = 1.5f;
  int64_t integer = 0;
  EXPECT_FALSE(convertElements(StorageType::F32, reinterpret_cast<std::byte *>(&number), ElementType::I64,
                               &integer, 1));
  int32_t narrow = 0;
  EXPECT_FALSE(convertElements(StorageType::I64, reinterpret_cast<std::byte *>(&integer), ElementType::I32,
                               &narrow, 1));
}

TEST(Npy, ScalesInFloat) {
  std::vector<uint8_t> bytes(1000);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = uint8_t(i * 7);
  const auto *source = reinterpret_cast<const std::byte *>(bytes.data());
  const float scale = 1.0f / 255;
  std::vector<float> floats(bytes.size());
  std::vector<double> doubles(bytes.size());
  ASSERT_TRUE(copyElements(StorageType::U8, source, scale, ElementType::F32, floats.data(), 1000));
  ASSERT_TRUE(copyElements(StorageType::U8, source, scale, ElementType::F64, doubles.data(), 1000));
  for (size_t i = 0; i < bytes.size(); ++i) {
    EXPECT_EQ(floats[i], float(bytes[i]) * scale);
    EXPECT_EQ(doubles[i], double(floats[i]));
  }
  ASSERT_TRUE(copyElements(StorageType::U8, source, std::nullopt, ElementType::F32, floats.data(), 1000));
  EXPECT_EQ(floats[999], float(bytes[999]));
  EXPECT_FALSE(copyElements(StorageType::U8, source, scale, ElementType::I64, floats.data(), 0));
}

//===----------------------------------------------------------------------===//
// Atomic files
//===----------------------------------------------------------------------===//

TEST(AtomicFile, LeavesNothingBehindOnErrors) {
  TemporaryFolder folder;
  auto write = [](llvm::raw_ostream &out) { out << "new"; };
  EXPECT_TRUE(contains(message(writeFileAtomically(folder.file("nowhere/x"), write)), "nowhere/x"));
  EXPECT_TRUE(contains(message(writeFileAtomically(folder.file(""), write)), "directory"));
  EXPECT_TRUE(folder.list().empty());
  folder.write("x", "old");
  EXPECT_SUCCESS(writeFileAtomically(folder.file("x"), write));
  EXPECT_EQ(folder.list(), std::vector<std::string>{"x"});
  auto fail = [](llvm::raw_ostream &out) {
    out << "half";
    return llvm::createStringError("no more");
  };
  EXPECT_EQ(message(tryWriteFileAtomically(folder.file("x"), fail)), "no more");
  EXPECT_EQ(folder.list(), std::vector<std::string>{"x"});
  EXPECT_EQ(
      llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(folder.file("x"))))->getBuffer(),
      "new");
}

TEST(AtomicFile, ReplacesWhatALinkLeadsTo) {
  TemporaryFolder folder;
  folder.write("real", "old");
  ASSERT_EQ(::symlink("real", folder.file("link").c_str()), 0);
  EXPECT_SUCCESS(writeFileAtomically(folder.file("link"), [](llvm::raw_ostream &out) { out << "new"; }));
  EXPECT_TRUE(llvm::sys::fs::is_symlink_file(folder.file("link")));
  EXPECT_EQ(
      llvm::cantFail(llvm::errorOrToExpected(llvm::MemoryBuffer::getFile(folder.file("real"))))->getBuffer(),
      "new");
}

TEST(AtomicFile, WritesToAPipe) {
  TemporaryFolder folder;
  const std::string path = folder.file("pipe");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_SUCCESS(checkCanWrite(path));
  std::string read;
  std::thread reader([&] {
    std::ifstream in(path);
    std::getline(in, read);
  });
  EXPECT_SUCCESS(writeFileAtomically(path, [](llvm::raw_ostream &out) { out << "text"; }));
  reader.join();
  EXPECT_EQ(read, "text");
  llvm::sys::fs::file_status status;
  EXPECT_FALSE(llvm::sys::fs::status(path, status));
  EXPECT_EQ(status.type(), llvm::sys::fs::file_type::fifo_file);
}

TEST(AtomicFile, WhetherItCanBeWrittenIsKnownBefore) {
  TemporaryFolder folder;
  folder.write("x", "old");
  EXPECT_SUCCESS(checkCanWrite(folder.file("x")));
  EXPECT_SUCCESS(checkCanWrite(folder.file("y")));
  EXPECT_TRUE(contains(message(checkCanWrite(folder.file("nowhere/x"))), "nowhere/x"));
  EXPECT_TRUE(contains(message(checkCanWrite(folder.file(""))), "directory"));
  EXPECT_EQ(folder.list(), std::vector<std::string>{"x"});
}
