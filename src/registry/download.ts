import { SampanError } from "../base/index.ts";
import { cannot, TransportError, type Operation } from "./failure.ts";
import type { Environment } from "./proxy.ts";
import { sendFollowing } from "./redirect.ts";
import { Transport, type Timeouts, type TlsTrust } from "./transport.ts";

export interface DownloadOptions {
  readonly operation: Operation;
  readonly env: Environment;
  readonly timeouts?: Timeouts | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((doneBytes: number, totalBytes: number | undefined) => void) | undefined;
}

/** Whatever certificate this machine trusts, and no other. */
const verified = (): TlsTrust => ({ verify: true });

/**
 * What is at a URL, for `import`: no registry, so no credentials and no digest, and begun anew by whoever wants it again. A body shorter
 * than its announced length is an error. Throws `invalid`, `not-found`, `unavailable`, `denied`, `cancelled`.
 */
export async function* download(text: string, { operation, env, timeouts, signal, onProgress }: DownloadOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) throw cannot(operation, "invalid", "it is not an http or https URL");
  if (url.username !== "" || url.password !== "") throw cannot(operation, "invalid", "it carries a user");
  const transport = new Transport({ env, timeouts });
  try {
    const answer = await sendFollowing(transport, operation, { method: "GET", url, trust: verified(), signal }, verified);
    if (answer.status !== 200) {
      answer.discard();
      const kind = answer.status === 404 || answer.status === 410 ? "not-found" : answer.status >= 500 ? "unavailable" : "invalid";
      throw cannot(operation, kind, `${answer.url.host} answered with status ${answer.status}`, { code: `HTTP_${answer.status}` });
    }
    const announced = Number(answer.header("content-length") ?? Number.NaN);
    const totalBytes = Number.isSafeInteger(announced) ? announced : undefined;
    let doneBytes = 0;
    for await (const chunk of answer.body) {
      doneBytes += chunk.length;
      onProgress?.(doneBytes, totalBytes);
      yield chunk;
    }
    if (totalBytes !== undefined && doneBytes !== totalBytes)
      throw cannot(operation, "unavailable", `${answer.url.host} ended after ${doneBytes} of ${totalBytes} bytes`, { code: "TRUNCATED" });
  } catch (error) {
    if (error instanceof TransportError) throw cannot(operation, "unavailable", error.message, { code: error.code, hint: error.hint, cause: error });
    if (error instanceof SampanError) throw error;
    throw cannot(operation, "internal", String(error), { cause: error });
  } finally {
    await transport.close();
  }
}
