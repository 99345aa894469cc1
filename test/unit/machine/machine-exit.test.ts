import { describe, expect, it } from 'vitest';
import { findFault, makeMachineExit } from '../../../src/machine/machine-exit.ts';
import { exitFailure } from '../../../src/machine/machine-watch.ts';

const clean = { exitCode: 0, signal: undefined, lastLines: [] };
const full = findFault({ event: 'BLOCK_IO_ERROR', data: { nospace: true, operation: 'write', reason: 'No space' } });
const unreadable = findFault({ event: 'BLOCK_IO_ERROR', data: { operation: 'read', reason: 'Input/output error' } });

describe('makeMachineExit', () => {
  it.each([
    ['the guest powered off', clean, undefined, 'guest-shutdown', 'guest-shutdown'],
    ['the guest rebooted', clean, undefined, 'guest-reset', 'guest-reset'],
    ['kvmimg ended it', clean, undefined, 'host-qmp-quit', 'quit'],
    ['SIGTERM, which QEMU obeys', clean, undefined, 'host-signal', 'killed'],
    ['SIGKILL', { ...clean, exitCode: undefined, signal: 'SIGKILL' }, undefined, undefined, 'killed'],
    ['a segmentation fault', { ...clean, exitCode: undefined, signal: 'SIGSEGV' }, undefined, undefined, 'crashed'],
    ['the sandbox struck', { ...clean, exitCode: undefined, signal: 'SIGSYS' }, undefined, undefined, 'crashed'],
    ['an error', { ...clean, exitCode: 1 }, undefined, undefined, 'crashed'],
    ['an end that nobody explains', clean, undefined, undefined, 'crashed'],
    ['a reason that a newer QEMU may have', clean, undefined, 'host-whim', 'crashed'],
    ['a full disk, after which kvmimg ended it', clean, full, 'host-qmp-quit', 'no-space'],
    ['a disk that cannot be read', clean, unreadable, 'host-qmp-quit', 'disk-error'],
  ] as const)('%s', (_title, exit, fault, reason, kind) => {
    const result = makeMachineExit(exit, fault, reason);
    expect(result.kind).toBe(kind);
    expect(result.description).toMatch(/^[A-Zk].*\.$/);
  });
});

describe('exitFailure', () => {
  it.each([
    ['the disk of the host is full', full, 'no-space', 'Free space'],
    ['the disk of the host fails', unreadable, 'disk-error', 'dmesg'],
    ['the guest resets', undefined, 'machine-exit', undefined],
  ])('tells that %s, and what to do', (_, fault, code, hint) => {
    const failure = exitFailure(makeMachineExit(clean, fault, 'guest-reset'));
    expect(failure.code).toBe(code);
    if (hint === undefined) expect(failure.hint).toBeUndefined();
    else expect(failure.hint).toContain(hint);
  });
});

describe('findFault', () => {
  it.each([
    ['GUEST_PANICKED', { action: 'pause' }, "The guest's kernel panicked."],
    ['BLOCK_IO_ERROR', { nospace: true }, 'No space is left on the disk of the host.'],
    [
      'BLOCK_IO_ERROR',
      { operation: 'read', reason: 'Input/output error' },
      'The host could not read the disk image: Input/output error.',
    ],
    ['RTC_CHANGE', {}, undefined],
  ])('%s %o', (event, data, description) => {
    expect(findFault({ event, data })?.description).toBe(description);
  });
});
