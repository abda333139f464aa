//===- embed.cpp - A program that runs a compiled model ---------*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// usage: embed FOLDER INPUTS OUTPUTS [PARAMETERS.safetensors]
//
// Reads rows of f32 numbers (raw, little-endian) from INPUTS, infers with the
// compiled model in FOLDER, and writes the outputs to OUTPUTS, likewise.
//
//===----------------------------------------------------------------------===//

#include <phantom-rt.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using Session = std::unique_ptr<phantom_session, decltype(&phantom_session_close)>;

/// Prints an error of the library; for main to return.
int fail() {
  std::fprintf(stderr, "embed: error: %s\n", phantom_last_error());
  return 1;
}

int fail(const std::string &what) {
  std::fprintf(stderr, "embed: error: %s\n", what.c_str());
  return 1;
}

int infer(phantom_session *session, const std::string &inputFile, const std::string &outputFile) {
  phantom_tensor input, output;
  if (phantom_input_at(session, 0, &input) || phantom_output_at(session, 0, &output))
    return fail();
  if (input.type != PHANTOM_F32 || output.type != PHANTOM_F32)
    return fail("this example is for models of f32");

  std::ifstream in(inputFile, std::ios::binary);
  std::vector<char> x{std::istreambuf_iterator<char>(in), {}};
  const size_t rowBytes = input.bytes / phantom_batch(session);
  const size_t rows = x.size() / rowBytes;
  if (!in || rows * rowBytes != x.size())
    return fail("'" + inputFile + "' does not hold rows of " + std::to_string(rowBytes) + " bytes");

  std::vector<char> y(rows * (output.bytes / phantom_batch(session)));
  const phantom_input given{input.name, x.data(), x.size()};
  const phantom_output asked{output.name, y.data(), y.size()};
  if (phantom_infer(session, &given, 1, int64_t(rows), &asked, 1))
    return fail();
  std::ofstream out(outputFile, std::ios::binary);
  if (!out.write(y.data(), std::streamsize(y.size())).flush())
    return fail("cannot write '" + outputFile + "'");
  std::printf("%zu rows of '%s' on %lld ranks\n", rows, output.name, (long long)phantom_ranks(session));
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5)
    return fail("usage: embed FOLDER INPUTS OUTPUTS [PARAMETERS.safetensors]");
  phantom_options options;
  phantom_options_init(&options);
  options.parameters = argc > 4 ? argv[4] : nullptr;
  phantom_session *opened = nullptr;
  if (phantom_session_open(argv[1], &options, &opened))
    return fail();
  Session session(opened, phantom_session_close);
  return infer(session.get(), argv[2], argv[3]);
}
