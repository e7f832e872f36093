// An OpenID Connect issuer on another site than the service (`localhost`, not `127.0.0.1`): whoever comes chooses who they are.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import http from "node:http";

const CLIENT = "browser";
const part = (json) => Buffer.from(typeof json === "string" ? json : JSON.stringify(json)).toString("base64url");

/// `people`: names with the claims of each.
export async function issuer(people) {
  const codes = new Map();
  let base;
  let key;
  const self = {
    client: CLIENT,
    broken: false,
    /// Whom ID tokens are made out for.
    audience: CLIENT,
    /// Another key, and the one of before is none of its any more.
    rotate: () => (key = { ...generateKeyPairSync("ec", { namedCurve: "P-256" }), kid: randomUUID() }),
    stop: () => (server.closeAllConnections(), server.close()),
  };
  self.rotate();

  function idToken(claims, nonce) {
    const head = { alg: "ES256", typ: "JWT", kid: key.kid };
    const now = Math.floor(Date.now() / 1000);
    const text = `${part(head)}.${part({ iss: base, aud: self.audience, iat: now, exp: now + 300, nonce, ...claims })}`;
    const signature = sign("sha256", Buffer.from(text), { key: key.privateKey, dsaEncoding: "ieee-p1363" });
    return `${text}.${signature.toString("base64url")}`;
  }

  const answers = {
    "/.well-known/openid-configuration": () => ({
      issuer: base,
      jwks_uri: `${base}/keys`,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      end_session_endpoint: `${base}/logout`,
    }),
    "/keys": () => ({ keys: [{ ...key.publicKey.export({ format: "jwk" }), kid: key.kid, alg: "ES256", use: "sig" }] }),
    "/token": (url, form) => {
      const code = codes.get(form.get("code"));
      codes.delete(form.get("code"));
      const challenge = createHash("sha256").update(form.get("code_verifier") || "").digest("base64url");
      if (self.broken) return null;
      if (!code || code.challenge !== challenge || form.get("client_id") !== CLIENT) return null;
      return { id_token: idToken(code.claims, code.nonce), access_token: "x", token_type: "Bearer" };
    },
  };

  const server = http.createServer(async (request, response) => {
    const url = new URL(request.url, base);
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const say = (status, headers, body) => response.writeHead(status, headers).end(body);
    const page = (body) => say(200, { "content-type": "text/html" }, `<!doctype html><html lang="en"><title>Issuer</title><h1>Issuer</h1>${body}</html>`);
    const asked = url.searchParams;
    if (url.pathname === "/authorize") {
      const links = Object.keys(people).map((name) => {
        asked.set("who", name);
        return `<p><a href="/as?${asked.toString().replaceAll("&", "&amp;")}">${name}</a></p>`;
      });
      page(links.join(""));
    } else if (url.pathname === "/as") {
      const code = randomUUID();
      codes.set(code, { claims: people[asked.get("who")], nonce: asked.get("nonce"), challenge: asked.get("code_challenge") });
      const back = new URL(asked.get("redirect_uri"));
      back.searchParams.set("code", code);
      back.searchParams.set("state", asked.get("state"));
      say(302, { location: back.href });
    } else if (url.pathname === "/logout") {
      const back = asked.get("post_logout_redirect_uri");
      page(`<p>Signed out at the issuer.</p><p><a href="${back}">Back</a></p>`);
    } else {
      const answer = answers[url.pathname]?.(url, new URLSearchParams(Buffer.concat(chunks).toString()));
      if (answer) say(200, { "content-type": "application/json" }, JSON.stringify(answer));
      else say(url.pathname === "/token" ? 500 : 404, { "content-type": "text/plain" }, "no");
    }
  });
  await new Promise((listening) => server.listen(0, "localhost", listening));
  base = `http://localhost:${server.address().port}`;
  return Object.assign(self, { base });
}
