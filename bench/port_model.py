#!/usr/bin/env python3
"""What a model of the CPU's ports says of q8's inner loops, for CPUs that are not at hand.

    port_model.py [neon neon_i8mm avx_vnni avx2] [--cpu NAME ...] [--mca llvm-mca] [--object FILE [--tile 4x4]] [--show]

Compiles isa/<name>/kernels.cpp by the command that CMake makes for it, takes the inner loop of q8's full tile out of the
object, and runs llvm-mca over it and over a block of the same arithmetic on registers alone, which is the limit. Columns:

  instr   instructions of an iteration          macs    multiply-accumulates of an iteration
  cycles  of an iteration, by the model; no less than the instructions over what the CPU decodes in a cycle, which llvm-mca
          does not know (it is in CPUS, from the makers' optimization guides)
  rate    multiply-accumulates per cycle        limit   the same of the block on registers
  share   of that limit                         bench   of the limit that `quern bench` measures (isa/limit.h)
  stack   accesses to the stack in the loop     bound   what is busy in at least 95 % of the cycles; other work: of what
                                                        the dot products' pipes do, what is not on the block's list

A CPU without a scheduling model of its own in this LLVM is marked with * and the model is named; one that does not run the
ISA is marked with †. Exits 1 where a loop is not found or llvm-mca fails. Needs cmake, a g++ for the ISA
(aarch64-linux-gnu-g++), its objdump, and llvm-mca: the newer the better (Debian 12: llvm-19). Compiling takes a minute for
each ISA; --object takes a kernels.cpp.o instead, of one ISA, and --tile says what its rows8 and vectors8 were."""
import argparse
import collections
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What llvm-mca calls the resources of a CPU's own model, and how many instructions the CPU decodes or renames in a cycle.
Cpu = collections.namedtuple('Cpu', 'units decodes')
CPUS = {'cortex-a55': Cpu('CortexA55Unit', 2), 'cortex-a76': Cpu('A76Unit', 4), 'cortex-a710': Cpu('A710Unit', 5),
        'neoverse-n1': Cpu('N1Unit', 4), 'neoverse-n2': Cpu('N2Unit', 5), 'neoverse-v1': Cpu('V1Unit', 8),
        'neoverse-v2': Cpu('V2Unit', 8), 'apple-m1': Cpu('M1Unit', 8), 'apple-m2': Cpu('M2Unit', 8),
        'haswell': Cpu('HWPort', 4), 'skylake': Cpu('SKLPort', 4), 'alderlake': Cpu('ADLPPort', 6),
        'znver3': Cpu('Zn3FP', 6), 'znver4': Cpu('Zn4FP', 6)}

# A loop: in which functions of the object, the instruction that counts, how many an iteration must have, the products of
# one, and the block on registers: {0} is a chain's accumulator, {1} and {2} are free for it.
Loop = collections.namedtuple('Loop', 'name functions counts expected macs block chains')
MADD = 'vpmaddubsw %ymm14, %ymm15, {1}\n'
WIDEN = 'vpmaddwd %ymm13, {1}, {1}\nvpaddd {1}, {0}, {0}\n'


def constant(isa, name):
    """The first of isa/<name>'s files, or of the vocabulary that it builds on, to set a constant of the tile."""
    for folder, file in ((isa, 'tiles.h'), (isa, 'kernels.cpp'), ('neon', 'vocabulary.h')):
        path = os.path.join(ROOT, 'ggml-like/isa', folder, file)
        found = os.path.exists(path) and re.search(rf'constexpr int [^;]*\b{name} = (\d+)', open(path).read())
        if found:
            return int(found[1])
    raise SystemExit(f'{isa}: no constant {name}')


def loops_of(isa, rows, vectors):
    tile = rf'Q8::columns<.*, {vectors}>\(.*operator\(\)<{rows}>'
    if isa == 'neon':
        return [Loop(f'{rows} × {vectors * 4}', tile, 'sdot', rows * vectors, 16, 'sdot {0}.4s, v31.16b, v30.16b\n', 24)]
    if isa == 'neon_i8mm':
        return [Loop(f'{rows} × {vectors * 4}', tile, 'usmmla', rows * vectors, 32, 'usmmla {0}.4s, v31.16b, v30.16b\n', 24)]
    if isa == 'avx_vnni':
        return [Loop(f'{rows} × {vectors * 8}', rf'Q8::columns<.*, {vectors}>\(', 'vpdpbusd', rows * vectors, 32,
                     '{{vex}} vpdpbusd %ymm14, %ymm15, {0}\n', 12)]
    if isa == 'avx2':  # quants/q8/short_product.h: 16 outputs, two vectors of eight
        return [Loop('4 × 16, four products in 16 bits', r'panel_rows<4, 4>', 'vpmaddubsw', 16, 32,
                     MADD + 'vpmaddubsw %ymm14, %ymm15, {2}\nvpaddw {2}, {1}, {1}\n' + WIDEN, 4),
                Loop('6 × 16, two products in 16 bits', r'panel_rows<6, 2>', 'vpmaddubsw', 12, 32, MADD + WIDEN, 4),
                Loop('6 × 16, widened to 16 bits', r'panel_rows<6, 1>', 'vpmaddwd', 12, 16,
                     'vpmaddwd %ymm14, %ymm15, {1}\nvpaddd {1}, {0}, {0}\n', 4)]
    raise SystemExit(f'{isa}: not one of neon neon_i8mm avx_vnni avx2')


ISAS = {'neon': ['neoverse-n1', 'cortex-a76', 'cortex-a55', 'apple-m1'],
        'neon_i8mm': ['neoverse-n2', 'neoverse-v1', 'neoverse-v2', 'apple-m2'],
        'avx_vnni': ['alderlake', 'znver4'], 'avx2': ['skylake', 'alderlake', 'znver3']}


def is_arm(isa):
    return isa.startswith('neon')


def compiled(isa, folder):
    """The object of isa/<name>/kernels.cpp, made by CMake's own command."""
    build = os.path.join(folder, 'aarch64' if is_arm(isa) else 'release')
    if not os.path.exists(build):
        options = ['-DCMAKE_EXPORT_COMPILE_COMMANDS=ON', '-DQUERN_TESTS=OFF', '-DQUERN_CLI=OFF', '-DQUERN_BLAS=OFF',
                   '-DQUERN_ONEDNN=OFF', '-DQUERN_PCRE2=OFF']
        run(['cmake', '--preset', os.path.basename(build), '-B', build, *options], cwd=ROOT)
    with open(os.path.join(build, 'compile_commands.json')) as f:
        commands = [c for c in json.load(f) if c['file'].endswith(f'isa/{isa}/kernels.cpp')]
    if len(commands) != 1:
        raise SystemExit(f'{isa}: CMake compiles isa/{isa}/kernels.cpp {len(commands)} times here')
    command = shlex.split(commands[0]['command'])
    out = os.path.join(folder, isa + '.o')
    command[command.index('-o') + 1] = out
    run(command, cwd=commands[0]['directory'])
    return out


def run(command, **more):
    done = subprocess.run(command, capture_output=True, text=True, **more)
    if done.returncode != 0:
        raise SystemExit(f'{" ".join(command[:2])} failed:\n{done.stderr.strip()[-2000:]}')
    return done.stdout


def functions(isa, path, wanted):
    """Names and instructions (address, text) of the object's functions whose name has `wanted`."""
    text = run([('aarch64-linux-gnu-' if is_arm(isa) else '') + 'objdump', '-d', '-C', '--no-show-raw-insn', path])
    for part in re.split(r'\n\n(?=[0-9a-f]+ <)', text):
        head = re.search(r'^[0-9a-f]+ <(.*)>:$', part, re.M)
        if head and re.search(wanted, head[1]):
            yield head[1], [(int(a, 16), re.sub(r'\s*(//|#(?!-?(0x)?\d)).*', '', t).strip())
                            for a, t in re.findall(r'^\s*([0-9a-f]+):\t(.*)$', part[head.end():], re.M)]


JUMP = re.compile(r'(b|b\.\w+|cbn?z|tbn?z|j\w+)\s+(?:.*\s)?([0-9a-f]+) <')


def innermost(code, counts, expected):
    """The loops of a function that hold `expected` instructions that count and no other loop. Where one forks (i8mm's last
    half step), the way with the most loads is taken, which is that of every iteration but the last."""
    at = {address: i for i, (address, _) in enumerate(code)}
    jumps = {}  # of an instruction: where it may go
    for i, (_, text) in enumerate(code):
        jump = JUMP.match(text)
        to = [at[int(jump[2], 16)]] if jump and int(jump[2], 16) in at else []
        ends = re.match(r'(b|jmp|jmpq|ret|retq|br)\b(?!\.)', text)
        jumps[i] = to + ([] if ends or i + 1 == len(code) else [i + 1])
    marks = [i for i, (_, text) in enumerate(code) if is_counted(text, counts)]
    found = {}
    for start in marks:
        if any(start in way for way in found.values()):
            continue
        ways, stack = [], [(start, (start,))]
        while stack and len(ways) < 64:  # no way around is longer than this
            i, way = stack.pop()
            for to in jumps[i]:
                if to == start:
                    ways.append(way)
                elif to not in way and len(way) < 6 * expected + 40:
                    stack.append((to, way + (to,)))
        ways = [w for w in ways if sum(i in w for i in marks) == expected]
        if ways:
            shortest = min(map(len, ways))
            near = [w for w in ways if len(w) <= shortest * 1.25]
            best = max(near, key=lambda w: sum(is_load(code[i][1]) for i in w))
            found[start] = best
    return [[code[i][1] for i in rotated(way, code)] for way in found.values()]


def rotated(way, code):
    """In the order of execution, beginning after a jump back."""
    cut = next((n for n in range(len(way)) if way[n] < way[n - 1]), 0)
    return way[cut:] + way[:cut]


def is_counted(text, counts):
    return re.match(rf'({{\w+}} )?{counts}\b', text) is not None


def is_load(text):
    if text.startswith(('ld', 'ldr')):
        return True
    return re.match(r'(v|{)', text) is not None and '(' in text and not re.search(r'\)$', text)


def on_stack(text):
    return re.search(r'\[sp\b|\(%[re]sp\b|\(%rbp\b|\[x29\b', text) is not None


EXTENSIONS = {'neon': '+dotprod', 'neon_i8mm': '+i8mm', 'avx_vnni': '+avxvnni', 'avx2': '+avx2'}
LACKING = set()  # (CPU, ISA): LLVM says that the CPU lacks the ISA


Model = collections.namedtuple('Model', 'cycles dispatch pressure names')


def mca(tool, isa, cpu, lines):
    """Of an iteration: cycles, micro-operations over what is dispatched in a cycle, pressure on each resource. And the names
    of the resources."""
    command = [tool, '-mtriple=' + ('aarch64' if is_arm(isa) else 'x86_64'), '-mcpu=' + cpu, '-iterations=1000',
               '-instruction-info=false']
    if isa == 'avx_vnni' and cpu in CPUS and not CPUS[cpu].units.startswith('ADL'):  # which llvm-mca does not check on x86
        LACKING.add((cpu, isa))
    done = subprocess.run(command, input='\n'.join(lines), capture_output=True, text=True)
    if done.returncode != 0 and re.search(r'requires:', done.stderr):
        LACKING.add((cpu, isa))
        done = subprocess.run([*command, '-mattr=' + EXTENSIONS[isa]], input='\n'.join(lines), capture_output=True, text=True)
    if done.returncode != 0 or re.search(r'not a recognized', done.stderr):
        raise SystemExit(f'{tool} -mcpu={cpu} ({isa}): {done.stderr.strip()[:1000]}')
    text = done.stdout
    names = dict(re.findall(r'^\[([\d.]+)\]\s+- (\S+)$', text, re.M))
    section = text.split('Resource pressure per iteration:\n')[1].split('\n')
    pressure = {n: 0.0 if p == '-' else float(p) for n, p in zip(re.findall(r'\[([\d.]+)\]', section[0]), section[1].split())}
    number = {key: float(value) for key, value in re.findall(r'^([\w ]+):\s+([\d.]+)$', text, re.M)}
    return Model(number['Total Cycles'] / 1000, number['Total uOps'] / 1000 / number['Dispatch Width'],
                 pressure, names)


def for_mca(body):
    """Jumps go to a label: llvm-mca runs lines in order, whatever they say."""
    return ['again:'] + [re.sub(r'^((?:b|b\.\w+|cbn?z|tbn?z|j\w+)\s+(?:.*,\s*)?)[0-9a-f]+ <.*', r'\1again', t) for t in body]


def block_of(isa, loop):
    """The instructions of each chain."""
    n = loop.chains
    names = [[f'v{i}'] if is_arm(isa) else [f'%ymm{i}', f'%ymm{n + 2 * i}', f'%ymm{n + 2 * i + 1}'] for i in range(n)]
    return [loop.block.format(*n).strip().split('\n') for n in names]


def decoded(isa, body):
    """Instructions, a comparison and the jump after it as one on x86."""
    fused = 0 if is_arm(isa) else sum(b.startswith('j') and re.match(r'(cmp|test|sub|add|dec|inc)', a) is not None
                                      for a, b in zip(body, body[1:]))
    return len(body) - fused


def limit(tool, isa, cpu, loop):
    """Multiply-accumulates per cycle of the block on registers, the model of it, and how many it has. llvm-mca's spread over
    the ports depends on the order, so the better one of two counts: chain by chain, and all chains' first instructions
    before the second."""
    chains = block_of(isa, loop)
    blocks = [sum(chains, []), [line for lines in zip(*chains) for line in lines]]
    model, block = min(((mca(tool, isa, cpu, b), b) for b in blocks), key=lambda m: m[0].cycles)
    counted = sum(is_counted(line, loop.counts) for line in block)
    macs = loop.macs * counted
    return macs / max(model.cycles, decoded(isa, block) / decodes(cpu)), model, macs


def work(model, resources):
    return sum(model.pressure[n] for n in resources)


def decodes(cpu):
    return CPUS[cpu].decodes if cpu in CPUS else float('inf')


def measure(tool, isa, cpu, loop, first, body):
    """first: the loop whose arithmetic is that of isa/limit.h."""
    model = mca(tool, isa, cpu, for_mca(body))
    own_limit, block, block_macs = limit(tool, isa, cpu, loop)
    bench_limit, _, _ = limit(tool, isa, cpu, first)
    dot = mca(tool, isa, cpu, [line for line in block_of(isa, loop)[0] if is_counted(line, loop.counts)])
    loads = mca(tool, isa, cpu, ['ldr q0, [x0]' if is_arm(isa) else 'vmovdqu (%rax), %ymm0'])
    least = decoded(isa, body) / decodes(cpu)
    cycles = max(model.cycles, least)
    macs = loop.macs * loop.expected
    units = model.names
    full = {units[n] for n, p in model.pressure.items() if p >= 0.95 * cycles}
    dots = {n for n, p in dot.pressure.items() if p > 0}
    other = 1 - macs * work(block, dots) / block_macs / work(model, dots)
    loading = {units[n] for n, p in loads.pressure.items() if p > 0} - {units[n] for n in dots}
    busy = [name for name, is_busy in (('decoding', least >= 0.95 * cycles), ('dispatch', model.dispatch >= 0.95 * cycles),
                                       ('dot pipes' + (f' ({other:.0%} other work)' if other >= 0.02 else ''),
                                        full & {units[n] for n in dots}), ('loads', full & loading)) if is_busy]
    busy += sorted(full - {units[n] for n in dots} - loading)
    rate = macs / cycles
    return {'instr': len(body), 'macs': macs, 'cycles': cycles, 'rate': rate, 'limit': own_limit,
            'share': rate / own_limit, 'bench': rate / bench_limit, 'stack': sum(map(on_stack, body)),
            'bound': ', '.join(busy) or 'latency, order',
            'own': cpu in CPUS and any(n.startswith(CPUS[cpu].units) for n in units.values()),
            'model': re.sub(r'(Unit|Port|AGU|Divider).*', '', sorted(units.values())[0])}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('isas', nargs='*', default=list(ISAS))
    parser.add_argument('--cpu', action='append', help='in place of the ISA\'s usual ones')
    parser.add_argument('--mca', default=next((t for v in range(30, 13, -1) if (t := shutil.which(f'llvm-mca-{v}'))), 'llvm-mca'))
    parser.add_argument('--object')
    parser.add_argument('--tile', help='of the object, where it has other constants: rows8 x vectors8, as in 4x4')
    parser.add_argument('--show', action='store_true', help='print the loops')
    args = parser.parse_args()
    if args.object and len(args.isas) != 1:
        parser.error('--object is of one ISA')
    print(re.search(r'LLVM version \S+', run([args.mca, '--version']))[0])
    row = '{:<10} {:<33} {:<13} {:>5} {:>5} {:>7} {:>6} {:>6} {:>6} {:>6} {:>5}  {}'
    print(row.format('isa', 'loop', 'cpu', 'instr', 'macs', 'cycles', 'rate', 'limit', 'share', 'bench', 'stack', 'bound'))
    failed, marked = False, {}
    with tempfile.TemporaryDirectory() as folder:
        for isa in args.isas:
            shape = args.tile.split('x') if args.tile else (constant(isa, 'rows8'), constant(isa, 'vectors8'))
            loops = loops_of(isa, *map(int, shape))
            path = args.object or compiled(isa, folder)
            for loop in loops:
                bodies = [b for _, code in functions(isa, path, loop.functions)
                          for b in innermost(code, loop.counts, loop.expected)]
                if not bodies:
                    print(f'{isa}, {loop.name}: no loop of {loop.expected} {loop.counts} in functions like {loop.functions}')
                    failed = True
                    continue
                body = bodies[0]  # of AVX2's, the second one is for the steps that were moved to a panel's end
                if args.show:
                    print('\n'.join('    ' + re.sub(r'<.*', '', t) for t in body))
                for cpu in args.cpu or ISAS[isa]:
                    m = measure(args.mca, isa, cpu, loop, loops[min(1, len(loops) - 1)], body)
                    if not m['own']:
                        marked[cpu] = m['model']
                    name = cpu + '*' * (not m['own']) + '†' * ((cpu, isa) in LACKING)
                    print(row.format(isa, loop.name, name, m['instr'], m['macs'], f'{m["cycles"]:.2f}', f'{m["rate"]:.1f}',
                                     f'{m["limit"]:.1f}', f'{m["share"]:.0%}', f'{m["bench"]:.0%}', m['stack'], m['bound']),
                          flush=True)
    for cpu, model in marked.items():
        print(f'* {cpu}: no model of its own in this LLVM; the one used calls its units {model}…')
    for cpu, isa in sorted(LACKING):
        print(f'† {cpu} does not run {isa}: its ports with a newer CPU\'s instructions')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
