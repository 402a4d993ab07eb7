import { createConnection } from "node:net";
import type { Socket } from "node:net";
import { SampanError, errnoOf, messageOf } from "../../base/errors.ts";
import type { Message } from "./message.ts";
import { decodeMessage, encodeMessage, ERROR, messageLength, METHOD_CALL, METHOD_RETURN, SIGNAL } from "./message.ts";

const TIMEOUT_MS = 30_000;

export interface CallTarget {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
}

/** What a method answered instead of a result; `code` is the error's name ("org.freedesktop.systemd1.NoSuchUnit"). */
export class DbusError extends SampanError {}

/** A connection to a bus, or straight to a service that listens itself. One reader, calls answered in any order. */
export class Connection implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Set<{
    readonly wants: (message: Message) => boolean;
    readonly resolve: (message: Message) => void;
    readonly reject: (error: unknown) => void;
  }>();
  #pending = Buffer.alloc(0);
  #serial = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Connects and says who we are by the socket's own credentials (EXTERNAL). */
  static async open(path: string): Promise<Connection> {
    const socket = createConnection(path);
    await new Promise<void>((resolve, reject) => {
      socket.once("error", (error) => {
        reject(new SampanError("unavailable", `Cannot connect to "${path}": ${errnoOf(error) ?? messageOf(error)}`, { cause: error }));
      });
      socket.once("connect", resolve);
    });
    const connection = new Connection(socket);
    const uid = Buffer.from(String(process.getuid?.() ?? 0)).toString("hex");
    socket.write(`\0AUTH EXTERNAL ${uid}\r\n`);
    const answer = await connection.#line();
    if (!answer.startsWith("OK ")) throw new SampanError("denied", `Cannot use "${path}": it answered "${answer}" to who we are`);
    socket.write("BEGIN\r\n");
    connection.#listen();
    return connection;
  }

  #line(): Promise<string> {
    return new Promise((resolve, reject) => {
      const more = (chunk: Buffer): void => {
        this.#pending = Buffer.concat([this.#pending, chunk]);
        const end = this.#pending.indexOf("\r\n");
        if (end < 0) return;
        const line = this.#pending.toString("utf8", 0, end);
        this.#pending = this.#pending.subarray(end + 2);
        this.#socket.off("data", more);
        resolve(line);
      };
      this.#socket.on("data", more);
      this.#socket.once("close", () => { reject(new SampanError("unavailable", "Cannot use D-Bus: the connection was closed")); });
    });
  }

  #listen(): void {
    const fail = (error: unknown): void => {
      for (const { reject } of this.#waiting) reject(error);
      this.#waiting.clear();
    };
    this.#socket.on("error", fail);
    this.#socket.on("close", () => { fail(new SampanError("unavailable", "Cannot use D-Bus: the connection was closed")); });
    this.#socket.on("data", (chunk: Buffer) => {
      this.#pending = Buffer.concat([this.#pending, chunk]);
      try {
        for (let length = messageLength(this.#pending); length !== undefined && length <= this.#pending.length; length = messageLength(this.#pending)) {
          this.#deliver(decodeMessage(this.#pending.subarray(0, length)));
          this.#pending = this.#pending.subarray(length);
        }
      } catch (error) {
        fail(error);
        this.#socket.destroy();
      }
    });
  }

  #deliver(message: Message): void {
    for (const waiter of this.#waiting) {
      if (!waiter.wants(message)) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(message);
    }
  }

  #next(wants: (message: Message) => boolean, what: string): Promise<Message> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter);
        reject(new SampanError("unavailable", `Cannot ${what}: no answer within ${TIMEOUT_MS / 1000} s`));
      }, TIMEOUT_MS);
      const waiter = {
        wants,
        resolve: (message: Message) => { clearTimeout(timer); resolve(message); },
        reject: (error: unknown) => { clearTimeout(timer); reject(error instanceof Error ? error : new SampanError("unavailable", messageOf(error))); },
      };
      this.#waiting.add(waiter);
    });
  }

  /** Calls a method; throws DbusError with the error's name as `code`. */
  async call(target: CallTarget, member: string, signature = "", body: readonly unknown[] = []): Promise<readonly unknown[]> {
    const serial = ++this.#serial;
    const reply = this.#next(({ kind, replySerial }) => replySerial === serial && (kind === METHOD_RETURN || kind === ERROR), `call ${member}`);
    this.#socket.write(encodeMessage({ kind: METHOD_CALL, serial, ...target, member, signature, body }));
    const { kind, error, body: result } = await reply;
    if (kind === ERROR)
      throw new DbusError("unavailable", `Cannot call ${member}: ${typeof result[0] === "string" ? result[0] : (error ?? "it failed")}`, { code: error });
    return result;
  }

  /** The next signal of a name that `wants` accepts. Ask before doing what brings it about. */
  signal(member: string, wants: (body: readonly unknown[]) => boolean): Promise<readonly unknown[]> {
    return this.#next((message) => message.kind === SIGNAL && message.member === member && wants(message.body), `see the signal ${member}`).then(({ body }) =>
      body);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
