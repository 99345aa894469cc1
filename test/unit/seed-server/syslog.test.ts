import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Scope } from '../../../src/lifecycle/scope.ts';
import { parseSyslogMessage, type SyslogMessage } from '../../../src/seed-server/syslog-message.ts';
import { startSyslogReceiver } from '../../../src/seed-server/syslog-receiver.ts';

describe('parseSyslogMessage', () => {
  it.each<[string, string, Partial<SyslogMessage>]>([
    [
      "busybox's, with a process id",
      '<30>Nov 23 06:41:05 netcfg[3077]: DEBUG: State is now 1\n',
      { timestamp: 'Nov 23 06:41:05', tag: 'netcfg', text: 'DEBUG: State is now 1' },
    ],
    [
      'without a process id',
      '<13>Nov  3 06:41:02 main-menu: INFO: Menu item selected',
      { timestamp: 'Nov  3 06:41:02', tag: 'main-menu', text: 'INFO: Menu item selected' },
    ],
    ["the kernel's", '<6>Nov 23 06:41:02 kernel: [    1.0] Linux: x', { tag: 'kernel', text: '[    1.0] Linux: x' }],
    ['with a host name', '<13>Nov 23 06:41:02 box sshd[1]: hi', { tag: 'sshd', text: 'hi' }],
    ['without a tag', '<13>Nov 23 06:41:02 just words here', { tag: undefined, text: 'just words here' }],
    ['without a priority', 'Nov 23 06:41:02 anna: x', { tag: 'anna', text: 'x' }],
    ['with an impossible priority', '<999>x', { tag: undefined, text: '<999>x' }],
    ['with escape sequences', '<13>a: \u001b[31mred\u001b[0m\u0000\u0007', { tag: 'a', text: 'red' }],
    ['empty', '', { timestamp: undefined, tag: undefined, text: '' }],
  ])('%s', (_, datagram, expected) => {
    expect(parseSyslogMessage(datagram)).toMatchObject(expected);
  });

  it('gives one printable line whatever comes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const { text, tag } = parseSyslogMessage(Buffer.from(bytes).toString('utf8'));
        const codes = [...text, ...(tag ?? '')].map((character) => character.charCodeAt(0));
        return codes.every((code) => code === 9 || (code >= 32 && code !== 127));
      }),
    );
  });
});

describe('startSyslogReceiver', () => {
  let scope: Scope;
  beforeEach(() => {
    scope = new Scope();
  });
  afterEach(() => scope.close());

  async function receive(...datagrams: (string | Uint8Array)[]): Promise<SyslogMessage[]> {
    const messages: SyslogMessage[] = [];
    const { port } = await startSyslogReceiver({ scope, onMessage: (message) => messages.push(message) });
    const socket = createSocket('udp4');
    scope.defer('close the sender', () => void socket.close());
    for (const datagram of datagrams) {
      await new Promise<void>((resolve, reject) =>
        socket.send(datagram, port, '127.0.0.1', (error) => (error ? reject(error) : resolve())),
      );
    }
    for (let tries = 0; messages.length < datagrams.length && tries < 200; tries += 1) await sleep(10);
    return messages;
  }

  it('tells each message', async () => {
    const messages = await receive('<13>Nov 23 06:41:02 anna: one', '<13>Nov 23 06:41:03 anna: two');
    expect(messages.map(({ text }) => text)).toEqual(['one', 'two']);
  });

  it('stands garbage and large datagrams', async () => {
    const messages = await receive(Buffer.from([0, 255, 128]), Buffer.alloc(65_000, 'x'), '<13>anna: still here');
    expect(messages).toHaveLength(3);
    expect(messages[1]?.text.length).toBeLessThanOrEqual(8 * 1024);
    expect(messages[2]?.text).toBe('still here');
  });

  it('takes lines by TCP on the same port, however they are cut, and ends connections when it is closed', async () => {
    const messages: SyslogMessage[] = [];
    const receiver = await startSyslogReceiver({ scope, onMessage: (message) => messages.push(message) });
    const connection = connect(receiver.port, '127.0.0.1');
    const closed = new Promise((resolve) => connection.on('close', resolve));
    for (const piece of [
      '<13>Nov 23 06:41:02 anaconda: o',
      'ne\n<13>anaconda: two\n',
      `${'x'.repeat(9000)}\nthree\n`,
    ]) {
      connection.write(piece);
      await sleep(20);
    }
    for (let tries = 0; messages.length < 4 && tries < 200; tries += 1) await sleep(10);
    expect(messages.map(({ text }) => text.slice(0, 9))).toEqual(['one', 'two', 'xxxxxxxxx', 'three']);
    await receiver.close();
    await closed;
  });

  it('can be closed twice', async () => {
    const receiver = await startSyslogReceiver({ scope, onMessage: () => {} });
    await receiver.close();
    await scope.close();
  });
});
