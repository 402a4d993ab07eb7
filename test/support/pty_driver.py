"""Runs a command on a pseudo-terminal and speaks lines of JSON with the test.

in:  {"rows":24,"cols":80,"argv":[...],"env":{...},"cwd":...}  first line, then
     {"send":"<base64>"} {"resize":[rows,cols]} {"modes":id} {"signal":n} {"hangup":true}
out: {"pid":n} {"data":"<base64>"} {"modes":id,"raw":bool,"echo":bool} {"exit":code|null,"signal":n|null}

Written with Python's pty and termios modules rather than with the engine's own code, so that a fault of
ours cannot hide itself.
"""
import base64, fcntl, json, os, select, signal, struct, sys, termios


def say(message):
    os.write(1, (json.dumps(message) + "\n").encode())


def set_size(fd, rows, cols):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


def main():
    start = json.loads(sys.stdin.buffer.readline())
    master, slave = os.openpty()
    set_size(slave, start["rows"], start["cols"])
    # Closed by the exec: what is typed from then on finds the command in the foreground of its terminal.
    started, starting = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        for fd in (master, slave):
            os.close(fd)
        try:
            if start.get("cwd"):
                os.chdir(start["cwd"])
            os.execvpe(start["argv"][0], start["argv"], start["env"])
        except OSError as error:
            os.write(2, ("pty_driver: %s\n" % error).encode())
            os._exit(127)
    os.close(starting)
    os.read(started, 1)
    os.close(started)
    # The slave stays open here: the terminal's modes can be asked after the command has ended.
    say({"pid": pid})
    pidfd = os.pidfd_open(pid)
    pending = b""
    ended = False
    open_fds = [master, slave]
    while True:
        ready, _, _ = select.select([0] + open_fds[:1] + ([] if ended else [pidfd]), [], [])
        if master in ready:
            try:
                data = os.read(master, 65536)
            except OSError:
                data = b""
            if data:
                say({"data": base64.b64encode(data).decode()})
                continue
        if pidfd in ready and not ended:
            ended = True
            _, status = os.waitpid(pid, 0)
            while open_fds and select.select([master], [], [], 0.02)[0]:
                say({"data": base64.b64encode(os.read(master, 65536)).decode()})
            if os.WIFSIGNALED(status):
                say({"exit": None, "signal": os.WTERMSIG(status)})
            else:
                say({"exit": os.WEXITSTATUS(status), "signal": None})
        if 0 in ready:
            chunk = os.read(0, 65536)
            if not chunk:
                break
            pending += chunk
            *lines, pending = pending.split(b"\n")
            for line in lines:
                order = json.loads(line)
                if "send" in order:
                    data = base64.b64decode(order["send"])
                    while data:
                        data = data[os.write(master, data):]
                elif "resize" in order:
                    set_size(master, *order["resize"])
                elif "signal" in order and not ended:
                    os.kill(pid, order["signal"])
                elif "modes" in order:
                    flags = termios.tcgetattr(slave)[3]
                    say({"modes": order["modes"], "raw": not flags & termios.ICANON, "echo": bool(flags & termios.ECHO)})
                elif "hangup" in order:
                    while open_fds:
                        os.close(open_fds.pop())
    if not ended:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


main()
