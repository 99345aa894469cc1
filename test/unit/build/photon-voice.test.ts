import { describe, expect, it } from 'vitest';
import { photonVoice } from '../../../src/build/installers/photon-voice.ts';

const traceback = ['Executing: m_postinstall', 'Traceback (most recent call last):', '  File "installer.py", line 1'];

describe('the voice of Photon', () => {
  it.each([
    ['Exception: Unknown install_config keys: disks', 'installer-answer-file', /Unknown install_config keys: disks/],
    [
      'json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)',
      'installer-answer-file',
      /Expecting value/,
    ],
    ['Exception: Can not mount the cd', 'installer-media', /could not mount/],
    ['Exception: Installer failed', 'installer-error', /Installer failed/],
    ['FileNotFoundError: [Errno 2] No such file', 'installer-error', /No such file/],
  ])('tells of an exception: %s', (line, code, message) => {
    const failure = photonVoice.findSerialFailure(line, traceback);
    expect(failure).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(failure?.evidence?.[0]?.lines).toEqual([...traceback, line]);
  });

  it('takes no talk of exceptions for one', () => {
    expect(photonVoice.findSerialFailure('Installing: perl-Exception: 1.0', ['Installing'])).toBeUndefined();
  });

  it.each([
    ['  VMWARE 5.0 LICENSE AGREEMENT', 'installer-question'],
    ['Please specify RPM repo path.', 'installer-media'],
    ['root@photon-installer [ /installer ]# ', 'installer-error'],
  ])('tells that the installer has stopped: %s', (line, code) => {
    expect(photonVoice.findSerialFailure(line, [])).toMatchObject({ code });
  });

  it('tells how the postinstall script has ended', () => {
    const failureOf = (name: string) => photonVoice.findCallbackFailure({ name, body: '' });
    expect(failureOf('postinstall-end/2')).toMatchObject({ code: 'installer-script', message: /exit code 2/ });
    expect(['postinstall', 'postinstall-end/0', 'alive'].map(failureOf)).toEqual([undefined, undefined, undefined]);
  });

  it('reads the log that comes home, and how far the install is', () => {
    const body = '2023-05-02 10:00:00,123 - Executing: m_updatehostname\n\n2023-05-02 10:00:01,000 - done\n';
    const messages = photonVoice.readCallback?.({ name: 'log/installer', body }) ?? [];
    expect(messages).toEqual([
      { tag: 'installer', text: 'Executing: m_updatehostname' },
      { tag: 'installer', text: 'done' },
    ]);
    expect(messages.map(photonVoice.readActivity)).toEqual([
      { activity: 'running its step updatehostname' },
      undefined,
    ]);
    const [point] = photonVoice.readCallback?.({ name: 'postinstall', body: '' }) ?? [];
    expect(point && photonVoice.readActivity(point)).toMatchObject({ fraction: 0.5 });
    expect(photonVoice.readCallback?.({ name: 'alive', body: '' })).toEqual([]);
  });
});
