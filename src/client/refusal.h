// Why the server refused a request, as an Error of this process.
#pragma once

#include <terrace/error.h>

#include "wire/frame.h"

namespace terrace::client {

// Errors are small and say why with a text that lives for ever: the server's own words are kept, once each,
// 256 of them at most and up to 200 bytes of each; beyond that only the code tells. Any thread.
Error error_of(const wire::Failed& failed);

}  // namespace terrace::client
