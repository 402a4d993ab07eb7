import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";
import { SampanError } from "../../base/errors.ts";

/**
 * Users and groups as the image names them.
 *
 * The files are the image's, so everything about them is untrusted: they may be links, FIFOs, devices or of any size
 * (CVE-2026-47262). They are read only where every step on the way is a plain directory and the last one a plain file;
 * anything else is told, never followed.
 */
const MAX_BYTES = 4 << 20;
/** Ids above this are refused: 2^32 − 1 means "no change" to setresuid(2), and more wraps round (CVE-2024-40635). */
const MAX_ID = 2 ** 31 - 1;

export interface ResolvedUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  /** Home directory, "/" where nothing says otherwise. */
  readonly home: string;
}

/** Reads a file of a stack of layers, uppermost first; undefined where no layer has it. */
function readLayered(layers: readonly string[], path: readonly string[]): string | undefined {
  for (const layer of layers) {
    let at = layer === "/" ? "" : layer;
    let missing = false;
    for (const [i, name] of path.entries()) {
      at = `${at}/${name}`;
      const stat = lstatSync(at, { throwIfNoEntry: false });
      if (!stat) {
        missing = true;
        break;
      }
      if (stat.isCharacterDevice() && stat.rdev === 0) return undefined; // a whiteout: removed in this layer
      const last = i === path.length - 1;
      if (last ? !stat.isFile() : !stat.isDirectory())
        throw new SampanError("invalid", `Cannot read "/${path.slice(0, i + 1).join("/")}" of the image: it is not a plain ${last ? "file" : "directory"}`, {
          hint: "Give user and group as numbers: --user 1000:1000",
        });
    }
    if (!missing) return readBounded(at, path);
  }
  return undefined;
}

function readBounded(file: string, path: readonly string[]): string {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = fstatSync(fd);
    if (size > MAX_BYTES) throw new SampanError("invalid", `Cannot read "/${path.join("/")}" of the image: it is larger than ${MAX_BYTES} bytes`);
    const buffer = Buffer.alloc(size);
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, size, 0));
  } finally {
    closeSync(fd);
  }
}

interface PasswdEntry { name: string; uid: number; gid: number; home: string }
interface GroupEntry { name: string; gid: number; members: string[] }

function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 6 && /^\d+$/.test(fields[2] ?? ""))
    .map((fields) => ({ name: fields[0] ?? "", uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5] ?? "" }));
}

function parseGroup(text: string): GroupEntry[] {
  return text.split("\n").map((line) => line.split(":")).filter((fields) => fields.length >= 3 && /^\d+$/.test(fields[2] ?? ""))
    .map((fields) => ({ name: fields[0] ?? "", gid: Number(fields[2]), members: (fields[3] ?? "").split(",") }));
}

/** A number as a person may write an id; undefined if it is a name. Throws on what is neither. */
function parseId(text: string, whole: string, kind: "user" | "group" = "user"): number | undefined {
  if (/^\d+$/.test(text)) {
    const id = Number(text);
    if (id > MAX_ID) throw new SampanError("invalid", `Cannot use ${kind} "${whole}": ids go from 0 to ${MAX_ID}`, { exitCode: 125 });
    return id;
  }
  if (/^[+-]/.test(text) || /^0x/i.test(text))
    throw new SampanError("invalid", `Cannot use ${kind} "${whole}": "${text}" is neither a name nor a number from 0 to ${MAX_ID}`, { exitCode: 125 });
  return undefined;
}

export interface UserQuestion {
  /** "", "name", "uid", "name:group", "uid:gid"; either half may be empty. */
  readonly user: string;
  /** --group-add: names or numbers. */
  readonly groupAdd: readonly string[];
  /** Directories of the root filesystem, uppermost first. */
  readonly layers: readonly string[];
}

/**
 * Docker's rules: root where no user is named (":5"), the user's own group where none is ("1000:"). A name must be in /etc/passwd, a number
 * need not be; without a group the user's own, and then also those groups in /etc/group that list the user. Throws SampanError "invalid" in
 * Docker's words.
 */
export function resolveUser(question: UserQuestion): ResolvedUser {
  const { user, layers } = question;
  const colon = user.indexOf(":");
  const userPart = colon < 0 ? user : user.slice(0, colon);
  const groupPart = colon < 0 || colon === user.length - 1 ? undefined : user.slice(colon + 1);
  if (user === ":" || groupPart?.includes(":") === true)
    throw new SampanError("invalid", `Cannot use user "${user}": it is to be USER or USER:GROUP`, { exitCode: 125 });
  const wantedUid = userPart === "" ? 0 : parseId(userPart, user);
  const wantedGid = groupPart === undefined ? undefined : parseId(groupPart, user);
  // A number is one whatever the file says: then a file that cannot be trusted only costs the name's further facts.
  const read = (file: "passwd" | "group", needed: boolean): string => {
    try {
      return readLayered(layers, ["etc", file]) ?? "";
    } catch (error) {
      if (needed || !(error instanceof SampanError)) throw error;
      return "";
    }
  };
  const passwd = parsePasswd(read("passwd", wantedUid === undefined));
  const entry = passwd.find(({ name, uid }) => (wantedUid === undefined ? name === userPart : uid === wantedUid));
  if (wantedUid === undefined && !entry)
    throw new SampanError("invalid", `unable to find user ${userPart}: no matching entries in passwd file`, { exitCode: 125 });
  const uid = wantedUid ?? entry?.uid ?? 0;
  let gid = wantedGid ?? entry?.gid ?? 0;
  const additional = new Set<number>();
  const namedGroups = question.groupAdd.filter((group) => parseId(group, group, "group") === undefined);
  const needsGroups = (groupPart !== undefined && wantedGid === undefined) || (groupPart === undefined && entry !== undefined) || namedGroups.length > 0;
  const groups = needsGroups ? parseGroup(read("group", namedGroups.length > 0 || (groupPart !== undefined && wantedGid === undefined))) : [];
  if (groupPart !== undefined && wantedGid === undefined) {
    const group = groups.find(({ name }) => name === groupPart);
    if (!group) throw new SampanError("invalid", `unable to find group ${groupPart}: no matching entries in group file`, { exitCode: 125 });
    gid = group.gid;
  }
  if (groupPart === undefined && entry)
    for (const group of groups) if (group.members.includes(entry.name)) additional.add(group.gid);
  for (const wanted of question.groupAdd) {
    const number = parseId(wanted, wanted, "group") ?? groups.find(({ name }) => name === wanted)?.gid;
    if (number === undefined) throw new SampanError("invalid", `Unable to find group ${wanted}`, { exitCode: 125 });
    additional.add(number);
  }
  // The user's group is among them, so that a set-group-ID program cannot shake it off (CVE-2022-36109).
  const additionalGids = [gid, ...[...additional].filter((group) => group !== gid)];
  for (const id of [uid, ...additionalGids])
    if (!Number.isSafeInteger(id) || id < 0 || id > MAX_ID)
      throw new SampanError("invalid", `Cannot use user "${user}": the image gives it an id out of range`, { exitCode: 125 });
  return { uid, gid, additionalGids, home: entry?.home === undefined || entry.home === "" ? "/" : entry.home };
}
