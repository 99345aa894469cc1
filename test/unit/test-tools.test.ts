import { chmod, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { run } from '../../src/process/run.ts';

const script = new URL('../../.ci/install-test-tools', import.meta.url);
const tools = [
  'as',
  'aarch64-linux-gnu-as',
  'cloud-init',
  'qemu-system-aarch64',
  'debugfs',
  'gpgv',
  'ps',
  'xorriso',
  'xz',
];
const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

/** Runs the script on a host that has these tools; its commands do nothing but say what they are. */
async function install(present: readonly string[]): Promise<readonly string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-tools-'));
  folders.push(folder);
  for (const name of [...present, 'apt-get', 'sudo', 'touch', 'mkdir']) {
    await writeFile(join(folder, name), `#!/bin/sh\necho "$(basename "$0") $*" >>${folder}/log\n`);
    await chmod(join(folder, name), 0o755);
  }
  await writeFile(join(folder, 'id'), '#!/bin/sh\necho 0\n');
  await chmod(join(folder, 'id'), 0o755);
  for (const name of ['env', 'basename']) await symlink(join('/usr/bin', name), join(folder, name));
  // No folder of the host, neither to look for tools in nor to write to.
  const text = (await readFile(script, 'utf8'))
    .replace('$PATH:/usr/sbin', folder)
    .replaceAll('/etc/cloud', `${folder}/cloud`);
  await run('/bin/sh', ['-c', text]);
  const log = await readFile(join(folder, 'log'), 'utf8').catch(() => '');
  return log.replaceAll(`${folder}/cloud`, 'CLOUD').split('\n').filter(Boolean);
}

it('installs nothing where every tool is there', async () => {
  expect(await install(tools)).toEqual([]);
});

it('installs only what is missing, and leaves a cloud-init alone that was there', async () => {
  const present = tools.filter((tool) => tool !== 'xorriso' && tool !== 'qemu-system-aarch64');
  expect(await install(present)).toEqual([
    'apt-get -qq update',
    'apt-get -qq -y install --no-install-recommends qemu-system-arm qemu-efi-aarch64 xorriso',
  ]);
});

it('disables a cloud-init that it is about to install', async () => {
  expect(await install(tools.filter((tool) => tool !== 'cloud-init'))).toEqual([
    'apt-get -qq update',
    'mkdir -p CLOUD',
    'touch CLOUD/cloud-init.disabled',
    'apt-get -qq -y install --no-install-recommends cloud-init',
  ]);
});
