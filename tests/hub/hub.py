"""A Hugging Face Hub on this machine, for tests: the API and small files on one port, storage of large files on another.

What it does wrong is a test's choice: Hub.hook sees every request first. The environment is that of tests/cli/program.py.
"""
import hashlib
import http.server
import json
import os
import re
import ssl
import sys
import threading
import urllib.parse

sys.path.append(os.path.join(os.environ["QUERN_TEST_DIR"], "cli"))
from program import Case, quern  # noqa: E402

CERTIFICATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "localhost.pem")
LARGE = (".safetensors", ".gguf", ".pt", ".bin", ".onnx", ".gz", ".parquet")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def git_sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class Repo:
    """files: path → bytes, the same at each commit that is not given files of its own."""

    def __init__(self, files, revisions=None):
        self.files = dict(files)
        self.revisions = revisions or {"main": self.commit_of(files)}
        self.at = {commit: self.files for commit in self.revisions.values()}
        self.gated = self.private = False
        self.renamed = None  # to this name

    @staticmethod
    def commit_of(files):
        return hashlib.sha1(repr(sorted((p, sha256(d)) for p, d in files.items())).encode()).hexdigest()

    def move(self, files, revision="main"):
        """The revision gets another commit with these files."""
        commit = self.commit_of(files)
        self.revisions[revision] = commit
        self.at[commit] = dict(files)
        return commit

    @property
    def commit(self):
        return self.revisions["main"]


def folder_files(folder, leave_out=("golden.json",)):
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            if name not in leave_out:
                with open(path, "rb") as f:
                    found[os.path.relpath(path, folder)] = f.read()
    return found


class Request:
    """One request and the means to answer it. where: "hub" or "storage"."""

    def __init__(self, handler, where):
        self.handler, self.where, self.method = handler, where, handler.command
        url = urllib.parse.urlsplit(handler.path)
        self.path, self.query = urllib.parse.unquote(url.path), urllib.parse.parse_qs(url.query)
        self.raw_path, self.headers = handler.path, handler.headers
        self.body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))

    def reply(self, status, body=b"", length=None, **headers):
        """length: of the header, where it is not the body's; False: none."""
        h = self.handler
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        if length is not False:
            h.send_header("Content-Length", str(len(body) if length is None else length))
        if length is False:
            h.send_header("Connection", "close")
            h.close_connection = True
        h.end_headers()
        if self.method != "HEAD":
            h.wfile.write(body)

    def json(self, value, status=200, **headers):
        self.reply(status, json.dumps(value).encode(), Content_Type="application/json; charset=utf-8", **headers)

    def refuse(self, status, code=None, message=None, **headers):
        if code:
            headers["X_Error_Code"] = code
        if message:
            headers["X_Error_Message"] = message
        self.json({"error": message or "no"}, status, **headers)

    def bytes(self, data, **headers):
        """A file, or the part of it that is asked for."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if not wanted:
            return self.reply(200, data, Accept_Ranges="bytes", **headers)
        begin = int(wanted[1])
        if begin >= len(data):
            return self.reply(416, b"", Content_Range=f"bytes */{len(data)}")
        self.reply(206, data[begin:], Content_Range=f"bytes {begin}-{len(data) - 1}/{len(data)}", **headers)

    def cut(self, data, at, status=200, **headers):
        """The head of all of data, and the first bytes of it; then the connection ends."""
        h = self.handler
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        begin = int(wanted[1]) if wanted else 0
        if wanted:
            status, headers["Content_Range"] = 206, f"bytes {begin}-{len(data) - 1}/{len(data)}"
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name.replace("_", "-"), value)
        h.send_header("Content-Length", str(len(data) - begin))
        h.end_headers()
        h.wfile.write(data[begin:begin + at])
        h.wfile.flush()
        h.close_connection = True


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = where = None

    def log_message(self, *args):
        pass

    def answer(self):
        request = Request(self, self.where)
        with self.hub.lock:
            self.hub.log.append(request)
        try:
            if self.hub.hook and self.hub.hook(request):
                return
            self.hub.answer(request)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = answer


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, address):
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)


class Hub:
    """repos: of models by "org/name", of datasets by "datasets/org/name"."""

    def __init__(self, repos=None, page=1000, tls=False):
        self.repos, self.page = dict(repos or {}), page
        self.log, self.lock, self.hook = [], threading.Lock(), None
        self.tokens = {"hf_good"}
        self.missing_endpoints = set()  # "tree"
        self.servers = []
        self.scheme = "https" if tls else "http"
        self.ports = {}
        for where in ("hub", "storage"):
            handler = type(where, (Handler,), {"hub": self, "where": where})
            server = Server(("127.0.0.1", 0), handler)
            if tls and where == "hub":
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(CERTIFICATE)
                server.socket = context.wrap_socket(server.socket, server_side=True)
            self.ports[where] = server.server_address[1]
            self.servers.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.ports['hub']}"

    @property
    def storage(self):
        return f"http://127.0.0.1:{self.ports['storage']}"

    def paths(self, where="hub"):
        return [f"{r.method} {r.raw_path}" for r in self.log if r.where == where]

    def allowed(self, request, repo):
        """Whether it may be read; else the refusal is sent."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens and token != "hf_other":
            request.refuse(401, message="Invalid credentials in Authorization header")
        elif repo is None or (repo.private and token not in self.tokens):
            # As the Hub: whoever has no token is not told that there is none of that name.
            request.refuse(404, "RepoNotFound", "Repository not found") if token else \
                request.refuse(401, "RepoNotFound", "Invalid username or password.")
        elif repo.gated and "/resolve/" in request.path and token not in self.tokens:
            request.refuse(403 if token else 401, "GatedRepo", "Access to this model is restricted.")
        else:
            return True
        return False

    def answer(self, request):
        if request.where == "storage":
            data = self.stored(request.path.rsplit("/", 1)[1])
            return request.bytes(data) if data is not None else request.reply(403, b"<Error>Expired</Error>")
        match = re.fullmatch(r"/api/(models/|datasets/)([^/]+(?:/[^/]+)?)/(revision|tree)/(.+)", request.path)
        if match and match[3] not in self.missing_endpoints:
            return self.api(request, match[1].removeprefix("models/") + match[2], match[3], match[4])
        match = re.fullmatch(r"/(datasets/[^/]+/[^/]+|[^/]+/[^/]+|[^/]+)/resolve/([^/]+)/(.+)", request.path)
        if match:
            return self.resolve(request, *match.groups())
        request.refuse(404)

    def stored(self, digest):
        for repo in self.repos.values():
            for files in repo.at.values():
                for data in files.values():
                    if sha256(data) == digest:
                        return data
        return None

    def find(self, request, name):
        repo = self.repos.get(name)
        if repo and repo.renamed:
            request.reply(307, Location=request.raw_path.replace(name, repo.renamed))
            return None
        return repo if self.allowed(request, repo) else None

    def api(self, request, name, kind, revision):
        repo = self.find(request, name)
        if not repo:
            return None
        folder = ""
        if kind == "tree":
            revision, _, folder = revision.partition("/")
        commit = repo.revisions.get(revision, revision)
        if commit not in repo.at:
            return request.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        files = repo.at[commit]
        if kind == "revision":
            return request.json({"id": name, "sha": commit, "private": repo.private, "gated": repo.gated,
                                 "siblings": [{"rfilename": p} for p in sorted(files)]})
        below = folder + "/" if folder else ""
        if below and not any(path.startswith(below) for path in files):
            return request.refuse(404, "EntryNotFound", f"{folder} does not exist on {revision}")
        folders = {os.path.dirname(path) for path in files} - {""}
        deep = request.query.get("recursive") == ["true"]
        listed = [p for p in sorted(files) + sorted(folders) if p.startswith(below) and (deep or "/" not in p[len(below):])]
        items = [self.item(p, files[p]) if p in files else {"type": "directory", "oid": "0" * 40, "size": 0, "path": p} for p in listed]
        begin = int(request.query.get("cursor", ["0"])[0])
        headers = {}
        if begin + self.page < len(items):
            headers["Link"] = f'<{self.url}{request.path}?recursive={str(deep).lower()}&cursor={begin + self.page}>; rel="next"'
        return request.json(items[begin:begin + self.page], **headers)

    @staticmethod
    def item(path, data):
        item = {"type": "file", "oid": git_sha1(data), "size": len(data), "path": path}
        if path.endswith(LARGE):
            item["oid"] = hashlib.sha1(path.encode()).hexdigest()  # of the pointer, which nobody asks for
            item["lfs"] = {"oid": sha256(data), "size": len(data), "pointerSize": 134}
            item["xetHash"] = sha256(b"xet" + data)
        return item

    def resolve(self, request, name, revision, path):
        repo = self.find(request, name)
        if not repo:
            return None
        commit = repo.revisions.get(revision, revision)
        if commit not in repo.at:
            return request.refuse(404, "RevisionNotFound")
        data = repo.at[commit].get(path)
        if data is None:
            return request.refuse(404, "EntryNotFound", X_Repo_Commit=commit)
        if not path.endswith(LARGE):
            return request.bytes(data, ETag=f'"{git_sha1(data)}"', X_Repo_Commit=commit)
        return request.reply(302, Location=f"{self.storage}/xet/{sha256(data)}?sig=x", X_Repo_Commit=commit,
                             X_Linked_Etag=f'"{sha256(data)}"', X_Linked_Size=str(len(data)), ETag='W/"abc"')


class HubCase(Case):
    """Tests against a Hub of their own with caches of their own."""

    def setUp(self):
        super().setUp()
        self.hub = Hub()
        self.addCleanup(self.hub.stop)
        self.env = {"HF_ENDPOINT": self.hub.url, "HF_HOME": self.path("hf"), "QUERN_CACHE": self.path("own"),
                    "HOME": self.path("home"), "XDG_CACHE_HOME": "", "HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "",
                    "HF_TOKEN": "", "HUGGING_FACE_HUB_TOKEN": "", "HF_TOKEN_PATH": "", "HF_HUB_OFFLINE": "",
                    "TRANSFORMERS_OFFLINE": "", "QUERN_HUB_RETRIES": "2", "no_proxy": "*", "http_proxy": ""}

    def run_ok(self, *args, env=None, **more):
        return super().run_ok(*args, env={**self.env, **(env or {})}, **more)

    def fails(self, *args, says=(), code=1, env=None, **more):
        """Like run_failing, after lines of progress."""
        done = quern(*args, env={**self.env, "HF_HUB_DISABLE_PROGRESS_BARS": "1", **(env or {})}, **more)
        text = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, text)
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("quern: "), text)
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, text)
        self.assertEqual(done.stdout, b"")
        return text

    def cache(self, *parts):
        return os.path.join(self.dir, "hf", "hub", *parts)

    def blobs(self, name="org/tiny"):
        folder = self.cache("models--" + name.replace("/", "--"), "blobs")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
