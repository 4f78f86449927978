#!/usr/bin/env python3
"""What int8 costs in quality: quern's types and the peers' int8 beside f32, on cosines and on tasks.

  quality.py models/all-MiniLM-L6-v2 [FOLDER ...] --data DIR       DIR as bench/quality/get-data made it
  quality.py --self-check                                          the arithmetic, against figures worked out by hand

quern f32 runs each folder as it is; --types are converted from it. Peers are those of bench/compare (encoders.py --help) and need
what bench/compare/setup installs; what cannot be run is reported as not measured.

cosine         to quern f32: sentences and documents of news, mean and worst; words: those of the word pairs
Lee            50 documents, each pair's cosine beside people's judgement: Pearson's r, Spearman's rho
top 10         retrieval among sentences of news: the share of f32's ten nearest that are among the model's own ten
SimLex, WordSim  pairs of words, cosine beside people's judgement: Spearman's rho

A figure of quern's is the same on every CPU. Tasks are not the ones of any leaderboard: read differences to f32, not the values.
"""
from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'bench/compare'))
COLUMNS = [('cosine', 'cosine_mean', '.5f'), ('worst', 'cosine_worst', '.4f'), ('words', 'words_cosine_mean', '.5f'),
           ('worst', 'words_cosine_worst', '.4f'), ('Lee r', 'lee_pearson', '.4f'), ('Lee rho', 'lee_spearman', '.4f'),
           ('top 10', 'neighbours_kept', '.1%'), ('SimLex', 'SimLex-999', '.4f'), ('WordSim', 'WordSim-353', '.4f')]


def arguments() -> argparse.Namespace:
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument('folders', type=Path, nargs='*', metavar='FOLDER', help="an encoder in Hugging Face's layout")
    a.add_argument('--data', type=Path, metavar='DIR', help='what get-data fetched')
    a.add_argument('--types', default='f16,q8_fine,q8,q8_0,q4,q4_0', help="quern's, in this order; empty: none")
    a.add_argument('--peers', default='torch,ort8,ov8,ct2', help='those of bench/compare, in this order; empty: none')
    a.add_argument('--documents', type=int, default=1000, metavar='N', help='sentences to retrieve from (2,531 at most)')
    a.add_argument('--prompt', default='', help='comes before every text, e.g. "query: " for E5')
    a.add_argument('--threads', type=int, default=2)
    a.add_argument('--max-length', type=int, default=256, help='tokens that texts are cut to')
    a.add_argument('--library', type=Path, default=ROOT / 'build/lib/libquern.so')
    a.add_argument('--program', type=Path, default=ROOT / 'build/bin/quern')
    a.add_argument('--exports', type=Path, metavar='DIR', help='where files made of the folders are kept; default: $PEERS/exports, else under the temporary folder')
    a.add_argument('-o', '--json', type=Path, metavar='FILE', help='the same figures, unrounded')
    a.add_argument('--self-check', action='store_true')
    o = a.parse_args()
    if not o.self_check and not (o.folders and o.data):
        a.error('expected FOLDER and --data DIR, or --self-check')
    if o.documents < 10:
        a.error(f'--documents {o.documents}: expected 10 or more')
    o.exports = o.exports or Path(os.environ.get('PEERS') or tempfile.gettempdir()) / 'exports'
    return o


def converted(o: argparse.Namespace, folder, exports, kind: str) -> Path:
    """A file of that type; made again where the converter is newer."""
    from exports import run
    path = exports.work / f'quern.{kind}'
    if not path.exists() or path.stat().st_mtime < o.program.stat().st_mtime:
        print(f'{folder.name}: converting to {kind}', file=sys.stderr)
        run([o.program, 'convert', folder.path, '-o', path, '--type', kind, '--quiet'])
    return path


def makers(o: argparse.Namespace, folder, exports) -> list[tuple[str, tuple]]:
    """Rows in the table's order: a name, and how its peer is made. The first is the reference."""
    from model import NotMeasured
    from peers import PEERS
    from quern import Quern

    def of(path):
        return lambda: (Quern, o.library.resolve(), path(), None)

    def of_peer(kind):
        def made():
            if folder.inputs is None:
                raise NotMeasured(f'the exports do not know models of type {folder.config.get("model_type")!r}')
            return (kind,)
        return made
    rows = [('quern f32', of(lambda: folder.path))]
    rows += [(f'quern {kind}', of(lambda kind=kind: converted(o, folder, exports, kind))) for kind in o.types.split(',') if kind]
    for name in [name for name in o.peers.split(',') if name]:
        if name not in PEERS:
            raise SystemExit(f'quality.py: --peers: there is no {name!r}, only {", ".join(PEERS)}')
        rows.append((name, of_peer(PEERS[name])))
    return rows


def measure(o: argparse.Namespace, path: Path, sets) -> dict:
    """Everything of one model: rows of figures, and why the others have none."""
    from exports import Exports
    from model import Folder
    from peers import Setting
    from remote import Remote, reason_of
    folder = Folder(path, o.max_length)
    exports = Exports(folder, o.exports)
    setting = Setting(folder, exports, o.threads)
    out = {'model': folder.name, 'key': folder.key, 'rows': {}, 'versions': {}, 'not_measured': {}}
    texts, reference = [o.prompt + text for text in sets.texts], None
    for name, maker in makers(o, folder, exports):
        try:
            print(f'{folder.name}: {name}', file=sys.stderr)
            kind, *rest = maker()
            peer = Remote(kind, setting, *rest)
            vectors = peer.call('embed', texts)
            out['versions'][name] = peer.call('version')
            peer.end()
        except Exception as error:  # whatever a peer raises: the others go on
            if reference is None:
                raise SystemExit(f'quality.py: {path}: {reason_of(error)}')
            out['not_measured'][name] = reason_of(error)
            continue
        reference = vectors if reference is None else reference
        out['rows'][name] = sets.figures(vectors, reference)
    return out


def table(result: dict) -> str:
    lines = [f'| {result["model"]} | ' + ' | '.join(title for title, _, _ in COLUMNS) + ' |', '|---' * (len(COLUMNS) + 1) + '|']
    for name, row in result['rows'].items():
        lines.append(f'| {name} | ' + ' | '.join(format(row[key], form) for _, key, form in COLUMNS) + ' |')
    return '\n'.join(lines + [f'\n{name}: not measured: {why}' for name, why in result['not_measured'].items()])


def main() -> None:
    o = arguments()
    try:
        import figures
        if o.self_check:
            figures.self_check()
            return
        from encoders import set_environment
        set_environment(o.threads)
        import sets
    except ImportError as error:
        raise SystemExit(f'quality.py: {error}; bench/compare/setup DIR installs what is needed')
    try:
        data = sets.Sets(o.data, o.documents)
    except (OSError, ValueError) as error:
        raise SystemExit(f'quality.py: --data: {error}; bench/quality/get-data DIR fetches it')
    results = []
    for path in o.folders:
        results.append(measure(o, path, data))
        print(table(results[-1]) + '\n', flush=True)
    if o.json:
        version = subprocess.run([o.program, '--version'], capture_output=True, text=True).stdout.strip()
        everything = {'date': datetime.datetime.now(datetime.timezone.utc).isoformat(timespec='seconds'), 'command': sys.argv, 'quern': version,
                      'texts': {'prose': len(data.prose), 'all': len(data.texts), 'documents': len(data.documents), 'queries': len(data.queries)},
                      'models': results}
        o.json.parent.mkdir(parents=True, exist_ok=True)
        o.json.write_text(json.dumps(everything, indent=1) + '\n', encoding='utf8')


if __name__ == '__main__':
    main()
