import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { makeActions, makeChecks, makeGroupActions, makeUserActions } from '../../../src/guest/elements.ts';
import { packageManagers } from '../../../src/guest/packages/package-manager.ts';
import type { Step } from '../../../src/recipe/schema.ts';
import { describeStep } from '../../../src/recipe/step.ts';
import { exampleKey } from '../example-ssh-key.ts';
import { makeRecipe } from '../plan/plan-inputs.ts';
import { publicKey } from '../public-key.ts';
import { runCheck } from './run-check.ts';

const recipe = makeRecipe({
  name: 'example',
  distro: 'debian-13',
  packages: ['curl'],
  users: [{ name: 'ops', sshKeys: [exampleKey], groups: ['adm'] }],
  kernelArguments: ['nomodeset'],
  provision: [
    { packages: ['jq', 'tree'] },
    {
      files: [
        { path: '/etc/a', content: 'one\n' },
        { path: '/etc/b', source: 'b.txt', mode: '0750', owner: 'ops' },
      ],
    },
    { sysctls: { 'vm.swappiness': 7 } },
    { services: { enable: ['chrony.service'], mask: ['apt-daily.timer'] } },
    { scripts: [{ name: 'mark', run: 'echo hi' }, { source: 'b.txt' }] },
    { sysctls: { 'vm.swappiness': 9, 'net.ipv4.ip_forward': 1 } },
    { files: [{ path: '/etc/a', content: 'two\n' }] },
  ],
});
const sources = new Map([['b.txt', new TextEncoder().encode('from b\n')]]);
const digests = new Map([['b.txt', createHash('sha256').update('from b\n').digest('hex')]]);
const context = { sources, digests, packages: packageManagers.debian };
const step = (index: number): Step => {
  const found = recipe.provision[index];
  if (!found) throw new Error(`no step ${index}`);
  return found;
};

describe('makeActions', () => {
  it('installs packages without recommends and without questions', () => {
    const [update, install] = makeActions(step(0), context);
    expect(update).toMatchObject({ kind: 'command', words: expect.arrayContaining(['apt-get', 'update']) });
    expect(install).toMatchObject({
      words: expect.arrayContaining(['DEBIAN_FRONTEND=noninteractive', '--no-install-recommends', '--', 'jq', 'tree']),
    });
  });

  it('writes files with content, mode and owner', () => {
    expect(makeActions(step(1), context)).toEqual([
      {
        kind: 'write',
        title: 'write /etc/a',
        file: { path: '/etc/a', mode: '0644', owner: 'root:root', content: 'one\n' },
      },
      {
        kind: 'write',
        title: 'write /etc/b',
        file: { path: '/etc/b', mode: '0750', owner: 'ops', content: sources.get('b.txt') },
      },
    ]);
  });

  it('writes the sysctls of earlier steps as well, because one file holds all', () => {
    const [write] = makeActions(step(5), context, { 'vm.swappiness': 7, 'kernel.panic': 10 });
    expect(write).toMatchObject({
      file: { content: 'vm.swappiness = 9\nkernel.panic = 10\nnet.ipv4.ip_forward = 1\n' },
    });
  });

  it('asks systemd once a verb', () => {
    expect(makeActions(step(3), context).map((action) => action.title)).toEqual([
      'enable chrony.service',
      'see that chrony.service can start at boot',
      'mask apt-daily.timer',
    ]);
  });

  it('takes a script from the recipe or from its file', () => {
    expect(makeActions(step(4), context)).toEqual([
      { kind: 'script', title: 'script mark', text: 'echo hi' },
      { kind: 'script', title: 'script b.txt', text: 'from b\n' },
    ]);
  });
});

describe('makeUserActions', () => {
  it('makes users with a key and a sudo rule, and no password; groups come later', () => {
    const actions = makeUserActions(recipe.users);
    expect(actions.map((action) => action.title)).toEqual([
      'make user ops',
      'write the SSH keys of ops',
      'protect the SSH folder of ops',
      'let ops use sudo',
    ]);
    expect(actions[1]).toMatchObject({ file: { content: `${exampleKey}\n`, mode: '0600', owner: 'ops:ops' } });
  });
});

describe('makeGroupActions', () => {
  it('adds users to groups', () => {
    expect(makeGroupActions(recipe.users).map((action) => action.title)).toEqual(['add ops to group adm']);
  });
});

describe('makeChecks', () => {
  const checks = makeChecks(recipe, context);

  it('checks everything that is declared', () => {
    expect(checks.map((check) => check.element)).toEqual([
      'package curl',
      'package jq',
      'package tree',
      'user ops',
      'SSH key of ops',
      'sudo of ops',
      'group adm of ops',
      'file /etc/a',
      'file /etc/b',
      'sysctl vm.swappiness',
      'sysctl net.ipv4.ip_forward',
      'service chrony.service enabled',
      'service apt-daily.timer masked',
      'timezone Etc/UTC',
      'locale C.UTF-8',
      'keyboard us',
      'file system /',
      'kernel argument nomodeset',
    ]);
  });

  it('checks what only the installer makes, and nothing of it on a base image', () => {
    const installed = {
      disk: { layout: 'separate', filesystem: 'xfs', volumes: [{ path: '/srv', size: '1GiB' }], swap: '1GiB' },
      network: { address: '192.0.2.10/24', gateway: '192.0.2.1' },
      ntp: ['ntp.example.org'],
      repositories: [{ name: 'more', url: 'http://r.example.org/more', key: publicKey }],
    };
    const elementsOf = (settings: object): string[] =>
      makeChecks(makeRecipe(settings), context).map(({ element }) => element);
    expect(elementsOf(installed)).toEqual([
      ...['timezone Etc/UTC', 'locale C.UTF-8', 'keyboard us', 'file system /srv', 'file system /', 'swap'],
      ...['repository more', 'time server ntp.example.org', 'address 192.0.2.10/24'],
    ]);
    expect(elementsOf({ ...installed, base: 'disk.qcow2' })).toEqual([]);
    // The user's own answer file is held to what the recipe says beside it, but for the disk.
    const declared = ['repository more', 'time server ntp.example.org', 'address 192.0.2.10/24'];
    const own = { ...installed, answerFile: 'own.cfg' };
    expect(elementsOf(own)).toEqual(declared);
    expect(elementsOf({ ...own, timezone: 'Europe/Berlin' })).toEqual(['timezone Europe/Berlin', ...declared]);
    expect(elementsOf({ ...own, keyboard: 'de' })).toEqual(['keyboard de', ...declared]);
  });

  it('expects of a path and of a sysctl what the last step says', () => {
    const words = (element: string) => checks.find((check) => check.element === element)?.words ?? [];
    expect(words('sysctl vm.swappiness').at(-1)).toBe('9');
    expect(words('file /etc/a').at(-1)).toBe(createHash('sha256').update('two\n').digest('hex'));
  });

  it('tells a file that is as declared from one that is not, byte by byte', () => {
    const folder = mkdtempSync(join(tmpdir(), 'kvmimg-elements-'));
    const path = join(folder, 'file');
    const content = 'It\'s "quoted" $HOME\nnul: \0 end';
    const wanted = makeRecipe({
      name: 'x',
      distro: 'x',
      provision: [{ files: [{ path, content, mode: '0600', owner: `${userInfo().username}` }] }],
    });
    const [check] = makeChecks(wanted, context);
    const passes = (): boolean => {
      const [program = '', ...args] = check?.words ?? [];
      try {
        execFileSync(program, args, { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    };
    try {
      expect(passes()).toBe(false);
      writeFileSync(path, content, { mode: 0o600 });
      expect(passes()).toBe(true);
      writeFileSync(path, `${content}.`);
      expect(passes()).toBe(false);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the check of a sysctl', () => {
  it.each([
    ['7\\n', 7, true],
    ['4096\\t87380\\t6291456\\n', '4096 87380 6291456', true],
    ['60\\n', 7, false],
  ])('reads %s', (output, value, passes) => {
    const folder = mkdtempSync(join(tmpdir(), 'kvmimg-sysctl-'));
    writeFileSync(join(folder, 'sysctl'), `#!/bin/sh\nprintf '${output}'\n`, { mode: 0o755 });
    const wanted = makeRecipe({
      name: 'x',
      distro: 'x',
      provision: [{ sysctls: { 'net.ipv4.tcp_rmem': value } }],
    });
    const [program = '', ...args] = makeChecks(wanted, context)[0]?.words ?? [];
    const check = () =>
      execFileSync(program, args, { env: { PATH: `${folder}:${process.env.PATH}` }, stdio: 'ignore' });
    try {
      if (passes) check();
      else expect(check).toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('the check of a kernel argument', () => {
  it.each([
    ['console=ttyS1', true],
    ['a=1', true],
    ['nomodeset', true],
    ['console=ttyS', false],
    ['a', false],
    ['a=10', false],
    ['net.*', false],
  ])('finds %s as a whole word or not at all', (argument, passes) => {
    const folder = mkdtempSync(join(tmpdir(), 'kvmimg-cmdline-'));
    writeFileSync(join(folder, 'cmdline'), 'BOOT_IMAGE=/vmlinuz net.x console=ttyS1 a=1 b=a=10 nomodeset\n');
    const wanted = makeRecipe({ kernelArguments: [argument] });
    const check = makeChecks(wanted, context).find(({ element }) => element === `kernel argument ${argument}`);
    try {
      expect(runCheck(check?.words ?? [], { moved: { '/proc/': `${folder}/` } }).passes).toBe(passes);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('describeStep', () => {
  it('names what the step is about', () => {
    expect(recipe.provision.map(describeStep)).toEqual([
      'packages jq, tree',
      'files /etc/a, /etc/b',
      'sysctls vm.swappiness',
      'services',
      'scripts mark, b.txt',
      'sysctls vm.swappiness, net.ipv4.ip_forward',
      'files /etc/a',
    ]);
  });
});
