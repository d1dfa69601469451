// A store's beginning and end: of this process, or a server's.
#include <string>

#include <terrace/client.h>
#include <terrace/config.h>

#include "capi/check.h"
#include "capi/convert.h"
#include "capi/handles.h"
#include "config/load.h"

namespace terrace::capi {
namespace {

Answer give(Outcome<std::unique_ptr<Store>> opened, terrace_store** store) {
  if (!opened) return std::unexpected(opened.error());
  *store = new terrace_store{std::move(*opened)};
  return {};
}

Answer open_with(const Outcome<StoreOptions>& options, terrace_store** store) {
  if (!options) return std::unexpected(options.error());
  return give(Store::open(*options), store);
}

// As terrace::load_options, without a file.
Outcome<StoreOptions> options_of_text(const char* yaml) {
  std::vector<config::Source> sources;
  sources.push_back(config::read_yaml(yaml, "yaml"));
  sources.push_back(config::read_environment(config::process_environment()));
  auto loaded = config::load(std::move(sources));
  if (!loaded) return config::failure_of(loaded.error());
  return std::move(loaded->options);
}

Outcome<ClientOptions> client_options_of(const terrace_connect_options* given) {
  const auto options = read_sized(given, "options");
  if (!options) return std::unexpected(options.error());
  const Answer ok = Check()
                        .given(options->socket, "options.socket")
                        .batch(options->namespaces, options->namespace_count, "options.namespaces");
  if (!ok) return std::unexpected(ok.error());
  if (options->patience_ns < 0) {
    return failure(Code::kInvalidArgument, "options.patience_ns is " + std::to_string(options->patience_ns) +
                                               ": 0 (5 s) and more are allowed");
  }
  ClientOptions client{.socket = options->socket};
  if (options->name != nullptr) client.name = options->name;
  if (options->patience_ns > 0) client.patience = Timeout(options->patience_ns);
  for (const auto* const given_fields : std::span(options->namespaces, options->namespace_count)) {
    auto fields = namespace_of(given_fields, "options.namespaces");
    if (!fields) return std::unexpected(fields.error());
    client.namespaces.push_back(std::move(*fields));
  }
  return client;
}

}  // namespace
}  // namespace terrace::capi

using namespace terrace;
using namespace terrace::capi;

extern "C" {

terrace_code terrace_open(const char* file, terrace_store** store, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(file, "file").given(store, "store"); !ok) return ok;
    return open_with(load_options(file), store);
  });
}

terrace_code terrace_open_text(const char* yaml, terrace_store** store, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(yaml, "yaml").given(store, "store"); !ok) return ok;
    return open_with(options_of_text(yaml), store);
  });
}

terrace_code terrace_connect(const terrace_connect_options* options, terrace_store** store,
                             terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(options, "options").given(store, "store"); !ok) return ok;
    const auto client = client_options_of(options);
    if (!client) return std::unexpected(client.error());
    return give(connect(*client), store);
  });
}

terrace_code terrace_close(terrace_store* store, int64_t timeout_ns, uint64_t* abandoned,
                           terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").timeout(timeout_ns); !ok) return ok;
    const auto left = store->store->close(Timeout(timeout_ns));
    if (!left) return refused(left.error());
    if (abandoned != nullptr) *abandoned = *left;
    return {};
  });
}

void terrace_store_free(terrace_store* store) {
  if (store == nullptr) return;
  // Handles may keep its memory; it is closed all the same.
  quietly([&] { (void)store->store->close(std::chrono::seconds(2)); });
  end(store);
}

terrace_code terrace_wait_recovered(terrace_store* store, int64_t timeout_ns, bool* recovered,
                                    terrace_error* error) {
  return answered(error, [&]() -> Answer {
    const Answer ok = Check().given(store, "store").timeout(timeout_ns).given(recovered, "recovered");
    if (!ok) return ok;
    *recovered = store->store->wait_recovered(Timeout(timeout_ns));
    return {};
  });
}

terrace_code terrace_sync(terrace_store* store, int64_t timeout_ns, terrace_error* error) {
  return answered(error, [&]() -> Answer {
    if (const Answer ok = Check().given(store, "store").timeout(timeout_ns); !ok) return ok;
    const auto synced = store->store->sync(Timeout(timeout_ns));
    if (!synced) return refused(synced.error());
    return {};
  });
}

}  // extern "C"
