import { SampanError } from "../base/index.ts";

/** What an image runs on, in Go's names (image-spec image-index.md, "platform"). */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  /** "v7" of arm, "v2" of amd64; absent where the architecture's baseline is meant. */
  readonly variant?: string;
  readonly "os.version"?: string;
  readonly "os.features"?: readonly string[];
}

const OPERATING_SYSTEMS = " aix android darwin dragonfly freebsd illumos ios linux netbsd openbsd plan9 solaris wasip1 windows ";
const ARCHITECTURES =
  " 386 amd64 arm armbe arm64 arm64be loong64 mips mipsle mips64 mips64le ppc ppc64 ppc64le riscv riscv64 s390 s390x sparc sparc64 wasm ";

/** The platform of this process. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch });
}

/**
 * Reads `--platform`: "linux/arm64/v8", "linux/amd64", or an operating system or architecture alone.
 * Throws `invalid`.
 */
export function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [first = "", second, third] = parts;
  if (parts.length > 3 || parts.some((part) => !/^[A-Za-z0-9_.-]+$/.test(part))) refuse(text, "it is not of the form os/architecture[/variant]");
  if (second !== undefined) return normalizePlatform({ os: first, architecture: second, ...(third === undefined ? {} : { variant: third }) });
  const host = hostPlatform();
  const asOs = normalizeOs(first);
  if (OPERATING_SYSTEMS.includes(` ${asOs} `)) return { ...host, os: asOs };
  const asArchitecture = normalizePlatform({ os: host.os, architecture: first });
  if (ARCHITECTURES.includes(` ${asArchitecture.architecture} `)) return asArchitecture;
  return refuse(text, "unknown operating system or architecture");
}

function refuse(text: string, problem: string): never {
  throw new SampanError("invalid", `Cannot parse platform ${JSON.stringify(text.slice(0, 100))}: ${problem}`);
}

/** "linux/arm64/v8". */
export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter((part) => part !== undefined && part !== "").join("/");
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase();
  return lower === "macos" ? "darwin" : lower;
}

/** One spelling for what is one platform: "x86_64" is "amd64", "aarch64/v8" is "arm64", bare "arm" is "arm/v7". */
export function normalizePlatform(platform: Platform): Platform {
  const [architecture, variant] = normalizeArchitecture(platform.architecture.toLowerCase(), (platform.variant ?? "").toLowerCase());
  return {
    os: normalizeOs(platform.os),
    architecture,
    ...(variant === "" ? {} : { variant }),
    ...(platform["os.version"] === undefined ? {} : { "os.version": platform["os.version"] }),
    ...(platform["os.features"] === undefined ? {} : { "os.features": platform["os.features"] }),
  };
}

function normalizeArchitecture(architecture: string, variant: string): [architecture: string, variant: string] {
  switch (architecture) {
    case "i386":
      return ["386", ""];
    case "x86_64":
    case "x86-64":
    case "amd64":
      return ["amd64", variant === "v1" ? "" : variant];
    case "aarch64":
    case "arm64":
      if (["8", "v8", "v8.0"].includes(variant)) return ["arm64", ""];
      return ["arm64", ["9", "9.0", "v9.0"].includes(variant) ? "v9" : variant];
    case "armhf":
      return ["arm", "v7"];
    case "armel":
      return ["arm", "v6"];
    case "arm":
      if (variant === "") return ["arm", "v7"];
      return ["arm", /^[5-8]$/.test(variant) ? `v${variant}` : variant];
    default:
      return [architecture, variant];
  }
}

/** Armv9.n includes Armv8.(n+5) (Arm Architecture Reference Manual, A1.1); Armv8 stops at .9. */
function arm64Variants(variant: string): string[] {
  const match = /^v([89])(?:\.([0-9]))?$/.exec(variant === "" ? "v8" : variant);
  if (match === null) return [];
  const minor = Number(match[2] ?? 0);
  const down = (major: number, from: number): string[] => Array.from({ length: from + 1 }, (_, i) => (from === i ? `v${major}` : `v${major}.${from - i}`));
  return match[1] === "8" ? down(8, minor) : [...down(9, minor), ...down(8, Math.min(minor + 5, 9))];
}

/**
 * The platforms whose programs run on `platform`, best first: amd64/v3 runs v2, the baseline and 386;
 * arm/v7 runs v6 and v5; arm64 runs older arm64 and 32-bit arm. The order is containerd's.
 */
export function platformCandidates(platform: Platform): Platform[] {
  const wanted = normalizePlatform(platform);
  const variant = wanted.variant ?? "";
  const like = (architecture: string, its: string): Platform => {
    const { variant: _, ...rest } = wanted;
    return normalizePlatform({ ...rest, architecture, ...(its === "" ? {} : { variant: its }) });
  };
  const older = (architecture: string, level: number, lowest: number): Platform[] =>
    Array.from({ length: Math.max(level - lowest, 0) }, (_, i) => like(architecture, `v${level - 1 - i}`));
  switch (wanted.architecture) {
    case "amd64":
      return [wanted, ...older("amd64", levelOf(variant), 1), like("386", "")];
    case "arm":
      return [wanted, ...older("arm", levelOf(variant), 5)];
    case "arm64": {
      const variants = arm64Variants(variant);
      return variants.length === 0 ? [wanted] : [...variants.map((its) => like("arm64", its)), like("arm", "v8"), ...older("arm", 8, 5)];
    }
    default:
      return [wanted];
  }
}

function levelOf(variant: string): number {
  return /^v[0-9]$/.test(variant) ? Number(variant.slice(1)) : 0;
}

/** True if `offered` is exactly the platform `wanted`, in whatever spelling. */
export function samePlatform(wanted: Platform, offered: Platform): boolean {
  return formatPlatform(normalizePlatform(wanted)) === formatPlatform(normalizePlatform(offered));
}

/** True if a host of platform `host` runs programs made for `offered`. */
export function runsOn(host: Platform, offered: Platform): boolean {
  return platformCandidates(host).some((candidate) => samePlatform(candidate, offered));
}

/** The best of `offered` for `wanted`; of equals the first, as registries list the preferred one first. */
export function bestPlatform<T extends { readonly platform: Platform }>(wanted: Platform, offered: readonly T[]): T | undefined {
  for (const candidate of platformCandidates(wanted)) {
    const found = offered.find((item) => samePlatform(candidate, item.platform));
    if (found !== undefined) return found;
  }
  return undefined;
}
