// The store's calls, each as include/terrace/store.h says.
#include <set>
#include <string>

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <nlohmann/json.hpp>

#include <terrace/client.h>
#include <terrace/config.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/operations.h"
#include "config/load.h"
#include "report/stats_document.h"

namespace terrace::python {

namespace {

using Seconds = std::optional<double>;
using Queue = std::shared_ptr<CompletionQueue>;

// --- beginning and end

std::shared_ptr<StoreHandle> handle_of(Outcome<std::unique_ptr<Store>>&& opened) {
  return std::make_shared<StoreHandle>(value_of(std::move(opened)));
}

std::shared_ptr<StoreHandle> open_file(const std::string& file) {
  return handle_of(without_gil([&]() -> Outcome<std::unique_ptr<Store>> {
    const auto options = load_options(file);
    if (!options) return std::unexpected(options.error());
    return Store::open(*options);
  }));
}

// As load_options, without a file.
std::shared_ptr<StoreHandle> open_text(const std::string& yaml) {
  return handle_of(without_gil([&]() -> Outcome<std::unique_ptr<Store>> {
    std::vector<config::Source> sources;
    sources.push_back(config::read_yaml(yaml, "config"));
    sources.push_back(config::read_environment(config::process_environment()));
    const auto loaded = config::load(std::move(sources));
    if (!loaded) return config::failure_of(loaded.error());
    return Store::open(loaded->options);
  }));
}

std::shared_ptr<StoreHandle> connect_to(const std::string& socket, const std::string& name,
                                        const std::vector<Namespace>& namespaces, double patience) {
  ClientOptions options{
      .socket = socket, .name = name, .namespaces = namespaces, .patience = wait_of(patience)};
  return handle_of(without_gil([&] { return connect(options); }));
}

// --- stores

// Whose spans stand in vectors of its own.
struct Request {
  std::vector<BlockSpec> blocks;
  ReserveRequest request;
};

Request request_of(nb::handle root, nb::handle keys, nb::handle bytes, nb::handle parent) {
  Request made;
  const auto all = keys_of(keys);
  const auto sizes = sizes_of(bytes, all.size());
  for (size_t i = 0; i < all.size(); ++i) made.blocks.push_back({.key = all[i], .bytes = sizes[i]});
  made.request.root = key_of(root);
  if (!parent.is_none()) made.request.parent = key_of(parent);
  made.request.blocks = made.blocks;
  return made;
}

std::vector<PyReserveAnswer> reserve(const StoreHandle& self, nb::handle root, nb::handle keys,
                                     nb::handle bytes, nb::handle parent, Seconds timeout) {
  const Request request = request_of(root, keys, bytes, parent);
  const Timeout longest = timeout ? timeout_of(timeout) : Timeout(0);
  auto answers = value_of(without_gil([&] {
    return timeout ? self.store->reserve_wait(request.request, longest)
                   : self.store->reserve(request.request);
  }));
  std::vector<PyReserveAnswer> made;
  for (ReserveAnswer& answer : answers) {
    PyReserveAnswer& one = made.emplace_back(answer.outcome);
    if (!answer.reservation) continue;
    auto state = std::make_shared<FillBuffer>();
    state->reservation = std::move(answer.reservation);
    one.reservation = PyReservation{std::move(state)};
  }
  return made;
}

// All of them or none: nothing is taken before everything was looked at.
void commit(const StoreHandle& self, const nb::sequence& reservations, const Queue& queue, uint64_t tag) {
  std::vector<std::shared_ptr<FillBuffer>> states;
  for (const nb::handle one : reservations) states.push_back(nb::cast<const PyReservation&>(one).state);
  // No Python runs from here on.
  std::set<FillBuffer*> named;
  for (size_t i = 0; i < states.size(); ++i) {
    if (!states[i]->reservation) raise_invalid(fmt::format("reservations[{}] was committed or aborted", i));
    if (states[i]->looked_at > 0) {
      raise(
          Error{Code::kBusy, 0, "a view of a reservation's bytes is alive: what is published never changes"});
    }
    if (!named.insert(states[i].get()).second)
      raise_invalid(fmt::format("reservations[{}] is named twice", i));
  }
  std::vector<Reservation> taken;
  for (const auto& state : states) taken.push_back(std::move(state->reservation));
  const auto done = without_gil([&] { return self.store->commit(taken, {queue, tag}); });
  if (done) return;
  for (size_t i = 0; i < states.size(); ++i) states[i]->reservation = std::move(taken[i]);
  raise(done.error());
}

std::vector<ReserveOutcome> put(const StoreHandle& self, nb::handle root, nb::handle keys,
                                const Slices& slices, nb::handle parent, const Queue& queue, uint64_t tag) {
  std::vector<BlockSpec> blocks;
  const auto all = keys_of(keys);
  if (all.size() != slices.slices.size())
    raise_invalid(fmt::format("{} slices for {} keys: one for each", slices.slices.size(), all.size()));
  for (size_t i = 0; i < all.size(); ++i) blocks.push_back({.key = all[i], .bytes = slices.slices[i].bytes});
  ReserveRequest request{.root = key_of(root), .blocks = blocks};
  if (!parent.is_none()) request.parent = key_of(parent);
  return value_of(without_gil([&] { return self.store->put(request, slices.slices, {queue, tag}); }));
}

// --- retrieves

GetOptions options_of(Seconds timeout, std::optional<WriteBack> write_back, const PrefetchTicket* ticket) {
  return {.timeout = timeout_of(timeout), .write_back = write_back, .ticket = ticket};
}

PyLookup lookup(const StoreHandle& self, nb::handle keys, bool pin) {
  const auto all = keys_of(keys);
  return lookup_of(value_of(without_gil([&] { return self.store->lookup(all, pin); })));
}

LookupOperation lookup_async(const StoreHandle& self, nb::handle keys, Seconds timeout, const Queue& queue,
                             uint64_t tag) {
  const auto all = keys_of(keys);
  const Timeout longest = timeout_of(timeout);
  return value_of(without_gil([&] { return self.store->lookup_async(all, longest, {queue, tag}); }));
}

FamilyLookup lookup_families(const StoreHandle& self, nb::handle families,
                             const std::vector<std::pair<uint32_t, uint32_t>>& groups) {
  const auto all = keys_of(families);
  FamilyLayout layout;
  if (!groups.empty()) layout.groups.clear();
  for (const auto& [shards, window] : groups) layout.groups.push_back({shards, window});
  return value_of(without_gil([&] { return self.store->lookup_families(all, layout); }));
}

PyBlocks get(const StoreHandle& self, nb::handle keys, Seconds timeout, std::optional<WriteBack> write_back,
             const PrefetchTicket* ticket) {
  const auto all = keys_of(keys);
  const GetOptions options = options_of(timeout, write_back, ticket);
  return blocks_of(value_of(without_gil([&] { return self.store->get(all, options); })));
}

GetOperation get_async(const StoreHandle& self, nb::handle keys, Seconds timeout,
                       std::optional<WriteBack> write_back, const PrefetchTicket* ticket, const Queue& queue,
                       uint64_t tag) {
  const auto all = keys_of(keys);
  const GetOptions options = options_of(timeout, write_back, ticket);
  return value_of(without_gil([&] { return self.store->get_async(all, options, {queue, tag}); }));
}

PyInto get_into(const std::shared_ptr<StoreHandle>& self, nb::handle keys, const Slices& slices,
                Seconds timeout, std::optional<WriteBack> write_back, const PrefetchTicket* ticket,
                const Queue& queue, uint64_t tag) {
  const auto all = keys_of(keys);
  const GetOptions options = options_of(timeout, write_back, ticket);
  auto begun = without_gil([&] { return self->store->get_into(all, slices.slices, options, {queue, tag}); });
  return {self, value_of(std::move(begun))};
}

PrefetchTicket prefetch(const StoreHandle& self, nb::handle keys, std::optional<PrefetchPolicy> policy,
                        std::optional<WriteBack> write_back, const Queue& queue, uint64_t tag) {
  const auto all = keys_of(keys);
  return value_of(without_gil([&] { return self.store->prefetch(all, {policy, write_back}, {queue, tag}); }));
}

// --- regions

std::shared_ptr<Region> region_of_buffer(const std::shared_ptr<StoreHandle>& self, nb::handle buffer) {
  HeldBuffer held(buffer, true);
  const auto bytes = held.bytes();
  const RegionId id = value_of(self->store->register_region(bytes.data(), bytes.size()));
  return std::make_shared<Region>(self, id, bytes.size(), std::move(held));
}

std::shared_ptr<Region> region_of_address(const std::shared_ptr<StoreHandle>& self, uint64_t address,
                                          uint64_t bytes) {
  auto* const data = reinterpret_cast<void*>(address);
  return std::make_shared<Region>(self, value_of(self->store->register_region(data, bytes)), bytes,
                                  std::nullopt);
}

std::shared_ptr<Region> region_of_file(const std::shared_ptr<StoreHandle>& self, int fd, uint64_t offset,
                                       uint64_t bytes) {
  const RegionId id =
      value_of(without_gil([&] { return self->store->register_shared_region(fd, offset, bytes); }));
  return std::make_shared<Region>(self, id, bytes, std::nullopt);
}

// --- the rest

ClearScope scope_of(nb::handle root, std::optional<std::string> tenant_salt, bool all, bool erase) {
  ClearScope scope;
  if (!root.is_none()) scope.root = key_of(root);
  scope.tenant_salt = std::move(tenant_salt);
  scope.all = all;
  scope.erase = erase;
  return scope;
}

nb::object stats(const StoreHandle& self) {
  const std::string text = without_gil([&] {
    return report::store_document(*self.store).dump(-1, ' ', false, report::Json::error_handler_t::replace);
  });
  return nb::module_::import_("json").attr("loads")(text);
}

nb::dict why(const StoreHandle& self, nb::handle key) {
  const Key asked = key_of(key);
  const KeyStory story = without_gil([&] { return self.store->why(asked); });
  nb::list places;
  for (const KeyStory::Place& place : story.places) {
    nb::dict one;
    one["tier"] = place.name;
    one["bytes"] = place.bytes;
    one["parent"] = bytes_of(place.parent);
    one["readable"] = place.readable;
    places.append(one);
  }
  nb::dict told;
  told["places"] = places;
  told["on_way_to"] = story.on_way_to;
  told["reason"] = story.reason;
  told["not_written"] = story.not_written;
  told["root"] = story.root ? nb::object(bytes_of(*story.root)) : nb::none();
  return told;
}

using StoreClass = nb::class_<StoreHandle>;

void bind_stores(StoreClass& store) {
  store
      .def("reserve", &reserve, nb::arg("root"), nb::arg("keys"), nb::arg("bytes"), nb::kw_only(),
           nb::arg("parent") = nb::none(), nb::arg("timeout") = nb::none(),
           "Buffers for the blocks of a chain, in order: list[ReserveAnswer], one for each key.\n\n"
           "root: the namespace (32 bytes). bytes: payload of each block, an int or one for each. parent: "
           "the key\n"
           "before the first one; None at the head of a chain. timeout: seconds to wait for room; None: not "
           "at\n"
           "all. Behind a NO_ROOM nothing is stored. Raises Error; then nothing has changed.")
      .def("commit", &commit, nb::arg("reservations"), nb::kw_only(), nb::arg("queue") = nb::none(),
           nb::arg("tag") = 0,
           "Publishes filled buffers, in order and all at once; they reach the tiers behind. `queue` is told "
           "of\n"
           "each write and at last of the batch. Raises Error with Code.BUSY while a view of one is alive.")
      .def("put", &put, nb::arg("root"), nb::arg("keys"), nb::arg("slices"), nb::kw_only(),
           nb::arg("parent") = nb::none(), nb::arg("queue") = nb::none(), nb::arg("tag") = 0,
           "Stores blocks from registered memory: list[ReserveOutcome]. ACCEPTED ones are written straight "
           "from\n"
           "it, and are the caller's again when `queue` was told RELEASED for their key.");
}

void bind_retrieves(StoreClass& store) {
  store
      .def("lookup", &lookup, nb::arg("keys"), nb::kw_only(), nb::arg("pin") = false,
           "The longest prefix of `keys` that can be retrieved, from memory alone: a Lookup. `pin` keeps it.")
      .def("lookup_async", &lookup_async, nb::arg("keys"), nb::kw_only(), nb::arg("timeout") = nb::none(),
           nb::arg("queue") = nb::none(), nb::arg("tag") = 0,
           "As lookup, and asks the tiers that others write too: a LookupOperation. RESULT when it is ready.")
      .def("lookup_families", &lookup_families, nb::arg("families"), nb::kw_only(),
           nb::arg("groups") = std::vector<std::pair<uint32_t, uint32_t>>(),
           "As lookup, of families; groups: (shards, window in blocks or 0) of each KV group.")
      .def("get", &get, nb::arg("keys"), nb::kw_only(), nb::arg("timeout") = nb::none(),
           nb::arg("write_back") = nb::none(), nb::arg("ticket") = nb::none(),
           "The longest prefix that is there and verified: Blocks. Waits up to `timeout` seconds (None: the\n"
           "store's); what is not there then is a miss, with its reason.")
      .def("get_async", &get_async, nb::arg("keys"), nb::kw_only(), nb::arg("timeout") = nb::none(),
           nb::arg("write_back") = nb::none(), nb::arg("ticket") = nb::none(), nb::arg("queue") = nb::none(),
           nb::arg("tag") = 0, "As get, without waiting: a GetOperation. RESULT when it is ready.")
      .def("get_into", &get_into, nb::arg("keys"), nb::arg("slices"), nb::kw_only(),
           nb::arg("timeout") = nb::none(), nb::arg("write_back") = nb::none(),
           nb::arg("ticket") = nb::none(), nb::arg("queue") = nb::none(), nb::arg("tag") = 0,
           "Retrieves into registered memory: an IntoOperation. RESULT when the result is there, RELEASED "
           "when\n"
           "nothing touches the memory any more. A slice has exactly its block's bytes.")
      .def("prefetch", &prefetch, nb::arg("keys"), nb::kw_only(), nb::arg("policy") = nb::none(),
           nb::arg("write_back") = nb::none(), nb::arg("queue") = nb::none(), nb::arg("tag") = 0,
           "Loads what is in tiers into L1 ahead of time: a PrefetchTicket. RESULT when it has ended.");
}

void bind_regions_of(StoreClass& store) {
  store
      .def("register_region", &region_of_buffer, nb::arg("buffer"),
           "Memory of a writable contiguous buffer (numpy, mmap, a CPU tensor's numpy()): a Region, which "
           "keeps\n"
           "the buffer. Straight reads and writes need slices that begin at a page (4096 bytes).")
      .def("register_address", &region_of_address, nb::arg("address"), nb::arg("bytes"),
           "Memory by its address. The caller keeps it until Region.unregister has not raised.")
      .def("register_shared_region", &region_of_file, nb::arg("fd"), nb::arg("offset"), nb::arg("bytes"),
           "Memory of a memfd, which a server can reach too. Raises Error with Code.PERMISSION for a file "
           "that\n"
           "could shrink.");
}

void bind_upkeep(StoreClass& store) {
  store
      .def(
          "open_namespace",
          [](const StoreHandle& self, const Namespace& fields) {
            return bytes_of(value_of(without_gil([&] { return self.store->open_namespace(fields); })));
          },
          nb::arg("fields"), "The namespace's root key, 32 bytes; tiers remember its fields.")
      .def(
          "remove",
          [](const StoreHandle& self, nb::handle keys, bool erase) {
            const auto all = keys_of(keys);
            return value_of(without_gil([&] { return self.store->remove(all, erase); }));
          },
          nb::arg("keys"), nb::kw_only(), nb::arg("erase") = false,
          "Gone from every lookup when it returns, also after kill -9. How many blocks were there. `erase`\n"
          "overwrites the bytes with zeros too.")
      .def(
          "clear",
          [](const StoreHandle& self, nb::handle root, std::optional<std::string> tenant_salt, bool all,
             bool erase) {
            const ClearScope scope = scope_of(root, std::move(tenant_salt), all, erase);
            return value_of(without_gil([&] { return self.store->clear(scope); }));
          },
          nb::kw_only(), nb::arg("root") = nb::none(), nb::arg("tenant_salt") = nb::none(),
          nb::arg("all") = false, nb::arg("erase") = false,
          "Removes a namespace, a tenant's namespaces, or all. How many blocks were there.")
      .def(
          "sync",
          [](const StoreHandle& self, double timeout) {
            value_of(without_gil([&] { return self.store->sync(wait_of(timeout)); }));
          },
          nb::arg("timeout"),
          "Everything committed so far is in its tiers (or was dropped) and durable. Raises Error with\n"
          "Code.DEADLINE after `timeout` seconds.")
      .def(
          "wait_recovered",
          [](const StoreHandle& self, double timeout) {
            return wait_in_turns(wait_of(timeout),
                                 [&](Timeout turn) { return self.store->wait_recovered(turn); });
          },
          nb::arg("timeout"), "True when every tier has announced what it holds, within `timeout` seconds.");
}

void bind_control(StoreClass& store) {
  store
      .def("why", &why, nb::arg("key"),
           "Where a block is, or what became of it: a dict of places, on_way_to, reason, not_written, root.")
      .def("stats", &stats, "A dict of what `terrace stats --json` prints (docs/guide).")
      .def(
          "set_l1_mode",
          [](const StoreHandle& self, L1Mode mode) {
            return value_of(without_gil([&] { return self.store->set_l1_mode(mode); }));
          },
          nb::arg("mode"), "Switches between CACHE and STAGING; bytes that leases and writes still keep.")
      .def(
          "drain_tier",
          [](const StoreHandle& self, const std::string& name, double timeout) {
            return value_of(without_gil([&] { return self.store->drain_tier(name, wait_of(timeout)); }));
          },
          nb::arg("name"), nb::arg("timeout"),
          "Takes a tier out of use; how many operations still run there.")
      .def(
          "resume_tier",
          [](const StoreHandle& self, const std::string& name) {
            value_of(without_gil([&] { return self.store->resume_tier(name); }));
          },
          nb::arg("name"), "Takes it into use again.")
      .def(
          "make_queue", [](const StoreHandle& self) { return self.store->make_queue(); },
          "A CompletionQueue for this store's operations.")
      .def(
          "close",
          [](const StoreHandle& self, double timeout) {
            return value_of(without_gil([&] { return self.store->close(wait_of(timeout)); }));
          },
          nb::arg("timeout") = 2.0,
          "Drains for up to `timeout` seconds and closes; how many operations it gave up. Blocks that are "
          "held\n"
          "stay readable.")
      .def("__enter__", [](nb::object self) { return self; })
      .def("__exit__", [](const StoreHandle& self, const nb::args&) {
        (void)without_gil([&] { return self.store->close(std::chrono::seconds(2)); });
      });
}

}  // namespace

void bind_store(nb::module_& module) {
  StoreClass store(module, "Store",
                   "A store of KV blocks: terrace.open or terrace.connect make one. Any thread.");
  bind_stores(store);
  bind_retrieves(store);
  bind_regions_of(store);
  bind_upkeep(store);
  bind_control(store);
  module.def("open_file", &open_file, nb::arg("file"));
  module.def("open_text", &open_text, nb::arg("yaml"));
  module.def(
      "connect", &connect_to, nb::arg("socket"), nb::kw_only(), nb::arg("name") = "",
      nb::arg("namespaces") = std::vector<Namespace>(), nb::arg("patience") = 5.0,
      "The store of a node's server (`terrace serve`) behind its Unix socket.\n\n"
      "name: for people who look at the server's sessions. namespaces: what a server that binds sessions\n"
      "lets this one see. patience: seconds a call waits for the server at most. While the server is away\n"
      "everything is a miss. Raises Error.");
}

}  // namespace terrace::python
