"""A Hub that takes what is pushed: repositories, Git LFS in one piece and in parts, commits, tags. What a client does wrong is refused."""
import base64
import hashlib
import json
import re

from hub import LARGE, Hub, Repo, git_sha1, sha256

LFS = "application/vnd.git-lfs+json"
TASKS = {"feature-extraction", "sentence-similarity", "text-ranking", "text-classification", "token-classification", "text-generation"}


class PushHub(Hub):
    def __init__(self, *args, **more):
        self.writers = {"hf_good"}  # hf_other may read
        self.lfs, self.parts, self.chunk = {}, {}, None  # chunk: of uploads in parts
        self.messages = []
        super().__init__(*args, **more)

    def answer(self, request):
        if request.method in ("GET", "HEAD"):
            return super().answer(request)
        if request.where == "storage":
            return self.store(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not token:
            return request.refuse(401, message="Invalid username or password.")
        if token not in self.writers:
            return request.refuse(403, message="you may read")
        for pattern, method in ((r"/api/repos/create", self.create), (r"/api/validate-yaml", self.validate),
                                (r"/api/models/([^/]+/[^/]+)/preupload/(.+)", self.preupload), (r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", self.batch),
                                (r"/lfs/verify", self.verify),
                                (r"/api/models/([^/]+/[^/]+)/commit/(.+)", self.commit), (r"/api/models/([^/]+/[^/]+)/tag/(.+)", self.tag)):
            match = re.fullmatch(pattern, request.path)
            if match:
                return method(request, *match.groups())
        return request.refuse(404)

    def asked(self, request, kind="application/json"):
        """The body of a request that says of itself what it has to."""
        assert request.headers.get("Content-Type") == kind, request.headers
        assert kind != LFS or request.headers.get("Accept") == LFS, request.headers
        return json.loads(request.body)

    def create(self, request):
        asked = self.asked(request)
        name = f"{asked['organization']}/{asked['name']}"
        if name in self.repos:
            return request.json({"error": "You already created this model repo", "url": f"{self.url}/{name}"}, 409)
        self.repos[name] = Repo({".gitattributes": b"*.gguf filter=lfs\n"})
        self.repos[name].private = bool(asked.get("private") or asked.get("visibility") == "private")
        return request.json({"url": f"{self.url}/{name}", "id": name})

    def validate(self, request):
        asked = self.asked(request)
        assert asked["repoType"] == "model"
        parts = asked["content"].split("---\n")
        errors = [] if len(parts) > 2 and parts[0] == "" else ["there is no metadata"]
        tasks = re.findall(r"^pipeline_tag: (.*)$", parts[1] if not errors else "", re.M)
        errors += [f"\"pipeline_tag\" must be one of {sorted(TASKS)}" for t in tasks if t not in TASKS]
        return request.json({"errors": [{"message": e} for e in errors], "warnings": []}, 400 if errors else 200)

    def files(self, name, revision):
        return self.repos[name].at[self.repos[name].revisions[revision]]

    def preupload(self, request, name, revision):
        if revision not in self.repos[name].revisions:
            return request.refuse(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        asked, said, there = self.asked(request)["files"], [], self.files(name, revision)
        assert 0 < len(asked) <= 256
        for file in asked:
            sample = base64.b64decode(file["sample"], validate=True)
            assert len(sample) == min(512, file["size"])
            large = file["size"] > 0 and (file["path"].endswith(LARGE) or b"\0" in sample or file["size"] > 10 << 20)
            one = {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": file["path"].endswith(".ignored")}
            if file["path"] in there:
                one["oid"] = (sha256 if large else git_sha1)(there[file["path"]])
            said.append(one)
        return request.json({"files": said})

    def batch(self, request, name):
        asked, said = self.asked(request, LFS), []
        assert (asked["operation"], asked["hash_algo"]) == ("upload", "sha256"), asked
        for one in asked["objects"]:
            oid, size, place = one["oid"], one["size"], {"oid": one["oid"], "size": one["size"]}
            if oid not in self.lfs:
                upload = {"href": f"{self.storage}/upload/{oid}?sig=1", "header": {"x-of": oid}}
                if self.chunk and size > self.chunk:
                    n = -(-size // self.chunk)
                    upload = {"href": f"{self.storage}/complete/{oid}?sig=1",
                              "header": {"chunk_size": str(self.chunk), **{str(i): f"{self.storage}/part/{oid}/{i}?sig=1" for i in range(1, n + 1)}}}
                place["actions"] = {"upload": upload, "verify": {"href": f"{self.url}/lfs/verify"}}
            said.append(place)
        return request.reply(200, json.dumps({"objects": said, "transfer": "multipart"}).encode(), Content_Type=LFS)

    def store(self, request):
        _, kind, oid, *part = request.path.split("/")
        if request.headers.get("Authorization") or request.query.get("sig") != ["1"]:
            return request.reply(400, b"<Error>one way of signing</Error>")
        if kind == "upload":
            if sha256(request.body) != oid or request.headers.get("x-of", oid) != oid:
                return request.reply(400, b"<Error>digest</Error>")
            self.lfs[oid] = request.body
            return request.reply(200)
        if kind == "complete":
            return self.complete(request, oid)
        self.parts.setdefault(oid, {})[int(part[0])] = request.body
        return request.reply(200, ETag=f'"{hashlib.md5(request.body).hexdigest()}"')

    def complete(self, request, oid):
        asked, parts = self.asked(request, LFS), self.parts[oid]
        wanted = [{"partNumber": i, "etag": f'"{hashlib.md5(parts[i]).hexdigest()}"'} for i in sorted(parts)]
        data = b"".join(parts[i] for i in sorted(parts))
        if asked["oid"] != oid or asked["parts"] != wanted or sha256(data) != oid:
            return request.refuse(400, message="parts")
        self.lfs[oid] = data
        return request.json({})

    def verify(self, request):
        asked = json.loads(request.body)
        if len(self.lfs.get(asked["oid"], b"")) != asked["size"]:
            return request.refuse(404, message="not there")
        return request.json({})

    def commit(self, request, name, revision):
        assert request.headers.get("Content-Type") == "application/x-ndjson", request.headers
        header, *lines = [json.loads(line) for line in request.body.splitlines()]
        assert header["key"] == "header" and header["value"]["summary"], header
        files = dict(self.files(name, revision))
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                assert value["encoding"] == "base64"
                files[value["path"]] = base64.b64decode(value["content"], validate=True)
            elif line["key"] == "lfsFile" and value["algo"] == "sha256" and value["oid"] in self.lfs:
                files[value["path"]] = self.lfs[value["oid"]]
            else:
                return request.refuse(400, message=f"{line['key']} of {value['path']}")
        commit = self.repos[name].move(files, revision)
        self.messages.append(header["value"]["summary"])
        return request.json({"success": True, "commitOid": commit, "commitUrl": f"{self.url}/{name}/commit/{commit}"})

    def tag(self, request, name, revision):
        repo, tag = self.repos[name], self.asked(request)["tag"]
        if tag in repo.revisions:
            return request.refuse(409, message=f"Tag {tag} already exists")
        repo.revisions[tag] = repo.revisions.get(revision, revision)
        return request.json({})
