// terrace-bench: one side, or one comparison, per sub-command; prints JSON lines. bench/run.py makes rows of
// them.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/bytes.h"
#include "bench/bare_device.h"
#include "bench/measure.h"
#include "bench/micro.h"
#include "bench/serve.h"
#include "bench/store_device.h"

namespace terrace::bench {
namespace {

uint64_t whole(double bytes) {
  return static_cast<uint64_t>(bytes);
}

void serve_store(const StoreDeviceOptions& options) {
  StoreDevice store(options);
  fmt::print("{{\"engine\":\"{}\"}}\n", store.engine());
  std::fflush(stdout);
  const auto print_after_sync = [&](const Sample& sample) {
    store.sync();  // untimed: nothing of ours runs on while the other side has its turn
    print_sample(sample);
  };
  serve({
      {"write", [&](double bytes) { print_after_sync(store.write({.bytes = whole(bytes)})); }},
      {"write_for", [&](double seconds) { print_after_sync(store.write({.seconds = seconds})); }},
      {"read", [&](double bytes) { print_sample(store.read({.bytes = whole(bytes)})); }},
      {"read_for", [&](double seconds) { print_sample(store.read({.seconds = seconds})); }},
      {"mixed",
       [&](double seconds) {
         const auto [read, write] = store.mixed(seconds);
         print_sample(read);
         print_after_sync(write);
       }},
      {"settle",
       [&](double) {
         store.settle();
         print_after_sync({});
       }},
      {"window",
       [&](double) {
         store.set_window();
         print_sample({});
       }},
  });
}

void serve_bare(const BareOptions& options) {
  BareDevice bare(options);
  fmt::print("{{\"engine\":\"bare io_uring loop\"}}\n");
  std::fflush(stdout);
  serve({
      {"write", [&](double bytes) { print_sample(bare.write(whole(bytes))); }},
      {"read", [&](double bytes) { print_sample(bare.read(whole(bytes))); }},
  });
}

struct Flags {
  StoreDeviceOptions store;
  BareOptions bare;
  DirectoryOptions directory;
  uint64_t blocks = 100'000;
  MicroOptions micro;
  uint64_t block = base::kMiB;
  uint32_t keys = 1;
};

void add_commands(CLI::App& app, Flags& flags) {
  auto* store = app.add_subcommand("store", "serve the disk tier of a real store");
  store->add_option("--dir", flags.store.directory)->required();
  store->add_option("--capacity", flags.store.capacity)->required();
  store->add_option("--l1", flags.store.l1_bytes)->required();
  store->add_option("--window", flags.store.window_bytes)->required();
  store->callback([&] {
    flags.store.io = io_choice(flags.directory.io);
    flags.store.block = flags.block;
    serve_store(flags.store);
  });

  auto* bare = app.add_subcommand("bare", "serve the bare io_uring loop");
  bare->add_option("--file", flags.bare.file)->required();
  bare->add_option("--file-bytes", flags.bare.file_bytes)->required();
  bare->add_option("--read-dir", flags.bare.read_directory);
  bare->add_option("--depth", flags.bare.depth)->required();
  bare->add_option("--pool", flags.bare.pool_bytes)->required();
  bare->callback([&] {
    flags.bare.block = flags.block;
    serve_bare(flags.bare);
  });

  app.add_subcommand("l1", "put and get_into against memcpy")->callback([&] {
    bench_l1(flags.micro, flags.block);
  });
  app.add_subcommand("lookup", "lookup against a bare map")->callback([&] { bench_lookup(flags.micro); });
  auto* submit = app.add_subcommand("submit", "submitting calls against lock, push, eventfd");
  submit->add_option("--dir", flags.directory.path)->required();
  submit->add_option("--keys", flags.keys)->required();
  submit->callback([&] { bench_submit(flags.micro, flags.directory, flags.keys); });

  auto* restart = app.add_subcommand("restart", "time to index a directory, and to its first hit");
  restart->add_option("--dir", flags.directory.path)->required();
  restart->add_option("--blocks", flags.blocks);
  restart->callback([&] { bench_restart(flags.micro, flags.directory, flags.blocks); });
}

void add_server_commands(CLI::App& app, Flags& flags) {
  const auto add = [&](const char* name, const char* what, auto run) {
    auto* command = app.add_subcommand(name, what);
    command->add_option("--dir", flags.directory.path)->required();
    command->add_option("--blocks", flags.blocks);
    command->callback(run);
  };
  add("server-lookup", "a server's round trip against a bare echo",
      [&] { bench_server_lookup(flags.micro, flags.directory, flags.blocks); });
  add("server-copy", "store and get of one client against memcpy",
      [&] { bench_server_copy(flags.micro, flags.directory, flags.block); });
  add("server-clients", "eight clients against one",
      [&] { bench_server_clients(flags.micro, flags.directory, flags.block); });
  add("server-load", "64 sessions beside a writer against an echo there",
      [&] { bench_server_load(flags.micro, flags.directory); });
  add("server-idle", "start of a server, and its idleness",
      [&] { bench_server_idle(flags.micro, flags.directory); });
}

int run(int argc, char** argv) {
  CLI::App app{"Benchmarks of Terrace; use ./dev bench"};
  Flags flags;
  app.add_option("--io", flags.directory.io)->check(CLI::IsMember({"auto", "uring", "psync"}));
  app.add_option("--block", flags.block, "payload bytes of a block");
  app.add_option("--runs", flags.micro.runs);
  app.add_flag("--quick", flags.micro.quick);
  app.require_subcommand(1);
  app.fallthrough();
  add_commands(app, flags);
  add_server_commands(app, flags);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error);
  } catch (const CannotRun& reason) {
    print_error(reason.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace terrace::bench

int main(int argc, char** argv) {
  return terrace::bench::run(argc, argv);
}
