/**
 * Virtual machines for what this machine cannot show: cgroup v2 without v1 beside it, and what a reboot leaves. `createVmHost` makes
 * one, `boot` starts it, scripts are run in it, and `powerOff` is the power cut.
 */
export { createVmHost, type Vm, type VmHost, type VmResult } from "./machine.ts";
