import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import {
  type DebianFiles,
  debianKernelArguments,
  debianPackages,
  loadDebianTemplates,
  renderDebianAnswerFile,
} from '../../../src/answer-file/debian.ts';
import type { Recipe } from '../../../src/recipe/schema.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';

const planFor = (settings: Partial<Record<keyof Recipe, unknown>> = {}) => planForDistro('debian-13', settings);

async function render(settings: Partial<Record<keyof Recipe, unknown>> = {}): Promise<DebianFiles> {
  return renderDebianAnswerFile(await planFor(settings), answerRun, await loadDebianTemplates());
}

describe('the answer file of Debian', () => {
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
    expect(debianKernelArguments(await planFor({ hostname: 'web' }), answerRun, ['norandmaps'])).toEqual([
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
