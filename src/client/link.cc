#include "client/link.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace terrace::client {

namespace {

constexpr auto kTry = std::chrono::milliseconds(100);  // what a call spends on it
constexpr auto kFirstPause = std::chrono::milliseconds(20);
constexpr auto kLongestPause = std::chrono::seconds(2);

}  // namespace

Link::Link(const ClientOptions& options, const ClientParts& parts, Connection::OnTold on_told,
           OnChange on_change)
    : options_(options),
      parts_(parts),
      clock_(*parts.clock),
      on_told_(std::move(on_told)),
      on_change_(std::move(on_change)),
      namespaces_(options.namespaces),
      random_(parts.seed) {}

Outcome<std::shared_ptr<Connection>> Link::connect(base::Duration within) {
  Connection::Options options{options_.socket, options_.name, {}, on_told_};
  {
    const base::Lock lock(mutex_);
    options.namespaces = namespaces_;
  }
  return Connection::open(options, parts_, base::after(clock_.now(), within));
}

Outcome<void> Link::open() {
  auto made = connect(options_.patience);
  if (!made) return std::unexpected(made.error());
  {
    const base::Lock lock(mutex_);
    connection_ = *made;
  }
  on_change_(*made);
  return {};
}

// Between a half and one and a half of what is due.
base::Duration Link::pause() {
  const auto due = std::min<base::Duration>(kFirstPause * (1u << std::min(failures_, 10u)), kLongestPause);
  return std::chrono::duration_cast<base::Duration>(due * (0.5 + random_.unit()));
}

std::shared_ptr<Connection> Link::get() {
  bool lost = false;
  {
    const base::Lock lock(mutex_);
    if (connection_ != nullptr && !connection_->closed()) return connection_;
    if (std::exchange(connection_, nullptr) != nullptr) {
      lost = true;
      failures_ = 0;
      next_try_ = base::after(clock_.now(), pause());
    }
    if (closed_) return nullptr;
    if (!lost) {
      if (connecting_ || clock_.now() < next_try_) return nullptr;
      connecting_ = true;
    }
  }
  if (lost) {
    base::log::warn("the server at {} is away: misses until it is back", options_.socket);
    on_change_(nullptr);
    return nullptr;
  }
  auto made = connect(kTry);
  {
    const base::Lock lock(mutex_);
    connecting_ = false;
    if (!made || closed_) {
      ++failures_;
      next_try_ = base::after(clock_.now(), pause());
      return nullptr;
    }
    connection_ = *made;
  }
  base::log::info("connected to the server at {} again", options_.socket);
  on_change_(*made);
  return *made;
}

std::shared_ptr<Connection> Link::current() const {
  const base::Lock lock(mutex_);
  return connection_;
}

void Link::close() {
  const base::Lock lock(mutex_);
  closed_ = true;
  connection_ = nullptr;
}

void Link::remember(const Namespace& fields) {
  const base::Lock lock(mutex_);
  if (std::ranges::find(namespaces_, fields) == namespaces_.end()) namespaces_.push_back(fields);
}

}  // namespace terrace::client
