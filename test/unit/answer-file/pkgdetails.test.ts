import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fillTemplate, readTemplate } from '../../../src/answer-file/template.ts';
import { quoteShellWord } from '../../../src/process/quote-command.ts';

let dir: string;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'kvmimg-pkgdetails-'));
  const template = await readTemplate('preseed/pkgdetails.sh');
  const script = fillTemplate(template, { basePackages: 'bash libc6 awk' }, quoteShellWord);
  // The same script, with the program that it stands in for and its small file in a folder of this test.
  const moved = script
    .replaceAll('/tmp/kvmimg', `${dir}/kvmimg`)
    .replace('/usr/lib/debootstrap/pkgdetails.real', `${dir}/real`);
  writeFileSync(join(dir, 'pkgdetails'), moved);
  // Writes down how it was called; STANZAS answers as the real one would.
  writeFileSync(
    join(dir, 'real'),
    `#!/bin/sh\necho "$*" >>${dir}/calls\nif [ "$1" = STANZAS ]; then echo "Package: bash"; else echo answer; fi\n`,
  );
  for (const name of ['pkgdetails', 'real']) chmodSync(join(dir, name), 0o755);
});
afterEach(() => rmSync(dir, { recursive: true }));

function ask(...args: string[]): string {
  return execFileSync(join(dir, 'pkgdetails'), args, { encoding: 'utf8' });
}

const calls = (): string[] => readFileSync(join(dir, 'calls'), 'utf8').trim().replaceAll(dir, 'DIR').split('\n');

describe('the stand-in for pkgdetails', () => {
  it('reads the whole index once, and the small one from then on', () => {
    expect(ask('GETDEPS', '/index', 'bash')).toBe('answer\n');
    ask('PKGS', 'REAL', '/index', 'bash', 'awk');
    ask('STANZAS', '/index', 'libc6');
    expect(calls()).toEqual([
      'STANZAS /index bash libc6 awk',
      'GETDEPS DIR/kvmimg-packages bash',
      'PKGS REAL DIR/kvmimg-packages bash awk',
      'STANZAS DIR/kvmimg-packages libc6',
    ]);
  });

  it('asks the whole index about names that it does not know, and about properties', () => {
    ask('GETDEPS', '/index', 'bash', 'newcomer');
    ask('PKGS', 'REAL', '/index', 'ba');
    ask('FIELD', 'Priority:', 'REAL', '/index', 'required');
    ask('WGET%', '1', '2', '3');
    expect(calls()).toEqual([
      'GETDEPS /index bash newcomer',
      'PKGS REAL /index ba',
      'FIELD Priority: REAL /index required',
      'WGET% 1 2 3',
    ]);
    expect(existsSync(join(dir, 'kvmimg-packages'))).toBe(false);
  });

  it('does not answer from one index for another', () => {
    ask('GETDEPS', '/index', 'bash');
    ask('GETDEPS', '/other', 'bash');
    expect(calls().at(-1)).toBe('GETDEPS /other bash');
  });
});
