import type { RunRequest } from "../request.ts";

const IPC = new Set([
  "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Only what a namespace of the container's own keeps to itself may be set (Docker's list). All problems as sentences. */
export function checkSysctls(request: RunRequest): string[] {
  const hostNetwork = request.networks[0]?.network === "host";
  const hostIpc = request.ipcMode === "host";
  const problems: string[] = [];
  for (const name of Object.keys(request.sysctls)) {
    const dotted = name.replaceAll("/", ".");
    if (dotted.includes("..") || !/^[a-zA-Z0-9_.-]+$/.test(dotted)) problems.push(`sysctl '${name}' is not allowed`);
    else if (dotted.startsWith("net.")) {
      if (hostNetwork) problems.push(`sysctl '${name}' not allowed in host network namespace`);
    } else if (IPC.has(dotted) || dotted.startsWith("fs.mqueue.")) {
      if (hostIpc) problems.push(`sysctl '${name}' not allowed in host ipc namespace`);
    } else if (dotted === "kernel.domainname" || dotted === "kernel.hostname") {
      problems.push(`sysctl '${name}' is not allowed: use --${dotted.slice(7)}`);
    } else problems.push(`sysctl '${name}' is not allowed: it is not kept apart by a namespace`);
  }
  return problems;
}
