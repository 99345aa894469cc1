import { KvmimgError } from '../errors.ts';
import { leftoverMark, makeFarewellScript, makeSealScript, type SealFacts, sealedMark } from './seal-script.ts';
import type { SshSession } from './ssh-session.ts';

const sealLimitMs = 15 * 60_000;

/**
 * Seals a running guest: cleans it, then hands it the last act, which outlives the SSH connection and ends with the
 * guest's own power-off. The caller waits for the machine to exit and then asks `checkSealed`.
 *
 * @throws KvmimgError `program-failed` when a sealing command fails, `ssh-lost`.
 */
export async function seal(
  guest: SshSession,
  facts: SealFacts,
  options: {
    readonly signal: AbortSignal;
    readonly onActivity: (activity: string) => void;
    /** Called before the last act is started, from when on the guest may power off. */
    readonly onLastAct: () => void;
  },
): Promise<void> {
  const { signal } = options;
  // /run is not on the disk, so what is written there needs no clean-up.
  const write = (name: string, content: string): Promise<void> =>
    guest.writeFile({ path: `/run/kvmimg/${name}`, content, mode: '0700', owner: 'root:root' }, signal);
  await write('seal', makeSealScript(facts));
  await write('farewell', makeFarewellScript(facts));
  const onLine = (line: string): void => {
    const title = /^kvmimg: (.*)$/.exec(line)?.[1];
    if (title) options.onActivity(title);
  };
  await guest.runAsRoot(['sh', '/run/kvmimg/seal'], { signal, onLine, timeoutMs: sealLimitMs });
  options.onLastAct();
  options.onActivity('removing the build user and trimming the disk');
  await guest.runAsRoot(['systemd-run', '-q', '--no-block', '--unit=kvmimg-farewell', 'sh', '/run/kvmimg/farewell'], {
    signal,
  });
  await guest.close();
}

/**
 * Reads what the last act said on the serial console.
 *
 * @throws KvmimgError `leftovers`, naming each.
 */
export function checkSealed(serialLines: readonly string[]): void {
  const leftovers = serialLines.flatMap((line) => {
    const at = line.indexOf(leftoverMark);
    return at < 0 ? [] : [line.slice(at + leftoverMark.length).trim()];
  });
  if (leftovers.length === 0 && serialLines.some((line) => line.includes(sealedMark))) return;
  throw new KvmimgError({
    code: 'leftovers',
    message:
      leftovers.length > 0
        ? `The sealed image still holds: ${leftovers.join(', ')}.`
        : 'The guest powered off without saying that the image is clean.',
    hint: 'A provision step that writes these must remove them again; otherwise it is a fault of the sealing.',
    evidence: [{ title: 'Serial console', lines: serialLines.slice(-20) }],
  });
}
