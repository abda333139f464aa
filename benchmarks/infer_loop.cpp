//===- infer_loop.cpp - Latencies of a compiled model, in process ----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// usage: infer_loop FOLDER THREADS INPUTS OUTPUTS
//
// Opens the compiled model in FOLDER, with THREADS per rank, infers one batch of
// the raw f32 numbers in INPUTS and writes the result to OUTPUTS. Then, for each
// line with a number of seconds, infers the batch again and again for so long and
// prints the median time of a call.
//
//===----------------------------------------------------------------------===//

#include <phantom-rt.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Session = std::unique_ptr<phantom_session, decltype(&phantom_session_close)>;

[[noreturn]] void fail(const std::string &what) {
  std::cerr << "infer_loop: error: " << what << "\n";
  std::exit(1);
}

void check(int status) {
  if (status != 0)
    fail(phantom_last_error());
}

double secondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// A session with one input and one output, and memory for a batch of both.
class Model {
public:
  Model(const char *folder, int64_t threads, const char *inputs) : session(nullptr, phantom_session_close) {
    phantom_options options;
    phantom_options_init(&options);
    options.bind_threads = 1;
    options.threads_per_rank = threads;
    phantom_session *opened = nullptr;
    check(phantom_session_open(folder, &options, &opened));
    session.reset(opened);
    phantom_tensor input, output;
    check(phantom_input_at(opened, 0, &input));
    check(phantom_output_at(opened, 0, &output));
    std::ifstream in(inputs, std::ios::binary);
    x.assign(std::istreambuf_iterator<char>(in), {});
    if (x.size() != input.bytes)
      fail("'" + std::string(inputs) + "' does not hold one batch of " + std::to_string(input.bytes) +
           " bytes");
    y.resize(output.bytes);
  }

  void infer() {
    const phantom_input given{nullptr, x.data(), x.size()};
    const phantom_output asked{nullptr, y.data(), y.size()};
    check(phantom_infer(session.get(), &given, 1, phantom_batch(session.get()), &asked, 1));
  }

  void write(const char *outputs) const {
    std::ofstream out(outputs, std::ios::binary);
    if (!out.write(y.data(), std::streamsize(y.size())).flush())
      fail("cannot write '" + std::string(outputs) + "'");
  }

private:
  Session session;
  std::vector<char> x, y;
};

double medianSeconds(Model &model, double seconds) {
  constexpr size_t leastCalls = 5;
  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  model.infer(); // caches, and threads that sleep
  while (times.size() < leastCalls || secondsSince(start) < seconds) {
    const Clock::time_point begin = Clock::now();
    model.infer();
    times.push_back(secondsSince(begin));
  }
  auto middle = times.begin() + long(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return *middle;
}

} // namespace

int main(int argc, char **argv) {
  const int64_t threads = argc == 5 ? std::atoll(argv[2]) : 0;
  if (threads < 1) {
    std::cerr << "usage: infer_loop FOLDER THREADS INPUTS OUTPUTS\n";
    return 1;
  }
  Model model(argv[1], threads, argv[3]);
  model.infer();
  model.write(argv[4]);
  std::cout << "ready" << std::endl;
  double seconds = 0;
  while (std::cin >> seconds)
    std::cout << medianSeconds(model, seconds) << std::endl;
  return 0;
}
