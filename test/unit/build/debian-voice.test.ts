import { describe, expect, it } from 'vitest';
import { debianVoice } from '../../../src/build/installers/debian-voice.ts';

describe("what Debian's installer says", () => {
  it.each([
    ['main-menu', "INFO: Menu item 'partman-base' selected", 'partitioning'],
    ['main-menu', "INFO: Menu item 'something-new' selected", 'something-new'],
    ['anna', 'DEBUG: retrieving partman-auto 177', 'loading partman-auto'],
    ['debootstrap', 'Unpacking libc6:amd64 (2.41-12) ...', 'unpacking libc6'],
    ['in-target', 'Setting up cloud-init (25.1) ...', 'setting up cloud-init'],
  ])('%s: %s', (tag, text, activity) => {
    expect(debianVoice.readActivity({ tag, text })?.activity).toBe(activity);
  });

  it('gets further from step to step', () => {
    const items = ['choose-mirror', 'partman-base', 'bootstrap-base', 'pkgsel', 'finish-install'];
    const fractions = items.map((item) =>
      debianVoice.readActivity({ tag: 'main-menu', text: `Menu item '${item}' selected` }),
    );
    const values = fractions.map((activity) => activity?.fraction ?? 0);
    expect(values).toEqual([...values].sort((a, b) => a - b));
    expect(values.every((value) => value > 0 && value < 1)).toBe(true);
  });

  it('is not worried by ordinary messages', () => {
    const texts = ['WARNING **: no packages matching running kernel', 'umount: error', 'Setting up libgpg-error0'];
    for (const text of texts) expect(debianVoice.findFailure({ tag: 'x', text })).toBeUndefined();
  });

  it('has failed when a step has failed', () => {
    const text = "WARNING **: Configuring 'bootstrap-base' failed with error code 1";
    expect(debianVoice.findFailure({ tag: 'main-menu', text })?.message).toContain('bootstrap-base');
  });

  it('shows the question above the prompt', () => {
    const failure = debianVoice.findSerialFailure("Prompt: '?' for help> ", [
      '',
      'Please choose the disk:',
      '  1: sda',
    ]);
    expect(failure?.evidence[0]?.lines).toEqual(['Please choose the disk:', '  1: sda', "Prompt: '?' for help> "]);
  });
});

describe('a dialogue that waits for Enter', () => {
  const enter = '[Press enter to continue] ';

  it('is an error with its title, and what it says', () => {
    const dialogue = ['!! ERROR: Failed to run preseeded command', 'Execution of "sh x" failed with exit code 1.'];
    const failure = debianVoice.findSerialFailure(enter, ['Starting up the partitioner', ...dialogue]);
    expect(failure?.code).toBe('installer-error');
    expect(failure?.message).toContain('waits on the console: Failed to run preseeded command.');
    expect(failure?.evidence[0]?.lines).toEqual([...dialogue, enter]);
  });

  it('is a failure without a title, too', () => {
    const failure = debianVoice.findSerialFailure(enter, ['Something is wrong']);
    expect(failure?.message).toBe('The installer has stopped and waits on the console.');
    expect(failure?.evidence[0]?.lines).toEqual(['Something is wrong', enter]);
  });
});

describe('callbacks of the scripts', () => {
  it('are a failure when the script says so', () => {
    const failureOf = (name: string) => debianVoice.findCallbackFailure({ name, body: '' });
    expect(failureOf('late-end/3')?.message).toContain('late script');
    for (const name of ['late-end/0', 'early', 'late', 'partman']) expect(failureOf(name)).toBeUndefined();
  });
});

describe('signs of life', () => {
  it("are not the clock of screen's status line", () => {
    const status = '           (1*installer)  2 shell  3 shell  4- log            [ Nov 23  7:02 ]';
    expect(debianVoice.isIdleLine(status)).toBe(true);
    expect(debianVoice.isIdleLine('Installing the base system  ... 3%')).toBe(false);
  });
});
