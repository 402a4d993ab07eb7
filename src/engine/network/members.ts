import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import type { ContainerId } from "../../base/ids.ts";
import { shortId } from "../../base/ids.ts";
import { updateMembers } from "../../network/hosts.ts";
import type { HostsEntry } from "../../network/hosts.ts";
import { DEFAULT_NETWORK } from "../../network/model.ts";
import type { MemberRecord } from "../../storage/state/index.ts";
import type { EngineContext } from "../context.ts";
import { containerPaths } from "../paths.ts";

/**
 * Names on networks: every running member of a user-defined network finds each other in its hosts file. Whoever changes who is there, or
 * what they are called, calls `refreshMembers` after that is in the store.
 */

/** A hosts file that has grown past this was made so by its container, and is left to it. */
const LARGEST_BYTES = 1 << 20;

/** Names by which the others find a container, its own name first. */
export function namesOf(member: { readonly name: string; readonly containerId: string; readonly aliases: readonly string[] }): string[] {
  return [...new Set([member.name, ...member.aliases, shortId(member.containerId)])];
}

/** What the others' hosts files say of the members of a network: their names there, and "web.net", which tells two networks' apart. */
function entriesOf(context: EngineContext, networkId: string, members: readonly MemberRecord[] = []): HostsEntry[] {
  const network = context.store.networks.get(networkId)?.name;
  return members.flatMap((member) => {
    const names = [...namesOf(member), ...(network === undefined ? [] : [`${member.name}.${network}`])];
    return [member.ipv4, member.ipv6].filter((address) => address !== null).map((address) => ({ address, names }));
  });
}

function byNetwork(members: readonly MemberRecord[]): Map<string, MemberRecord[]> {
  const groups = new Map<string, MemberRecord[]>();
  for (const member of members) {
    const group = groups.get(member.networkId);
    if (group === undefined) groups.set(member.networkId, [member]);
    else group.push(member);
  }
  return groups;
}

/** What a container's hosts file says of the others, as the store is now. `ids` are its networks. */
export function membersFor(context: EngineContext, ids: readonly string[]): HostsEntry[] {
  if (ids.length === 0) return [];
  const groups = byNetwork(context.store.endpoints.active());
  return ids.flatMap((id) => entriesOf(context, id, groups.get(id)));
}

/** Brings the hosts files of all running members of these networks up to date, each in its place: it is mounted where it is. */
export function refreshMembers(context: EngineContext, networkIds: readonly string[]): void {
  const { store } = context;
  const defaultId = store.networks.named(DEFAULT_NETWORK)?.id;
  const changed = new Set(networkIds.filter((id) => id !== defaultId));
  if (changed.size === 0) return;
  // The lock makes the last who looks the last who writes.
  store.transaction(() => {
    const groups = byNetwork(store.endpoints.active());
    const networksOf = new Map<ContainerId, string[]>();
    for (const [id, members] of groups) {
      if (id === defaultId) continue;
      for (const { containerId } of members) networksOf.set(containerId, [...(networksOf.get(containerId) ?? []), id]);
    }
    // Most containers are on the same few networks: what those say is worked out once.
    const entries = new Map<string, HostsEntry[]>();
    for (const [containerId, ids] of networksOf) {
      if (!ids.some((id) => changed.has(id))) continue;
      const key = ids.join(" ");
      let list = entries.get(key);
      if (list === undefined) entries.set(key, (list = ids.flatMap((id) => entriesOf(context, id, groups.get(id)))));
      rewrite(containerPaths(context.paths, containerId).hosts, list);
    }
  });
}

/** A container that is disconnected keeps what it wrote itself, and loses the others' names. */
export function refreshHostsOf(context: EngineContext, containerId: ContainerId): void {
  const { store } = context;
  store.transaction(() => {
    const defaultId = store.networks.named(DEFAULT_NETWORK)?.id;
    const ids = store.endpoints.ofContainer(containerId).filter(({ active, networkId }) => active && networkId !== defaultId).map(({ networkId }) => networkId);
    rewrite(containerPaths(context.paths, containerId).hosts, membersFor(context, ids));
  });
}

function rewrite(path: string, members: readonly HostsEntry[]): void {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW);
  } catch (error) {
    // Reserved and not made yet, or just removed: it is made from the store as well.
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  try {
    const { size } = fstatSync(fd);
    if (size > LARGEST_BYTES) return;
    const buffer = Buffer.alloc(size);
    const text = buffer.toString("utf8", 0, size === 0 ? 0 : readSync(fd, buffer, 0, size, 0));
    const wanted = updateMembers(text, members);
    if (wanted === text) return;
    // One write, then the end. What is longer than it will be ends in empty lines until then: a reader, or whoever comes after a kill
    // between the two, must not take the rest of an old line for one ("172.18.0.5 db" cut to "2.18.0.5 db").
    const bytes = Buffer.from(wanted);
    writeSync(fd, bytes.length < size ? Buffer.concat([bytes, Buffer.alloc(size - bytes.length, "\n")]) : bytes, 0, Math.max(bytes.length, size), 0);
    if (bytes.length < size) ftruncateSync(fd, bytes.length);
  } finally {
    closeSync(fd);
  }
}
