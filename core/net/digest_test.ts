import assert from "node:assert/strict";
import {
  basicChallenge,
  digestChallenge,
  LoginClient,
  Nonces,
  parseAuthorization,
  parseChallenges,
  verifyDigest,
} from "./digest.ts";

const login = { username: "Mufasa", password: "Circle of Life" };

Deno.test("verifyDigest() accepts the examples of RFC 7616 §3.9.1, MD5 and SHA-256", () => {
  const common = 'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", ' +
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ' +
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"';
  const expected = { method: "GET", realm: "http-auth@example.org", password: "Circle of Life" };
  for (
    const tail of [
      'response="8ca523f5e9506fed4657c9700eebdbec", algorithm=MD5',
      'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1", algorithm=SHA-256',
    ]
  ) {
    const answer = parseAuthorization(`${common}, ${tail}`);
    assert.equal(answer?.scheme, "digest");
    if (answer?.scheme !== "digest") return;
    assert.equal(verifyDigest(answer, expected), true);
    assert.equal(verifyDigest(answer, { ...expected, password: "circle of life" }), false);
    assert.equal(verifyDigest(answer, { ...expected, method: "POST" }), false);
  }
});

Deno.test("verifyDigest() accepts an answer without qop, as old cameras and players make it (RFC 2069)", () => {
  for (const qop of ["", ', qop=""']) {
    const client = new LoginClient(login);
    assert.equal(client.challenge([`Digest realm="cam", nonce="abc"${qop}`]), "answer");
    const header = client.authorize("DESCRIBE", "rtsp://host/1")!;
    assert.doesNotMatch(header, /qop|cnonce|algorithm/);
    const answer = parseAuthorization(header);
    assert.equal(answer?.scheme, "digest");
    if (answer?.scheme !== "digest") return;
    assert.equal(verifyDigest(answer, { method: "DESCRIBE", realm: "cam", password: login.password }), true);
  }
});

Deno.test("LoginClient answers each algorithm and qop list that verifyDigest() knows", () => {
  for (const algorithm of ["MD5", "md5", "MD5-sess", "SHA-256", "SHA-256-sess"]) {
    const client = new LoginClient(login);
    assert.equal(
      client.challenge([`Digest realm="r", nonce="n", algorithm=${algorithm}, qop="auth,auth-int", opaque="o"`]),
      "answer",
    );
    const header = client.authorize("OPTIONS", "*")!;
    const answer = parseAuthorization(header);
    assert.equal(answer?.scheme, "digest");
    if (answer?.scheme !== "digest") return;
    assert.equal(answer.parameters.get("opaque"), "o");
    assert.equal(verifyDigest(answer, { method: "OPTIONS", realm: "r", password: login.password }), true);
    assert.match(client.authorize("OPTIONS", "*")!, /nc=00000002/);
  }
});

Deno.test("LoginClient tells a wrong password from a nonce that has run out", () => {
  const client = new LoginClient(login);
  assert.equal(client.authorize("DESCRIBE", "x"), undefined);
  assert.equal(client.challenge(['Digest realm="r", nonce="1"']), "answer");
  assert.equal(client.scheme, "Digest");
  assert.equal(client.challenge(['Digest realm="r", nonce="2"']), "refused");
  assert.equal(client.challenge(['Digest realm="r", nonce="3", stale=TRUE']), "answer");
  client.accepted();
  assert.equal(client.challenge(['Digest realm="r", nonce="4"']), "answer");
  assert.equal(client.challenge(['Digest realm="r", nonce="5"']), "refused");
});

Deno.test("LoginClient answers one new nonce of another connection, and no second one", () => {
  const client = new LoginClient(login);
  client.reconnected();
  assert.equal(client.challenge(['Digest realm="r", nonce="1"']), "answer");
  assert.equal(client.challenge(['Digest realm="r", nonce="2"']), "refused");
  client.reconnected();
  assert.equal(client.challenge(['Digest realm="r", nonce="2"']), "answer");
  assert.equal(client.challenge(['Digest realm="r", nonce="3"']), "refused");
  client.reconnected();
  assert.equal(client.challenge(['Digest realm="r", nonce="2"']), "refused");
});

Deno.test("LoginClient prefers Digest with SHA-256, then Digest, then Basic", () => {
  const all = ['Basic realm="r"', 'Digest realm="r", nonce="1", Digest realm="r", nonce="2", algorithm=SHA-256'];
  const client = new LoginClient(login);
  assert.equal(client.challenge(all), "answer");
  assert.match(client.authorize("A", "b")!, /nonce="2"/);
  const basic = new LoginClient({ username: "ä", password: "p:w" });
  assert.equal(basic.challenge(['Digest realm="r", nonce="1", algorithm=X9', 'Basic realm="r"']), "answer");
  assert.deepEqual(parseAuthorization(basic.authorize("A", "b")!), { scheme: "basic", username: "ä", password: "p:w" });
  assert.equal(basic.challenge([basicChallenge("r")]), "refused");
  assert.equal(new LoginClient(login).challenge(["Negotiate"]), "unsupported");
  assert.equal(new LoginClient(login).challenge([]), "unsupported");
});

Deno.test("parseChallenges() reads several challenges in a value, odd spaces and missing quotes", () => {
  const read = (value: string) =>
    parseChallenges(value).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);
  assert.deepEqual(read('Digest realm = "a, b",nonce=xyz , Basic realm="c"'), [
    ["digest", { realm: "a, b", nonce: "xyz" }],
    ["basic", { realm: "c" }],
  ]);
  assert.deepEqual(read('Digest realm="unclosed, nonce=1'), [["digest", { realm: "unclosed, nonce=1" }]]);
  assert.deepEqual(read('Digest realm="TP-LINK\\"s", nonce="=="'), [["digest", { realm: 'TP-LINK\\"s', nonce: "==" }]]);
  assert.deepEqual(read(""), []);
  assert.deepEqual(read(",,= ;"), []);
});

Deno.test("Nonces knows its own nonces, their age and their scope", () => {
  const nonces = new Nonces(1000);
  const nonce = nonces.issue("peer", 5000);
  assert.equal(nonces.check(nonce, "peer", 5500), "valid");
  assert.equal(nonces.check(nonce, "peer", 6500), "stale");
  assert.equal(nonces.check(nonce, "other", 5500), "forged");
  assert.equal(new Nonces(1000).check(nonce, "peer", 5500), "forged");
  assert.equal(nonces.check("", "peer"), "forged");
  assert.equal(nonces.check(nonce.replace(/^./, "f"), "peer", 5500), "forged");
});

Deno.test("parseAuthorization() answers nothing for what it cannot use", () => {
  for (const value of ["", "Basic", "Basic ???", "Basic bm9jb2xvbg==", "Digest realm=x", "Bearer abc"]) {
    assert.equal(parseAuthorization(value), undefined, value);
  }
  assert.equal(parseChallenges(digestChallenge("r", "n", true))[0]?.parameters.get("stale"), "true");
});
