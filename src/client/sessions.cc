// Who uses the server, over a connection of its own.
#include <terrace/sessions.h>

#include "base/clock.h"
#include "client/connection.h"
#include "wire/control_fields.h"

namespace terrace {

namespace {

template <class T>
Outcome<client::Reply> ask(const ClientOptions& options, wire::Body type,
                           const client::Connection::Make& make) {
  const auto parts = client::system_parts();
  const auto deadline = base::after(parts.clock->now(), options.patience);
  const auto connection = client::Connection::open({options.socket, options.name, {}, {}}, parts, deadline);
  if (!connection) return std::unexpected(connection.error());
  auto reply = client::expect<T>((*connection)->call(type, make, deadline));
  if (!reply)
    return failure(reply.error().code, "server " + options.socket + ": " + to_string(reply.error()));
  return std::move(*reply);
}

}  // namespace

Outcome<SessionReport> read_sessions(const ClientOptions& options) {
  const auto reply = ask<wire::Sessions>(options, wire::Body::AskSessions,
                                         [](client::Connection::Builder& builder, wire::KeyListWriter&) {
                                           return wire::CreateAskSessions(builder).Union();
                                         });
  if (!reply) return std::unexpected(reply.error());
  return wire::sessions_of(*reply->as<wire::Sessions>());
}

Outcome<void> set_session_limits(const ClientOptions& options, const SessionLimits& limits) {
  const auto reply = ask<wire::Done>(
      options, wire::Body::SetLimits, [&](client::Connection::Builder& builder, wire::KeyListWriter&) {
        return wire::CreateSetLimits(builder, limits.reserved_bytes, limits.leased_bytes).Union();
      });
  if (!reply) return std::unexpected(reply.error());
  return {};
}

}  // namespace terrace
