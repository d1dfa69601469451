#include "io/make_engine.h"

#include <string>

#include "io/psync_engine.h"
#include "io/uring_engine.h"

namespace terrace::io {

Result<std::unique_ptr<IoEngine>> make_engine(EngineChoice choice, uint32_t depth) {
  if (depth == 0 || depth > kEngineDepthMax) {
    return fail(Code::kInvalidArgument, "an engine's depth is 1 to 4096");
  }
  if (choice == EngineChoice::kPsync)
    return make_psync_engine({.depth = depth, .reason = "psync was asked for"});
  auto engine = make_uring_engine(depth);
  if (engine || choice == EngineChoice::kUring) return engine;
  return make_psync_engine({.depth = depth, .reason = "io_uring refused: " + to_string(engine.error())});
}

}  // namespace terrace::io
