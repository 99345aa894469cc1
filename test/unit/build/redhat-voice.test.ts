import { describe, expect, it } from 'vitest';
import { redhatVoice } from '../../../src/build/installers/redhat-voice.ts';

const activityOf = (text: string) => redhatVoice.readActivity({ tag: 'anaconda', text });

describe('what Anaconda says', () => {
  it.each([
    ['Installing libgcc.x86_64 (1/392)', 'installing libgcc'],
    ['Installing NetworkManager-libnm.aarch64 (100/392)', 'installing NetworkManager-libnm'],
    ['Configuring kernel-core.x86_64', 'configuring kernel-core'],
    ['INF packaging: Installed: glibc-common-2.34-100.el9.x86_64', 'installing glibc-common'],
    ['Downloading 392 RPMs, 12.3 MiB / 308.2 MiB (4%) done.', 'downloading packages'],
    ['INF installation: Task started: Install the boot loader (12/40)', 'installing the boot loader'],
    ['Creating ext4 on /dev/vda3', 'partitioning'],
    ['Generating initramfs', 'generating the initramfs'],
  ])('%s', (text, activity) => {
    expect(activityOf(text)?.activity).toBe(activity);
  });

  it('gets further from step to step', () => {
    const texts = [
      'Starting automated install....',
      'Creating disklabel on /dev/vda',
      'Starting package installation process',
      'Downloading 392 RPMs, 1 MiB / 308.2 MiB (50%) done.',
      'Preparing transaction from installation source',
      'Installing bash.x86_64 (100/392)',
      'Installing vim.x86_64 (392/392)',
      'Installing boot loader',
      'Generating initramfs',
      'Running post-installation scripts',
      'Storing configuration files and kickstarts',
    ];
    const fractions = texts.map((text) => activityOf(text)?.fraction ?? 0);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(fractions.every((fraction) => fraction > 0 && fraction < 1)).toBe(true);
  });

  it('is not worried by ordinary messages', () => {
    const texts = [
      'WRN kickstart: error in the past',
      'DBG ui: Unknown command',
      'INF threading: Thread Done: AnaWaitForThread',
    ];
    for (const text of texts) {
      expect(redhatVoice.findFailure({ tag: 'anaconda', text })).toBeUndefined();
      expect(redhatVoice.findSerialFailure(text, [])).toBeUndefined();
      expect(activityOf(text)).toBeUndefined();
    }
  });
});

describe('failures on the console', () => {
  it.each([
    ['Fatal glibc error: CPU does not support x86-64-v2', [], 'installer-cpu', /needs x86-64-v2/],
    [
      'dracut-initqueue[612]: Warning: anaconda: failed to fetch kickstart from http://10.0.2.2:1/t/seed/ks.cfg',
      [],
      'installer-answer-file',
      /fetch its answer file/,
    ],
    [
      'anaconda: failed to fetch stage2 from http://10.0.2.2:1/t/packages/9/BaseOS/x86_64/os',
      [],
      'installer-stage2',
      /from 9\/BaseOS\/x86_64\/os on the mirror/,
    ],
    [
      'Entering emergency mode. Exit the shell to continue.',
      ['Warning: /dev/root does not exist'],
      'installer-boot',
      /emergency shell/,
    ],
    ['Please make a selection from the above: ', ['1) Report Bug'], 'installer-question', /stopped to ask/],
    [
      "Please make a selection from the above ['b' to begin installation, 'h' to help,",
      [],
      'installer-question',
      /stopped to ask/,
    ],
    ['An unknown error has occurred', [], 'installer-error', /error of its own/],
    ['Non interactive installation failed: No space left', [], 'installer-error', /failed: No space left/],
    ['Pane is dead (status 1, Mon Nov 23 06:20:48 2026)', [], 'installer-error', /ended before its time/],
    [
      'The installer will now terminate.',
      [
        'An error occurred during reading the kickstart file:',
        'The following problem occurred on line 12 of the kickstart file:',
      ],
      'installer-answer-file',
      /refuses its answer file/,
    ],
    [
      'The installer will now terminate.',
      ['incomplete spokes detected while running in non-interactive cmdline mode.'],
      'installer-question',
      /leaves open/,
    ],
    [
      'The installer will now terminate.',
      ['There was an error running the kickstart script at line 40.  This is a fatal error'],
      'installer-script',
      /line 40/,
    ],
    ['The installer will now terminate.', ['Something new'], 'installer-error', /ended with an error/],
  ])('%s', (line, before, code, message) => {
    const failure = redhatVoice.findSerialFailure(line, before);
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(failure?.evidence[0]?.lines).toEqual([...before, line]);
  });

  it('waits for the reason, which comes after the line that begins it', () => {
    expect(redhatVoice.findSerialFailure('An error occurred during reading the kickstart file:', [])).toBeUndefined();
  });
});

describe('callbacks', () => {
  const failureOf = (name: string) => redhatVoice.findCallbackFailure({ name, body: '' });

  it('are failures when a script or a section for failures says so', () => {
    expect(failureOf('post-end/3')).toMatchObject({
      code: 'installer-script',
      message: expect.stringContaining('code 3'),
    });
    for (const name of ['onerror', 'traceback']) expect(failureOf(name)?.code).toBe('installer-error');
    for (const name of ['post-end/0', 'early', 'post', 'log/anaconda']) expect(failureOf(name)).toBeUndefined();
  });

  it('bring the lines of logs, without the time that each begins with', () => {
    const body = '12:00:01,123 INF kickstart: one\n\n12:00:02,000 DBG two\nthree\n';
    expect(redhatVoice.readCallback?.({ name: 'log/anaconda.log', body })).toEqual([
      { tag: 'anaconda.log', text: 'INF kickstart: one' },
      { tag: 'anaconda.log', text: 'DBG two' },
      { tag: 'anaconda.log', text: 'three' },
    ]);
    expect(redhatVoice.readCallback?.({ name: 'early', body: 'x' })).toEqual([]);
  });

  it('tell of a failure that a log reports', () => {
    const text = 'ERR parsing: The following problem occurred on line 7 of the kickstart file:';
    expect(redhatVoice.findFailure({ tag: 'anaconda', text })?.message).toContain('line 7');
  });
});

describe('signs of life', () => {
  it.each(['...........', '', '[anaconda]1:main* 2:shell  3:log  4:storage-log >Switch tab: Alt+Tab | Help: F1'])(
    'are not %j',
    (line) => {
      expect(redhatVoice.isIdleLine(line)).toBe(true);
    },
  );

  it('are messages', () => {
    expect(redhatVoice.isIdleLine('Installing bash.x86_64 (10/300)')).toBe(false);
  });
});
