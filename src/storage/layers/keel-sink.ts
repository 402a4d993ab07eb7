import { closeSync, constants, openSync, write, writeSync } from "node:fs";
import { SampanError } from "../../base/index.ts";
import { hostArch } from "../../linux/arch.ts";
import * as C from "../../linux/constants.ts";
import { errnoName, errnoText } from "../../linux/errno.ts";
import { syscallNumber } from "../../linux/syscalls.ts";
import type { BulkPart } from "../../plan/bulk.ts";
import { Part, Session, type SessionOptions } from "../../plan/session.ts";
import { clearBatch, entryError, failureOf, type Batch, type BatchPool } from "./batch.ts";
import type { LayerOp, LayerSink } from "./sink.ts";

/** Where keel finds things: the layer directory is inherited, the rest are registers. */
const ROOT = 3;
const D = 0;
const S = 1;
const F = 2;
const SPOOL = 3;

/** Smaller content travels with the calls; larger goes through memory that both sides have open. */
const INLINE_BYTES = 8192;
/** A file that has as much as this still to come when a chunk ends is written from here: worth a wait for keel. */
const DIRECT_BYTES = 512 * 1024;
/** Under which number keel has the file that is written from here. */
const DIRECT = 64;
/** A whole batch of calls goes into the pipe at once, so that nobody waits for keel to take it. Root's limit (pipe(7)). */
const PIPE_BYTES = 1024 * 1024;
/** A batch is sent when it has this many calls or bytes: some milliseconds of work for keel. */
const BATCH_CALLS = 4000;
const BATCH_INLINE_BYTES = 1024 * 1024;
const BATCH_SPOOL_BYTES = 4 * 1024 * 1024;

const RESOLVE = C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_XDEV;
const KINDS = { char: C.S_IFCHR, block: C.S_IFBLK, fifo: C.S_IFIFO } as const;

/**
 * Carries ops out beneath a layer directory, in a keel of its own. While keel works on one batch the next is prepared.
 *
 * Content takes the shortest way there is between two processes without shared memory in JavaScript: it is written to a
 * memfd that keel made, and keel has the kernel copy it into the file (sendfile(2)): two copies, none of them through
 * a pipe. Most bytes of an image are in a few large files. Those keel makes and describes as well, but from their second chunk on
 * they are written here, to the descriptor that keel has of them: one copy.
 */
export class KeelSink implements LayerSink, Disposable {
  readonly #session: Session;
  readonly #numbers: Numbers;
  readonly #spool: number;
  readonly #pool: BatchPool;
  #filling: Batch;
  #spare: Batch;
  #posted: Batch | undefined;
  #isOpen = true;
  /** The half of the spool that this batch writes to, and how far. */
  #half = 0;
  #spooled = 0;
  #hasD = false;
  #hasS = false;
  /** Where the file's own position is. */
  #position = 0;
  #file = "";
  /** What the open file will have, and how far it was written. */
  #size = 0;
  #reached = 0;
  /** The open file, once it is written from here; else -1. */
  #direct = -1;
  /** What is being written from here. */
  #writing: Promise<void> | undefined;

  private constructor(session: Session, spool: number, pool: BatchPool) {
    this.#session = session;
    this.#spool = spool;
    this.#pool = pool;
    this.#filling = pool.take();
    this.#spare = pool.take();
    this.#numbers = syscallNumbers();
  }

  /** Unpacks beneath `root`, a directory that exists and that nobody else writes to. Sinks of one pool take over each other's memory. */
  static async open(root: string, options: SessionOptions, pool: BatchPool): Promise<KeelSink> {
    const directory = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    let session: Session | undefined;
    try {
      session = await Session.open({ ...options, inherit: [directory] });
      const part = new Part();
      part.line.call("umask", [0], { what: "set the umask" });
      // A machine that allows less is slower, and nothing else.
      part.line.call("fcntl", [ROOT + 1, C.F_SETPIPE_SZ, PIPE_BYTES], { what: "widen the pipe", tolerate: ["EPERM", "EBUSY"] });
      const spool = part.collect(part.line.call("memfd_create", ["spool", C.MFD_CLOEXEC], { what: "make a memory file", register: SPOOL }));
      const descriptor = session.run(part).result(spool);
      return new KeelSink(session, openSync(`/proc/${session.pid}/fd/${descriptor}`, constants.O_WRONLY), pool);
    } catch (error) {
      session?.[Symbol.dispose]();
      throw error;
    } finally {
      closeSync(directory);
    }
  }

  push(op: LayerOp): void {
    if (!this.#isOpen) throw new SampanError("internal", "Cannot unpack: this layer has ended");
    if (this.#direct >= 0 && op.op === "write") return this.#writeDirectly(op.data, op.offset);
    const batch = this.#filling;
    batch.ops.push(op.op === "write" ? WRITE : op);
    batch.starts.push(batch.part.count);
    this.#encode(op, batch.part);
    // What follows a write in the plan (times, modes) must follow it in fact.
    if (this.#isReady && this.#writing === undefined && this.#take()) this.#post();
  }

  get borrowed(): Promise<void> | undefined {
    return this.#writing;
  }

  /** A batch is ready to be sent and keel is still busy with the one before, or the rest of a large file is to be written from here. */
  get full(): boolean {
    return this.#isReady || this.#isLarge;
  }

  async flush(): Promise<void> {
    if (this.#isLarge) this.#filling.part.begin(this.#numbers.dup3).register(0, F).number(1, DIRECT).number(2, C.O_CLOEXEC);
    await this.#writing;
    await this.#taken();
    if (this.#filling.part.count === 0) return;
    this.#post();
    await this.#taken();
    if (this.#isLarge) this.#direct = openSync(`/proc/${this.#session.pid}/fd/${DIRECT}`, constants.O_WRONLY);
  }

  /**
   * Waits until what was unpacked is on the disk (syncfs(2)): a directory's name reaches it by its own way, and would otherwise
   * outlive a power cut that the files' contents do not.
   */
  async sync(): Promise<void> {
    await this.#taken();
    this.#filling.part.begin(this.#numbers.syncfs).number(0, ROOT);
    await this.flush();
  }

  get #isLarge(): boolean {
    return this.#direct < 0 && this.#size - this.#reached >= DIRECT_BYTES;
  }

  get #isReady(): boolean {
    const { part } = this.#filling;
    return part.count >= BATCH_CALLS || part.dataSize >= BATCH_INLINE_BYTES || this.#spooled >= BATCH_SPOOL_BYTES;
  }

  /** Looks now and then, so that meanwhile other layers go on: a read that waits would take one of the few threads that decompress. */
  async #taken(): Promise<void> {
    while (!this.#take()) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /** Ends keel. Nothing more can be pushed. Idempotent. */
  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#session[Symbol.dispose]();
    closeSync(this.#spool);
    this.#closeDirect();
    this.#pool.give(this.#filling);
    this.#pool.give(this.#spare);
  }

  /** As disposing, and waits until nothing of keel is left. */
  async end(): Promise<void> {
    this[Symbol.dispose]();
    // Nobody may take the directory away under a write; what became of it has been told.
    await this.#writing?.catch(() => undefined);
    await this.#session.ended;
  }

  #post(): void {
    const batch = this.#filling;
    this.#session.postBulk(batch.part);
    this.#posted = batch;
    this.#filling = this.#spare;
    this.#spare = batch;
    this.#filling.file = this.#file;
    this.#half = 1 - this.#half;
    this.#spooled = 0;
  }

  /** True when keel is done with what it was sent. Throws what failed. */
  #take(): boolean {
    const batch = this.#posted;
    if (batch === undefined) return true;
    const report = this.#session.tryTakeBulk();
    if (report === undefined) return false;
    this.#posted = undefined;
    if (report.failure !== undefined) throw failureOf(batch, report.failure.index, report.failure.errno);
    clearBatch(batch);
    return true;
  }

  #encode(op: LayerOp, part: BulkPart): void {
    const nr = this.#numbers;
    switch (op.op) {
      case "enter":
        this.#openDirectory(part, op.path, D, this.#hasD);
        this.#hasD = true;
        return;
      case "source":
        this.#openDirectory(part, op.path, S, this.#hasS);
        this.#hasS = true;
        return;
      case "mkdir":
        part.begin(nr.mkdirat).register(0, D).pointer(1, part.string(op.name)).number(2, 0o700);
        return;
      case "create":
        this.#openFile(part, op.name, C.O_WRONLY | C.O_CREAT | C.O_EXCL, op.mode);
        this.#size = op.size;
        return;
      case "open":
        this.#openFile(part, op.name, C.O_RDONLY | C.O_DIRECTORY, 0);
        return;
      case "write":
        this.#write(part, op.data, op.offset);
        return;
      case "truncate":
        part.begin(nr.ftruncate).register(0, F).number(1, op.size);
        return;
      case "fchown":
        part.begin(nr.fchown).register(0, F).number(1, op.uid).number(2, op.gid);
        return;
      case "fchmod":
        part.begin(nr.fchmod).register(0, F).number(1, op.mode);
        return;
      case "fsetxattr":
        part.begin(nr.fsetxattr).register(0, F).pointer(1, part.string(op.name)).pointer(2, part.string(op.value)).number(3, op.value.length);
        return;
      case "futimens":
        part.begin(nr.utimensat).register(0, F).number(1, 0).pointer(2, part.words(op.sec, op.nsec, op.sec, op.nsec)).number(3, 0);
        return;
      case "close":
        part.begin(nr.close).register(0, F);
        this.#closeDirect();
        this.#size = 0;
        return;
      case "symlink":
        part.begin(nr.symlinkat).pointer(0, part.string(op.target)).register(1, D).pointer(2, part.string(op.name));
        return;
      case "link":
        part.begin(nr.linkat).register(0, S).pointer(1, part.string(op.from)).register(2, D).pointer(3, part.string(op.name)).number(4, 0);
        return;
      case "mknod":
        part.begin(nr.mknodat).register(0, D).pointer(1, part.string(op.name)).number(2, KINDS[op.kind] | op.mode).number(3, deviceNumber(op.major, op.minor));
        return;
      case "chown":
        part.begin(nr.fchownat).register(0, D).pointer(1, part.string(op.name)).number(2, op.uid).number(3, op.gid).number(4, C.AT_SYMLINK_NOFOLLOW);
        return;
      case "chmod":
        part.begin(nr.fchmodat).register(0, D).pointer(1, part.string(op.name)).number(2, op.mode);
        return;
      case "utimens":
        part.begin(nr.utimensat).register(0, D).pointer(1, part.string(op.name)).pointer(2, part.words(op.sec, op.nsec, op.sec, op.nsec)).number(
          3,
          C.AT_SYMLINK_NOFOLLOW,
        );
        return;
      case "unlink":
        part.begin(nr.unlinkat).register(0, D).pointer(1, part.string(op.name)).number(2, 0);
        return;
      case "rmdir":
        part.begin(nr.unlinkat).register(0, D).pointer(1, part.string(op.name)).number(2, C.AT_REMOVEDIR);
        return;
    }
  }

  #openDirectory(part: BulkPart, path: string, register: number, isOpen: boolean): void {
    const nr = this.#numbers;
    if (isOpen) part.begin(nr.close).register(0, register);
    const how = part.words(C.O_PATH | C.O_DIRECTORY | C.O_CLOEXEC, 0, RESOLVE);
    part.begin(nr.openat2, register).number(0, ROOT).pointer(1, part.string(path === "" ? "." : path)).pointer(2, how).number(3, 24);
  }

  #openFile(part: BulkPart, name: string, flags: number, mode: number): void {
    const how = part.words(flags | C.O_NOFOLLOW | C.O_CLOEXEC, mode, RESOLVE);
    part.begin(this.#numbers.openat2, F).register(0, D).pointer(1, part.string(name)).pointer(2, how).number(3, 24);
    this.#position = this.#reached = 0;
    this.#file = name;
  }

  /** Not before the last write to it is over: the number could be another file's by then. */
  #closeDirect(): void {
    const direct = this.#direct;
    this.#direct = -1;
    if (direct < 0) return;
    const close = (): void => { closeSync(direct); };
    if (this.#writing === undefined) close();
    else this.#writing.then(close, close);
  }

  /** On one of the threads that decompress, while this one takes the digest. */
  #writeDirectly(data: Uint8Array, offset: number): void {
    const file = this.#file;
    const before = this.#writing;
    const writing = writeAll(this.#direct, data, offset).catch((error: unknown) => {
      if (!(error instanceof Error && "errno" in error && typeof error.errno === "number")) throw error;
      const errno = Math.abs(error.errno);
      throw entryError(file, "write", errnoName(errno), errnoText(errno));
    });
    const all = Promise.all([before, writing]).then(() => { if (this.#writing === all) this.#writing = undefined; });
    all.catch(() => undefined); // told to whoever waits for it
    this.#writing = all;
  }

  #write(part: BulkPart, data: Uint8Array, offset: number): void {
    const nr = this.#numbers;
    const { length } = data;
    this.#reached = offset + length;
    if (length <= INLINE_BYTES) {
      part.begin(nr.pwrite64).register(0, F).pointer(1, part.bytes(data)).number(2, length).number(3, offset).expect(length);
      return;
    }
    // The halves are apart by more than any batch can hold: the last chunk may be large.
    const at = this.#half * SPOOL_HALF + this.#spooled;
    for (let done = 0; done < length; ) done += writeSync(this.#spool, data, done, length - done, at + done);
    this.#spooled += length;
    if (this.#position !== offset) part.begin(nr.lseek).register(0, F).number(1, offset).number(2, 0);
    part.begin(nr.sendfile).register(0, F).register(1, SPOOL).pointer(2, part.words(at)).number(3, length).expect(length);
    this.#position = offset + length;
  }
}

const WRITE = { op: "write" } as const;

function writeAll(fd: number, data: Uint8Array, offset: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const go = (done: number): void => {
      write(fd, data, done, data.length - done, offset + done, (error, written) => {
        if (error !== null) reject(error);
        else if (done + written < data.length) go(done + written);
        else resolve();
      });
    };
    go(0);
  });
}

/** Address space only: pages exist as far as a batch reaches. */
const SPOOL_HALF = 2 ** 40;

type Numbers = Readonly<Record<(typeof CALLS)[number], number>>;
const CALLS = [
  "mkdirat", "openat2", "dup3", "ftruncate", "fchown", "fchmod", "fsetxattr", "utimensat", "close", "symlinkat", "linkat", "mknodat",
  "fchownat", "fchmodat", "unlinkat", "pwrite64", "lseek", "sendfile", "syncfs",
] as const;

function syscallNumbers(): Numbers {
  const arch = hostArch();
  return Object.fromEntries(CALLS.map((name) => [name, syscallNumber(arch, name)])) as Numbers; // every name of the list
}

/** The dev_t that mknodat(2) takes: 32 bits, of which 12 are the major number (linux/kdev_t.h, new_encode_dev). */
function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}
