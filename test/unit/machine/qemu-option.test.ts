import { describe, expect, it } from 'vitest';
import { qemuOption } from '../../../src/machine/qemu-option.ts';

describe('qemuOption', () => {
  it.each([
    ['commas are doubled', qemuOption('file', { path: '/a,b,,c' }), 'file,path=/a,,b,,,,c'],
    ['an equals sign needs nothing', qemuOption(undefined, { serial: 'ds=nocloud;s=x' }), 'serial=ds=nocloud;s=x'],
    ['booleans are on and off', qemuOption('user', { ipv6: false, x: true }), 'user,ipv6=off,x=on'],
    ['undefined is left out, empty is not', qemuOption('nic', { serial: undefined, romfile: '' }), 'nic,romfile='],
    ['a head alone', qemuOption('VGA'), 'VGA'],
  ])('%s', (_title, actual, expected) => {
    expect(actual).toBe(expected);
  });
});
