#!/usr/bin/env python3
"""What a pull costs, from a Hub on this machine: hub.py [--quern ./quern] [--megabytes 1000] [--runs 5] [--cpu N]

Serves a repository with one large file by sendfile(2), pulls it with `quern pull --type source` into a new cache each time, and prints
MB/s of wall time and of the CPU time that the program took (receiving, hashing, writing). --cpu: the program runs on that CPU alone.
"""
import argparse
import hashlib
import http.server
import json
import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument('--quern', default='./quern')
parser.add_argument('--megabytes', type=int, default=1000)
parser.add_argument('--runs', type=int, default=5)
parser.add_argument('--cpu', type=int)
parser.add_argument('--folder', help='for the caches and the file; default: the temporary folder')
args = parser.parse_args()

work = tempfile.mkdtemp(dir=args.folder)
big = os.path.join(work, 'model.safetensors')
digest, block = hashlib.sha256(), os.urandom(1 << 20)
with open(big, 'wb') as f:
    for _ in range(args.megabytes):
        f.write(block[:1000000])
        digest.update(block[:1000000])
commit, size = 'c' * 40, args.megabytes * 1000000
listed = [{'type': 'file', 'path': 'model.safetensors', 'oid': '0' * 40, 'size': size,
           'lfs': {'oid': digest.hexdigest(), 'size': size, 'pointerSize': 134}}]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps({'sha': commit} if '/revision/' in self.path else listed).encode()
        file = '/resolve/' in self.path
        self.send_response(200)
        self.send_header('Content-Length', str(size if file else len(body)))
        self.end_headers()
        if not file:
            return self.wfile.write(body)
        self.wfile.flush()
        with open(big, 'rb') as f:
            return self.connection.sendfile(f)


server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
wall, cpu = [], []
try:
    for _ in range(args.runs):
        cache = os.path.join(work, 'cache')
        env = {**os.environ, 'HF_HOME': cache, 'QUERN_CACHE': os.path.join(cache, 'own'), 'no_proxy': '*',
               'HF_ENDPOINT': f'http://127.0.0.1:{server.server_address[1]}'}
        command = [args.quern, 'pull', 'org/big', '--type', 'source', '--quiet', '--include', '*.safetensors']
        if args.cpu is not None:
            command = ['taskset', '-c', str(args.cpu), *command]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        shutil.rmtree(cache)
finally:
    shutil.rmtree(work)
print(f'{args.megabytes} MB: {args.megabytes / statistics.median(wall):.0f} MB/s of wall time '
      f'({args.megabytes / max(wall):.0f} to {args.megabytes / min(wall):.0f}), '
      f'{args.megabytes / statistics.median(cpu):.0f} MB/s of CPU time')
