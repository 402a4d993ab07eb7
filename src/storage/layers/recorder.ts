import type { LayerOp, LayerSink } from "./sink.ts";

/** A sink that writes ops down: for tests without root, and for showing what an unpack would do. */
export class RecorderSink implements LayerSink {
  readonly ops: LayerOp[] = [];
  readonly full = false;
  readonly borrowed = undefined;

  push(op: LayerOp): void {
    this.ops.push(op);
  }

  async flush(): Promise<void> {
    // Nothing waits: what was pushed is on the list.
  }

  /** One line per op, as the examples in sink.ts are written. */
  lines(): string[] {
    return this.ops.map(formatOp);
  }
}

function formatOp(op: LayerOp): string {
  switch (op.op) {
    case "enter":
    case "source":
      return `${op.op} "${op.path}"`;
    case "mkdir":
    case "open":
    case "unlink":
    case "rmdir":
      return `${op.op} ${op.name}`;
    case "create":
    case "chmod":
      return `${op.op} ${op.name} ${octal(op.mode)}`;
    case "write":
      return `write ${JSON.stringify(Buffer.from(op.data).toString("latin1"))} ${op.offset}`;
    case "truncate":
      return `truncate ${op.size}`;
    case "fchown":
      return `fchown ${op.uid}:${op.gid}`;
    case "fchmod":
      return `fchmod ${octal(op.mode)}`;
    case "fsetxattr":
      return `fsetxattr ${op.name} ${JSON.stringify(op.value)}`;
    case "futimens":
      return `futimens ${op.sec} ${op.nsec}`;
    case "close":
      return "close";
    case "symlink":
      return `symlink ${op.name} ${op.target}`;
    case "link":
      return `link ${op.from} ${op.name}`;
    case "mknod":
      return `mknod ${op.name} ${op.kind} ${octal(op.mode)} ${op.major}:${op.minor}`;
    case "chown":
      return `chown ${op.name} ${op.uid}:${op.gid}`;
    case "utimens":
      return `utimens ${op.name} ${op.sec} ${op.nsec}`;
  }
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}
