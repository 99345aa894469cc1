import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  type DebianFiles,
  type DebianRunFacts,
  debianFileNames,
  debianKernelArguments,
  debianPackages,
  loadDebianTemplates,
  renderDebianAnswerFile,
} from '../../../src/answer-file/debian.ts';
import { findDistro, findInstallerLock } from '../../../src/distro/catalogue.ts';
import { makePlan } from '../../../src/plan/make-plan.ts';
import type { Plan } from '../../../src/plan/plan.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { makeInputs, makeRecipe } from '../plan/plan-inputs.ts';

const run: DebianRunFacts = {
  seedUrl: 'http://10.0.2.2:1234/token/seed',
  callbackUrl: 'http://10.0.2.2:1234/token/callback',
  mirrorHost: '10.0.2.2:1234',
  mirrorPath: '/token/debian',
  securityHost: '10.0.2.2:1234',
  securityPath: '/token/debian-security',
  udebSuite: 'kvmimg',
  syslogHost: '10.0.2.2',
  syslogPort: 5514,
  buildUserKey: 'ssh-ed25519 AAAAbuild',
  hostKey: { privateKey: '-----BEGIN KEY-----\nabc\n-----END KEY-----\n', publicKey: 'ssh-ed25519 AAAAhost' },
};

async function planFor(settings: Partial<Record<keyof Recipe, unknown>> = {}): Promise<Plan> {
  const distro = await findDistro('debian-13');
  const lock = distro && (await findInstallerLock(distro, 'amd64'));
  if (!distro || !lock) throw new Error('no debian-13');
  const recipe = makeRecipe({ distro: 'debian-13', ...settings });
  const made = makePlan({ ...makeInputs({}), recipe, distro, lock });
  if ('problems' in made) throw new Error(JSON.stringify(made.problems));
  return made.plan;
}

async function render(settings: Partial<Record<keyof Recipe, unknown>> = {}): Promise<DebianFiles> {
  return renderDebianAnswerFile(await planFor(settings), run, await loadDebianTemplates());
}

describe('the answer file of Debian', () => {
  it.each(debianFileNames)('is as it was: %s', async (name) => {
    const files = await render({
      hostname: 'web',
      packages: ['curl'],
      locale: 'de_DE.UTF-8',
      keyboard: 'de(nodeadkeys)',
    });
    await expect(files[name]).toMatchFileSnapshot(`../../../fixtures/golden/debian-13/${name}`);
  });

  it.each(['early.sh', 'pkgdetails.sh', 'base.sh', 'late.sh'] as const)(
    'has scripts that a shell can read: %s',
    async (name) => {
      const files = await render({ kernelArguments: ['net.ifnames=0', 'a=!~*^%'] });
      expect(() => execFileSync('/bin/sh', ['-n'], { input: files[name] })).not.toThrow();
    },
  );

  it('answers each question once', async () => {
    const answers = (await render())['preseed.cfg'].split('\n').filter((line) => /^[a-z]/.test(line));
    const names = answers.map((line) => line.split(/\s+/)[1]);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(answers.every((line) => /^\S+ \S+ (string|boolean|select|multiselect|password|note)( |$)/.test(line))).toBe(
      true,
    );
  });

  it('puts the keys of the build where the first connection needs them', async () => {
    const files = await render();
    expect(files['base.sh']).toContain("host_private_key='-----BEGIN KEY-----\nabc\n-----END KEY-----'\n");
    expect(files['late.sh']).toContain("build_user_key='ssh-ed25519 AAAAbuild'\n");
    expect(files['preseed.cfg']).not.toContain('KEY');
  });
});

describe('debianPackages', () => {
  it('adds what locale and keyboard need, and names each package once', async () => {
    const plain = debianPackages(await planFor());
    expect(plain).toEqual(expect.arrayContaining(['linux-image-amd64', 'grub-cloud-amd64', 'cloud-init', 'sudo']));
    expect(plain).not.toContain('locales');
    const more = debianPackages(await planFor({ locale: 'de_DE.UTF-8', keyboard: 'de', packages: ['sudo', 'curl'] }));
    expect(more.filter((name) => !plain.includes(name))).toEqual([
      'locales',
      'keyboard-configuration',
      'console-setup',
      'curl',
    ]);
    expect(new Set(more).size).toBe(more.length);
  });
});

describe('debianKernelArguments', () => {
  it('tells the installer what it asks before it reads the answer file', async () => {
    expect(debianKernelArguments(await planFor({ hostname: 'web' }), run, ['norandmaps'])).toEqual([
      'auto=true',
      'priority=critical',
      'url=http://10.0.2.2:1234/token/seed/preseed.cfg',
      'hostname=web',
      'domain=',
      'interface=auto',
      'firmware=never',
      'DEBIAN_FRONTEND=text',
      'console=ttyS0',
      'log_host=10.0.2.2',
      'log_port=5514',
      'ipv6.disable=1',
      'norandmaps',
      '---',
    ]);
  });
});
