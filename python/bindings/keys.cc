// Keys and namespaces.
#include <cstring>

#include <fmt/format.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <terrace/key.h>

#include "bindings/bindings.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/memory.h"

namespace terrace::python {

namespace {

int keys_buffer(PyObject* self, Py_buffer* view, int flags) {
  const auto& keys = nb::inst_ptr<Keys>(nb::handle(self))->keys;
  return give_buffer(self, view, std::as_bytes(std::span(keys)), false, flags);
}

PyType_Slot keys_slots[] = {{Py_bf_getbuffer, reinterpret_cast<void*>(keys_buffer)}, {0, nullptr}};

Keys keys_from_bytes(nb::handle buffer) {
  const HeldBuffer held(buffer, false);
  constexpr size_t kBytes = sizeof(Key::bytes);
  if (held.bytes().size() % kBytes != 0)
    raise_invalid(fmt::format("{} bytes are no whole keys: a key has 32", held.bytes().size()));
  Keys keys;
  keys.keys.resize(held.bytes().size() / kBytes);
  std::memcpy(keys.keys.data(), held.bytes().data(), held.bytes().size());
  return keys;
}

Keys keys_of_digests(nb::handle root, const nb::sequence& digests, bool allow_weak) {
  constexpr size_t kStrong = 32;
  const Key from = key_of(root);
  Keys keys;
  for (const nb::handle digest : digests) {
    const HeldBuffer held(digest, false);
    const auto* const bytes = reinterpret_cast<const uint8_t*>(held.bytes().data());
    const size_t size = held.bytes().size();
    keys.keys.push_back(
        member_key(value_of(family_of_digest(from, {bytes, size}, size < kStrong, allow_weak))));
  }
  return keys;
}

nb::object item(const Keys& keys, nb::handle which) {
  if (PySlice_Check(which.ptr()) != 0) {
    const auto [start, stop, step, length] = nb::cast<nb::slice>(which).compute(keys.keys.size());
    Keys part;
    for (size_t i = 0; i < length; ++i)
      part.keys.push_back(keys.keys[static_cast<size_t>(start + static_cast<Py_ssize_t>(i) * step)]);
    return nb::cast(std::move(part));
  }
  auto at = nb::cast<Py_ssize_t>(which);
  const auto size = static_cast<Py_ssize_t>(keys.keys.size());
  if (at < 0) at += size;
  if (at < 0 || at >= size) throw nb::index_error();
  return bytes_of(keys.keys[static_cast<size_t>(at)]);
}

std::vector<uint32_t> tokens_of(nb::handle tokens) {
  std::vector<uint32_t> read;
  for (const uint64_t token : numbers_of(tokens, "tokens")) {
    if (token > UINT32_MAX)
      raise_invalid(fmt::format("tokens[{}] is {}: 0 to 4294967295 are allowed", read.size(), token));
    read.push_back(static_cast<uint32_t>(token));
  }
  return read;
}

void bind_namespace(nb::module_& module) {
  nb::class_<Namespace>(
      module, "Namespace",
      "Everything that must be equal for stored bytes to be usable (docs/semantics.md, K1).\n\n"
      "All fields are optional; an absent one differs from an empty one. block_tokens,\n"
      "producer_version and groups are numbers from 0 to 4294967295, the others text.")
      .def(
          "__init__",
          [](Namespace* self, std::optional<std::string> model_id,
             std::optional<std::string> model_fingerprint, std::optional<std::string> kv_dtype,
             std::optional<std::string> layout_id, std::optional<uint32_t> block_tokens,
             std::optional<std::string> producer, std::optional<uint32_t> producer_version,
             std::optional<std::string> adapter, std::optional<std::string> tenant_salt,
             std::optional<uint32_t> groups) {
            new (self) Namespace{std::move(model_id),    std::move(model_fingerprint),
                                 std::move(kv_dtype),    std::move(layout_id),
                                 block_tokens,           std::move(producer),
                                 producer_version,       std::move(adapter),
                                 std::move(tenant_salt), groups};
          },
          nb::kw_only(), nb::arg("model_id") = nb::none(), nb::arg("model_fingerprint") = nb::none(),
          nb::arg("kv_dtype") = nb::none(), nb::arg("layout_id") = nb::none(),
          nb::arg("block_tokens") = nb::none(), nb::arg("producer") = nb::none(),
          nb::arg("producer_version") = nb::none(), nb::arg("adapter") = nb::none(),
          nb::arg("tenant_salt") = nb::none(), nb::arg("groups") = nb::none())
      .def_ro("model_id", &Namespace::model_id, "Name of the model.")
      .def_ro("model_fingerprint", &Namespace::model_fingerprint,
              "Of its weights, so that a changed model is another one.")
      .def_ro("kv_dtype", &Namespace::kv_dtype, "Number format of keys and values.")
      .def_ro("layout_id", &Namespace::layout_id, "How a block is laid out in memory.")
      .def_ro("block_tokens", &Namespace::block_tokens, "Tokens of a block.")
      .def_ro("producer", &Namespace::producer, "The program that makes the bytes.")
      .def_ro("producer_version", &Namespace::producer_version, "Of the format its bytes have.")
      .def_ro("adapter", &Namespace::adapter, "Of weights added to the model, such as a LoRA.")
      .def_ro("tenant_salt", &Namespace::tenant_salt, "Keeps tenants apart; never stored in clear.")
      .def_ro("groups", &Namespace::groups, "KV groups of the model; absent is 1.")
      .def("__eq__", [](const Namespace& one, const Namespace& other) { return one == other; })
      .def(
          "root", [](const Namespace& fields) { return bytes_of(value_of(namespace_root(fields))); },
          "The namespace's root key, 32 bytes. Raises Error for a field longer than 64 KiB.");
}

void bind_hashing(nb::module_& module) {
  nb::class_<PrefixHasher>(module, "PrefixHasher",
                           "Hashes a growing token list block by block (docs/semantics.md, K2).\n\n"
                           "One thread at a time.")
      .def(
          "__init__", [](PrefixHasher* self, nb::handle root) { new (self) PrefixHasher(key_of(root)); },
          nb::arg("root"), "Begins at a namespace's root: 32 bytes.")
      .def(
          "next",
          [](PrefixHasher& self, nb::handle tokens, const std::vector<std::string>& extra) {
            const std::vector<std::string_view> views(extra.begin(), extra.end());
            return bytes_of(self.next(tokens_of(tokens), views));
          },
          nb::arg("tokens"), nb::arg("extra") = std::vector<std::string>(),
          "The family key of the next block, 32 bytes. `extra` is what else its bytes depend on, such as\n"
          "the hash of an image.")
      .def_prop_ro(
          "last", [](const PrefixHasher& self) { return bytes_of(self.last()); },
          "The family key of the last block, or the root: 32 bytes.");

  module.def(
      "block_keys",
      [](nb::handle root, nb::handle tokens, uint32_t block_tokens) {
        if (block_tokens == 0) raise_invalid("block_tokens is 0: 1 and more are allowed");
        const Key from = key_of(root);
        const auto numbers = tokens_of(tokens);
        return without_gil([&] { return Keys{block_keys(from, numbers, block_tokens)}; });
      },
      nb::arg("root"), nb::arg("tokens"), nb::arg("block_tokens"),
      "Keys of the whole blocks of `tokens` (a sequence of int, or an int64 buffer); a partial last block\n"
      "is left out.");
  module.def(
      "member_key",
      [](nb::handle family, uint32_t group, uint32_t shard, uint32_t shards) {
        return bytes_of(member_key(key_of(family), {group, shard, shards}));
      },
      nb::arg("family"), nb::arg("group") = 0, nb::arg("shard") = 0, nb::arg("shards") = 1,
      "The key of one shard of one KV group of a family.");
  module.def(
      "family_of_digest",
      [](nb::handle root, nb::handle digest, bool weak, bool allow_weak) {
        const HeldBuffer held(digest, false);
        const auto* const bytes = reinterpret_cast<const uint8_t*>(held.bytes().data());
        return bytes_of(
            value_of(family_of_digest(key_of(root), {bytes, held.bytes().size()}, weak, allow_weak)));
      },
      nb::arg("root"), nb::arg("digest"), nb::kw_only(), nb::arg("weak") = false,
      nb::arg("allow_weak") = false,
      "The family key of a block that an engine names by a digest of its own, at least 16 bytes.\n\n"
      "`weak` says that it is no cryptographic hash: refused unless `allow_weak`.");
  module.def("tenant_name", &tenant_name, nb::arg("salt"),
             "How a tenant is named wherever it can be seen: SHA-256 of its salt, in hexadecimal.");
}

}  // namespace

void bind_keys(nb::module_& module) {
  nb::class_<Keys>(module, "Keys", nb::type_slots(keys_slots),
                   "Keys of 32 bytes each, in order: what requests take. Immutable.\n\n"
                   "A sequence of bytes, and a buffer of 32 bytes a key. Keys + Keys joins.")
      .def(
          "__init__", [](Keys* self, nb::handle keys) { new (self) Keys{keys_of(keys)}; },
          nb::arg("keys") = nb::tuple(), "From a sequence of 32 bytes each.")
      .def_static(
          "of_digests", &keys_of_digests, nb::arg("root"), nb::arg("digests"), nb::kw_only(),
          nb::arg("allow_weak") = false,
          "Keys of blocks that an engine names by digests of its own (a sequence of bytes, at least 16 "
          "each),\n"
          "each in a family of one. Digests below 32 bytes count as weak: refused unless `allow_weak`.")
      .def_static("from_bytes", &keys_from_bytes, nb::arg("buffer"), "From a buffer of 32 bytes a key.")
      .def("__len__", [](const Keys& self) { return self.keys.size(); })
      .def("__getitem__", &item, nb::arg("index"), "The key (bytes) at a position, or the Keys of a slice.")
      .def("__eq__", [](const Keys& self, const Keys& other) { return self.keys == other.keys; })
      .def("__add__",
           [](const Keys& self, const Keys& other) {
             Keys sum = self;
             sum.keys.insert(sum.keys.end(), other.keys.begin(), other.keys.end());
             return sum;
           })
      .def("__repr__",
           [](const Keys& self) { return fmt::format("<terrace.Keys of {}>", self.keys.size()); });
  bind_namespace(module);
  bind_hashing(module);
}

}  // namespace terrace::python
