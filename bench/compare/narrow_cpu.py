#!/usr/bin/env python3
"""narrow_cpu.py PACKAGE... -o DIR: copies of installed Python packages that see a CPU with AVX2 and nothing after it (no AVX-512,
VNNI, AMX), and DIR/narrow_cpu.so, which answers for the CPU. Some peers cannot be told to leave instructions unused, and a CPU's
answer cannot be changed from outside it; so each cpuid instruction of the copies is replaced by an illegal one of the same length,
whose signal narrow_cpu.so catches. Linux on x86-64; wants objdump and a C compiler. To run them:

  LD_PRELOAD=DIR/narrow_cpu.so PYTHONPATH=DIR python3 ...
"""
from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

CPUID, UD2 = b'\x0f\xa2', b'\x0f\x0b'
# As objdump shows an instruction: its address, a tab, what it is.
INSTRUCTION = re.compile(rb'^\s*([0-9a-f]+):\tcpuid\s*$', re.MULTILINE)


def file_offset(elf: bytes, address: int) -> int:
    """Where the loaded byte of that address stands in a 64-bit ELF file (System V ABI, program headers)."""
    table, = struct.unpack_from('<Q', elf, 32)
    size, count = struct.unpack_from('<HH', elf, 54)
    for i in range(count):
        kind, _, offset, start, _, length = struct.unpack_from('<IIQQQQ', elf, table + i * size)
        if kind == 1 and start <= address < start + length:
            return offset + address - start
    raise ValueError(f'no segment holds the address {address:#x}')


def narrow(library: Path) -> int:
    """Replaces every cpuid of the file and tells how many there were."""
    code = subprocess.run(['objdump', '-d', '--no-show-raw-insn', library], check=True, capture_output=True).stdout
    addresses = [int(found, 16) for found in INSTRUCTION.findall(code)]
    if addresses:
        elf = bytearray(library.read_bytes())
        for address in addresses:
            at = file_offset(elf, address)
            if elf[at:at + 2] != CPUID:
                raise ValueError(f'{library}: no cpuid at {address:#x}')
            elf[at:at + 2] = UD2
        library.write_bytes(elf)
    return len(addresses)


def copies(package: str, folder: Path) -> list[Path]:
    """The package, and the folder of libraries that its wheel may have beside it."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f'narrow_cpu.py: the package {package} is not installed')
    home = Path(spec.submodule_search_locations[0])
    made = []
    for source in (home, home.with_name(f'{package}.libs')):
        if source.is_dir():
            made.append(Path(shutil.copytree(source, folder / source.name, symlinks=True)))
    return made


def main() -> None:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('packages', nargs='+', metavar='PACKAGE')
    a.add_argument('-o', dest='folder', type=Path, required=True, metavar='DIR', help='made anew')
    o = a.parse_args()
    shutil.rmtree(o.folder, ignore_errors=True)
    o.folder.mkdir(parents=True)
    for package in o.packages:
        for copy in copies(package, o.folder):
            for library in sorted(copy.rglob('*.so*')):
                if not library.is_symlink() and library.read_bytes()[:5] == b'\x7fELF\x02' and (n := narrow(library)):
                    print(f'{library.relative_to(o.folder)}: {n} cpuid', file=sys.stderr)
    source = Path(__file__).with_name('narrow_cpu.c')
    subprocess.run(['cc', '-O1', '-shared', '-fPIC', '-o', o.folder / 'narrow_cpu.so', source], check=True)


if __name__ == '__main__':
    main()
