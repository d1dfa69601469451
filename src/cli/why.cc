// terrace why: one key's story (X2): where it is, or what became of it, or which namespace has it instead.
#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "cli/arguments.h"
#include "cli/open_store.h"
#include "cli/output.h"
#include "cli/reasons.h"
#include "report/descriptor.h"

namespace terrace::cli {
namespace {

struct WhyArguments {
  StoreArguments store;
  std::string name, hex;
};

// The same digest under another namespace of the store.
struct Elsewhere {
  StoredNamespace name_space;
  KeyStory story;
};

struct Answer {
  BlockName name;
  Namespace fields;
  bool namespace_there = false;  // the store holds or held blocks of it
  KeyStory story;
  std::vector<Elsewhere> elsewhere;
};

// A digest is a key under every namespace that it is re-rooted by (K2).
std::vector<Elsewhere> search(const Store& store, const Key& root, const std::string& hex) {
  std::vector<Elsewhere> found;
  for (const StoredNamespace& known : store.namespaces()) {
    const auto name = parse_block_name(known.root, hex);
    if (known.root == root || !name) continue;
    KeyStory story = store.why(name->key);
    // HEX64 may also be what `terrace ls --blocks` prints: the key itself.
    if (story.places.empty()) story = store.why(name->digest);
    if (!story.places.empty() && story.root.value_or(known.root) == known.root) {
      found.push_back({known, std::move(story)});
    }
  }
  return found;
}

Outcome<Answer> ask(const WhyArguments& arguments) {
  Answer answer;
  const auto fields = parse_namespace(arguments.name);
  if (!fields) return std::unexpected(fields.error());
  answer.fields = *fields;
  const Key root = *namespace_root(*fields);
  const auto name = parse_block_name(root, arguments.hex);
  if (!name) return std::unexpected(name.error());
  answer.name = *name;
  auto store = open_store(arguments.store, {});
  if (!store) return std::unexpected(store.error());
  for (const StoredNamespace& known : (*store)->namespaces()) {
    answer.namespace_there = answer.namespace_there || known.root == root;
  }
  answer.story = (*store)->why(name->key);
  const KeyStory of_key = (*store)->why(name->digest);
  if (answer.story.places.empty() && of_key.root == root) answer.story = of_key;
  if (answer.story.places.empty()) answer.elsewhere = search(**store, root, arguments.hex);
  return answer;
}

// --- as JSON

Json or_null(const std::optional<std::string>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json story_document(const KeyStory& story) {
  Json places = Json::array();
  for (const KeyStory::Place& place : story.places) {
    places.push_back(Json{{"tier", place.name},
                          {"bytes", place.bytes},
                          {"parent", place.parent.is_zero() ? Json(nullptr) : Json(to_hex(place.parent))},
                          {"readable", place.readable}});
  }
  Json document{{"key", to_hex(story.key)}, {"where", std::move(places)}, {"on_way_to", story.on_way_to}};
  document["reason"] = story.reason == MissReason::kNone ? Json(nullptr) : Json(to_string(story.reason));
  document["not_written"] =
      story.not_written == MissReason::kNone ? Json(nullptr) : Json(to_string(story.not_written));
  return document;
}

void report_json(const Answer& answer) {
  Json document = story_document(answer.story);
  document["digest"] = to_hex(answer.name.digest);
  document["found"] = !answer.story.places.empty();
  document["namespace_known"] = answer.namespace_there;
  document["elsewhere"] = Json::array();
  for (const Elsewhere& other : answer.elsewhere) {
    Json entry{{"root", to_hex(other.name_space.root)}, {"known", other.name_space.known}};
    entry["differs"] = Json::array();
    if (other.name_space.known) {
      for (const auto& field : report::differences(answer.fields, other.name_space.fields)) {
        entry["differs"].push_back(
            Json{{"field", field.name}, {"asked", or_null(field.asked)}, {"stored", or_null(field.stored)}});
      }
    }
    entry["story"] = story_document(other.story);
    document["elsewhere"].push_back(std::move(entry));
  }
  print_json(document);
}

// --- as text

std::string quoted(const std::optional<std::string>& value) {
  return value ? "'" + *value + "'" : "absent";
}

std::string places_text(const KeyStory& story) {
  std::string text;
  for (const KeyStory::Place& place : story.places) {
    text += fmt::format("  in {}: {}, {}{}\n", place.name, base::format_size(place.bytes),
                        place.parent.is_zero() ? "at the head of its chain" : "below " + to_hex(place.parent),
                        place.readable ? "" : "; its device does not answer now");
  }
  for (const std::string& tier : story.on_way_to) text += fmt::format("  being written to {}\n", tier);
  return text;
}

void report_text(const Answer& answer, const std::string& name) {
  const KeyStory& story = answer.story;
  std::string text = fmt::format("key {} of namespace {}\n", to_hex(story.key), name) + places_text(story);
  if (story.reason != MissReason::kNone) {
    text += fmt::format("  {}: {}\n", to_string(story.reason), meaning(story.reason));
  }
  if (story.not_written != MissReason::kNone) {
    text += fmt::format("  not in every tier: {}: {}\n", to_string(story.not_written),
                        meaning(story.not_written));
  }
  if (story.places.empty() && !answer.namespace_there) text += "  the store knows no such namespace\n";
  for (const Elsewhere& other : answer.elsewhere) {
    text += fmt::format("but namespace {} of model {} has it, as {}\n{}", to_hex(other.name_space.root),
                        quoted(other.name_space.fields.model_id), to_hex(other.story.key),
                        places_text(other.story));
    if (!other.name_space.known) text += "  of that namespace only the root is known\n";
    if (!other.name_space.known) continue;
    for (const auto& field : report::differences(answer.fields, other.name_space.fields)) {
      text +=
          fmt::format("  {} is {} there, {} here\n", field.name, quoted(field.stored), quoted(field.asked));
    }
  }
  print(text);
}

Outcome<ExitCode> why(const WhyArguments& arguments, bool json) {
  const auto answer = ask(arguments);
  if (!answer) return std::unexpected(answer.error());
  if (json) {
    report_json(*answer);
  } else {
    report_text(*answer, arguments.name);
  }
  return answer->story.places.empty() ? ExitCode::kMiss : ExitCode::kOk;
}

}  // namespace

void add_why(CLI::App& program, Invocation& invocation) {
  CLI::App* command =
      program.add_subcommand("why", "tell one key's story: where it is, or why a request misses it");
  auto arguments = std::make_shared<WhyArguments>();
  add_store(*command, arguments->store);
  add_namespace(*command, arguments->name);
  command->add_option("--key", arguments->hex, "the block's digest, or its key; 64 hexadecimal digits")
      ->required()
      ->type_name("HEX64");
  add_engine(*command, arguments->store, "32MiB");
  add_json(*command, invocation);
  add_examples(*command,
               "  terrace why /var/cache/kv --namespace llama-3-8b --key $DIGEST\n"
               "\nA key that its namespace lacks is looked for in the others, and the fields in which they\n"
               "differ are named. Exit code 0 says that the key is there, 3 that it is not.\n");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return why(*arguments, invocation.json); };
  });
}

}  // namespace terrace::cli
