// The server's Unix socket: in a directory of its owner alone, of one server at a time.
#pragma once

#include <string>

#include <terrace/error.h>

#include "io/descriptor.h"

namespace terrace::server {

class Listener {
 public:
  // Makes the directory (0700) when it is missing, takes a dead server's socket away, and listens (0600).
  // Errors name the path: kInvalidArgument (too long for a socket), kInUse (another server), kPermission (a
  // directory that others may enter), kIo.
  // `others` may reach it too (directory 0711, socket 0666): whoever accepts asks the kernel who they are.
  static Outcome<Listener> open(const std::string& path, bool others = false);
  Listener(Listener&&) noexcept = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

 private:
  Listener(std::string path, io::Descriptor lock, io::Descriptor socket);

  std::string path_;
  io::Descriptor lock_;  // flock, for as long as this server lives
  io::Descriptor socket_;
};

}  // namespace terrace::server
