// An engine whose transfers come in pieces, are interrupted or told to try again, as a kernel's may be. What
// continues them is io::Transfer, the same that the real engines use.
#pragma once

#include <memory>

#include "base/random.h"
#include "io/io_engine.h"

namespace terrace::lab {

// Chances from 0 to 1, per call.
struct ShortTransfers {
  double cut = 0;          // moves a part only, at times one that ends inside a sector
  double interrupted = 0;  // EINTR
  double again = 0;        // EAGAIN

  bool any() const { return cut + interrupted + again > 0; }
};

class ShortEngine final : public io::IoEngine {
 public:
  // `how` outlives the engine and may change. One thread.
  ShortEngine(std::unique_ptr<io::IoEngine> engine, const ShortTransfers& how, uint64_t seed)
      : engine_(std::move(engine)), how_(how), random_(seed) {}

  void submit(std::span<io::IoRequest> batch) override;
  io::IoEngineInfo info() const override { return engine_->info(); }
  void drain() override { engine_->drain(); }
  void stop() override { engine_->stop(); }

 private:
  struct Call;
  void proceed(const std::shared_ptr<Call>& call);
  int64_t draw_refusal();
  uint64_t draw_bytes(uint64_t most, uint32_t alignment);

  std::unique_ptr<io::IoEngine> engine_;
  const ShortTransfers& how_;
  base::Random random_;
};

}  // namespace terrace::lab
