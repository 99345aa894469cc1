import { describe, expect, it } from 'vitest';
import { ubuntuVoice } from '../../../src/build/installers/ubuntu-voice.ts';

/** An event as curtin's webhook reporter sends it. */
function event(type: 'start' | 'finish', name: string, { description = '', result = '' } = {}) {
  const body = {
    ...{ name: `subiquity/${name}`, description, event_type: type, origin: 'curtin', timestamp: 1_790_000_000.5 },
    ...{ level: 'INFO' },
    ...(result && { result }),
  };
  return ubuntuVoice.readCallback?.({ name: 'webhook', body: JSON.stringify(body) }) ?? [];
}

function activityOf(type: 'start' | 'finish', name: string, description = '') {
  return event(type, name, { description }).map((message) => ubuntuVoice.readActivity(message))[0];
}

describe("the events of Ubuntu's installer", () => {
  it('become messages, with their result at the end', () => {
    expect(event('start', 'Install/install/curtin_install', { description: 'installing system' })).toEqual([
      { tag: 'subiquity', text: 'start: subiquity/Install/install/curtin_install: installing system' },
    ]);
    expect(event('finish', 'Early/run/command_0', { result: 'SUCCESS' })).toEqual([
      { tag: 'subiquity', text: 'finish: subiquity/Early/run/command_0: SUCCESS' },
    ]);
  });

  it.each([
    '',
    'no JSON',
    'null',
    '[]',
    '{"name": 1}',
    '{"name":"a","description":"b","event_type":"start","result":1}',
  ])('are shown as they came when they are something else: %j', (body) => {
    expect(ubuntuVoice.readCallback?.({ name: 'webhook', body })).toEqual([{ tag: 'subiquity', text: body }]);
  });

  const curtin = 'Install/install/curtin_install/run_curtin_step/cmd-install';
  const order = [
    'Early/run',
    'apply_autoinstall_config',
    'Install/install/configure_apt',
    `${curtin}/stage-partitioning/builtin/cmd-block-meta`,
    `${curtin}/stage-extract/builtin/cmd-extract`,
    `${curtin}/stage-curthooks/builtin/cmd-curthooks`,
    `${curtin}/stage-curthooks/builtin/cmd-curthooks/installing-kernel`,
    'Install/install/postinstall',
    'Install/install/postinstall/run_unattended_upgrades',
    'Late/run',
    'Shutdown/shutdown',
  ];

  it('tell how far the install is, and it gets further from step to step', () => {
    const fractions = order.map((name) => activityOf('start', name)?.fraction ?? 0);
    expect(fractions).toEqual([...new Set(fractions)].sort((a, b) => a - b));
    expect(fractions.every((fraction) => fraction > 0 && fraction < 1)).toBe(true);
  });

  it('name the package that is installed, and no command', () => {
    const name = 'Install/install/postinstall/install_open-vm-tools';
    expect(activityOf('start', name, 'installing open-vm-tools')).toEqual({ activity: 'installing open-vm-tools' });
    expect(activityOf('start', 'Late/run/command_0', 'curl -fsS http://10.0.2.2:1/token/x')).toBeUndefined();
    expect(activityOf('finish', order[0] ?? '')).toBeUndefined();
  });

  it('say at once what is wrong with the answer file', () => {
    const [message] = event('finish', 'Updates/load_autoinstall_data', {
      description: "'justno' is not one of ['security', 'all']\n\nOn instance:\n    'justno'",
      result: 'FAIL',
    });
    const failure = message && ubuntuVoice.findFailure(message);
    expect(failure).toMatchObject({ code: 'installer-answer-file', message: expect.stringContaining('Updates') });
    expect(failure?.evidence[0]?.lines[0]).toBe("'justno' is not one of ['security', 'all']");
    const [core] = event('finish', 'core_validation', { result: 'FAIL' });
    expect(core && ubuntuVoice.findFailure(core)?.code).toBe('installer-answer-file');
  });

  it.each(['Install/install', 'Install/install/postinstall/install_jq/retrieving', 'Late/run', 'Network/_send_update'])(
    'leave the word to error.sh when a step has failed, if it was the end at all: %s',
    (name) => {
      for (const message of event('finish', name, { result: 'FAIL' })) {
        expect(ubuntuVoice.findFailure(message)).toBeUndefined();
      }
    },
  );
});

describe('callbacks of the scripts', () => {
  const failureOf = (name: string, body = '') => ubuntuVoice.findCallbackFailure({ name, body });

  it('bring logs line by line', () => {
    const messages = ubuntuVoice.readCallback?.({ name: 'log/curtin-install.log', body: 'one\n\n  two\n' });
    expect(messages).toEqual([
      { tag: 'curtin-install.log', text: 'one' },
      { tag: 'curtin-install.log', text: '  two' },
    ]);
  });

  it('say that the installer has failed, and with what', () => {
    expect(failureOf('failed', 'E: Unable to locate package jqq\n')?.evidence).toEqual([
      { title: 'What the installer says', lines: ['E: Unable to locate package jqq'] },
    ]);
    expect(failureOf('late-end/100')).toMatchObject({ code: 'installer-script' });
  });

  it.each(['early', 'late', 'late-end/0', 'progress', 'webhook', 'log/late'])('are no failure: %s', (name) => {
    expect(failureOf(name)).toBeUndefined();
    if (name !== 'webhook') expect(ubuntuVoice.readCallback?.({ name, body: '' })).toEqual([]);
  });
});

describe('lines of the journal', () => {
  it.each([
    ['Unpacking libc6:amd64 (2.41-12) ...', 'unpacking libc6'],
    ['Setting up cloud-init (25.1) ...', 'setting up cloud-init'],
  ])('%s', (text, activity) => {
    expect(ubuntuVoice.readActivity({ tag: 'journal', text })).toEqual({ activity });
  });

  it('are no failures', () => {
    for (const text of ['ERROR: something', 'finish: subiquity/core_validation: FAIL', 'umount: error']) {
      expect(ubuntuVoice.findFailure({ tag: 'journal', text })).toBeUndefined();
    }
  });
});

describe('the console', () => {
  it.each([
    ['Continue with autoinstall? (yes|no)', 'installer-question'],
    ['  [ Continue in rich mode  > ]', 'installer-question'],
    ['As the installer is running on a serial console, it has started in basic mode, using', 'installer-question'],
    ['Please remove the installation medium, then press ENTER:', 'installer-question'],
    ['An error occurred. Press enter to start a shell', 'installer-error'],
    ['Unable to find a medium containing a live file system', 'installer-media'],
    ['Unable to find a live file system on the network', 'installer-media'],
    ['(initramfs) ', 'installer-boot'],
    ['BusyBox v1.36.1 (Ubuntu 1:1.36.1-6ubuntu3) built-in shell (ash)', 'installer-boot'],
    ['[  120.3] Out of memory: Killed process 812 (python3.10)', 'installer-memory'],
  ])('%s', (line, code) => {
    const failure = ubuntuVoice.findSerialFailure(line, ['', 'the line above']);
    expect(failure).toMatchObject({ code, hint: expect.any(String) });
    expect(failure?.evidence[0]?.lines).toEqual(['the line above', line]);
  });

  it.each([
    'start: subiquity/Install/install/curtin_install: installing system',
    'Begin: Running /scripts/casper-bottom ... done.',
    '[  OK  ] Started Subiquity, the installer for Ubuntu Server.',
    'finish: subiquity/Error/run: SUCCESS',
  ])('shows no failure in %j', (line) => {
    expect(ubuntuVoice.findSerialFailure(line, [])).toBeUndefined();
    expect(ubuntuVoice.isIdleLine(line)).toBe(false);
  });

  it.each(['', '[***   ] A start job is running for Wait for snapd (1min 2s / no limit)'])('is idle: %j', (line) => {
    expect(ubuntuVoice.isIdleLine(line)).toBe(true);
  });
});
