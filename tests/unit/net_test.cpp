// URLs, waits and digests of downloads.
#include <catch2/catch.hpp>

#include "net/digest.h"
#include "net/retry.h"
#include "net/url.h"

using namespace quern;

namespace {

HttpAnswer answer_with(const std::string& name, const std::string& value) {
  HttpAnswer answer;
  answer.status = 429;
  answer.headers[name] = value;
  return answer;
}

}  // namespace

TEST_CASE("net: origins") {
  CHECK(origin_of("https://huggingface.co/a/b?c") == "https://huggingface.co:443");
  CHECK(origin_of("HTTPS://HuggingFace.co:443") == "https://huggingface.co:443");
  CHECK(origin_of("http://x") == "http://x:80");
  CHECK(origin_of("http://[::1]:8080/x") == "http://[::1]:8080");
  CHECK(origin_of("http://[::1]/x") == "http://[::1]:80");
  CHECK(origin_of("http://x:81") != origin_of("http://x"));
  CHECK(origin_of("http://x") != origin_of("https://x"));
  for (const char* none : {"", "x", "ftp://x", "file:///x", "http://", "http:///x", "http://a@b/", "http://a b/",
                           "http://x\n", "http://x\\y", "javascript:alert(1)"}) {
    CAPTURE(none);
    CHECK(origin_of(none).empty());
  }
  CHECK(shown_origin("https://X/y") == "https://x");
  CHECK(shown_origin("http://x:80") == "http://x");
  CHECK(shown_origin("http://x:443") == "http://x:443");
  CHECK(is_https("HTTPS://x"));
  CHECK_FALSE(is_https("http://x"));
}

TEST_CASE("net: references") {
  const std::string base = "https://h:1/a/b/c?q=1";
  CHECK(join_url(base, "https://other/x") == "https://other/x");
  CHECK(join_url(base, "//other/x") == "https://other/x");
  CHECK(join_url(base, "/x?y#z") == "https://h:1/x?y");
  CHECK(join_url(base, "x/y") == "https://h:1/a/b/x/y");
  CHECK(join_url(base, "?z") == "https://h:1/a/b/c?z");
  CHECK(join_url(base, "/x:y") == "https://h:1/x:y");
  CHECK(join_url("https://h", "x") == "https://h/x");
  for (const char* none : {"ftp://x", "file:///etc/passwd", "//a@b/x", "mailto:x", "http://"}) {
    CAPTURE(none);
    CHECK(join_url(base, none).empty());
  }
}

TEST_CASE("net: percent-encoding") {
  CHECK(encode_path("a/b c+ö%?#") == "a/b%20c%2B%C3%B6%25%3F%23");
  CHECK(encode_path("refs/pr/1", true) == "refs%2Fpr%2F1");
}

TEST_CASE("net: waits that are asked for") {
  CHECK(asked_wait(answer_with("ratelimit", "\"api\";r=0;t=55"), 0) == 56);
  CHECK(asked_wait(answer_with("ratelimit", "\"api\";r=3;t=55"), 0) == std::nullopt);
  CHECK(asked_wait(answer_with("ratelimit", "\"api\";r=0"), 0) == std::nullopt);
  CHECK(asked_wait(answer_with("ratelimit", "nonsense"), 0) == std::nullopt);
  CHECK(asked_wait(answer_with("retry-after", "7"), 0) == 7);
  CHECK(asked_wait(answer_with("retry-after", "-7"), 0) == 0);
  CHECK(asked_wait(answer_with("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"), 50) == 10);
  CHECK(asked_wait(answer_with("retry-after", "Thu, 01 Jan 1970 00:01:00 GMT"), 500) == 0);
  CHECK(asked_wait(answer_with("retry-after", "soon"), 0) == std::nullopt);
  CHECK(asked_wait({}, 0) == std::nullopt);
}

TEST_CASE("net: what is worth another try") {
  HttpOutcome outcome;
  for (const int status : {408, 429, 500, 502, 503, 504}) {
    outcome.answer.status = status;
    CHECK(worth_retrying(outcome));
  }
  for (const int status : {200, 301, 400, 401, 403, 404, 416, 501}) {
    outcome.answer.status = status;
    CHECK_FALSE(worth_retrying(outcome));
  }
  for (const auto problem : {HttpProblem::cut, HttpProblem::stalled, HttpProblem::unreachable}) {
    outcome.problem = problem;
    CHECK(worth_retrying(outcome));
  }
  for (const auto problem : {HttpProblem::untrusted, HttpProblem::too_long, HttpProblem::cancelled}) {
    outcome.problem = problem;
    CHECK_FALSE(worth_retrying(outcome));
  }
  CHECK(backoff(1) == 0.5);
  CHECK(backoff(4) == 4);
  CHECK(backoff(100) == 8);
}

#ifdef QUERN_HUB
TEST_CASE("net: digests") {
  const auto sha256 = make_digest(DigestKind::sha256);
  sha256->update("a", 1);
  sha256->update("bc", 2);
  CHECK(sha256->hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const auto sha1 = make_digest(DigestKind::sha1);
  sha1->update("abc", 3);
  CHECK(sha1->hex() == "a9993e364706816aba3e25717850c26c9cd0d89d");
}
#endif
