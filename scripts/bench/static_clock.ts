import { spawnSync } from "node:child_process";
import { join } from "node:path";

/** `date +%s.%N` as machine code and nothing else: no library is loaded before it runs. */
const SOURCE = `
#include <sys/syscall.h>
#include <time.h>

static long call(long number, long first, long second, long third) {
#if defined(__x86_64__)
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first), "S"(second), "d"(third)
                   : "rcx", "r11", "memory");
  return result;
#else
  register long a asm("x0") = first, b asm("x1") = second, c asm("x2") = third;
  register long n asm("x8") = number;
  __asm__ volatile("svc 0" : "+r"(a) : "r"(n), "r"(b), "r"(c) : "memory");
  return a;
#endif
}

static char *digits(char *end, unsigned long value, int count) {
  while (count-- > 0) {
    *--end = '0' + value % 10;
    value /= 10;
  }
  return end;
}

void _start(void) {
  struct timespec now;
  call(SYS_clock_gettime, CLOCK_REALTIME, (long)&now, 0);
  char line[21];
  line[20] = '\\n';
  char *at = digits(line + 20, now.tv_nsec, 9);
  *--at = '.';
  digits(at, now.tv_sec, 10);
  call(SYS_write, 1, (long)line, 21);
  call(SYS_exit, 0, 0, 0);
}
`;

/**
 * Build a program that writes when it began, in seconds since the epoch, with its first
 * instructions: when its process exists, as nearly as a program can tell.
 *
 * @returns its path; null without a C compiler
 */
export function buildStaticClock(dir: string): string | null {
  const path = join(dir, "static-clock");
  const args = ["-O1", "-static", "-nostdlib", "-fno-stack-protector", "-x", "c", "-", "-o", path];
  return spawnSync("cc", args, { input: SOURCE }).status === 0 ? path : null;
}
