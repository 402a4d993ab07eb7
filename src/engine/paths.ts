import type { ContainerId } from "../base/ids.ts";

/**
 * Where things are. The store (`root`) survives a reboot; run state (`state`) need not. A container's directory in the
 * store holds its layer and what it logs; its run directory what only means something while it runs.
 */
export interface Paths {
  readonly root: string;
  readonly state: string;
  readonly database: string;
  readonly volumes: string;
  readonly images: string;
  readonly layers: string;
  readonly cache: string;
}

export function pathsOf(root: string, state: string): Paths {
  return {
    root,
    state,
    database: `${root}/state.db`,
    volumes: `${root}/volumes`,
    images: `${root}/images`,
    layers: `${root}/layers`,
    cache: `${root}/cache`,
  };
}

export interface ContainerPaths {
  /** In the store. */
  readonly directory: string;
  readonly upper: string;
  readonly work: string;
  readonly log: string;
  readonly hosts: string;
  readonly resolvConf: string;
  readonly hostname: string;
  readonly healthLog: string;
  /** In the run state. */
  readonly run: string;
  /** Where the root filesystem is attached, in the container's own mount namespace only. */
  readonly mountPoint: string;
  /** /proc/PID/stat of the first process, as keel copied it when the process was born: pid and start time. */
  readonly pidFile: string;
  readonly monitorFile: string;
  readonly status: string;
  readonly attachSocket: string;
  readonly healthPlan: string;
}

export function containerPaths(paths: Paths, id: ContainerId): ContainerPaths {
  const directory = `${paths.root}/containers/${id}`;
  const run = `${paths.state}/containers/${id}`;
  return {
    directory,
    upper: `${directory}/upper`,
    work: `${directory}/work`,
    log: `${directory}/log`,
    hosts: `${directory}/hosts`,
    resolvConf: `${directory}/resolv.conf`,
    hostname: `${directory}/hostname`,
    healthLog: `${directory}/health`,
    run,
    mountPoint: `${run}/root`,
    pidFile: `${run}/pid`,
    monitorFile: `${run}/monitor`,
    status: `${run}/status`,
    attachSocket: `${run}/attach`,
    healthPlan: `${run}/health-plan`,
  };
}
