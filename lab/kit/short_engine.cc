#include "lab/kit/short_engine.h"

#include <cerrno>
#include <utility>

#include "io/fault_plan.h"
#include "io/transfer.h"

namespace terrace::lab {

struct ShortEngine::Call {
  explicit Call(io::IoRequest request) : transfer(std::move(request)) {}

  // True when the request has ended.
  bool advance(int64_t returned) {
    const auto ended = transfer.advance(returned);
    if (ended) end(*ended);
    return ended.has_value();
  }
  void end(Result<void> result) {
    io::IoDone done = transfer.take_done();
    done(result);
  }

  io::Transfer transfer;
};

void ShortEngine::submit(std::span<io::IoRequest> batch) {
  for (io::IoRequest& request : batch) proceed(std::make_shared<Call>(std::move(request)));
}

int64_t ShortEngine::draw_refusal() {
  if (random_.unit() < how_.interrupted) return -EINTR;
  return random_.unit() < how_.again ? -EAGAIN : 0;
}

// Whole units of the file, at least one.
uint64_t ShortEngine::draw_bytes(uint64_t most, uint32_t alignment) {
  if (most <= alignment || random_.unit() >= how_.cut) return most;
  return (1 + random_.below(most / alignment)) * alignment;
}

void ShortEngine::proceed(const std::shared_ptr<Call>& call) {
  while (const int64_t refusal = draw_refusal()) {
    if (call->advance(refusal)) return;
  }
  const io::IoRequest& whole = call->transfer.request();
  io::IoRequest piece{.op = whole.op,
                      .io_class = whole.io_class,
                      .file = whole.file,
                      .offset = call->transfer.offset(),
                      .vec = {},
                      .done = nullptr};
  size_t used = 0;
  for (const iovec& vec : call->transfer.vectors()) piece.vec[used++] = {vec.iov_base, vec.iov_len};
  const uint64_t left = piece.bytes(), alignment = whole.file->alignment();
  const uint64_t bytes = draw_bytes(left, whole.file->alignment());
  io::truncate(piece.vec, bytes);
  // A part may end inside a sector: then the sector is moved once more.
  const uint64_t ragged = bytes < left && random_.one_in(4) ? random_.below(alignment) : 0;
  piece.done = [this, call, moved = static_cast<int64_t>(bytes - ragged)](Result<void> result) {
    if (!result) return call->end(result);
    if (!call->advance(moved)) proceed(call);
  };
  engine_->submit(std::span(&piece, 1));
}

}  // namespace terrace::lab
