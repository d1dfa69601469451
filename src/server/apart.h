// Session::apart: requests that wait run on a worker.
#pragma once

#include <memory>
#include <utility>

#include <boost/asio/post.hpp>

#include "server/session.h"

namespace terrace::server {

template <class Work, class Then>
void Session::apart(Host::Waits waits, Work work, Then then) {
  ++apart_;
  host_.run_apart(waits, [self = shared_from_this(), work = std::move(work), then]() mutable {
    auto result = std::make_shared<decltype(work())>(work());
    boost::asio::post(self->host_.io(), [self, result, then] {
      --self->apart_;
      if (self->closed_) return;  // what was reserved is aborted with the result
      then(*self, std::move(*result));
      self->go_on_reading();
    });
  });
}

}  // namespace terrace::server
