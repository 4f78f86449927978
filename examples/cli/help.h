// What the program says of itself: help, what was probably meant, and completions for shells.
#pragma once
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

// Gives the program and each command its examples and one way to print options.
void add_help(CLI::App& app);

// "version" and "help [COMMAND]" as the flags that they are short for.
void rewrite_help_words(std::vector<std::string>& arguments);

// The first argument, where it is no command. Throws Failure{2} with what was probably meant.
void require_command(const CLI::App& app, const std::vector<std::string>& arguments);

// The first argument that the parsed command does not take, in a sentence, with what was probably meant.
std::string unexpected(const CLI::App& app);

}  // namespace cli
