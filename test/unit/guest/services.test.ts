import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkServices, serviceActions } from '../../../src/guest/services.ts';
import { runCheck } from './run-check.ts';

let programs: string;
beforeAll(() => {
  programs = mkdtempSync(join(tmpdir(), 'kvmimg-services-'));
  // The unit's name up to its dot is its state: `static.service` is static.
  const script = '#!/bin/sh\nfor unit; do :; done\necho "${unit%.*}"\necho noise >&2\n';
  writeFileSync(join(programs, 'systemctl'), script, { mode: 0o755 });
});
afterAll(() => rmSync(programs, { recursive: true }));

const services = (fields: object) => ({ enable: [], disable: [], mask: [], ...fields });

/** How the check of one unit goes, and the action that follows `systemctl enable`. */
function enable(unit: string) {
  const [check] = checkServices(services({ enable: [unit] }));
  const look = serviceActions(services({ enable: [unit] })).at(-1);
  const words = look?.kind === 'command' ? look.words : [];
  return { applied: runCheck(words, { programs }), checked: runCheck(check?.words ?? [], { programs }) };
}

describe('a service that is to be enabled', () => {
  it.each(['enabled.service', 'alias.service', 'indirect.socket'])('is when systemd calls it %s', (unit) => {
    expect(enable(unit)).toEqual({ applied: { passes: true, said: '' }, checked: { passes: true, said: '' } });
  });

  it.each(['disabled.service', 'masked.service', 'enabled-runtime.service', 'linked.service', 'not-found.service'])(
    'is not when systemd calls it %s, while it is applied as when it is checked',
    (unit) => {
      const said = `${unit} is not enabled: ${unit.split('.')[0]}\n`;
      expect(enable(unit)).toEqual({ applied: { passes: false, said }, checked: { passes: false, said } });
    },
  );

  it('fails in its step when it is static, with what to do', () => {
    const { applied, checked } = enable('static.service');
    expect(applied.passes).toBe(false);
    expect(applied.said).toMatch(/^static\.service cannot be enabled, for it has no \[Install\] section/);
    expect(applied.said).toContain('systemctl add-wants multi-user.target static.service');
    expect(checked).toEqual(applied);
  });

  it('is told apart from the others of its step', () => {
    const look = serviceActions(services({ enable: ['enabled.service', 'static.timer', 'masked.path'] })).at(-1);
    const { said } = runCheck(look?.kind === 'command' ? look.words : [], { programs });
    expect(said.split('\n').map((line) => line.split(' ')[0])).toEqual(['static.timer', 'masked.path', '']);
  });
});

describe('the check of a service', () => {
  it.each([
    ['disable', 'disabled.service', true],
    ['disable', 'static.service', true],
    ['disable', 'enabled.service', false],
    ['mask', 'masked.service', true],
    ['mask', 'disabled.service', false],
  ])('to %s that is %s', (verb, unit, passes) => {
    const [check] = checkServices(services({ [verb]: [unit] }));
    expect(runCheck(check?.words ?? [], { programs }).passes).toBe(passes);
  });
});
