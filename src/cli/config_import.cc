// terrace config import: an LMCache configuration as one of Terrace's.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "cli/arguments.h"
#include "cli/config_commands.h"
#include "cli/file_bytes.h"
#include "config/lmcache/import.h"

namespace terrace::cli {
namespace {

namespace lmcache = config::lmcache;

struct ImportArguments {
  std::vector<std::string> words;  // one FILE, or the flags of LMCache's server
  std::string form = "auto";
  std::string output = "-";
  std::string disk_capacity = "10GiB";
  bool open = false;
};

bool is_command_line(const ImportArguments& arguments) {
  return arguments.words.size() > 1 || arguments.words.front().starts_with("--");
}

Outcome<lmcache::Import> read(const ImportArguments& arguments) {
  const auto capacity = parse_size_flag("--disk-capacity", arguments.disk_capacity);
  if (!capacity) return std::unexpected(capacity.error());
  if (is_command_line(arguments)) {
    return lmcache::translate(lmcache::Form::kFlags, lmcache::read_words(arguments.words, "command line"),
                              *capacity);
  }
  const std::string& file = arguments.words.front();
  std::string text;
  std::vector<config::Problem> problems;
  if (!config::read_text(file, text, problems)) return config::failure_of(problems);
  const auto form = lmcache::form_named(arguments.form).value_or(lmcache::guess_form(text));
  const std::string name = file == "-" ? "standard input" : file;
  return lmcache::translate(form, lmcache::read_options(form, text, name), *capacity);
}

// The imported settings under the rules that hold for every configuration.
config::Checked<config::Configuration> check(const lmcache::Import& import) {
  config::Source source;
  for (const lmcache::Carried& carried : import.carried) {
    source.settings.push_back(carried.setting);
    source.settings.back().origin = fmt::format("{} ({})", carried.setting.origin, carried.from);
  }
  return config::load({std::move(source)});
}

Json document_of(const lmcache::Import& import, const std::string& yaml, const std::string& output) {
  Json settings = Json::array();
  for (const auto& [setting, from] : import.carried) {
    settings.push_back(Json{{"key", setting.key},
                            {"value", setting.list ? Json(setting.texts) : Json(setting.texts.front())},
                            {"origin", setting.origin},
                            {"from", from}});
  }
  Json left = Json::array();
  for (const auto& [option, reason] : import.left) {
    left.push_back(Json{
        {"option", option.name}, {"value", option.value}, {"origin", option.origin}, {"reason", reason}});
  }
  return Json{
      {"settings", std::move(settings)}, {"left", std::move(left)}, {"yaml", yaml}, {"output", output}};
}

Outcome<void> write(const ImportArguments& arguments, const std::string& yaml, bool json) {
  if (arguments.output != "-") return write_output(arguments.output, std::as_bytes(std::span(yaml)));
  if (!json) print(yaml);
  return {};
}

// What it became is written even when this machine refuses it: it may be meant for another one.
Outcome<ExitCode> run_import(const ImportArguments& arguments, bool json) {
  if (arguments.open && arguments.output == "-" && !json) {
    return failure(Code::kInvalidArgument, "--open shows the store on standard output; name a file with -o");
  }
  const auto made = read(arguments);
  if (!made) return std::unexpected(made.error());
  if (!made->problems.empty()) return report_problems(made->problems, json);
  for (const auto& [option, reason] : made->left) {
    complain(fmt::format("{}: no equivalent of {} {}: {}", option.origin, option.name, option.value, reason));
  }
  const std::string yaml = lmcache::to_yaml(
      *made, fmt::format("Made by terrace config import from {}.",
                         is_command_line(arguments) ? "a command line" : arguments.words.front()));
  if (auto written = write(arguments, yaml, json); !written) return std::unexpected(written.error());
  Json document = document_of(*made, yaml, arguments.output);
  const auto checked = check(*made);
  if (!checked) {
    for (const config::Problem& problem : checked.error()) complain(config::to_string(problem));
    document["problems"] = problems_document(checked.error());
    if (json) print_json(document);
    return ExitCode::kUsage;
  }
  warn(checked->warnings);
  return report_checked(checked->options, arguments.open, std::move(document), "", json);
}

}  // namespace

void add_config_import(CLI::App& group, Invocation& invocation) {
  CLI::App* command = group.add_subcommand(
      "import", "turn an LMCache configuration into a Terrace one, naming what has no equivalent");
  auto arguments = std::make_shared<ImportArguments>();
  command
      ->add_option("FILE", arguments->words,
                   "its YAML file, LMCACHE_* variables or server flags; - is standard input. Or the flags "
                   "themselves, behind --")
      ->required()
      ->type_name("");
  command->add_option("--format", arguments->form, "auto, yaml, env or flags (default auto)")
      ->type_name("FORM")
      ->check(CLI::IsMember({"auto", "yaml", "env", "flags"}).description(""));
  command->add_option("-o,--output", arguments->output, "file to write (default - is standard output)")
      ->type_name("FILE");
  command
      ->add_option("--disk-capacity", arguments->disk_capacity,
                   "of disk tiers whose LMCache backend has no limit (default 10GiB)")
      ->type_name("SIZE");
  command->add_flag("--open", arguments->open,
                    "open the store it describes too, show the state of its tiers, and close it");
  add_json(*command, invocation);
  add_examples(
      *command,
      "  terrace config import lmcache.yaml -o terrace.yaml --open\n"
      "  env | terrace config import - --format env\n"
      "  terrace config import -- --l1-size-gb 60 --l2-store-policy skip_l1\n"
      "\nSizes that LMCache calls GB are GiB. Exit code 2 says that a value cannot be read, or that\n"
      "the result, which is written all the same, is not allowed on this machine.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return run_import(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
