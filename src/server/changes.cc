// Telling what changes in the store. A client that does not read makes the server keep no more than the
// feed's bound: the rest is lost, and it is told how much.
#include <array>
#include <utility>

#include "server/session.h"
#include "wire/control_fields.h"

namespace terrace::server {

namespace {
constexpr size_t kChangesInAFrame = 512;
constexpr int kFramesATurn = 16;  // then others are served
}  // namespace

void Session::subscribe(uint64_t id) {
  if (subscription_ != nullptr) return refuse(id, Code::kInvalidArgument, "Subscribe is said once");
  auto subscription = store_.subscribe(scope_);
  boost::system::error_code error;
  if (subscription->fd() >= 0) changes_.assign(subscription->fd(), error);
  if (subscription->fd() < 0 || error)
    return refuse(id, Code::kLimitExceeded, "the server has no descriptor left");
  subscription_ = std::move(subscription);
  send_done(id);
  await_changes();
}

void Session::await_changes() {
  changes_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (!error && !self->closed_) self->tell_changes();
                      });
}

void Session::tell_changes() {
  std::array<Change, kChangesInAFrame> changes;
  has_untold_changes_ = false;
  for (int frame = 0; frame < kFramesATurn && !closed_ && socket_.queued_bytes() == 0; ++frame) {
    const size_t count = subscription_->poll(changes);
    if (count == 0) break;
    send(0, wire::Body::Changes, wire::write_changes(builder_, std::span(changes).first(count)).Union());
  }
  // Else the socket says when it goes on.
  has_untold_changes_ = socket_.queued_bytes() > 0;
  if (!closed_ && !has_untold_changes_) await_changes();
}

}  // namespace terrace::server
