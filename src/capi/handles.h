// What stands behind the opaque handles. Each keeps the store's memory: queues and operations ask it for the
// time, and the last lease is given back to it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <terrace/store.h>
#include <terrace/terrace.h>

struct terrace_store {
  std::shared_ptr<terrace::Store> store;
};

struct terrace_queue {
  std::shared_ptr<terrace::Store> store;
  std::shared_ptr<terrace::CompletionQueue> queue;
};

struct terrace_subscription {
  std::shared_ptr<terrace::Store> store;
  std::shared_ptr<terrace::Subscription> subscription;
};

struct terrace_reservation {
  std::shared_ptr<terrace::Store> store;
  terrace::Reservation reservation;  // never an empty one
};

struct terrace_pin {
  std::shared_ptr<terrace::Store> store;
  terrace::Pin pin;
};

struct terrace_blocks {
  std::shared_ptr<terrace::Store> store;
  terrace::Blocks blocks;
  std::vector<terrace_block> list;
  std::vector<uint8_t> reasons;  // of all keys that were asked for
};

struct terrace_lookup_operation {
  std::shared_ptr<terrace::Store> store;
  terrace::LookupOperation running;
};

struct terrace_get_operation {
  std::shared_ptr<terrace::Store> store;
  terrace::GetOperation running;
};

struct terrace_into_operation {
  std::shared_ptr<terrace::Store> store;
  terrace::IntoOperation running;
};

struct terrace_prefetch_ticket {
  std::shared_ptr<terrace::Store> store;
  terrace::PrefetchTicket ticket;
};
