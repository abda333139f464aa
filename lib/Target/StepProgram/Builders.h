//===- Builders.h - Parts of the export of step programs -*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_LIB_TARGET_STEPPROGRAM_BUILDERS_H
#define PHANTOM_LIB_TARGET_STEPPROGRAM_BUILDERS_H

#include "phantom/Dialect/Phantom/IR/Phantom.h"

#include "phantom-rt/Program.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"

namespace mlir::phantom {

namespace rt = ::phantom::rt;

/// Emits an error at `op` where the program has no such element type.
FailureOr<rt::ElementType> toElementType(Operation *op, Type type);
rt::ElementType toUnsigned(rt::ElementType type);
FailureOr<rt::TensorType> toTensorType(Operation *op, ShapedType type);
int64_t elementsOf(const rt::TensorType &type);
int64_t elementBytes(Type type);

/// A location as the user knows it: the model's name for the op, or file:line:column.
std::string toLocationString(Location location);

FailureOr<rt::Parameter> toParameter(ParameterOp op);

/// Appends to the function's commands. (Out of line: gcc 12 warns about the variant's members where it is
/// inlined.)
void append(rt::Function &function, rt::Command command);

/// Trainable elements of all ranks together: replicated ones once, zero blocks not at all.
int64_t countTrainable(const rt::Program &program, ModuleOp module);

/// Flops and ring-model elements of one call of the function.
void addCosts(func::FuncOp function, int64_t runs, rt::Costs &costs);

/// The program's kernels, where they are for GPUs.
gpu::GPUModuleOp gpuKernels(ModuleOp module);

/// What a kernel for GPUs does with its arguments.
FailureOr<std::vector<rt::KernelArgument>> toKernelArguments(gpu::GPUFuncOp kernel);

/// Exports functions one after the other, with the program's tables of windows, exchanges, constants and
/// kernels.
class FunctionExporter {
public:
  FunctionExporter(ModuleOp module, rt::Program &program) : module(module), program(program) {}

  LogicalResult exportFunction(func::FuncOp function);

private:
  LogicalResult exportArguments(func::FuncOp function, rt::Function &result);
  LogicalResult exportResults(func::FuncOp function, rt::Function &result);
  LogicalResult exportOp(Operation &op, rt::Function &result);
  LogicalResult exportGemm(GemmOp op, rt::Function &result);
  LogicalResult exportEpilogue(GemmOp op, rt::GemmCommand &command);
  LogicalResult exportLaunch(LaunchOp op, rt::Function &result);
  LogicalResult exportStart(ExchangeStartOp op, rt::Function &result);
  LogicalResult exportWait(ExchangeWaitOp op, rt::Function &result);
  LogicalResult exportCollective(CollectiveOp op, rt::Function &result);
  FailureOr<rt::Exchange> toExchange(ExchangeOpInterface op, Value window);
  FailureOr<rt::BufferRef> resolve(Operation *user, Value buffer);
  FailureOr<rt::BufferRef> resolveSlot(WindowSlotOp slot);
  FailureOr<uint32_t> exportConstant(Operation *user, StringRef name);

  ModuleOp module;
  rt::Program &program;
  llvm::DenseMap<Value, uint32_t> windows;   ///< of the current function
  llvm::DenseMap<Value, uint32_t> exchanges; ///< by the start's token
  llvm::DenseMap<Value, uint32_t> events;    ///< of the current function
  llvm::StringMap<uint32_t> kernels, constants;
};

} // namespace mlir::phantom

#endif // PHANTOM_LIB_TARGET_STEPPROGRAM_BUILDERS_H
