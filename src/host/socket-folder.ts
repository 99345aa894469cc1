import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';

/** `sun_path` holds 104 bytes with its end on macOS, 108 on Linux. */
const maxSocketPathBytes = 103;

/**
 * A folder for a socket whose name has at most `nameBytes`: the one that is wanted, or one with a short path in the
 * system's temporary folder where the path of the socket would be too long. Only the latter is removed by the scope.
 */
export async function makeSocketFolder(wanted: string, nameBytes: number, scope: Scope): Promise<string> {
  if (Buffer.byteLength(wanted) + 1 + nameBytes <= maxSocketPathBytes) {
    await mkdir(wanted, { recursive: true, mode: 0o700 });
    return wanted;
  }
  const folder = await mkdtemp(join(tmpdir(), 'kvmimg-socket-'));
  const forget = registerKill(() => rmSync(folder, { recursive: true, force: true }));
  scope.defer(`socket folder ${folder}`, async () => {
    await rm(folder, { recursive: true, force: true });
    forget();
  });
  return folder;
}
