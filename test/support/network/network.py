"""A network of hosts that a test may break: one network namespace per host, joined by TUN devices that this program
carries packets between, so that it can drop, lose and delay them by pair and direction on any kernel.

    network.py HOSTS        (as root)

Prints one line of JSON: its pid, the open file of each namespace, the address of each host and the one of the caller.
Then one JSON command a line: {"from": [1], "to": [2, 3], "loss": 0.1, "delayMs": 50} (loss 1: nothing passes),
{"heal": true}, {"disk": "/path", "bytes": 1000000} (mounts a file system of that size, seen in this program's mount
namespace only). Each is answered by "ok" or the error. Host 254 is the caller. Ends with its input, and everything
is gone with the last process inside.
"""
import ctypes, fcntl, heapq, itertools, json, os, random, select, struct, subprocess, sys, time

NEWNET, NEWNS = 0x40000000, 0x00020000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CALLER = 254
MAX_WAITING = 100_000
libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


def ip(*args):
    subprocess.run(("ip",) + args, check=True)


def tun(name, address):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    ip("addr", "add", address + "/24", "dev", name)
    ip("link", "set", name, "up")
    return device


def free_subnet():
    taken = subprocess.run(("ip", "-4", "-o", "addr"), check=True, capture_output=True, text=True).stdout
    for n in range(250):
        subnet = "198.18.%d." % ((os.getpid() + n) % 250)
        if subnet not in taken:
            return subnet
    raise SystemExit("no free subnet in 198.18.0.0/16")


class Network:
    def __init__(self, hosts):
        subnet = free_subnet()
        here = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.devices, self.namespaces, self.addresses = {}, [], []
        for host in range(1, hosts + 1):
            check(libc.unshare(NEWNET), "unshare")
            self.namespaces.append(os.open("/proc/self/ns/net", os.O_RDONLY))
            self.addresses.append(subnet + str(host))
            ip("link", "set", "lo", "up")
            self.devices[host] = tun("lan", self.addresses[-1])
        check(libc.setns(here, NEWNET), "setns")
        self.caller = subnet + str(CALLER)
        self.devices[CALLER] = tun("lictor%d" % (os.getpid() % 10_000_000), self.caller)
        check(libc.unshare(NEWNS), "unshare")
        subprocess.run(("mount", "--make-rprivate", "/"), check=True)
        self.rules, self.waiting, self.order = {}, [], itertools.count()

    def command(self, command):
        if "heal" in command:
            self.rules.clear()
        elif "disk" in command:
            options = "size=%d" % command["bytes"]
            subprocess.run(("mount", "-t", "tmpfs", "-o", options, "tmpfs", command["disk"]), check=True)
        else:
            rule = (command.get("loss", 0), command.get("delayMs", 0) / 1000)
            for a in command["from"]:
                for b in command["to"]:
                    self.rules[(a, b)] = rule

    def carry(self, device):
        for _ in range(64):
            try:
                packet = os.read(device, 65536)
            except BlockingIOError:
                return
            # IPv4 only; hosts are told apart by the last byte of their address.
            if packet[0] >> 4 != 4 or packet[19] not in self.devices:
                continue
            loss, delay = self.rules.get((packet[15], packet[19]), (0, 0))
            if loss and random.random() < loss:
                continue
            if delay == 0:
                self.deliver(packet)
            elif len(self.waiting) < MAX_WAITING:
                due = time.monotonic() + delay * (0.5 + random.random())
                heapq.heappush(self.waiting, (due, next(self.order), packet))

    def deliver(self, packet):
        try:
            os.write(self.devices[packet[19]], packet)
        except OSError:
            pass  # The receiver's queue is full: lost, as on a wire.

    def run(self):
        poll = select.epoll()
        for device in self.devices.values():
            poll.register(device, select.EPOLLIN)
        poll.register(0, select.EPOLLIN | select.EPOLLHUP)
        commands = b""
        while True:
            wait = max(0, self.waiting[0][0] - time.monotonic()) if self.waiting else -1
            for file, _ in poll.poll(wait):
                if file != 0:
                    self.carry(file)
                    continue
                read = os.read(0, 65536)
                if not read:
                    return
                *lines, commands = (commands + read).split(b"\n")
                for line in lines:
                    try:
                        self.command(json.loads(line))
                        print("ok", flush=True)
                    except Exception as error:
                        print("%s: %s" % (line.decode(), error), flush=True)
            now = time.monotonic()
            while self.waiting and self.waiting[0][0] <= now:
                self.deliver(heapq.heappop(self.waiting)[2])


network = Network(int(sys.argv[1]))
places = {"pid": os.getpid(), "namespaces": network.namespaces}
places.update(addresses=network.addresses, caller=network.caller)
print(json.dumps(places), flush=True)
network.run()
