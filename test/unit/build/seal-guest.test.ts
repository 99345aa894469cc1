import { describe, expect, it } from 'vitest';
import type { BuildRun } from '../../../src/build/build-run.ts';
import { sealGuest } from '../../../src/build/seal-guest.ts';
import { sealedMark } from '../../../src/guest/seal-script.ts';
import type { SshSession } from '../../../src/guest/ssh-session.ts';
import type { WatchedMachine } from '../../../src/machine/machine-watch.ts';
import { planForDistro } from '../answer-file/answer-inputs.ts';

const plan = await planForDistro('debian-13', {});
const run = {
  plan,
  decision: { accel: 'kvm' },
  services: { guestRoot: 'http://10.0.2.2:1234/token' },
} as unknown as BuildRun;

/** A guest whose seal script says these lines. */
function makeGuest(lines: readonly string[]): SshSession {
  const result = { stdout: 'bash\t5.2\tamd64\n', stderr: '', exitCode: 0 };
  return {
    run: async () => result,
    runAsRoot: async (words: readonly string[], options: { readonly onLine?: (line: string) => void }) => {
      if (words.includes('/run/kvmimg/seal')) for (const line of lines) options.onLine?.(line);
      return result;
    },
    writeFile: async () => {},
    close: async () => {},
  } as unknown as SshSession;
}

describe('the seal of a guest', () => {
  it('takes each thing that the guest says it does for a sign of life, and tells it', async () => {
    const heard: string[] = [];
    const watched = {
      machine: { hasExited: () => true, lastSerialLines: () => [sealedMark] },
      signal: new AbortController().signal,
      sign: () => heard.push('sign'),
      expectExit: () => heard.push('exit expected'),
      untilPoweredOff: async () => {},
    } as unknown as WatchedMachine;
    const guest = makeGuest(['kvmimg: removing caches', 'chatter', 'kvmimg: removing keys']);
    const packages = await sealGuest(run, { guest, watched }, (activity) => heard.push(activity));
    expect(heard).toEqual([
      ...['sign', 'removing caches', 'sign', 'removing keys', 'exit expected'],
      ...['sign', 'removing the build user and trimming the disk'],
    ]);
    expect(packages.map(({ name }) => name)).toEqual(['bash']);
  });
});
