// What the reasons of misses say, in a sentence each.
#pragma once

#include <string_view>

#include <terrace/store.h>

namespace terrace::cli {

std::string_view meaning(MissReason reason);

}  // namespace terrace::cli
