/**
 * The host's port that leads to the guest's port 22, from the answer to QEMU's `info usernet`. QEMU is told port 0, so
 * that the system chooses, and this is where it says which: no other program can take it in between.
 */
export function parseForwardedSshPort(usernet: string): number | undefined {
  for (const line of usernet.split('\n')) {
    const match = /TCP\[HOST_FORWARD\]\s+\S+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+22\s/.exec(line);
    if (match) return Number(match[1]);
  }
  return undefined;
}
