#include "bench/serve.h"

#include <iostream>
#include <sstream>

#include "bench/measure.h"

namespace terrace::bench {

void serve(const std::map<std::string, Command>& commands) {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string name;
    double argument = 0;
    words >> name >> argument;
    if (name == "quit") return;
    const auto command = commands.find(name);
    if (command == commands.end()) {
      print_error("unknown command '" + name + "'");
      continue;
    }
    try {
      command->second(argument);
    } catch (const CannotRun& reason) {
      print_error(reason.what());
    }
  }
}

}  // namespace terrace::bench
