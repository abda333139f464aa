//===- ParametersTest.cpp - Tests of layouts and initial values -----------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TestSupport.h"
#include "phantom-rt/Error.h"
#include "phantom-rt/LowRank.h"
#include "phantom-rt/ParameterStore.h"
#include "phantom-rt/SafeTensors.h"

#include <cmath>
#include <cstring>

using namespace phantom::rt;
using namespace phantom::rt::test;

namespace {

Parameter parameter(const std::string &name, Layout layout, std::vector<int64_t> stored, Init init) {
  Parameter result;
  result.name = name;
  result.layout = layout;
  result.storedShape = stored;
  result.type = {ElementType::F32, stored};
  result.init = std::move(init);
  return result;
}

Init fromSource(InitKind kind, const Source &source, int64_t ghostWidth = 0) {
  Init init;
  init.kind = kind;
  init.source = source;
  init.ghostWidth = ghostWidth;
  return init;
}

Init uniform(int64_t fanIn) {
  Init init;
  init.kind = InitKind::Uniform;
  init.fanIn = fanIn;
  return init;
}

/// Every rank's first value of every parameter.
struct Initialised {
  Program program;
  std::unique_ptr<ParameterStore> store;

  Initialised(int64_t ranks, std::vector<Parameter> parameters, uint64_t seed = 0) {
    program.ranks = ranks;
    program.parameters = std::move(parameters);
    store = std::make_unique<ParameterStore>(program);
    ParameterInitializer initializer = value(ParameterInitializer::prepare(program, seed));
    for (int64_t rank = 0; rank < ranks; ++rank) {
      EXPECT_SUCCESS(store->allocate(rank));
      for (size_t i = 0; i < program.parameters.size(); ++i)
        initializer.fill(program.parameters[i], rank, store->address(rank, i));
    }
  }
  HostTensor whole(size_t index) const {
    return gatherParts(program.parameters[index], program.ranks,
                       [&](int64_t rank) { return store->address(rank, index); });
  }
  const float *part(int64_t rank, size_t index) const {
    return reinterpret_cast<const float *>(store->address(rank, index));
  }
};

std::string prepareMessage(int64_t ranks, const Parameter &parameter) {
  Program program;
  program.ranks = ranks;
  program.parameters = {parameter};
  return message(ParameterInitializer::prepare(program, 0));
}

class ParametersTest : public ::testing::Test {
protected:
  /// Saves a tensor "w" and returns its source.
  Source save(std::vector<int64_t> shape, const std::vector<float> &values, const std::string &file = "w") {
    Source source{folder.file(file), "w", 0, 0, {ElementType::F32, shape}, std::nullopt};
    EXPECT_SUCCESS(writeSafeTensors(source.file, {{"w", source.type, values.data()}}));
    return source;
  }
  TemporaryFolder folder;
};

/// The dense weight that local blocks, compressors and decompressors stand for.
std::vector<double> denseEquivalent(const Initialised &model, int64_t p, int64_t k, int64_t mOut,
                                    int64_t mIn) {
  HostTensor local = model.whole(0), compressor = model.whole(1), decompressor = model.whole(2);
  const float *l = local.data<float>(), *c = compressor.data<float>(), *d = decompressor.data<float>();
  std::vector<double> weight(p * mOut * p * mIn);
  for (int64_t j = 0; j < p; ++j)
    for (int64_t i = 0; i < p; ++i)
      for (int64_t a = 0; a < mOut; ++a)
        for (int64_t b = 0; b < mIn; ++b) {
          double sum = i == j ? l[(j * mOut + a) * mIn + b] : 0;
          for (int64_t q = 0; q < k; ++q)
            sum += double(d[((j * p + i) * k + q) * mOut + a]) * c[(i * k + q) * mIn + b];
          weight[(j * mOut + a) * p * mIn + i * mIn + b] = sum;
        }
  return weight;
}

std::vector<Parameter> phantomLayer(const Source &source, int64_t p, int64_t k, int64_t mOut, int64_t mIn) {
  Parameter decompressor = parameter("fc.decompressor", Layout::Stacked, {p, k, mOut},
                                     fromSource(InitKind::LowRankDecompressor, source, k));
  decompressor.type.shape = {p * k, mOut};
  return {parameter("fc.local", Layout::Stacked, {mOut, mIn}, fromSource(InitKind::DiagonalBlock, source)),
          parameter("fc.compressor", Layout::Stacked, {k, mIn},
                    fromSource(InitKind::LowRankCompressor, source, k)),
          decompressor};
}

} // namespace

//===----------------------------------------------------------------------===//
// Random starts
//===----------------------------------------------------------------------===//

TEST_F(ParametersTest, UniformDoesNotDependOnTheNumberOfRanks) {
  std::vector<HostTensor> wholes;
  for (int64_t p : {1, 2, 4, 8})
    for (int64_t dim : {0, 1}) {
      std::vector<int64_t> shape = {16, 24};
      shape[dim] /= p;
      Parameter weight = parameter("fc.weight", Layout::Shard, shape, uniform(24));
      weight.shardDim = dim;
      wholes.push_back(Initialised(p, {weight}, 5).whole(0));
    }
  for (const HostTensor &whole : wholes) {
    EXPECT_EQ(whole.type.shape, (std::vector<int64_t>{16, 24}));
    EXPECT_EQ(whole.bytes, wholes[0].bytes);
  }
  const float bound = 1 / std::sqrt(24.0f);
  for (int64_t i = 0; i < 16 * 24; ++i)
    EXPECT_LT(std::abs(wholes[0].data<float>()[i]), bound);
}

TEST_F(ParametersTest, UniformOfReplicatedParametersIsTheSameOnAllRanks) {
  Initialised model(4, {parameter("bias", Layout::Replicated, {10}, uniform(10))});
  for (int64_t rank = 1; rank < 4; ++rank)
    EXPECT_EQ(std::memcmp(model.part(0, 0), model.part(rank, 0), 40), 0);
}

TEST_F(ParametersTest, UniformDecompressorKeepsItsOwnBlockZero) {
  Init init = uniform(6);
  init.zeroOwnBlock = true;
  Parameter decompressor = parameter("d", Layout::Stacked, {3, 2, 5}, init);
  decompressor.type.shape = {6, 5};
  Initialised model(3, {decompressor});
  for (int64_t rank = 0; rank < 3; ++rank)
    for (int64_t i = 0; i < 30; ++i)
      EXPECT_EQ(model.part(rank, 0)[i] == 0, i / 10 == rank) << rank << " " << i;
}

//===----------------------------------------------------------------------===//
// Dense sources
//===----------------------------------------------------------------------===//

TEST_F(ParametersTest, LoadsReplicatedAndShardedParts) {
  const std::vector<float> values = randomFloats(8 * 6, 1);
  Source source = save({8, 6}, values);
  for (int64_t dim : {0, 1}) {
    std::vector<int64_t> shape = {8, 6};
    shape[dim] /= 2;
    Parameter shard = parameter("shard", Layout::Shard, shape, fromSource(InitKind::Load, source));
    shard.shardDim = dim;
    Initialised model(
        2, {shard, parameter("all", Layout::Replicated, {8, 6}, fromSource(InitKind::Load, source))});
    for (size_t index : {0, 1})
      EXPECT_EQ(std::memcmp(model.whole(index).bytes.data(), values.data(), 48 * 4), 0);
    EXPECT_EQ(model.part(1, 0)[0], dim == 0 ? values[24] : values[3]);
  }
}

TEST_F(ParametersTest, LoadsTransposedSources) {
  const std::vector<float> values = randomFloats(4 * 6, 2);
  Init init = fromSource(InitKind::Load, save({4, 6}, values));
  init.transposed = true;
  Parameter shard = parameter("w", Layout::Shard, {3, 4}, init);
  Init block = init;
  block.kind = InitKind::DiagonalBlock;
  Initialised model(2, {shard, parameter("local", Layout::Stacked, {3, 2}, block)});
  for (int64_t i = 0; i < 6; ++i)
    for (int64_t j = 0; j < 4; ++j)
      EXPECT_EQ(model.part(i / 3, 0)[i % 3 * 4 + j], values[j * 6 + i]);
  EXPECT_EQ(model.part(1, 1)[1], values[3 * 6 + 3]); // row 3, column 3 of [6, 4]
}

TEST_F(ParametersTest, LoadsPartsOfSources) {
  const std::vector<float> values = randomFloats(6 * 4, 3);
  Source source = save({6, 4}, values);
  auto load = [&](TensorPart part, std::vector<int64_t> shape) {
    source.part = part;
    return parameter("p", Layout::Replicated, std::move(shape), fromSource(InitKind::Load, source));
  };
  Parameter turned = load({0, 2, 4}, {4, 4});
  turned.init.transposed = true;
  Initialised model(1, {load({0, 2, 3}, {3, 4}), load({1, 1, 2}, {6, 2}), turned});
  for (int64_t i = 0; i < 3 * 4; ++i)
    EXPECT_EQ(model.part(0, 0)[i], values[2 * 4 + i]);
  for (int64_t row = 0; row < 6; ++row)
    for (int64_t column = 0; column < 2; ++column)
      EXPECT_EQ(model.part(0, 1)[row * 2 + column], values[row * 4 + 1 + column]);
  EXPECT_EQ(model.part(0, 2)[1], values[3 * 4]);
  EXPECT_EQ(prepareMessage(1, load({0, 4, 3}, {3, 4})),
            "parameter 'p': a tensor of shape 6x4 has no 3 slices from 4 on along dimension 0");
}

TEST_F(ParametersTest, FactorsPartsOfSources) {
  const std::vector<float> values = randomFloats(12 * 4, 4);
  Source whole = save({12, 4}, values), lower = save({4, 4}, {values.begin() + 32, values.end()}, "lower");
  whole.part = TensorPart{0, 8, 4};
  Initialised part(2, phantomLayer(whole, 2, 1, 2, 2)), own(2, phantomLayer(lower, 2, 1, 2, 2));
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(part.whole(i).bytes, own.whole(i).bytes);
}

TEST_F(ParametersTest, LoadsRawRangesAndConvertsTypes) {
  const std::vector<double> values = {1, 2, 3, 4};
  std::string bytes(reinterpret_cast<const char *>(values.data()), 32);
  Source source{folder.write("raw.bin", "head" + bytes), "", 4, 32, {ElementType::F64, {1, 4}}, std::nullopt};
  Initialised model(1, {parameter("b", Layout::Replicated, {4}, fromSource(InitKind::Load, source))});
  EXPECT_EQ(model.part(0, 0)[3], 4.0f);
  source.offset = 5;
  EXPECT_TRUE(
      contains(prepareMessage(1, parameter("b", Layout::Replicated, {4}, fromSource(InitKind::Load, source))),
               "ends early"));
}

TEST_F(ParametersTest, NamesBadSources) {
  Source source = save({8, 6}, randomFloats(48, 3));
  auto load = [&](std::vector<int64_t> shape, const Source &from) {
    return prepareMessage(
        2, parameter("fc1.weight", Layout::Replicated, shape, fromSource(InitKind::Load, from)));
  };
  EXPECT_EQ(load({8, 6}, source), "");
  std::string text = load({6, 8}, source);
  EXPECT_TRUE(contains(text, "fc1.weight"));
  EXPECT_TRUE(contains(text, "8x6"));
  Source other = source;
  other.tensor = "absent";
  EXPECT_TRUE(contains(load({8, 6}, other), "no tensor 'absent'"));
  other = source;
  other.file = folder.file("absent.safetensors");
  EXPECT_TRUE(contains(load({8, 6}, other), "absent.safetensors"));
  other = source;
  other.type.shape = {6, 8};
  EXPECT_TRUE(contains(load({6, 8}, other), "the model says"));
}

//===----------------------------------------------------------------------===//
// The low-rank start
//===----------------------------------------------------------------------===//

TEST_F(ParametersTest, RecoversAWeightWithOffDiagonalBlocksOfRankK) {
  for (int64_t p : {2, 4})
    for (int64_t k : {1, 3}) {
      const int64_t mOut = 5, mIn = 7;
      std::vector<float> weight = randomFloats(p * mOut * p * mIn, 4);
      const std::vector<float> c = randomFloats(p * k * mIn, 5), d = randomFloats(p * p * k * mOut, 6);
      for (int64_t j = 0; j < p; ++j)
        for (int64_t i = 0; i < p; ++i)
          for (int64_t a = 0; a < mOut && i != j; ++a)
            for (int64_t b = 0; b < mIn; ++b) {
              float sum = 0;
              for (int64_t q = 0; q < k; ++q)
                sum += d[((j * p + i) * k + q) * mOut + a] * c[(i * k + q) * mIn + b];
              weight[(j * mOut + a) * p * mIn + i * mIn + b] = sum;
            }
      Source source = save({p * mOut, p * mIn}, weight, "w" + std::to_string(p) + std::to_string(k));
      Initialised model(p, phantomLayer(source, p, k, mOut, mIn));
      std::vector<double> again = denseEquivalent(model, p, k, mOut, mIn);
      for (size_t i = 0; i < weight.size(); ++i)
        EXPECT_NEAR(again[i], weight[i], 1e-5);
      for (int64_t rank = 0; rank < p; ++rank)
        for (int64_t i = 0; i < k * mOut; ++i)
          EXPECT_EQ(model.part(rank, 2)[rank * k * mOut + i], 0.0f);
    }
}

TEST_F(ParametersTest, FullGhostWidthIsExactForAnyWeight) {
  const int64_t p = 4, m = 6;
  const std::vector<float> weight = randomFloats(p * m * p * m, 7);
  Initialised model(p, phantomLayer(save({p * m, p * m}, weight), p, m, m, m));
  std::vector<double> again = denseEquivalent(model, p, m, m, m);
  for (size_t i = 0; i < weight.size(); ++i)
    EXPECT_NEAR(again[i], weight[i], 1e-5);
}

TEST_F(ParametersTest, TruncationIsTheBestInTheFrobeniusNorm) {
  // The error left must be the root of the squares of the dropped singular values: those of a 2-rank
  // weight with a diagonal off-diagonal block are its entries.
  const int64_t m = 4;
  std::vector<double> weight(2 * m * 2 * m, 0.0);
  for (int64_t i = 0; i < m; ++i)
    weight[i * 2 * m + m + i] = double(m - i); // block (0, 1): 4, 3, 2, 1
  HostTensor tensor({ElementType::F64, {2 * m, 2 * m}});
  std::memcpy(tensor.bytes.data(), weight.data(), tensor.bytes.size());
  LowRankFactors factors = value(lowRankFactors(tensor, 2, 2));
  double error = 0;
  for (int64_t a = 0; a < m; ++a)
    for (int64_t b = 0; b < m; ++b) {
      double sum = weight[a * 2 * m + m + b];
      for (int64_t q = 0; q < 2; ++q)
        sum -= factors.decompressors.data<double>()[((0 * 2 + 1) * 2 + q) * m + a] *
               factors.compressors.data<double>()[(1 * 2 + q) * m + b];
      error += sum * sum;
    }
  EXPECT_NEAR(error, 2 * 2 + 1 * 1, 1e-12);
  EXPECT_TRUE(contains(message(lowRankFactors(tensor, 3, 1)), "does not divide"));
  EXPECT_TRUE(contains(message(lowRankFactors(tensor, 2, 5)), "ghost width 5"));
}

TEST_F(ParametersTest, NotANumberInADenseWeightIsAnError) {
  std::vector<float> weight = randomFloats(64, 8);
  weight[5] = std::nanf("");
  Source source = save({8, 8}, weight);
  EXPECT_TRUE(contains(prepareMessage(2, phantomLayer(source, 2, 2, 4, 4)[1]), "fc.compressor"));
}

//===----------------------------------------------------------------------===//
// Saved parameters
//===----------------------------------------------------------------------===//

TEST_F(ParametersTest, SavesAndLoadsGlobalTensors) {
  Parameter shard = parameter("w", Layout::Shard, {4, 3}, uniform(6));
  shard.shardDim = 1;
  Parameter state = parameter("w.momentum", Layout::Shard, {4, 3}, {});
  state.shardDim = 1;
  state.stateOf = "w";
  std::vector<Parameter> parameters = {shard, parameter("l", Layout::Stacked, {2, 5}, uniform(5)),
                                       parameter("b", Layout::Replicated, {6}, uniform(6)), state};
  Initialised saved(2, parameters, 1), other(2, parameters, 2);
  ASSERT_SUCCESS(saved.store->save(folder.file("p.safetensors")));
  SafeTensorsFile file = value(SafeTensorsFile::open(folder.file("p.safetensors")));
  EXPECT_EQ(value(file.tensor("w")).shape, (std::vector<int64_t>{4, 6}));
  EXPECT_EQ(value(file.tensor("l")).shape, (std::vector<int64_t>{2, 2, 5}));
  EXPECT_EQ(value(file.tensor("b")).shape, (std::vector<int64_t>{6}));

  EXPECT_NE(saved.whole(0).bytes, other.whole(0).bytes);
  ASSERT_SUCCESS(other.store->load(folder.file("p.safetensors")));
  for (size_t i = 0; i < parameters.size(); ++i)
    for (int64_t rank = 0; rank < 2; ++rank)
      EXPECT_EQ(std::memcmp(saved.part(rank, i), other.part(rank, i), parameters[i].type.bytes()), 0);

  Initialised four(4, {parameter("l", Layout::Stacked, {2, 5}, uniform(5))});
  std::string text = message(four.store->load(folder.file("p.safetensors")));
  EXPECT_TRUE(contains(text, "'l' has shape 2x2x5"));
  EXPECT_TRUE(contains(text, "4x2x5"));
  Initialised missing(2, {parameter("m", Layout::Stacked, {2, 5}, uniform(5))});
  EXPECT_TRUE(contains(message(missing.store->load(folder.file("p.safetensors"))), "no tensor 'm'"));
}

TEST_F(ParametersTest, ChecksLayouts) {
  Parameter bad = parameter("w", Layout::Shard, {4, 3}, uniform(6));
  bad.shardDim = 2;
  EXPECT_TRUE(contains(message(checkParameter(bad, 2)), "shard dimension 2"));
  bad = parameter("w", Layout::Replicated, {4, 3}, uniform(6));
  bad.type.shape = {5, 3};
  EXPECT_TRUE(contains(message(checkParameter(bad, 2)), "differ in size"));
  bad = parameter("w", Layout::Replicated, {4, 3}, uniform(0));
  EXPECT_TRUE(contains(message(checkParameter(bad, 2)), "fan-in"));
}
