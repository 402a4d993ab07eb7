import { describe, expect, test } from "bun:test";
import { Authorizer } from "./token.ts";
import { Transport, type HttpRequest, type HttpResponse } from "./transport.ts";

const OPERATION = { verb: "pull", name: "x" };

/** What would be sent, and to whom, for a registry at `base` that names `realm`. */
async function ask(base: string, realm: string, insecure = false): Promise<HttpRequest | string> {
  const sent: HttpRequest[] = [];
  class Recorder extends Transport {
    override async request(request: HttpRequest): Promise<HttpResponse> {
      sent.push(request);
      return {
        status: 200,
        url: request.url,
        header: () => undefined,
        body: (async function* () { yield Buffer.from(`{"token":"t"}`); })(),
        discard: () => undefined,
      };
    }
  }
  const transport = new Recorder({ env: {} });
  const authorizer = new Authorizer({
    target: { host: new URL(base).host, transport, base: () => new URL(base), trustFor: () => ({ verify: true }) },
    credential: () => Promise.resolve({ kind: "password", username: "ann", password: "secret" }),
    insecure,
  });
  authorizer.learn(`Bearer realm="${realm}",service="s"`);
  try {
    expect(await authorizer.header(["repository:a:pull"], OPERATION, undefined)).toBe("Bearer t");
  } catch (error) {
    expect(sent).toEqual([]);
    return String(error);
  }
  return sent[0] ?? "nothing";
}

describe("which token servers are given the password", () => {
  test.each([
    ["https://registry-1.docker.io/", "https://auth.docker.io/token", false],
    ["http://127.0.0.1:5000/", "http://localhost:5001/token", true],
    ["http://127.0.0.1:5000/", "https://auth.example/token", true],
    ["http://registry.lan:5000/", "http://registry.lan:5001/token", true],
  ])("of %p, %p is", async (base, realm, insecure) => {
    expect(await ask(base, realm, insecure)).toMatchObject({ headers: { authorization: expect.stringMatching(/^Basic /) as string } });
  });

  test.each([
    ["https://evil.example/", "http://127.0.0.1:8080/admin", "on this machine"],
    ["https://evil.example/", "https://localhost/admin", "on this machine"],
    ["https://evil.example/", "http://[::1]:80/", "on this machine"],
    ["https://evil.example/", "http://169.254.169.254/latest/meta-data", "not asked over TLS"],
    ["https://evil.example/", "http://evil.example/token", "not asked over TLS"],
    ["http://registry.lan:5000/", "http://other.lan/token", "not asked over TLS"],
    ["https://registry.lan:5000/", "http://registry.lan/token", "not asked over TLS"],
  ])("of %p, %p is not", async (base, realm, words) => {
    expect(await ask(base, realm, true)).toContain(words);
  });
});
