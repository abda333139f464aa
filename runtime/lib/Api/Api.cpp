//===- Api.cpp - The interface to C ---------------------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "phantom-rt.h"

#include "phantom-rt/CompiledFolder.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/Session.h"
#include "phantom-rt/Version.h"

#include <cstring>

using namespace llvm;
using namespace phantom::rt;

static_assert(PHANTOM_F32 == int(ElementType::F32) && PHANTOM_F64 == int(ElementType::F64) &&
              PHANTOM_I8 == int(ElementType::I8) && PHANTOM_I16 == int(ElementType::I16) &&
              PHANTOM_I32 == int(ElementType::I32) && PHANTOM_I64 == int(ElementType::I64) &&
              PHANTOM_U8 == int(ElementType::U8) && PHANTOM_U16 == int(ElementType::U16) &&
              PHANTOM_U32 == int(ElementType::U32) && PHANTOM_U64 == int(ElementType::U64) &&
              PHANTOM_BOOL == int(ElementType::Bool));

namespace {

struct Tensor {
  std::string name;
  TensorType type;
};

} // namespace

struct phantom_session {
  CompiledProgram compiled;
  std::unique_ptr<Session> session;
  std::vector<Tensor> inputs, outputs, parameters;
  std::optional<Tensor> targets;
};

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

static thread_local std::string lastError;

/// The status of a call.
static int status(Error error) {
  if (!error)
    return 0;
  lastError = toString(std::move(error));
  return 1;
}

static Error nullError(StringRef argument) { return makeError(argument + " is a null pointer"); }

const char *phantom_version(void) { return version(); }
const char *phantom_last_error(void) { return lastError.c_str(); }

//===----------------------------------------------------------------------===//
// Sessions
//===----------------------------------------------------------------------===//

void phantom_options_init(phantom_options *options) {
  if (options)
    *options = {nullptr, 0, SessionOptions().timeoutSeconds, 0, 1};
}

static Error checkOptions(const phantom_options &options) {
  const bool positive = options.timeout_seconds > 0; // false for NaN
  if (!positive)
    return makeError("timeout_seconds must be positive");
  if (options.threads_per_rank < 1 || options.threads_per_rank > 1024)
    return makeError("threads_per_rank must be between 1 and 1024");
  return Error::success();
}

/// Fills the tables that a caller asks for.
static void describe(phantom_session &session) {
  const Program &program = session.compiled.executable.program;
  for (const char *name : {"infer", "evaluate", "train_step", "accumulate"}) {
    const Function *function = program.function(name);
    if (!function || !session.inputs.empty())
      continue;
    for (const Argument &argument : function->arguments)
      if (argument.role == Role::Input)
        session.inputs.push_back({argument.name, argument.type});
  }
  if (const Function *infer = program.function("infer"))
    for (const Result &result : infer->results)
      if (result.role == Role::Output)
        session.outputs.push_back({result.name, result.type});
  for (auto [function, runs] : program.stepFunctions())
    for (const Argument &argument : function->arguments)
      if (argument.role == Role::Target)
        session.targets = Tensor{argument.name, argument.type};
  for (const Parameter &parameter : program.parameters)
    session.parameters.push_back({parameter.name, globalType(parameter, program.ranks)});
}

static Error open(const char *folder, const phantom_options *given, phantom_session **result) {
  if (!folder || !result)
    return nullError(folder ? "session" : "folder");
  phantom_options options;
  phantom_options_init(&options);
  if (given)
    options = *given;
  if (Error error = checkOptions(options))
    return error;
  Expected<LoadedProgram> loaded = loadCompiledFolder(folder);
  if (!loaded)
    return loaded.takeError();
  auto session = std::make_unique<phantom_session>();
  session->compiled = std::move(loaded->compiled);
  SessionOptions sessionOptions;
  sessionOptions.seed = options.seed;
  sessionOptions.parameterFile = options.parameters ? options.parameters : "";
  sessionOptions.timeoutSeconds = options.timeout_seconds;
  sessionOptions.bindThreads = options.bind_threads != 0;
  sessionOptions.threadsPerRank = options.threads_per_rank;
  sessionOptions.gemms = std::move(loaded->plan.gemms);
  if (Error error = Session::create(session->compiled.executable, sessionOptions).moveInto(session->session))
    return error;
  describe(*session);
  *result = session.release();
  return Error::success();
}

int phantom_session_open(const char *folder, const phantom_options *options, phantom_session **session) {
  return status(open(folder, options, session));
}

void phantom_session_close(phantom_session *session) { delete session; }

int64_t phantom_ranks(const phantom_session *session) {
  return session ? session->compiled.executable.program.ranks : 0;
}

int64_t phantom_step_rows(const phantom_session *session) {
  return session ? session->compiled.executable.program.stepRows() : 0;
}

int64_t phantom_batch(const phantom_session *session) {
  return session ? session->compiled.executable.program.batch : 0;
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

static void show(const Tensor &tensor, phantom_tensor &out) {
  out = {tensor.name.c_str(), phantom_type(tensor.type.element), tensor.type.shape.size(),
         tensor.type.shape.data(), size_t(tensor.type.bytes())};
}

static Error showAt(ArrayRef<Tensor> tensors, size_t index, phantom_tensor *out) {
  if (!out)
    return nullError("tensor");
  if (index >= tensors.size())
    return makeError("there is no number " + Twine(index) + ": there are " + Twine(tensors.size()));
  show(tensors[index], *out);
  return Error::success();
}

size_t phantom_input_count(const phantom_session *session) { return session ? session->inputs.size() : 0; }

size_t phantom_output_count(const phantom_session *session) { return session ? session->outputs.size() : 0; }

size_t phantom_parameter_count(const phantom_session *session) {
  return session ? session->parameters.size() : 0;
}

int phantom_input_at(const phantom_session *session, size_t index, phantom_tensor *tensor) {
  return status(session ? showAt(session->inputs, index, tensor) : nullError("session"));
}

int phantom_output_at(const phantom_session *session, size_t index, phantom_tensor *tensor) {
  return status(session ? showAt(session->outputs, index, tensor) : nullError("session"));
}

int phantom_parameter_at(const phantom_session *session, size_t index, phantom_tensor *tensor) {
  return status(session ? showAt(session->parameters, index, tensor) : nullError("session"));
}

int phantom_targets(const phantom_session *session, phantom_tensor *tensor) {
  if (!session || !tensor)
    return status(nullError(session ? "tensor" : "session"));
  if (!session->targets)
    return status(makeError("the model was compiled without training"));
  show(*session->targets, *tensor);
  return 0;
}

//===----------------------------------------------------------------------===//
// Parameters
//===----------------------------------------------------------------------===//

/// The index of a parameter of that size, whose value in the store is current.
static Expected<size_t> findParameter(const phantom_session *session, const char *name, const void *data,
                                      size_t bytes) {
  if (!session || !name || !data)
    return nullError(!session ? "session" : !name ? "name" : "data");
  std::optional<size_t> index = session->session->runtime().parameters().find(name);
  if (!index)
    return makeError("the model has no parameter '" + Twine(name) + "'");
  const TensorType &type = session->parameters[*index].type;
  if (size_t(type.bytes()) != bytes)
    return makeError("the parameter '" + Twine(name) + "' has " + Twine(type.bytes()) + " bytes, not " +
                     Twine(bytes));
  if (Error error = session->session->runtime().fetchParameters())
    return error;
  return *index;
}

int phantom_get_parameter(const phantom_session *session, const char *name, void *data, size_t bytes) {
  Expected<size_t> index = findParameter(session, name, data, bytes);
  if (!index)
    return status(index.takeError());
  HostTensor whole = session->session->runtime().parameters().get(*index);
  if (bytes > 0)
    std::memcpy(data, whole.bytes.data(), bytes);
  return 0;
}

int phantom_set_parameter(phantom_session *session, const char *name, const void *data, size_t bytes) {
  Expected<size_t> index = findParameter(session, name, data, bytes);
  if (!index)
    return status(index.takeError());
  session->session->runtime().parameters().set(*index, static_cast<const std::byte *>(data));
  return 0;
}

int phantom_load_parameters(phantom_session *session, const char *path) {
  if (!session || !path)
    return status(nullError(session ? "path" : "session"));
  Runtime &runtime = session->session->runtime();
  if (Error error = runtime.fetchParameters())
    return status(std::move(error));
  return status(runtime.parameters().load(path));
}

int phantom_save_parameters(const phantom_session *session, const char *path) {
  if (!session || !path)
    return status(nullError(session ? "path" : "session"));
  return status(session->session->saveParameters(path));
}

//===----------------------------------------------------------------------===//
// Runs
//===----------------------------------------------------------------------===//

static Expected<HostData> hostData(const phantom_session *session, const phantom_input *inputs, size_t count,
                                   int64_t rows) {
  if (!session || (!inputs && count > 0))
    return nullError(session ? "inputs" : "session");
  HostData data;
  data.rows = rows;
  for (const phantom_input &input : ArrayRef(inputs, count)) {
    if (!input.data)
      return nullError("the data of an input");
    data.inputs.push_back(
        {input.name ? input.name : "", {static_cast<const std::byte *>(input.data), input.bytes}});
  }
  return data;
}

int phantom_infer(phantom_session *session, const phantom_input *inputs, size_t inputCount, int64_t rows,
                  const phantom_output *outputs, size_t outputCount) {
  Expected<HostData> data = hostData(session, inputs, inputCount, rows);
  if (!data)
    return status(data.takeError());
  if (!outputs && outputCount > 0)
    return status(nullError("outputs"));
  std::vector<HostOutput> places;
  for (const phantom_output &output : ArrayRef(outputs, outputCount)) {
    if (!output.data)
      return status(nullError("the data of an output"));
    places.push_back({output.name ? output.name : "", {static_cast<std::byte *>(output.data), output.bytes}});
  }
  if (session->outputs.empty())
    return status(makeError("the model was compiled without inference"));
  return status(session->session->infer(*data, places));
}

int phantom_train_step(phantom_session *session, const phantom_input *inputs, size_t inputCount,
                       const void *targets, size_t targetBytes, double learningRate, double *loss) {
  Expected<HostData> data = hostData(session, inputs, inputCount, session ? phantom_step_rows(session) : 0);
  if (!data)
    return status(data.takeError());
  if (!targets)
    return status(nullError("targets"));
  if (!session->targets)
    return status(makeError("the model was compiled without training"));
  data->targets = {static_cast<const std::byte *>(targets), targetBytes};
  Expected<double> value = session->session->trainStep(*data, learningRate);
  if (!value)
    return status(value.takeError());
  if (loss)
    *loss = *value;
  return 0;
}
