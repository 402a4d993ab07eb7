import type { CommandDefinition } from "../command.ts";

/** A command's names and where it is; the rest is in its own file. */
export interface CommandEntry {
  /** Every name it goes by, the shortest first. */
  readonly paths: readonly string[];
  /** As in the command's definition: the list of commands is printed without loading them. */
  readonly summary: string;
  /** Not for people: in no list. */
  readonly hidden?: boolean;
  load(): Promise<{ readonly command: CommandDefinition }>;
}

function entry(paths: string, summary: string, load: CommandEntry["load"], hidden = false): CommandEntry {
  return { paths: paths.split(", "), summary, hidden, load };
}

/** Every command there is. To add one: its file, and its line here. */
export function commandTable(): readonly CommandEntry[] {
  return [
    entry("run, container run", "Make a container from an image and run a command in it", () => import("./container/run.ts")),
    entry("exec, container exec", "Run a command in a running container", () => import("./container/exec.ts")),
    entry("attach, container attach", "Attach to the streams of a running container", () => import("./container/attach.ts")),
    entry("cp, container cp", "Copy files between a container and this machine", () => import("./container/cp.ts")),
    entry("diff, container diff", "List what a container has added (A), changed (C) and deleted (D)", () => import("./container/diff.ts")),
    entry("export, container export", "Write a container's root filesystem as a tar archive", () => import("./container/export.ts")),
    entry("top, container top", "List the processes of a container", () => import("./container/top.ts")),
    entry("stats, container stats", "Show what containers use of CPU, memory, network and disks, live", () => import("./container/stats.ts")),
    entry("update, container update", "Change the limits or the restart policy of containers, while they run", () => import("./container/update.ts")),
    entry("logs, container logs", "Print what a container has written", () => import("./container/logs.ts")),
    entry("create, container create", "Make a container without starting it", () => import("./container/create.ts")),
    entry("start, container start", "Start containers that do not run", () => import("./container/start.ts")),
    entry("stop, container stop", "Ask containers to stop, and kill those that do not", () => import("./container/stop.ts")),
    entry("restart, container restart", "Stop containers and start them again", () => import("./container/restart.ts")),
    entry("kill, container kill", "Send a signal to containers, SIGKILL unless another is asked for", () => import("./container/kill.ts")),
    entry("pause, container pause", "Freeze every process of containers", () => import("./container/pause.ts")),
    entry("unpause, container unpause", "Thaw every process of containers", () => import("./container/unpause.ts")),
    entry("wait, container wait", "Wait until containers have ended, and print their exit codes", () => import("./container/wait.ts")),
    entry("rm, container rm, container remove", "Remove containers", () => import("./container/rm.ts")),
    entry("rename, container rename", "Give a container another name", () => import("./container/rename.ts")),
    entry("ps, container ls, container list, container ps", "List containers", () => import("./container/ps.ts")),
    entry("port, container port", "List where a container's ports are published", () => import("./container/port.ts")),
    entry("inspect", "Print everything about containers, images, networks or volumes", () => import("./system/inspect.ts")),
    entry("container inspect", "Print everything about containers", () => import("./container/inspect.ts")),
    entry("container prune", "Remove all containers that do not run", () => import("./container/prune.ts")),
    entry("import, image import", "Make an image of one layer from a tar archive", () => import("./image/import.ts")),
    entry("commit, container commit", "Make an image from a container's changes", () => import("./container/commit.ts")),
    entry("images, image ls, image list", "List images", () => import("./image/images.ts")),
    entry("pull, image pull", "Download an image from a registry", () => import("./image/pull.ts")),
    entry("push, image push", "Upload an image to a registry", () => import("./image/push.ts")),
    entry("rmi, image rm, image remove", "Remove images", () => import("./image/rmi.ts")),
    entry("tag, image tag", "Give an image another name", () => import("./image/tag.ts")),
    entry("history, image history", "List how an image came to be, layer by layer", () => import("./image/history.ts")),
    entry("load, image load", "Read images from an archive", () => import("./image/load.ts")),
    entry("save, image save", "Write images to an archive", () => import("./image/save.ts")),
    entry("image inspect", "Print everything about images", () => import("./image/inspect.ts")),
    entry("image prune", "Remove images that nobody uses", () => import("./image/prune.ts")),
    entry("login", "Log in to a registry", () => import("./image/login.ts")),
    entry("logout", "Forget the credentials for a registry", () => import("./image/logout.ts")),
    entry("search", "Search Docker Hub for images", () => import("./image/search.ts")),
    entry("network create", "Make a network", () => import("./network/create.ts")),
    entry("network ls, network list", "List networks", () => import("./network/ls.ts")),
    entry("network inspect", "Print everything about networks", () => import("./network/inspect.ts")),
    entry("network rm, network remove", "Remove networks that nobody uses", () => import("./network/rm.ts")),
    entry("network prune", "Remove all networks that nobody uses", () => import("./network/prune.ts")),
    entry("network connect", "Connect a container to a network", () => import("./network/connect.ts")),
    entry("network disconnect", "Disconnect a container from a network", () => import("./network/disconnect.ts")),
    entry("network reload", "Write the packet filter's rules anew, after somebody flushed them", () => import("./network/reload.ts")),
    entry("volume create", "Make a volume", () => import("./volume/create.ts")),
    entry("volume ls, volume list", "List volumes", () => import("./volume/ls.ts")),
    entry("volume inspect", "Print everything about volumes", () => import("./volume/inspect.ts")),
    entry("volume rm, volume remove", "Remove volumes that no container uses", () => import("./volume/rm.ts")),
    entry("volume prune", "Remove all volumes that no container uses", () => import("./volume/prune.ts")),
    entry("check-host", "Say what this machine's kernel has and lacks for containers, and what to do about it", () => import("./system/check-host.ts")),
    entry("info, system info", "Print what the engine has and what it runs on", () => import("./system/info.ts")),
    entry("events, system events", "Print what happens, as it happens", () => import("./system/events.ts")),
    entry("system df", "Show what images, containers and volumes take of the disk", () => import("./system/df.ts")),
    entry("system prune", "Remove all that nobody uses: containers, networks, images, and volumes if asked", () => import("./system/prune.ts")),
    entry("system boot", "Start the containers that should run after a reboot", () => import("./system/boot.ts")),
    entry("system finish", "End a container that has ended, or start one whose restart is due", () => import("./system/finish.ts"), true),
    entry("system health", "Note that a container's health may have changed", () => import("./system/health.ts"), true),
    entry("explain", "Print every system call that a container would be made of", () => import("./container/explain.ts")),
    entry("trace", "Run a container and print how long each of its system calls took", () => import("./container/trace.ts")),
    entry("completion", "Print a script that completes commands, flags and names in a shell", () => import("./system/completion.ts")),
    entry("version", "Print the version", () => import("./system/version.ts")),
  ];
}
