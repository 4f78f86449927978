#!/bin/sh
# objects_test.sh NM libquern_tensor.a libquern.so INCLUDE libquern.a
# An ISA's object exports its table alone, and no weak symbol that the linker could share with code for other CPUs.
# (xsimd's casts between NEON register types hold no instruction beyond the baseline.) The shared library exports what
# INCLUDE's headers declare, all of it and nothing else. No thread_local object has a destructor: glibc registers those with an
# allocation, and ends the process where it fails.
set -eu
nm=$1 archive=$2 library=$3 include=$4 static=$5
bad=$("$nm" -C "$archive" 2>/dev/null | awk '
  /^kernels\.cpp\.o:/ { inside = 1; next } /\.o:$/ { inside = 0; next }
  inside && $2 ~ /^[TDBRWVuw]$/ && $0 !~ /quern::[a-z0-9_]+_kernels$/ && $0 !~ /xsimd::kernel::wrap::vreinterpretq/ { print }')
if [ -n "$bad" ]; then
  echo "ISA objects export symbols that other objects could share:"; echo "$bad"; exit 1
fi
tables=$("$nm" -C "$archive" 2>/dev/null | grep -c ' [DR] quern::[a-z0-9_]*_kernels$')
[ "$tables" -ge 2 ] || { echo "expected at least two ISA tables in $archive, found $tables"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$nm" -D --defined-only "$library" | awk '{print $NF}' | sort > "$work/exported"
cat "$include"/quern/*.h | tr '\n' ' ' | grep -oE 'QUERN_API [^;(]*\(' | grep -oE 'quern_[a-z0-9_]+\($' | tr -d '(' | sort > "$work/declared"
[ "$(wc -l < "$work/declared")" -ge 100 ] || { echo "expected at least 100 functions in $include/quern"; exit 1; }
diff "$work/declared" "$work/exported" || { echo "declared in quern.h (<) and exported by $library (>) differ"; exit 1; }
"$nm" "$static" 2>/dev/null | grep -q ' T quern_last_error' || { echo "$static has no quern_last_error: which objects are these?"; exit 1; }
if "$nm" -A "$static" 2>/dev/null | grep __cxa_thread_atexit; then
  echo "these have thread_local objects with destructors: take a lease of Spares (ggml-like/spares.h), or make them trivial"; exit 1
fi
echo "$tables ISA tables, $(wc -l < "$work/exported") functions; no other symbols"
