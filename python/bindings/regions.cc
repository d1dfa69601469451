// Registered memory and slices of it.
#include <fmt/format.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/handles.h"

namespace terrace::python {

void StoreHandle::drop(RegionId id, HeldBuffer memory) {
  dropped_.emplace_back(id, std::move(memory));
  drop_those_not_busy();
}

void StoreHandle::drop_those_not_busy() {
  std::vector<std::pair<RegionId, HeldBuffer>> busy;
  for (auto& [region, memory] : dropped_) {
    const auto left = store->unregister_region(region);
    if (!left && left.error().code == Code::kBusy) busy.emplace_back(region, std::move(memory));
  }
  dropped_ = std::move(busy);
}

StoreHandle::~StoreHandle() {
  (void)without_gil([this] { return store->close(std::chrono::seconds(2)); });
  drop_those_not_busy();
  for (auto& [region, memory] : dropped_) memory.keep_for_ever();
}

Region::~Region() {
  if (id == 0) return;
  if (memory)
    store->drop(id, *std::move(memory));
  else
    (void)store->store->unregister_region(id);
}

namespace {

Slices slices_of(const Region& region, nb::handle offsets, nb::handle bytes) {
  const auto places = numbers_of(offsets, "offsets");
  const auto sizes = sizes_of(bytes, places.size());
  Slices made;
  for (size_t i = 0; i < places.size(); ++i) {
    if (places[i] > region.bytes || sizes[i] > region.bytes - places[i]) {
      raise_invalid(fmt::format("slice {} is bytes {} to {} of a region of {}", i, places[i],
                                places[i] + sizes[i], region.bytes));
    }
    made.slices.push_back({region.id, places[i], sizes[i]});
  }
  return made;
}

}  // namespace

void bind_regions(nb::module_& module) {
  nb::class_<Slices>(module, "Slices", "Parts of registered regions, one for each block, in order.")
      .def("__len__", [](const Slices& self) { return self.slices.size(); })
      .def("__add__", [](const Slices& self, const Slices& other) {
        Slices sum = self;
        sum.slices.insert(sum.slices.end(), other.slices.begin(), other.slices.end());
        return sum;
      });

  nb::class_<Region>(
      module, "Region",
      "Memory that blocks move to and from directly (Store.register_region). Keeps the memory\n"
      "alive while anything of the store's may touch it.")
      .def(
          "__len__", [](const Region& self) { return self.bytes; }, "Bytes.")
      .def("slices", &slices_of, nb::arg("offsets"), nb::arg("bytes"),
           "One slice for each offset (a sequence of int, or an int64 buffer), of `bytes` each (an int, or "
           "one\n"
           "for each). Raises Error for what lies outside of the region.")
      .def(
          "unregister",
          [](Region& self) {
            if (self.id == 0) return;
            value_of(without_gil([&] { return self.store->store->unregister_region(self.id); }));
            self.id = 0;
            self.memory.reset();
          },
          "Ends it. Raises Error with Code.BUSY while an operation may touch the memory.");
}

}  // namespace terrace::python
