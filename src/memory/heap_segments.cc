#include "memory/arena.h"
#include "memory/page_buffer.h"

namespace terrace::memory {
namespace {

class HeapSegment final : public Segment {
 public:
  explicit HeapSegment(PageBuffer buffer) : buffer_(std::move(buffer)) {}
  std::span<std::byte> bytes() override { return buffer_.bytes(); }

 private:
  PageBuffer buffer_;
};

class HeapSegments final : public SegmentSource {
 public:
  Result<std::unique_ptr<Segment>> map(uint64_t bytes) override {
    auto buffer = PageBuffer::make(bytes);
    if (!buffer) return std::unexpected(buffer.error());
    return std::make_unique<HeapSegment>(std::move(*buffer));
  }
  std::string_view page_state() const override { return "heap memory (simulation)"; }
};

}  // namespace

std::unique_ptr<SegmentSource> heap_segments() {
  return std::make_unique<HeapSegments>();
}

}  // namespace terrace::memory
