//===- Ranges.cpp - Named ranges for profilers ----------------------------===//
//
// Part of the Phantom project, under the Apache License v2.0 with LLVM
// Exceptions. See LICENSE for license information.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ranges.h"

#ifdef PHANTOM_HAS_NVTX

#include <nvtx3/nvToolsExt.h>

namespace phantom::rt::gpu {

static nvtxDomainHandle_t domain() {
  static const nvtxDomainHandle_t created = nvtxDomainCreateA("phantom");
  return created;
}

Range::Range(const std::string &name) : isOpen(!name.empty()) {
  if (!isOpen)
    return;
  nvtxEventAttributes_t attributes = {};
  attributes.version = NVTX_VERSION;
  attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
  attributes.message.ascii = name.c_str();
  (void)nvtxDomainRangePushEx(domain(), &attributes);
}

Range::~Range() {
  if (isOpen)
    (void)nvtxDomainRangePop(domain());
}

} // namespace phantom::rt::gpu

#else

namespace phantom::rt::gpu {

Range::Range(const std::string &) : isOpen(false) {}
Range::~Range() = default;

} // namespace phantom::rt::gpu

#endif // PHANTOM_HAS_NVTX
