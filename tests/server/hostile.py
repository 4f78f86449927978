"""What the tests of hostile requests share: a server of every kind of model that has to serve the next request after each test."""
import models
from server import ServerCase

EMBED = {"inputs": "fox"}
CHAT = {"messages": [{"role": "user", "content": "fox"}], "max_tokens": 2}


def post(path, body, *fields, length=None):
    """A request's bytes."""
    head = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields]
    if length is not False:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Hostile(ServerCase):
    @classmethod
    def start(cls):
        cls.models = [models.embedder(), models.reranker(), models.generator(), models.classifier()]
        return super().start()

    def tearDown(self):
        answer = self.server.post("/embed", EMBED)
        self.assertEqual((answer.status, len(answer.json[0])), (200, 64))

    def answered(self, status, data):
        """Raw bytes get this status and a JSON error."""
        answer = self.server.raw(data)
        self.assertIsNotNone(answer, data[:200])
        self.assertEqual(answer.status, status, (data[:200], answer.body))
        self.assertIn("error", answer.json)
        return answer
