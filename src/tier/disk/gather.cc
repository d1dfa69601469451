#include <atomic>
#include <memory>

#include "tier/disk/write.h"

namespace terrace::tier::disk {
namespace {

struct Gather {
  std::atomic<size_t> missing;
  std::vector<Result<void>> results;
  std::move_only_function<void(std::vector<Result<void>>)> then;
};

}  // namespace

void gather(io::IoScheduler& scheduler, std::vector<io::IoRequest> requests,
            std::move_only_function<void(std::vector<Result<void>>)> then) {
  if (requests.empty()) return then({});
  auto owned =
      std::make_unique<Gather>(requests.size(), std::vector<Result<void>>(requests.size()), std::move(then));
  Gather* const all = owned.get();
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].done = [all, i](Result<void> result) {
      all->results[i] = result;
      if (all->missing.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      const std::unique_ptr<Gather> last(all);
      last->then(std::move(last->results));
    };
  }
  owned.release();  // the last completion owns it
  scheduler.submit(requests);
}

}  // namespace terrace::tier::disk
