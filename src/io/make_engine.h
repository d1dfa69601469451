// Chooses the engine of a store.
#pragma once

#include <cstdint>
#include <memory>

#include <terrace/error.h>

#include "io/io_engine.h"

namespace terrace::io {

enum class EngineChoice : uint8_t { kAuto, kUring, kPsync };

// kAuto takes io_uring and, where the machine refuses it, psync with the refusal in IoEngineInfo::reason.
// kUring fails instead. `depth` is 1 to kEngineDepthMax.
Result<std::unique_ptr<IoEngine>> make_engine(EngineChoice choice, uint32_t depth);
inline constexpr uint32_t kEngineDepthMax = 4096;

}  // namespace terrace::io
