/** The binary form of a plan read back, by the layout of native/keel/plan.h and by nothing of the encoder's. */
export interface DecodedInstruction {
  readonly op: number;
  readonly flags: number;
  /** 0 for none, otherwise 1 + the register. */
  readonly register: number;
  readonly condition: { readonly kind: number; readonly of: number; readonly value: bigint };
  readonly nr: number;
  readonly args: readonly { readonly kind: number; readonly value: bigint }[];
  readonly expect: bigint;
  readonly tolerate: readonly number[];
}

export interface DecodedPlan {
  readonly flags: number;
  readonly inner: number;
  readonly outSize: number;
  readonly keep: number;
  readonly code: readonly DecodedInstruction[];
  readonly data: Buffer;
  readonly relocations: readonly number[];
  /** The NUL-terminated string at an offset of the data. */
  string(offset: bigint | number): string;
  /** Where the pointer at an offset of the data leads. */
  pointer(offset: number): number;
}

export function decodePlan(bytes: Buffer): DecodedPlan {
  if (bytes.subarray(0, 8).toString("latin1") !== "KEELPLN1") throw new Error("no plan");
  const [size = 0, count = 0, inner = 0, flags = 0, code = 0, relocs = 0, relocCount = 0, data = 0, dataSize = 0, outSize = 0, keep = 0] =
    Array.from({ length: 11 }, (_, i) => bytes.readUInt32LE(8 + i * 4));
  if (size !== bytes.length || code + count * 96 > relocs || relocs + relocCount * 4 > data || data + dataSize !== size) throw new Error("the sections do not fit");
  const area = bytes.subarray(data, data + dataSize);
  return {
    flags, inner, outSize, keep, data: area,
    relocations: Array.from({ length: relocCount }, (_, i) => bytes.readUInt32LE(relocs + i * 4)),
    code: Array.from({ length: count }, (_, i) => {
      const at = code + i * 96;
      return {
        op: bytes.readUInt8(at), flags: bytes.readUInt8(at + 1), register: bytes.readUInt8(at + 2), nr: bytes.readUInt32LE(at + 4),
        condition: { kind: bytes.readUInt8(at + 3), of: bytes.readUInt32LE(at + 16), value: bytes.readBigInt64LE(at + 24) },
        expect: bytes.readBigInt64LE(at + 32),
        tolerate: [0, 1, 2, 3].map((n) => bytes.readUInt16LE(at + 40 + n * 2)).filter((errno) => errno !== 0),
        args: [0, 1, 2, 3, 4, 5].map((n) => ({ kind: bytes.readUInt8(at + 8 + n), value: bytes.readBigInt64LE(at + 48 + n * 8) })),
      };
    }),
    string(offset) {
      const start = Number(offset);
      return area.subarray(start, area.indexOf(0, start)).toString("utf8");
    },
    pointer: (offset) => Number(area.readBigUInt64LE(offset)),
  };
}
