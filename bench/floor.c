/*
 * The floor: what the kernel itself takes for a container, when the calls that every engine has to make are made by a static C
 * program, in their order, and nothing else is done. No control group, no seccomp filter, no capabilities dropped, no config read,
 * nothing recorded or cleaned up; the root filesystem is used as it lies there.
 *
 *     floor ROOT PROGRAM [ARGUMENT...]
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define NO_PROGRAM (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static void check(long result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

/* Directories that are there already are as good. */
static void directory(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		check(-1, path);
}

static void filesystem(const char *type, const char *path, unsigned long flags, const char *data)
{
	directory(path);
	check(mount(type, path, type, flags, data), path);
}

/* /dev as the OCI runtime specification wants it (config-linux.md, default devices). */
static void devices(void)
{
	static const struct { const char *path; unsigned major, minor; } nodes[] = {
		{ "dev/null", 1, 3 }, { "dev/zero", 1, 5 }, { "dev/full", 1, 7 }, { "dev/random", 1, 8 }, { "dev/urandom", 1, 9 }, { "dev/tty", 5, 0 },
	};
	static const char *const links[][2] = {
		{ "/proc/self/fd", "dev/fd" }, { "/proc/self/fd/0", "dev/stdin" }, { "/proc/self/fd/1", "dev/stdout" }, { "/proc/self/fd/2", "dev/stderr" }, { "pts/ptmx", "dev/ptmx" },
	};

	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		check(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)), nodes[i].path);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		check(symlink(links[i][0], links[i][1]), links[i][1]);
}

static void container(const char *root, char **command)
{
	check(setsid(), "setsid");
	/* Nothing that is mounted here may reach the host. */
	check(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount / private");
	check(mount(root, root, NULL, MS_BIND | MS_REC, NULL), "bind the root");
	check(chdir(root), root);
	umask(0);
	filesystem("proc", "proc", NO_PROGRAM, NULL);
	filesystem("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
	filesystem("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
	filesystem("tmpfs", "dev/shm", NO_PROGRAM, "mode=1777,size=65536k");
	filesystem("mqueue", "dev/mqueue", NO_PROGRAM, NULL);
	filesystem("sysfs", "sys", NO_PROGRAM | MS_RDONLY, NULL);
	devices();
	/* pivot_root(2), "pivot_root(".", ".")": the old root lies over the new one, and goes. */
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(umount2(".", MNT_DETACH), "unmount the old root");
	check(chdir("/"), "/");
	check(sethostname("floor", 5), "sethostname");
	umask(022);
	execv(command[0], command);
	check(-1, command[0]);
}

int main(int argc, char **argv)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP,
		.exit_signal = SIGCHLD,
	};
	int status;

	if (argc < 3) {
		fprintf(stderr, "floor ROOT PROGRAM [ARGUMENT...]\n");
		return 125;
	}
	long pid = syscall(SYS_clone3, &args, sizeof args);
	check(pid, "clone3");
	if (pid == 0)
		container(argv[1], argv + 2);
	check(waitpid((pid_t)pid, &status, 0), "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
