// terrace: the operator's tool on a store directory.
#include "cli/command.h"

int main(int argc, char** argv) {
  return terrace::cli::run_program(argc, argv);
}
