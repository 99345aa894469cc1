import { describe, expect, it } from 'vitest';
import { makeMachineConfig } from '../../../src/machine/machine-config.ts';

const boot = { kernelPath: '/k', initrdPath: '/i', kernelArguments: ['a=1', 'b'] };

describe('makeMachineConfig', () => {
  it('holds kernel, initrd and arguments', () => {
    expect(makeMachineConfig(boot)).toBe('[machine]\nkernel = "/k"\ninitrd = "/i"\nappend = "a=1 b"\n');
  });

  it('takes what a shell or an option would trip over', () => {
    const kernelArguments = ["x='a b'", 'c=1,2', '$HOME', '#', '\\n', '%end', '---'];
    expect(makeMachineConfig({ ...boot, kernelArguments })).toContain(`"x='a b' c=1,2 $HOME # \\n %end ---"`);
  });

  it.each([
    ['a double quote', { kernelArguments: ['a="b"'] }, /command line holds a double quote/],
    ['a newline', { kernelArguments: ['a\n[device]'] }, /control character/],
    ['a path with a quote', { kernelPath: '/a"b' }, /path of the kernel holds/],
    ['a command line that QEMU would cut', { kernelArguments: ['x'.repeat(1_012)] }, /is 1 bytes too long/],
    ['a path that QEMU would cut', { initrdPath: `/${'é'.repeat(600)}` }, /path of the initrd is \d+ bytes too long/],
  ])('refuses %s', (_title, changes, message) => {
    const make = () => makeMachineConfig({ ...boot, ...changes });
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: 'kernel-arguments' }));
  });

  it('takes a command line of the greatest length', () => {
    const kernelArguments = ['x'.repeat(1_011)];
    expect(makeMachineConfig({ ...boot, kernelArguments })).toContain(kernelArguments[0]);
  });
});
