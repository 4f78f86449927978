#!/bin/sh
# install_test.sh BUILD ROOT: installs a build, moves it elsewhere, and builds examples/minimal.c in an empty folder in each way that
# docs/embedding-quern.md names; all print the same vector.
set -eu
build=$1 root=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/scripts/describe-program" "$build" "$QUERN"  # as make install does
cmake --install "$build" --prefix "$work/first" > "$work/log"
mv "$work/first" "$work/prefix"
prefix=$work/prefix
libraries=$(dirname "$(find "$prefix" -name libquern.a)")
export PKG_CONFIG_PATH="$libraries/pkgconfig" LD_LIBRARY_PATH="$libraries" CMAKE_PREFIX_PATH="$prefix"
grep -rl "$work/first" "$prefix" --include=*.pc --include=*.cmake && { echo "the installed files name the prefix that they were installed to"; exit 1; }
[ "$("$prefix/bin/quern" --version)" = "$("$QUERN" --version)" ]
for part in "QUERN EMBED" '\\-\\-kv\\-type' "quern help"; do
  grep -q -e "$part" "$prefix/share/man/man1/quern.1" || { echo "the manual page does not have $part"; exit 1; }
done
bash -c '. "$1"; complete -p quern' - "$prefix/share/bash-completion/completions/quern" > /dev/null
grep -q "complete -c quern" "$prefix/share/fish/vendor_completions.d/quern.fish"
"$prefix/bin/quern" convert "$root/tests/golden/tiny-bert" -o "$work/tiny.q8" --quiet
mkdir "$work/app" && cp "$root/examples/minimal.c" "$work/app" && cd "$work/app"
check() {
  "$2" "$work/tiny.q8" fox > "$work/$1"
  [ "$(wc -l < "$work/$1")" = 64 ] || { echo "$1: expected 64 values, found $(wc -l < "$work/$1")"; exit 1; }
  cmp "$work/$1" "$work/pkgconfig" || { echo "$1 prints another vector than pkgconfig"; exit 1; }
  echo "$1 works"
}
# shellcheck disable=SC2046
cc minimal.c $(pkg-config --cflags --libs quern) -o by-pkgconfig
check pkgconfig ./by-pkgconfig
cp "$root/examples/minimal.cpp" .
# shellcheck disable=SC2046
c++ -std=c++20 minimal.cpp $(pkg-config --cflags --libs quern) -o by-hpp
check quern.hpp ./by-hpp
# shellcheck disable=SC2046
cc minimal.c $(pkg-config --cflags quern) -L"$libraries" -Wl,-Bstatic -lquern -lquern_tensor -Wl,-Bdynamic $(pkg-config --static --libs quern | tr ' ' '\n' | grep -v quern | xargs) -o by-static
check static ./by-static
cat > CMakeLists.txt << 'CMAKE'
cmake_minimum_required(VERSION 3.16)
project(app C CXX)
find_package(quern 0.1 REQUIRED COMPONENTS shared static)
add_executable(shared minimal.c)
target_link_libraries(shared quern::quern)
add_executable(static minimal.c)
target_link_libraries(static quern::static)
CMAKE
cmake -B out . > "$work/log" 2>&1 && cmake --build out >> "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
check find_package out/shared
check find_package_static out/static
sed -i 's/quern 0.1 REQUIRED/quern 7 REQUIRED/' CMakeLists.txt
if cmake -B other . > "$work/log" 2>&1; then echo "version 7 was found"; exit 1; fi
# As a part of another project: targets by the same names, nothing of ours but the library.
cat > CMakeLists.txt << CMAKE
cmake_minimum_required(VERSION 3.25)
project(app C CXX)
set(QUERN_BLAS OFF CACHE BOOL "")
set(QUERN_ONEDNN OFF CACHE BOOL "")
add_subdirectory("$root" quern EXCLUDE_FROM_ALL)
add_executable(app minimal.c)
target_link_libraries(app quern::quern)
if(TARGET quern_cli OR TARGET unit_tests)
  message(FATAL_ERROR "the program and tests are parts of the outer project")
endif()
CMAKE
cmake -B part . > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
echo "add_subdirectory configures"
