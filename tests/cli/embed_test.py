"""The quern program end to end on the tiny BERT: standard library only. QUERN: the program; QUERN_TEST_DIR: tests/."""
import json
import os
import struct
import subprocess
import tempfile
import unittest

QUERN = os.environ['QUERN']
TINY = os.path.join(os.environ['QUERN_TEST_DIR'], 'golden', 'tiny-bert')


def run(*args, stdin=b'', env=None, program=QUERN):
    return subprocess.run([program, *args], input=stdin, capture_output=True, env={**os.environ, **(env or {})})


def rows_of(stdout):
    return [json.loads(line) for line in stdout.splitlines()]


def read_npy(path):
    with open(path, 'rb') as file:
        data = file.read()
    assert data[:8] == b'\x93NUMPY\x01\x00'
    size = struct.unpack('<H', data[8:10])[0]
    shape = eval(data[10:10 + size].decode())['shape']
    values = struct.unpack(f'<{shape[0] * shape[1]}f', data[10 + size:])
    return [list(values[i * shape[1]:(i + 1) * shape[1]]) for i in range(shape[0])]


class Cli(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.model = cls.path('tiny.q8')
        result = run('convert', TINY, '-o', cls.model)
        assert result.returncode == 0, result.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    def write(self, name, data):
        with open(self.path(name), 'wb') as file:
            file.write(data)
        return self.path(name)

    def ok(self, *args, **kw):
        result = run(*args, **kw)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result


class Embed(Cli):
    def test_every_type_converts_and_embeds(self):
        for kind in ('f32', 'f16', 'bf16', 'q8', 'q4', 'q8_0', 'q4_0'):
            file = self.path('m.' + kind)
            self.ok('convert', TINY, '-o', file, '--quiet')
            rows = rows_of(self.ok('embed', '-m', file, '-p', 'hello world').stdout)
            self.assertEqual(len(rows), 1)
            self.assertAlmostEqual(sum(x * x for x in rows[0]), 1, places=5)
            self.assertEqual(json.loads(self.ok('inspect', file, '--json').stdout)['type'], kind)

    def test_outputs_agree(self):
        lines = b'one\ntwo words\n\nthree more words'
        texts = self.write('t.txt', lines)  # an empty line is a text; no final newline
        rows = rows_of(self.ok('embed', '-m', self.model, '-f', texts).stdout)
        self.assertEqual(len(rows), 4)
        stdin = rows_of(self.ok('embed', '-m', self.model, '-f', '-', stdin=lines).stdout)
        given = rows_of(self.ok('embed', '-m', self.model, '-p', 'one', '-p', 'two words', '-p', '', '-p', 'three more words').stdout)
        named = rows_of(self.ok('-m', self.model, '-f', texts, program=os.path.join(os.path.dirname(QUERN), 'embed')).stdout)
        self.assertTrue(rows == stdin == given == named)
        for kind in ('npy', 'jsonl', 'csv'):
            out = self.path('o.' + kind)
            self.ok('embed', '-m', self.model, '-f', texts, '-o', out)
            if kind == 'npy':
                found = read_npy(out)
                expected = [[struct.unpack('<f', struct.pack('<f', x))[0] for x in row] for row in rows]
                self.assertEqual(found, expected)
            else:
                with open(out) as file:
                    text = file.read().splitlines()
                found = [json.loads(x if kind == 'jsonl' else f'[{x}]') for x in text]
                self.assertEqual(found, rows)

    def test_json_lines(self):
        file = self.write('t.jsonl', b'{"body": "one"}\n{"body": "two words", "n": 1}\n')
        self.assertEqual(rows_of(self.ok('embed', '-m', self.model, '-f', file, '--field', 'body').stdout),
                         rows_of(self.ok('embed', '-m', self.model, '-p', 'one', '-p', 'two words').stdout))

    def test_rows_keep_the_texts_order(self):
        texts = [f'number {i % 97} ' + 'word ' * (i % 23) for i in range(5000)]
        many = rows_of(self.ok('embed', '-m', self.model, '-f', '-', '-t', '3', stdin='\n'.join(texts).encode()).stdout)
        self.assertEqual(len(many), 5000)
        for i in (0, 1, 2047, 2048, 4095, 4999):
            self.assertEqual(many[i], rows_of(self.ok('embed', '-m', self.model, '-p', texts[i]).stdout)[0])

    def test_awkward_bytes(self):
        same = rows_of(self.ok('embed', '-m', self.model, '-f', '-', stdin=b'one two\r\none two\n').stdout)
        self.assertEqual(same[0], same[1])
        result = self.ok('embed', '-m', self.model, '-f', '-', stdin=b'a\0b\nbad \xff\xfe\nfine\n')
        self.assertEqual(len(rows_of(result.stdout)), 3)
        self.assertIn(b'1 with invalid UTF-8', result.stderr)
        long = self.ok('embed', '-m', self.model, '-f', '-', stdin=b'word ' * 2_000_000)
        self.assertIn(b'1 truncated', long.stderr)

    def test_summary_and_quiet(self):
        result = self.ok('embed', '-m', self.model, '-p', 'one', '-t', '2')
        self.assertRegex(result.stderr.decode(), r'^1 texts, \d+ tokens, 0 truncated, [\d.]+ s, [\d.]+ texts/s, \w+, 2 threads\n$')
        self.assertEqual(self.ok('embed', '-m', self.model, '-p', 'one', '--quiet').stderr, b'')

    def test_options(self):
        whole = rows_of(self.ok('embed', '-m', self.model, '-p', 'one', '--no-normalize').stdout)[0]
        cut = rows_of(self.ok('embed', '-m', self.model, '-p', 'one', '--no-normalize', '--dimensions', '8').stdout)[0]
        self.assertEqual(whole[:8], cut)
        prompted = rows_of(self.ok('embed', '-m', self.model, '-p', 'one', '--prompt', 'query: ').stdout)
        plain = rows_of(self.ok('embed', '-m', self.model, '-p', 'query: one', '--prompt', '').stdout)
        self.assertEqual(prompted, plain)

    def test_isa(self):
        for isa in ('scalar', 'avx2', 'avx512_vnni'):
            result = run('embed', '-m', self.model, '-p', 'one', env={'QUERN_ISA': isa})
            if result.returncode == 2:
                print(f'skipped: ISA {isa}: {result.stderr.decode().strip()}')
            else:
                self.assertIn(isa.encode(), result.stderr)


if __name__ == '__main__':
    unittest.main()
