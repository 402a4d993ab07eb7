"""What JavaScript cannot do to a file system, for tests: carry out a layer's ops, and read a tree with all its facts.

  apply DIR   reads ops as JSON lines (src/storage/layers/sink.ts), one system call each, beneath DIR
  walk DIR    writes one JSON line per file, parents first, siblings in byte order

Names and values are strings of one character per byte.
"""
import base64, json, os, stat, sys

NOFOLLOW = {"follow_symlinks": False}


def raw(text):
    return text.encode("latin1")


def text(data):
    return data.decode("latin1")


def apply(root):
    os.umask(0)
    top = os.open(root, os.O_PATH | os.O_DIRECTORY)

    def directory(path):
        # One component at a time, none of them a symbolic link: what RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS promises.
        at = os.dup(top)
        for part in [p for p in raw(path).split(b"/") if p]:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return at

    d = s = f = -1
    kinds = {"char": stat.S_IFCHR, "block": stat.S_IFBLK, "fifo": stat.S_IFIFO}
    for line in sys.stdin:
        o = json.loads(line)
        op = o["op"]
        n = raw(o.get("name", ""))
        time = o.get("sec", 0) * 10**9 + o.get("nsec", 0)
        if op == "enter":
            if d >= 0: os.close(d)
            d = directory(o["path"])
        elif op == "source":
            if s >= 0: os.close(s)
            s = directory(o["path"])
        elif op == "mkdir": os.mkdir(n, 0o700, dir_fd=d)
        elif op == "create": f = os.open(n, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, o["mode"], dir_fd=d)
        elif op == "open": f = os.open(n, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=d)
        elif op == "write":
            data = base64.b64decode(o["data"])
            assert os.pwrite(f, data, o["offset"]) == len(data)
        elif op == "truncate": os.ftruncate(f, o["size"])
        elif op == "fchown": os.fchown(f, o["uid"], o["gid"])
        elif op == "fchmod": os.fchmod(f, o["mode"])
        elif op == "fsetxattr": os.setxattr(f, n, raw(o["value"]))
        elif op == "futimens": os.utime(f, ns=(time, time))
        elif op == "close": os.close(f)
        elif op == "symlink": os.symlink(raw(o["target"]), n, dir_fd=d)
        elif op == "link": os.link(raw(o["from"]), n, src_dir_fd=s, dst_dir_fd=d, follow_symlinks=False)
        elif op == "mknod": os.mknod(n, kinds[o["kind"]] | o["mode"], os.makedev(o["major"], o["minor"]), dir_fd=d)
        elif op == "chown": os.chown(n, o["uid"], o["gid"], dir_fd=d, **NOFOLLOW)
        elif op == "chmod": os.chmod(n, o["mode"], dir_fd=d)
        elif op == "utimens": os.utime(n, ns=(time, time), dir_fd=d, **NOFOLLOW)
        elif op == "unlink": os.unlink(n, dir_fd=d)
        elif op == "rmdir": os.rmdir(n, dir_fd=d)
        else: raise ValueError(op)


TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink", stat.S_IFCHR: "char", stat.S_IFBLK: "block", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket"}


def walk(root):
    root = os.fsencode(root)

    def visit(path):
        full = os.path.join(root, path) if path else root
        st = os.lstat(full)
        kind = TYPES[stat.S_IFMT(st.st_mode)]
        device = kind in ("char", "block")
        facts = {
            "path": text(path), "type": kind, "mode": 0o777 if kind == "symlink" else stat.S_IMODE(st.st_mode), "uid": st.st_uid, "gid": st.st_gid,
            "size": st.st_size if kind == "file" else 0, "mtimeSec": st.st_mtime_ns // 10**9, "mtimeNsec": st.st_mtime_ns % 10**9,
            "major": os.major(st.st_rdev) if device else 0, "minor": os.minor(st.st_rdev) if device else 0,
            "target": text(os.readlink(full)) if kind == "symlink" else "",
            "xattrs": {text(os.fsencode(name)): text(os.getxattr(full, name, **NOFOLLOW)) for name in os.listxattr(full, **NOFOLLOW)},
            "inode": f"{st.st_dev}:{st.st_ino}" if kind != "directory" and st.st_nlink > 1 else None,
        }
        print(json.dumps(facts))
        if kind == "directory":
            for name in sorted(os.listdir(full)):
                visit(os.path.join(path, name) if path else name)

    visit(b"")


{"apply": apply, "walk": walk}[sys.argv[1]](sys.argv[2])
