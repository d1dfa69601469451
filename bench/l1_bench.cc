#include <fmt/format.h>

#include <cstring>

#include <terrace/store.h>

#include "base/bytes.h"
#include "bench/measure.h"
#include "bench/micro.h"

namespace terrace::bench {
namespace {

constexpr uint64_t kPoolBytes = base::kGiB;

// A store that is only memory, a region of the caller to put from, and one to get into.
class MemorySide {
 public:
  MemorySide(uint64_t block, const HugePool& source, const HugePool& target) : block_(block) {
    StoreOptions options;
    options.l1.budget = kPoolBytes + kPoolBytes / 4;  // room for one run, though slots lose some of it
    options.l1.largest_block = block;
    store_ = need(Store::open(options), "store");
    Namespace fields;
    fields.model_id = "l1";
    root_ = need(store_->open_namespace(fields), "namespace");
    source_ = need(store_->register_region(source.bytes().data(), source.bytes().size()), "register_region");
    target_ = need(store_->register_region(target.bytes().data(), target.bytes().size()), "register_region");
  }

  // `count` new blocks, a chain of `batch` at a time.
  void put(uint64_t count, uint64_t batch) {
    std::vector<BlockSpec> blocks;
    std::vector<RegionSlice> from;
    first_ = next_;
    for (uint64_t done = 0; done < count; done += batch) {
      blocks.clear();
      from.clear();
      for (uint64_t i = done; i < std::min(count, done + batch); ++i) {
        blocks.push_back({.key = nth_key(11, next_++), .bytes = block_});
        from.push_back({.region = source_, .offset = i * block_ % kPoolBytes, .bytes = block_});
      }
      for (const auto outcome : need(store_->put({root_, {}, blocks}, from), "put")) {
        if (outcome != ReserveOutcome::kBuffer) throw CannotRun(fmt::format("put answered {}", int(outcome)));
      }
    }
  }

  // The blocks of the last put.
  void get_into(uint64_t batch) {
    std::vector<Key> keys;
    std::vector<RegionSlice> to;
    for (uint64_t done = first_; done < next_; done += batch) {
      keys.clear();
      to.clear();
      for (uint64_t i = done; i < std::min(next_, done + batch); ++i) {
        keys.push_back(nth_key(11, i));
        to.push_back({.region = target_, .offset = (i - first_) * block_ % kPoolBytes, .bytes = block_});
      }
      const auto operation = need(store_->get_into(keys, to), "get_into");
      if (!store_->wait(operation, std::chrono::seconds(30))) throw CannotRun("get_into did not end in time");
      if (operation.result().delivered != keys.size())
        throw CannotRun("get_into missed a block that was put");
    }
  }

 private:
  uint64_t block_;
  std::unique_ptr<Store> store_;
  Key root_;
  RegionId source_ = 0, target_ = 0;
  uint64_t first_ = 0, next_ = 0;
};

void copy_all(const HugePool& from, const HugePool& to, uint64_t count, uint64_t block) {
  for (uint64_t i = 0; i < count; ++i) {
    std::memcpy(to.block(i, block).data(), from.block(i, block).data(), block);
    asm volatile("" ::: "memory");
  }
}

}  // namespace

void bench_l1(const MicroOptions& options, uint64_t block) {
  const HugePool source(kPoolBytes), target(kPoolBytes);
  MemorySide side(block, source, target);
  const uint64_t count = kPoolBytes * 3 / 4 / block;
  const uint64_t batch = std::max<uint64_t>(1, 64 * base::kMiB / block);
  const auto gbps = [&](const Stopwatch& watch) { return double(count * block) / watch.seconds() / 1e9; };
  Pairs put{fmt::format("l1.put.{}MiB", block / base::kMiB), "GB/s", {}, {}};
  Pairs get{fmt::format("l1.get_into.{}MiB", block / base::kMiB), "GB/s", {}, {}};
  for (int warm = 0; warm < 3; ++warm) side.put(count, batch);  // touches the whole arena
  side.get_into(batch);
  for (uint32_t run = 0; run < options.runs; ++run) {
    const Stopwatch put_watch;
    side.put(count, batch);
    put.ours.push_back(gbps(put_watch));
    const Stopwatch copy_in;
    copy_all(source, target, count, block);
    put.theirs.push_back(gbps(copy_in));
    const Stopwatch get_watch;
    side.get_into(batch);
    get.ours.push_back(gbps(get_watch));
    const Stopwatch copy_out;
    copy_all(source, target, count, block);
    get.theirs.push_back(gbps(copy_out));
  }
  print_pairs(put);
  print_pairs(get);
}

}  // namespace terrace::bench
