//===- CheckGpuApi.h - Our declarations against the libraries' ----*- C++ -*-===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Included where the libraries' headers are found, by files without code.
//
//===----------------------------------------------------------------------===//

#ifndef PHANTOM_RT_LIB_CUDA_CHECKGPUAPI_H
#define PHANTOM_RT_LIB_CUDA_CHECKGPUAPI_H

#include <type_traits>

namespace phantom::rt::gpu {

template <typename T, typename = void> constexpr bool isComplete = false;
template <typename T> constexpr bool isComplete<T, std::void_t<decltype(sizeof(T))>> = true;

/// Whether a value of the library's type `Real` is passed as one of our type `Ours`: enumerations are
/// integers, structures have the same layout, and what a handle points to is known to neither side.
template <typename Real, typename Ours> constexpr bool matches() {
  if constexpr (std::is_pointer_v<Real> && std::is_pointer_v<Ours>) {
    using RealTarget = std::remove_pointer_t<Real>;
    using OurTarget = std::remove_pointer_t<Ours>;
    if constexpr (std::is_const_v<RealTarget> != std::is_const_v<OurTarget>)
      return false;
    else if constexpr (!isComplete<std::remove_const_t<OurTarget>>)
      return std::is_void_v<OurTarget> == std::is_void_v<RealTarget> &&
             (std::is_void_v<OurTarget> || std::is_class_v<RealTarget>);
    else
      return matches<std::remove_const_t<RealTarget>, std::remove_const_t<OurTarget>>();
  } else if constexpr (std::is_enum_v<Real>) {
    return std::is_integral_v<Ours> && sizeof(Real) == sizeof(Ours);
  } else if constexpr (std::is_class_v<Real> && std::is_class_v<Ours>) {
    return sizeof(Real) == sizeof(Ours) && alignof(Real) == alignof(Ours) &&
           std::is_trivially_copyable_v<Real> && std::is_trivially_copyable_v<Ours>;
  } else if constexpr (std::is_integral_v<Real> && std::is_integral_v<Ours>) {
    return sizeof(Real) == sizeof(Ours) && std::is_signed_v<Real> == std::is_signed_v<Ours>;
  } else {
    return std::is_same_v<Real, Ours>;
  }
}

template <typename Real, typename Ours> struct Functions : std::false_type {};
template <typename R, typename... Real, typename O, typename... Ours>
struct Functions<R (*)(Real...), O (*)(Ours...)> {
  static constexpr bool value = [] {
    if constexpr (sizeof...(Real) == sizeof...(Ours))
      return matches<R, O>() && (matches<Real, Ours>() && ...);
    else
      return false;
  }();
};

} // namespace phantom::rt::gpu

#define PHANTOM_SAME_FUNCTION(symbol)                                                                        \
  static_assert(Functions<decltype(&::symbol), decltype(GpuApi::symbol)>::value,                             \
                #symbol " has other parameters in the headers");
#define PHANTOM_SAME_PLACE(ours, ourMember, real, member)                                                    \
  static_assert(offsetof(ours, ourMember) == offsetof(real, member) &&                                       \
                    sizeof(ours::ourMember) == sizeof(real::member),                                         \
                #real " has " #member " elsewhere in the headers")
#define PHANTOM_SAME_NUMBER(name) static_assert(int(gpu::name) == int(::name), #name)

#endif // PHANTOM_RT_LIB_CUDA_CHECKGPUAPI_H
