#include "client/remote_store.h"

#include <algorithm>
#include <utility>

#include "base/hooks.h"
#include "client/away.h"
#include "surface/access.h"
#include "wire/control_fields.h"
#include "wire/fields.h"

namespace terrace::client {

namespace {

constexpr Timeout kRemovalPatience = std::chrono::minutes(2);  // a removal waits for writes under way

flatbuffers::Offset<void> write_subscribe(Connection::Builder& builder, wire::KeyListWriter&) {
  return wire::CreateSubscribe(builder).Union();
}

// Of requests under way, which may answer until then.
void prune(std::vector<std::weak_ptr<Running>>& running) {
  std::erase_if(running, [](const auto& one) { return one.expired(); });
}

}  // namespace

Outcome<std::shared_ptr<RemoteStore>> RemoteStore::connect(const ClientOptions& options,
                                                           const ClientParts& parts) {
  std::shared_ptr<RemoteStore> store(new RemoteStore(options, parts));
  if (auto ok = store->link_.open(); !ok) return std::unexpected(ok.error());
  return store;
}

RemoteStore::RemoteStore(const ClientOptions& options, const ClientParts& parts)
    : options_(options),
      parts_(parts),
      clock_(*parts.clock),
      regions_(clock_, options.patience),
      link_(
          options, parts,
          [events = events_, subscribers = subscribers_](const Reply& told) {
            if (const auto* const event = told.as<wire::Event>()) events->route(*event);
            if (const auto* const changes = told.as<wire::Changes>())
              subscribers->tell(wire::changes_of(*changes));
          },
          [this](const std::shared_ptr<Connection>& connection) { changed(connection); }) {}

Result<void> RemoteStore::check(size_t keys) const {
  if (closed_.load()) return fail(Code::kClosed, "the store is closed");
  if (keys > kBatchMax) return fail(Code::kLimitExceeded, "a batch holds at most 65536 keys");
  return {};
}

base::TimePoint RemoteStore::deadline(Timeout wait) const {
  return base::after(base::after(clock_.now(), std::max(wait, Timeout{})), options_.patience);
}

Timeout RemoteStore::timeout_of(const GetOptions& options) const {
  return options.timeout == kDefaultTimeout ? server_timeout_.load() : options.timeout;
}

// --- the connection

void RemoteStore::changed(const std::shared_ptr<Connection>& connection) {
  std::vector<std::shared_ptr<Bell>> bells;
  {
    const base::Lock lock(mutex_);
    std::erase_if(bells_, [](const auto& bell) { return bell.expired(); });
    for (const auto& bell : bells_) bells.push_back(bell.lock());
  }
  for (const auto& bell : bells) {
    if (bell != nullptr) bell->follow(connection == nullptr ? -1 : connection->fd());
  }
  if (connection != nullptr) {
    l1_bytes_ = connection->l1_bytes();
    server_timeout_ = connection->timeout();
    if (subscribers_->any()) (void)connection->tell(wire::Body::Subscribe, &write_subscribe);
  } else if (!TERRACE_MUTANT("client.forget_owed_events")) {
    events_->end_all();
  }
  subscribers_->lost();
}

// What a queue does before it is read.
void RemoteStore::look() {
  if (const auto connection = link_.get()) connection->look();
  std::vector<std::shared_ptr<Running>> running;
  {
    const base::Lock lock(mutex_);
    prune(running_);
    for (const auto& one : running_) running.push_back(one.lock());
  }
  for (const auto& one : running) {
    if (one != nullptr) one->give_up_if_late();
  }
}

void RemoteStore::watch(const std::shared_ptr<Running>& running) {
  const base::Lock lock(mutex_);
  if (running_.size() == running_.capacity()) prune(running_);
  running_.push_back(running);
}

std::function<void()> RemoteStore::looking() {
  return [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look();
  };
}

void RemoteStore::add(std::shared_ptr<Bell> bell) {
  if (const auto connection = link_.current()) bell->follow(connection->fd());
  const base::Lock lock(mutex_);
  bells_.push_back(std::move(bell));
}

std::shared_ptr<CompletionQueue> RemoteStore::make_queue() {
  auto queue = std::make_shared<RemoteQueue>(looking(), clock_);
  add({queue, &queue->bell()});
  return queue;
}

std::shared_ptr<Subscription> RemoteStore::subscribe() {
  const bool first = !subscribers_->any();
  auto subscription = std::make_shared<RemoteSubscription>(looking(), clock_);
  add({subscription, &subscription->bell()});
  subscribers_->add(subscription);
  const auto connection = first ? link_.get() : nullptr;
  // One that ended is followed by another, which is told of the subscribers. One that was told before for
  // others, who have gone, refuses: it tells still.
  if (connection != nullptr) (void)connection->call(wire::Body::Subscribe, &write_subscribe, deadline());
  return subscription;
}

Result<Recipient> RemoteStore::recipient_of(const Notify& notify) const {
  if (notify.queue == nullptr) return Recipient{};
  auto queue = std::dynamic_pointer_cast<RemoteQueue>(notify.queue);
  if (queue == nullptr) return fail(Code::kInvalidArgument, "the completion queue is another store's");
  return Recipient{std::move(queue), notify.tag};
}

// --- namespaces, regions, statistics

Outcome<Key> RemoteStore::open_namespace(const Namespace& fields) {
  auto root = namespace_root(fields);
  if (!root) return root;
  if (const auto connection = link_.get()) {
    const auto reply = connection->call(
        wire::Body::OpenNamespace,
        [&](Connection::Builder& builder, wire::KeyListWriter&) {
          return wire::write_namespace(builder, fields).Union();
        },
        deadline());
    if (!reply && reply.error().code != Code::kClosed)
      return failure(reply.error().code, to_string(reply.error()));
  }
  link_.remember(fields);
  return root;
}

Result<RegionId> RemoteStore::register_region(void*, uint64_t) {
  return fail(
      Code::kUnsupported,
      "the server cannot reach this process's memory: use register_shared_region with its descriptor");
}

Result<RegionId> RemoteStore::register_shared_region(int fd, uint64_t offset, uint64_t bytes) {
  if (auto ok = check(0); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection == nullptr) return std::unexpected(kAway);
  const auto region = regions_.add(*connection, fd, offset, bytes);
  if (!region) return std::unexpected(away_or(region.error()));
  return region;
}

Result<void> RemoteStore::unregister_region(RegionId region) {
  return regions_.remove(link_.get().get(), region);
}

StoreStats RemoteStore::stats() const {
  const auto connection = link_.get();
  if (connection == nullptr) return {};
  const auto reply = connection->call(
      wire::Body::AskStats,
      [](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateAskStats(builder).Union();
      },
      deadline());
  const auto* const stats = reply ? reply->as<wire::Stats>() : nullptr;
  return stats == nullptr ? StoreStats{} : wire::stats_of(*stats);
}

// --- removals, and waiting

Result<uint64_t> RemoteStore::removed(Result<Reply> answer) const {
  const auto reply = expect<wire::Removed>(std::move(answer));
  if (!reply) return std::unexpected(away_or(reply.error()));
  return reply->as<wire::Removed>()->blocks();
}

Result<uint64_t> RemoteStore::remove(std::span<const Key> keys, bool erase) {
  if (auto ok = check(keys.size()); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection == nullptr) return std::unexpected(kAway);
  return removed(connection->call(
      wire::Body::Remove,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        const auto list =
            builder.CreateVectorOfStructs(reinterpret_cast<const wire::Key*>(keys.data()), keys.size());
        return wire::CreateRemove(builder, list, erase).Union();
      },
      deadline(kRemovalPatience)));
}

Result<uint64_t> RemoteStore::clear(const ClearScope& scope) {
  if (auto ok = check(0); !ok) return std::unexpected(ok.error());
  const auto connection = link_.get();
  if (connection == nullptr) return std::unexpected(kAway);
  return removed(connection->call(
      wire::Body::Clear,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        const auto salt = scope.tenant_salt ? builder.CreateString(*scope.tenant_salt) : 0;
        const wire::Key* const root = scope.root ? &wire::wire_key(*scope.root) : nullptr;
        return wire::CreateClear(builder, root, salt, scope.all, scope.erase).Union();
      },
      deadline(kRemovalPatience)));
}

Result<void> RemoteStore::sync(Timeout timeout) {
  if (auto ok = check(0); !ok) return ok;
  const auto connection = link_.get();
  if (connection == nullptr) return std::unexpected(kAway);
  const auto reply = connection->call(
      wire::Body::Sync,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateSync(builder, wire::milliseconds_of(timeout)).Union();
      },
      deadline(timeout));
  if (!reply) return std::unexpected(away_or(reply.error()));
  return {};
}

bool RemoteStore::wait_recovered(Timeout timeout) {
  const auto connection = link_.get();
  if (connection == nullptr) return false;
  const auto reply = connection->call(
      wire::Body::AwaitRecovery,
      [&](Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateAwaitRecovery(builder, wire::milliseconds_of(timeout)).Union();
      },
      deadline(timeout));
  const auto* const recovered = reply ? reply->as<wire::Recovered>() : nullptr;
  return recovered != nullptr && recovered->all();
}

// --- the end

size_t RemoteStore::intos_running() {
  const base::Lock lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(running_, [](const auto& one) {
    const auto into = std::dynamic_pointer_cast<RemoteInto>(one.lock());
    return into != nullptr && !into->done();
  }));
}

// What was committed is the server's to write. Only memory of the caller's that it may still touch is waited
// for.
Result<uint64_t> RemoteStore::close(Timeout timeout) {
  if (closed_.exchange(true)) return uint64_t{0};
  const auto connection = link_.current();
  const auto until = base::after(clock_.now(), timeout);
  constexpr auto kStep = std::chrono::milliseconds(50);
  uint64_t borrowed = 0;
  while (connection != nullptr && !connection->closed() &&
         (borrowed = events_->keys_borrowed() + intos_running()) > 0 && clock_.now() < until) {
    (void)parts_.wait(connection->fd(), false, kStep);
    connection->look();
  }
  link_.close();
  if (connection != nullptr) connection->finish();
  events_->end_all();
  return borrowed;
}

}  // namespace terrace::client

namespace terrace {

Outcome<std::unique_ptr<Store>> connect(const ClientOptions& options) {
  auto store = client::RemoteStore::connect(options);
  if (!store) return std::unexpected(store.error());
  return std::make_unique<Store>(std::move(*store));
}

}  // namespace terrace
