#!/bin/sh
# objects_test.sh NM libquern_tensor.a libquern.so
# An ISA's object exports its table alone, and no weak symbol that the linker could share with code for other CPUs.
# (xsimd's casts between NEON register types hold no instruction beyond the baseline.) The shared library exports quern_*.
set -eu
nm=$1 archive=$2 library=$3
bad=$("$nm" -C "$archive" 2>/dev/null | awk '
  /^kernels\.cpp\.o:/ { inside = 1; next } /\.o:$/ { inside = 0; next }
  inside && $2 ~ /^[TDBRWVuw]$/ && $0 !~ /quern::[a-z0-9_]+_kernels$/ && $0 !~ /xsimd::kernel::wrap::vreinterpretq/ { print }')
if [ -n "$bad" ]; then
  echo "ISA objects export symbols that other objects could share:"; echo "$bad"; exit 1
fi
tables=$("$nm" -C "$archive" 2>/dev/null | grep -c ' [DR] quern::[a-z0-9_]*_kernels$')
[ "$tables" -ge 2 ] || { echo "expected at least two ISA tables in $archive, found $tables"; exit 1; }
other=$("$nm" -D --defined-only "$library" | awk '{print $NF}' | grep -v '^quern_' || true)
if [ -n "$other" ]; then
  echo "the shared library exports more than quern_*:"; echo "$other"; exit 1
fi
echo "$tables ISA tables; no other symbols"
