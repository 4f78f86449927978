// The smallest program in C++: minimal_cpp MODEL TEXT prints the text's vector. Build: c++ -std=c++20 minimal.cpp
// -lquern
#include <cstdio>
#include <quern.hpp>

int main(int argc, char** argv) try {
  if (argc != 3) return std::fprintf(stderr, "usage: minimal_cpp MODEL TEXT\n"), 2;
  quern::Session session(quern::Model::load(argv[1]));
  for (const float value : session.embed({argv[2]}).values) std::printf("%g\n", static_cast<double>(value));
  return 0;
} catch (const quern::Error& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
