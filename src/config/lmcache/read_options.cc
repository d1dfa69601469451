#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "config/lmcache/options.h"

namespace terrace::config::lmcache {
namespace {

constexpr std::string_view kVariable = "LMCACHE_";

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

template <class Line>
void for_each_line(std::string_view text, const Line& line) {
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = text.find('\n');
    line(trim(text.substr(0, end)), number);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

std::string_view without_export(std::string_view line) {
  constexpr std::string_view kExport = "export ";
  return line.starts_with(kExport) ? trim(line.substr(kExport.size())) : line;
}

bool is_flag(std::string_view word) {
  return word.size() > 2 && word.starts_with("--") && std::isalpha(static_cast<unsigned char>(word[2])) != 0;
}

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return made;
}

}  // namespace

std::optional<Form> form_named(std::string_view name) {
  if (name == "yaml") return Form::kYaml;
  if (name == "env") return Form::kEnvironment;
  return name == "flags" ? std::optional(Form::kFlags) : std::nullopt;
}

Form guess_form(std::string_view text) {
  Form form = Form::kYaml;
  bool decided = false;
  for_each_line(text, [&](std::string_view line, size_t) {
    if (decided || line.empty() || line.starts_with('#')) return;
    const std::vector<std::string> words = split_words(line);
    if (without_export(line).starts_with(kVariable)) {
      form = Form::kEnvironment;
      decided = true;
    } else if (std::any_of(words.begin(), words.end(), is_flag)) {
      form = Form::kFlags;
      decided = true;
    }
  });
  return form;
}

OptionList read_options(Form form, std::string_view text, const std::string& file) {
  if (form == Form::kYaml) return read_yaml_options(text, file);
  if (form == Form::kEnvironment) return read_variables(text, file);
  return read_words(split_words(text), file);
}

OptionList read_variables(std::string_view text, const std::string& file) {
  OptionList list;
  for_each_line(text, [&](std::string_view line, size_t number) {
    line = without_export(line);
    if (!line.starts_with(kVariable)) return;
    const std::string origin = fmt::format("{}:{}", file, number);
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) {
      list.problems.push_back({origin, std::string(line), "", "", "write NAME=VALUE"});
      return;
    }
    const std::vector<std::string> words = split_words(line.substr(equals + 1));
    list.options.push_back({lower(line.substr(kVariable.size(), equals - kVariable.size())),
                            words.empty() ? "" : words.front(), origin});
  });
  return list;
}

OptionList read_words(std::span<const std::string> words, const std::string& file) {
  OptionList list;
  bool open = false;  // the last flag waits for its value
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (is_flag(word)) {
      const bool has_value = equals != std::string::npos;
      list.options.push_back(
          {word.substr(0, equals), has_value ? word.substr(equals + 1) : std::string("true"), file});
      open = !has_value;
    } else if (open) {
      list.options.back().value = word;
      open = false;
    } else if (!list.options.empty()) {
      list.problems.push_back({file, word, "", "", "a word that belongs to no flag"});
    }
  }
  return list;
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == 0 && std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
      in_word = true;
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      ++i;
      if (text[i] == '\n') continue;  // the command goes on in the next line
      if (quote == '"' && text[i] != '"' && text[i] != '\\') word += '\\';
      word += text[i];
      in_word = true;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace terrace::config::lmcache
