#include <sys/mman.h>

#include "base/bytes.h"
#include "memory/arena.h"
#include "memory/mapping.h"

namespace terrace::memory {
namespace {

class AnonymousSegment final : public Segment {
 public:
  explicit AnonymousSegment(Mapping mapping) : mapping_(std::move(mapping)) {}
  std::span<std::byte> bytes() override { return mapping_.bytes(); }
  void populate() override { mapping_.populate(); }

 private:
  Mapping mapping_;
};

class AnonymousSegments final : public SegmentSource {
 public:
  AnonymousSegments() {
    const std::string mode = chosen_huge_pages("enabled");
    if (mode == "always" || mode == "madvise") {
      page_state_ = "huge pages: " + mode;
    } else if (mode == "never") {
      page_state_ = "4 KiB pages: transparent huge pages are set to never; IO is slower and costs more CPU";
    } else {
      page_state_ = "4 KiB pages: this kernel has no transparent huge pages; IO is slower and costs more CPU";
    }
  }

  Result<std::unique_ptr<Segment>> map(uint64_t bytes) override {
    auto mapping = Mapping::anonymous(bytes);
    if (!mapping) return std::unexpected(mapping.error());
    return std::make_unique<AnonymousSegment>(std::move(*mapping));
  }
  std::string_view page_state() const override { return page_state_; }

 private:
  std::string page_state_;
};

}  // namespace

std::unique_ptr<SegmentSource> anonymous_segments() {
  return std::make_unique<AnonymousSegments>();
}

}  // namespace terrace::memory
