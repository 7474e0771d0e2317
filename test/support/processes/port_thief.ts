import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import process from "node:process";
import { until } from "../wait.ts";

/** The user of the thief: another one than the daemon's, where a test may choose. */
export const THIEF_UID = 65_534;

// Binds each port as soon as it can, accepts all that connect, and prints what it has and gets.
const SCRIPT = `
use IO::Socket::INET;
use IO::Select;
$| = 1;
my %wanted = map { $_ => 1 } @ARGV;
my $select = IO::Select->new;
my %listens;
while (1) {
  for my $port (keys %wanted) {
    my $socket = IO::Socket::INET->new(
      LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 50, ReuseAddr => 1) or next;
    delete $wanted{$port};
    $listens{$socket} = 1;
    $select->add($socket);
    print "has $port\\n";
  }
  for my $ready ($select->can_read(%wanted ? 0.001 : 1)) {
    if ($listens{$ready}) { $select->add($ready->accept); next }
    my $got = sysread($ready, my $bytes, 65536);
    if ($got) { print "got $got bytes\\n" } else { $select->remove($ready); close $ready }
  }
}`;

/** A process of another user that wants the ports of a daemon. */
export interface PortThief {
  /** Resolves when it has both of its ports, or so many. */
  has(count: number): Promise<void>;
  /** How many ports it has. */
  count(): number;
  /** How often it was sent something. */
  readonly gets: number;
  /** End it; resolves when its ports are free. */
  stop(): Promise<void>;
}

/** Start a process that tries to take some ports, thousands of times a second. */
export function startThief(ports: readonly number[]): PortThief {
  const isRoot = process.getuid?.() === 0;
  const child: ChildProcess = spawn("/usr/bin/perl", ["-e", SCRIPT, ...ports.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
    ...(isRoot ? { uid: THIEF_UID, gid: THIEF_UID } : {}),
  });
  const killAtExit = () => child.kill("SIGKILL");
  process.once("exit", killAtExit);
  let output = "";
  child.stdout!.setEncoding("utf8").on("data", (text: string) => output += text);
  const count = () => output.split("has ").length - 1;
  return {
    count,
    has: (wanted) => until(`the thief has ${wanted} ports`, () => count() >= wanted),
    get gets() {
      return output.split("got ").length - 1;
    },
    async stop() {
      process.removeListener("exit", killAtExit);
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGKILL");
      await once(child, "exit");
    },
  };
}
