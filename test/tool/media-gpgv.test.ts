import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBuildKey } from '../../src/media/build-key.ts';
import { packageRoot } from '../../src/package-root.ts';
import { run } from '../../src/process/run.ts';

const key = await makeBuildKey();
const release = 'Suite: kvmimg\nComponents: main\n';
let dir: string;

// The keyring as d-i gets it: Debian's, with the build's key behind it.
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kvmimg-gpgv-'));
  const debian = await readFile(join(packageRoot, 'distros', 'keys', 'debian-archive-keyring.gpg'));
  await writeFile(join(dir, 'archive.gpg'), Buffer.concat([debian, key.publicKeyring]));
  await writeFile(join(dir, 'Release'), release);
  await writeFile(join(dir, 'Release.gpg'), await key.signDetached(Buffer.from(release)));
  await writeFile(join(dir, 'InRelease'), await key.signClear(release));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The call that net-retriever makes, and whether it would be satisfied. */
async function isAccepted(...files: string[]): Promise<boolean> {
  const keyring = join(dir, 'archive.gpg');
  const paths = files.map((name) => join(dir, name));
  const args = ['--status-fd', '1', '--keyring', keyring, '--ignore-time-conflict', ...paths];
  const { stdout } = await run('gpgv', args, { okExitCodes: [0, 1, 2], env: { GNUPGHOME: dir } });
  return /^\[GNUPG:\] VALIDSIG /m.test(stdout);
}

describe('the build key', () => {
  it('satisfies gpgv, detached and clear-signed', async () => {
    expect(await isAccepted('Release.gpg', 'Release')).toBe(true);
    expect(await isAccepted('InRelease')).toBe(true);
  });

  it('does not satisfy gpgv for another text', async () => {
    await writeFile(join(dir, 'Other'), `${release}Extra: field\n`);
    expect(await isAccepted('Release.gpg', 'Other')).toBe(false);
  });
});
