"""The page of `quern serve` in a real browser: every tab against a real server, by clicks.

Exit code 77: there is no browser. Screenshots of the last run are left in build/page.
"""
import json
import sys
import unittest

from server import Server, ServerCase
import models
from browser import Browser, missing

if missing:
    if __name__ == "__main__":
        print("skipped: " + missing)
        sys.exit(77)
    raise unittest.SkipTest(missing)

from selenium.webdriver.common.keys import Keys  # noqa: E402

MARKUP = "<img src=x onerror='window.harmed=1'><script>window.harmed=2</script>"
# Adds fields to the chat's requests, and keeps their bodies in window.sent.
WATCH = """
  const added = arguments[0], fetched = window.fetch;
  window.sent = [];
  window.fetch = (path, init = {}) => {
    if (String(path).includes("chat/completions")) {
      const body = {...JSON.parse(init.body), ...added};
      window.sent.push(body);
      init = {...init, body: JSON.stringify(body)};
    }
    return fetched(path, init);
  };
"""


class PageCase(ServerCase):
    """Each test has a window of its own; at its end the console has to be empty and no other host asked for anything."""
    phone = dark = False
    expected = ()  # what the console may say

    @classmethod
    def start(cls):
        return Server("words=" + models.embedder(), "judge=" + models.reranker(), "mood=" + models.classifier(),
                      "names=" + models.tagger(), "talk=" + models.generator())

    def setUp(self):
        self.homes = []  # of the servers that were opened, the last one shown
        self.page = Browser(self.phone, self.dark)
        self.addCleanup(self.page.close)
        self.open(self.server)

    def open(self, server, path="/"):
        self.homes.append(server.url)
        self.page.open(server.url + path)

    def tearDown(self):
        said = [line for line in self.page.complaints() if not any(part in line for part in self.expected)]
        self.assertEqual(said, [])
        asked = self.page.requests()
        self.assertIn(self.homes[-1] + "/app.js", asked)
        # A browser asks for the icon when it likes, of a page that is no longer shown too.
        self.assertEqual([url for url in asked if not url.startswith(tuple(home + "/" for home in self.homes))], [])

    def tab(self, name):
        self.page.shown("#tab-" + name)
        self.page.run("scrollTo(0, 0)")
        self.page.click("#tab-" + name)
        self.page.shown("#" + name)

    def say(self, text):
        """Sends a message and waits for the answer's end; the answer."""
        self.page.type("#say", text + Keys.ENTER)
        self.page.wait(lambda: not self.page.all(".turn.growing") and self.page.one("#send").is_displayed(), "the answer ends")
        return self.turns()[-1]

    def turns(self):
        return self.page.run("return [...document.querySelectorAll('.turn .said')].map((t) => t.textContent)")

    def show_everything(self):
        """One click on each tab; yields the tab's name when its result is there."""
        self.tab("embed")
        self.page.click("#embed form .go")
        self.page.shown(".heat")
        yield "embed"
        self.page.click("#embed [value=map] + span")
        self.page.shown(".plane")
        yield "map"
        self.page.click("#embed [value=nearest] + span")
        self.page.click("#nearest-form .go")
        self.page.shown("#view-nearest .ranked")
        yield "nearest"
        self.tab("rerank")
        self.page.click("#rerank form .go")
        self.page.shown("#rerank .ranked")
        yield "rerank"
        self.tab("classify")
        self.page.click("#classify form .go")
        self.page.shown(".labelled")
        yield "classify"
        self.tab("tag")
        self.page.type("#tag-texts", "Angela quick fox\nthe lazy user compared embeddings")
        self.page.click("#tag form .go")
        self.page.shown("mark")
        yield "tag"
        self.tab("chat")
        self.page.click(".chip")
        self.page.wait(lambda: len(self.turns()) == 2 and not self.page.all(".turn.growing"), "an answer")
        yield "chat"
        self.tab("load")
        self.page.shown(".counts")
        yield "load"


class Tabs(PageCase):
    def test_embed(self):
        self.tab("embed")
        self.page.click("#embed form .go")
        self.page.shown(".heat")
        cells = [cell.get_attribute("title").split("\n")[0] for cell in self.page.all(".heat td[title]")]
        self.assertEqual(len(cells), 64)
        self.assertEqual([float(cells[9 * i]) for i in range(8)], [1] * 8)
        self.assertEqual(cells, [cells[8 * (i % 8) + i // 8] for i in range(64)])  # symmetric
        self.assertGreater(len(set(cells)), 25)  # of 28 pairs and 1; rounded, two may be equal
        texts = self.page.run("return document.getElementById('embed-texts').value").split("\n")
        scores = self.ok("/similarity", {"model": "words", "inputs": {"source_sentence": texts[0], "sentences": texts[1:]}}).json
        for cell, score in zip(cells[1:8], scores):
            self.assertAlmostEqual(float(cell), score, delta=2e-4)
        self.assertRegex(self.page.one("#embed .facts").text, r"^8 texts · \d+ tokens · \d+ dimensions · .* ms")
        self.assertIn("/v1/embeddings", self.page.run("return document.querySelector('#embed pre').textContent"))
        self.page.click("#embed [value=map] + span")
        self.page.shown(".plane")
        self.assertEqual(len(self.page.all(".plane circle")), 8)
        self.assertEqual(len(self.page.all(".plane text")), 8)
        self.page.click("#embed [value=nearest] + span")
        self.page.type("#nearest-query", texts[4])
        self.page.click("#nearest-form .go")
        self.page.shown("#view-nearest .ranked")
        near = [float(score) for score in self.page.texts("#view-nearest .score")]
        self.assertEqual(len(near), 8)
        self.assertEqual(near, sorted(near, reverse=True))
        self.assertIn(texts[4], self.page.texts("#view-nearest .text")[0])

    def test_rerank(self):
        self.tab("rerank")
        self.page.click("#rerank form .go")
        self.page.shown("#rerank .ranked")
        found = self.page.texts("#rerank .text")
        scores = [float(score) for score in self.page.texts("#rerank .score")]
        self.assertEqual(scores, sorted(scores, reverse=True))
        documents = self.page.run("return document.getElementById('rerank-texts').value").split("\n")
        query = self.page.run("return document.getElementById('rerank-query').value")
        expected = self.ok("/v1/rerank", {"model": "judge", "query": query, "documents": documents}).json["results"]
        self.assertEqual(found, [f"{documents[r['index']]}\nline {r['index'] + 1}" for r in expected])

    def test_classify(self):
        self.tab("classify")
        self.page.type("#classify-texts", "a quick fox\n\n<b>the lazy user</b>")
        self.page.click("#classify form .go")
        self.page.shown(".labelled")
        self.assertEqual(self.page.texts(".labelled h3"), ["a quick fox", "<b>the lazy user</b>"])
        labels, scores = self.page.texts(".labelled dt"), [float(s) for s in self.page.texts(".labelled .score")]
        expected = self.ok("/predict", {"model": "mood", "inputs": [["a quick fox"], ["<b>the lazy user</b>"]]}).json
        self.assertEqual(labels, [label["label"] for text in expected for label in text])
        for found, label in zip(scores, (label for text in expected for label in text)):
            self.assertAlmostEqual(found, label["score"], delta=6e-4)

    def test_tag(self):
        self.tab("tag")
        texts = ["😀 Angela quick fox", "the lazy user compared embeddings"]
        self.page.run("const f = document.getElementById('tag-texts'); f.value = arguments[0]", "\n".join(texts))
        self.page.click("#tag form .go")
        self.page.shown("mark")
        expected = self.ok("/predict", {"model": "names", "inputs": [[t] for t in texts]}).json
        words = self.page.run("return [...document.querySelectorAll('.marked mark')].map((m) => m.firstChild.data)")
        self.assertEqual(words, [place["word"] for row in expected for place in row])
        labels = self.page.texts(".marked mark small")
        self.assertEqual(labels, [place["entity_group"] for row in expected for place in row])
        shown = self.page.run("""return [...document.querySelectorAll('.marked')].map((p) =>
            [...p.childNodes].map((n) => n.nodeName === 'MARK' ? n.firstChild.data : n.data).join(""))""")
        self.assertEqual(shown, texts)

    def test_scales_do_not_depend_on_the_texts(self):
        self.tab("embed")
        colour = "return getComputedStyle(document.querySelector('.heat tbody td')).backgroundColor"  # a text with itself
        colours = set()
        for texts in ("one\ntwo\nthree", "a\na"):
            self.page.type("#embed-texts", texts)
            self.page.click("#embed form .go")
            self.page.shown(".heat")
            colours.add(self.page.run(colour))
        self.assertEqual(len(colours), 1)
        self.tab("rerank")
        self.page.click("#rerank form .go")
        self.page.shown("#rerank .ranked")
        width = "return [...document.querySelectorAll('#rerank .bar i')].map((i) => parseFloat(i.style.width))"
        for share, score in zip(self.page.run(width), self.page.texts("#rerank .score"), strict=True):
            self.assertAlmostEqual(share / 100, float(score), delta=6e-4)
        self.assertIn("Bars run from 0 to 1.", self.page.one("#rerank .scale").text)

    def test_results_of_other_texts_or_models_go(self):
        for tab, field, result in (("embed", "embed-texts", ".heat"), ("rerank", "rerank-query", "#rerank .ranked"),
                                   ("rerank", "rerank-texts", "#rerank .ranked"), ("classify", "classify-texts", ".labelled"),
                                   ("tag", "tag-texts", "#tag .legend")):
            with self.subTest(field):
                self.tab(tab)
                self.page.click(f"#{tab} form .go")
                self.page.shown(result)
                self.page.one("#" + field).send_keys("x")
                self.assertEqual(self.page.all(result), [])
                self.assertEqual(self.page.one(f"#{tab} .facts").text, "")

    def test_long_lists(self):
        self.tab("rerank")
        self.page.run("document.getElementById('rerank-texts').value = [...Array(250).keys()].map((i) => 'text ' + i).join('\\n')")
        self.page.click("#rerank form .go")
        self.page.shown("#rerank .ranked")
        self.assertEqual(len(self.page.all("#rerank .ranked li")), 100)
        self.assertEqual(self.page.one("#rerank .more").text, "Show 150 more rows")
        self.page.click("#rerank .more")
        self.assertEqual(len(self.page.all("#rerank .ranked li")), 250)

    def test_chat_shows_markdown(self):
        self.tab("chat")
        text = "# Bread\n\n- **flour**\n- `water`\n\n```sh\necho <b>hi</b>\n```\n[no](javascript:alert) [yes](https://example.org/)"
        self.page.run(WATCH, {"grammar": "root ::= " + json.dumps(text)})
        self.say("how?")
        self.assertEqual(self.page.texts(".assistant h3"), ["Bread"])
        self.assertEqual(self.page.texts(".assistant li"), ["flour", "water"])
        self.assertEqual(self.page.texts(".assistant strong, .assistant li code"), ["flour", "water"])
        self.assertEqual(self.page.one(".assistant pre code").text, "echo <b>hi</b>")
        self.assertEqual([a.get_attribute("href") for a in self.page.all(".assistant a")], ["https://example.org/"])
        self.assertIn("[no](javascript:alert)", self.page.one(".assistant").text)
        self.page.run("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
        self.page.click(".assistant > .copy")
        self.assertEqual(self.page.run("return window.copied"), text)
        self.page.click(".assistant pre .copy")
        self.assertEqual(self.page.run("return window.copied"), "echo <b>hi</b>")
        self.assertEqual(self.page.texts(".copy"), ["Copied", "Copied"])
        self.say("again")
        self.assertEqual(self.page.run("return window.sent[1].messages[1].content"), text)  # as it came

    def test_chat_keeps_markup_as_text_and_its_history(self):
        self.tab("chat")
        self.page.run(WATCH, {"grammar": 'root ::= ' + json.dumps(MARKUP)})
        self.assertEqual(self.say(MARKUP), MARKUP)
        self.assertEqual(self.turns(), [MARKUP, MARKUP])
        self.assertEqual(self.page.all("#log img, #log script"), [])
        self.assertIsNone(self.page.run("return window.harmed"))
        self.assertRegex(self.page.one("#chat .facts").text, r"\d+ tokens .*prompt \d+ tokens")
        self.page.click(".settings summary")
        self.page.type("#temperature", "0.3")
        self.page.type("#max-tokens", "400")
        self.page.type("#system", "Be short.")
        self.say("and then?")
        sent = self.page.run("return window.sent")
        self.assertEqual([m["content"] for m in sent[0]["messages"]], [MARKUP])
        self.assertEqual([(m["role"], m["content"]) for m in sent[1]["messages"]],
                         [("system", "Be short."), ("user", MARKUP), ("assistant", MARKUP), ("user", "and then?")])
        self.assertEqual((sent[1]["temperature"], sent[1]["max_tokens"], sent[1]["stream"]), (0.3, 400, True))
        self.page.click("#again")
        self.assertEqual(self.turns(), [])
        self.page.shown(".chip")

    def test_load(self):
        self.ok("/v1/embeddings", {"model": "words", "input": ["a text"]})
        self.tab("load")
        self.page.wait(lambda: all(text and "–" not in text for text in self.page.texts(".tile p")), "every tile has a figure")
        self.page.wait(lambda: all(line.get_attribute("points").count(",") > 2 for line in self.page.all(".tile polyline")), "lines")
        memory = [tile.text for tile in self.page.all(".tile") if "Memory" in tile.text][0]
        self.assertRegex(memory, r"^Memory\n[1-9][\d,]*\s*MiB$")
        self.assertIn("/v1/embeddings", self.page.texts(".counts tbody th"))

    def test_keyboard(self):
        self.tab("embed")
        for key, expected in ((Keys.ARROW_RIGHT, "rerank"), (Keys.END, "load"), (Keys.ARROW_RIGHT, "embed"), (Keys.ARROW_LEFT, "load"),
                              (Keys.HOME, "embed")):
            self.page.driver.switch_to.active_element.send_keys(key)
            self.assertEqual(self.page.driver.switch_to.active_element.get_attribute("id"), "tab-" + expected)
            self.assertTrue(self.page.one("#" + expected).is_displayed())
        selected = [tab.get_attribute("aria-selected") for tab in self.page.all("[role=tab]")]
        self.assertEqual(selected, ["true"] + ["false"] * 5)
        self.open(self.server, "/#chat")
        self.page.run("location.reload()")
        self.page.shown("#chat")

    def test_everything_has_a_name(self):
        self.page.shown("#tab-embed")
        self.assertEqual(self.page.run("""
            const nameless = (e) => !(e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim());
            return [...document.querySelectorAll("input, textarea, select, button, a")].filter(nameless).map((e) => e.outerHTML)"""), [])
        self.assertEqual(self.page.run("return document.documentElement.lang"), "en")
        self.assertEqual(self.page.run("return document.querySelectorAll('h1').length"), 1)

    def test_inline_scripts_do_not_run(self):
        self.expected = ("Content Security Policy",)
        self.page.shown("#tab-embed")
        self.page.run("""
            const script = document.createElement("script");
            script.textContent = "window.harmed = 1";
            document.body.append(script);""")
        self.assertIsNone(self.page.run("return window.harmed"))
        self.assertTrue(any("Content Security Policy" in line for line in self.page.complaints()))

    def test_errors_in_words(self):
        self.expected = ("status of 400",)
        self.tab("embed")
        self.page.type("#embed-texts", " ")
        self.page.click("#embed form .go")
        self.assertEqual(self.page.shown("#embed .error").text, "There is no text yet. Write one per line.")
        self.tab("chat")
        self.page.click(".settings summary")
        self.page.type("#max-tokens", "99999999999")
        self.page.type("#say", "hello" + Keys.ENTER)
        self.assertIn("max_tokens", self.page.shown("#chat .error").text)
        self.assertEqual(self.turns(), [])
        self.assertEqual(self.page.run("return document.getElementById('say').value"), "hello")  # not lost


class OtherServers(PageCase):
    def test_stop(self):
        server = self.own_server("talk=" + models.slower_generator(), args=["--ctx", 8192])  # a minute of answer
        self.open(server)
        self.tab("chat")
        self.assertEqual(self.page.texts("[role=tab]"), ["", "", "", "", "Chat", "Load"])  # what the one model can do
        self.page.run(WATCH, {"ignore_eos": True, "max_tokens": 8000})
        self.page.type("#say", "the quick fox" + Keys.ENTER)
        self.page.wait(lambda: len(self.turns()) == 2 and self.turns()[1], "the answer begins")
        self.page.click("#stop")
        self.page.wait(lambda: self.page.one("#chat .facts").text == "stopped", "the answer stops")
        server.wait_for(lambda: server.metric("quern_running_sequences") == 0, "the server stops too")
        self.assertTrue(self.page.one("#send").is_displayed())
        self.assertEqual(len(self.turns()), 2)

    def test_key(self):
        self.expected = ("status of 401",)
        server = self.own_server("words=" + models.embedder(), args=["--api-key", "open sesame"], key="open sesame")
        self.open(server)
        self.page.shown("#key-dialog")
        self.page.type("#key", "wrong" + Keys.ENTER)
        self.page.wait(lambda: "not accepted" in self.page.one("#key-why").text, "another try")
        self.page.shot("key")
        self.page.type("#key", "open sesame")
        self.page.click("#key-dialog .go")
        self.tab("embed")
        self.page.click("#embed form .go")
        self.page.shown(".heat")
        self.assertEqual(self.page.run("return [sessionStorage.length, localStorage.length, document.cookie]"), [1, 0, ""])
        self.assertNotIn("sesame", self.page.run("return document.documentElement.outerHTML"))

    def test_no_key(self):
        self.expected = ("status of 401",)
        server = self.own_server("words=" + models.embedder(), args=["--api-key", "k"], key="k")
        self.open(server)
        self.page.shown("#key-dialog")
        self.page.click("#key-dialog .quiet")
        self.assertIn("API key", self.page.shown("#trouble").text)
        self.page.click("#key-button")
        self.page.type("#key", "k" + Keys.ENTER)
        self.page.shown("#embed")
        self.assertFalse(self.page.one("#trouble").is_displayed())

    def test_server_gone(self):
        self.expected = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET")
        server = self.own_server("words=" + models.embedder())
        self.open(server)
        self.tab("embed")
        server.stop()
        self.page.click("#embed form .go")
        self.assertIn("does not answer", self.page.shown("#embed .error").text)
        self.assertIn("does not answer", self.page.shown("#trouble").text)
        self.assertEqual(self.page.one("#state").text, "not connected")

    def test_server_gone_is_noticed_and_coming_back_too(self):
        self.expected = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
        server = self.own_server("words=" + models.embedder())
        self.open(server)
        self.page.shown("#embed")
        server.stop()
        self.assertIn("does not answer any more", self.page.shown("#trouble").text)  # without a click
        self.own_server("judge=" + models.reranker(), port=server.port)
        self.page.wait(lambda: not self.page.one("#trouble").is_displayed(), "it goes on")
        self.page.shown("#rerank")
        self.assertEqual(self.page.one("#state").text, "judge")


class Looks:
    """What holds in every window, and a picture of each tab."""
    name = None

    def test_every_tab(self):
        for shown in self.show_everything():
            width, room = self.page.run("return [document.documentElement.scrollWidth, document.documentElement.clientWidth]")
            self.assertLessEqual(width, room, shown)
            self.page.shot(f"{self.name}-{shown}")
        shade = self.page.run("return getComputedStyle(document.body).backgroundColor")
        levels = [int(part) for part in shade[4:-1].split(",")]
        self.assertEqual(max(levels) < 80, self.dark, shade)
        self.assertEqual(min(levels) > 180, not self.dark, shade)


class DeskLight(Looks, PageCase):
    name = "desk-light"


class DeskDark(Looks, PageCase):
    name, dark = "desk-dark", True


class PhoneLight(Looks, PageCase):
    name, phone = "phone-light", True


class PhoneDark(Looks, PageCase):
    name, phone, dark = "phone-dark", True, True


if __name__ == "__main__":
    unittest.main()
