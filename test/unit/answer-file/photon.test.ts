import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { photonWriter } from '../../../src/answer-file/photon.ts';
import { quoteShellWord } from '../../../src/process/quote-command.ts';
import { publicKey } from '../public-key.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import { type PhotonKickstart, photonKickstart } from './photon-schema.ts';

const templates = await photonWriter.loadTemplates();

async function render(settings: object = {}, run = answerRun): Promise<PhotonKickstart> {
  const files = photonWriter.render(await planForDistro('photon-5', settings), run, templates);
  return photonKickstart.parse(JSON.parse(files['ks.json'] ?? ''));
}

/** What bash makes of the values at the head of the script. */
function readValues(script: readonly string[], names: readonly string[]): Record<string, string> {
  const head = script
    .slice(
      0,
      script.findIndex((line) => line.startsWith('export LANG=')),
    )
    .join('\n');
  const prints = names.map((name) => `printf '%s\\0' "$${name}"`).join('\n');
  const values = execFileSync('/bin/bash', ['-c', `${head}\n${prints}`], { encoding: 'utf8' }).split('\0');
  return Object.fromEntries(names.map((name, index) => [name, values[index] ?? '']));
}

describe('ks.json', () => {
  const golden = 'fixtures/golden/photon-5';

  it.each(readdirSync(golden))('is in the documented format, in the golden file of %s', (name) => {
    const text = readFileSync(join(golden, name, 'ks.json'), 'utf8');
    expect(photonKickstart.safeParse(JSON.parse(text)).error).toBeUndefined();
  });

  it.each([
    ['an unknown key', { hostnam: 'x' }],
    ['a key that the ISO is too old for', { disks: { default: { device: '/dev/sda' } } }],
    ['no root', { partitions: [{ mountpoint: '/var', size: 0, filesystem: 'ext4' }] }],
    [
      '/boot in LVM',
      { partitions: [{ mountpoint: '/boot', size: 0, filesystem: 'ext4', lvm: { vg_name: 'a', lv_name: 'b' } }] },
    ],
  ])('is refused by that format with %s', async (_, wrong) => {
    expect(photonKickstart.safeParse({ ...(await render()), ...wrong }).success).toBe(false);
  });

  it('has scripts that a shell can read', async () => {
    const config = await render({ network: { address: '192.0.2.10/24', gateway: '192.0.2.1' }, ntp: ['192.0.2.2'] });
    for (const script of [config.preinstall, config.postinstall]) {
      execFileSync('/bin/bash', ['-n'], { input: script?.join('\n') ?? '(' });
    }
  });

  it('leaves no value to the variables of the preinstall script', async () => {
    // The installer takes a text that begins with a dollar for the name of one.
    const texts = Object.values(await render()).filter((value) => typeof value === 'string');
    expect(texts.filter((text) => text.startsWith('$'))).toEqual([]);
  });

  it('prints nothing before the installer has read its environment', async () => {
    const { preinstall = [] } = await render();
    const script = `systemctl() { echo loud; }\ncurl() { echo loud; }\nmkdir() { echo loud; }\nprintf() { echo quiet; }\n${preinstall
      .join('\n')
      .replaceAll('/run/systemd', '/tmp/nowhere')}`;
    const output = execFileSync('/bin/bash', ['-c', `${script.replace('sleep 5', 'false')}\ntrue`], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    expect(output.toString()).toBe('');
  });

  it('holds the arguments of the kernel and the keys byte by byte', async () => {
    const { postinstall = [] } = await render({ kernelArguments: ['a=!~*^%', 'net.ifnames=0'] });
    expect(readValues(postinstall, ['kernel_arguments', 'host_private_key', 'packages'])).toEqual({
      kernel_arguments: 'a=!~*^% net.ifnames=0 console=tty0 console=ttyS0,115200',
      host_private_key: answerRun.hostKey.privateKey.trimEnd(),
      packages: 'cloud-utils curl',
    });
  });

  it('holds any key of a repository', async () => {
    const plan = await planForDistro('photon-5', {
      repositories: [{ name: 'more', url: 'https://repo.example.org/more', key: publicKey }],
    });
    const [repository] = plan.recipe.repositories;
    if (!repository) throw new Error('no repository');
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((key) => !key.includes('\0'));
    fc.assert(
      fc.property(text, (key) => {
        const recipe = { ...plan.recipe, repositories: [{ ...repository, key }] };
        const files = photonWriter.render({ ...plan, recipe }, answerRun, templates);
        const script = (JSON.parse(files['ks.json'] ?? '') as PhotonKickstart).postinstall?.join('\n');
        expect(script).toContain(`write_file /etc/pki/rpm-gpg/RPM-GPG-KEY-more 644 ${quoteShellWord(key.trimEnd())}\n`);
      }),
      { numRuns: 50 },
    );
  });

  it('installs what the ISO lacks, and what the recipe wants, from the mirror', async () => {
    const { postinstall = [] } = await render({ locale: 'de_DE.UTF-8', keyboard: 'de', packages: ['jq', 'curl'] });
    expect(readValues(postinstall, ['packages'])).toEqual({ packages: 'cloud-utils curl glibc-i18n kbd jq' });
  });
});

describe('photonKernelArguments', () => {
  it('names one console: with two the installer starts on none', async () => {
    const plan = await planForDistro('photon-5');
    expect(photonWriter.kernelArguments(plan, answerRun, ['norandmaps'])).toEqual([
      'root=/dev/ram0',
      'loglevel=3',
      'photon.media=cdrom',
      'ks=http://10.0.2.2:1234/token/seed/ks.json',
      'insecure_installation=1',
      'console=ttyS0',
      'norandmaps',
    ]);
  });
});
